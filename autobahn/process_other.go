//go:build !unix

package main

import "os/exec"

func ownGroup(*exec.Cmd) {}

func askToEnd(cmd *exec.Cmd) { kill(cmd) }

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
