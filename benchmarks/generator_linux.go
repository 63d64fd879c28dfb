package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A load is one run of the generator against one server.
type load struct {
	scenario
	raw                   bool // the server echoes bytes: a floor
	addr                  string
	warmup, measure       time.Duration
	serverCPU             func() (time.Duration, error)
	stall, drain, silence time.Duration // 0 = the defaults below
}

const (
	defaultStall   = 8 * time.Second       // without a single batch done
	defaultDrain   = 5 * time.Second       // for the answers outstanding at the end
	defaultSilence = 30 * time.Millisecond // after them, for bytes nobody asked for
	dialTimeout    = 10 * time.Second
)

// A generator keeps one batch under way on every connection, from one thread.
type generator struct {
	load
	epfd   int
	conns  []client
	events []unix.EpollEvent
	buf    []byte

	stopping     bool
	busy         int // connections with a batch under way
	batches      uint64
	pongs        uint64 // of the batches
	rtt          *histogram
	start        time.Time
	now          time.Duration // since start, read once a turn
	lastProgress time.Duration
}

// run measures. Any difference between what came back and what had to, a missing
// or an extra byte, is an error.
func (l load) run() (_ result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if l.stall == 0 {
		l.stall = defaultStall
	}
	if l.drain == 0 {
		l.drain = defaultDrain
	}
	if l.silence == 0 {
		l.silence = defaultSilence
	}
	g := &generator{
		load:   l,
		events: make([]unix.EpollEvent, 512),
		buf:    make([]byte, 512<<10),
		rtt:    new(histogram),
		start:  time.Now(),
	}
	if g.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return result{}, fmt.Errorf("epoll_create1: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(g.epfd)) }()
	defer g.close()
	if err := g.open(); err != nil {
		return result{}, err
	}
	return g.measureLoad()
}

func (g *generator) open() error {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	batches := newBatches(g.scenario, g.raw, rand.NewChaCha8(seed))
	g.conns = make([]client, 0, g.scenario.conns)
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout+time.Duration(g.scenario.conns)*10*time.Millisecond)
	defer cancel()
	for i := range g.scenario.conns {
		fd, err := dial(ctx, g.addr, g.raw)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		g.conns = append(g.conns, client{fd: fd, batch: &batches[i%len(batches)]})
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(g.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return fmt.Errorf("epoll_ctl: %w", err)
		}
	}
	return nil
}

func (g *generator) close() {
	for i := range g.conns {
		_ = unix.Close(g.conns[i].fd)
	}
}

func (g *generator) measureLoad() (result, error) {
	g.tick()
	g.lastProgress = g.now
	for i := range g.conns {
		g.busy++
		if err := g.begin(&g.conns[i], i); err != nil {
			return result{}, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	always := func() bool { return true }
	if err := g.turn(g.warmup, always); err != nil {
		return result{}, err
	}

	*g.rtt = histogram{}
	batches, pongs, wall := g.batches, g.pongs, time.Now()
	cpu, err := g.serverCPU()
	if err != nil {
		return result{}, err
	}
	if err := g.turn(g.measure, always); err != nil {
		return result{}, err
	}
	cpuEnd, err := g.serverCPU()
	if err != nil {
		return result{}, err
	}
	seconds := time.Since(wall).Seconds()
	used := (cpuEnd - cpu).Seconds()
	messages := float64(g.batches-batches) * float64(g.depth)
	pongs = g.pongs - pongs

	g.stopping = true
	if err := g.turn(g.drain, func() bool { return g.busy > 0 }); err != nil {
		return result{}, err
	}
	if g.busy > 0 {
		return result{}, fmt.Errorf("answers are missing on %d connections", g.busy)
	}
	if err := g.turn(g.silence, always); err != nil {
		return result{}, err
	}
	if messages == 0 || used <= 0 {
		return result{}, errors.New("no batch was answered in the measured time")
	}
	r := result{
		MessagesPerCPUSecond: messages / used,
		MessagesPerSecond:    messages / seconds,
		ServerLoad:           used / seconds,
		P50:                  float64(g.rtt.quantile(0.50).Nanoseconds()) / 1e3,
		P99:                  float64(g.rtt.quantile(0.99).Nanoseconds()) / 1e3,
	}
	if g.kind == ping && !g.raw {
		r.PongsPerPing = float64(pongs) / messages
	}
	return r, nil
}

func (g *generator) tick() { g.now = time.Since(g.start) }

// turn serves what is ready for the time given, or until more says no.
func (g *generator) turn(d time.Duration, more func() bool) error {
	g.tick()
	for end := g.now + d; g.now < end && more(); {
		timeout := min(end-g.now, 100*time.Millisecond)
		n, err := wait(g.epfd, g.events, int(timeout.Milliseconds())+1)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		g.tick()
		for _, ev := range g.events[:n] {
			if err := g.serve(int(ev.Fd), ev.Events); err != nil {
				return fmt.Errorf("connection %d: %w", ev.Fd, err)
			}
		}
		if !g.stopping && g.now-g.lastProgress > g.stall {
			return fmt.Errorf("stall: no batch was answered for %v", g.stall)
		}
	}
	return nil
}
