//go:build !linux

package main

import (
	"errors"
	"io"
	"runtime"
	"time"
)

var errLinuxOnly = errors.New("the loopback part needs Linux (epoll, CPU affinity, process CPU clocks); " +
	"-engine runs here")

func measureLoopback(options, io.Writer) ([]row[result], error) { return nil, errLinuxOnly }

func allowedCPUs() ([]int, error) { return []int{0}, nil }

func onCPU(_ int, start func() error) error { return start() }

var started = time.Now()

func ownCPU() time.Duration { return time.Since(started) }

func kernel() string { return runtime.GOOS }
