package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// servePeer is the child's side: it serves until its standard input ends, so
// that it cannot outlive whoever started it.
func servePeer(name string) error {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return fmt.Errorf("no peer %q", name)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(ln.Addr())
	if err := peers[i].serve(ln); err != nil {
		return err
	}
	return fmt.Errorf("peer %s stopped serving", name)
}

// A child is a running peer.
type child struct {
	addr   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr tail
}

const startTimeout = 10 * time.Second

// startChild runs this program again as the named peer, on the given CPU.
func startChild(name string, cpu int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, "-peer", name)}
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := onCPU(cpu, c.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- strings.TrimSpace(s)
	}()
	select {
	case c.addr = <-line:
	case <-time.After(startTimeout):
	}
	if host, _, err := net.SplitHostPort(c.addr); err != nil || !net.ParseIP(host).IsLoopback() {
		c.stop()
		return nil, c.explain(fmt.Errorf("%s did not say where it listens", name))
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) stop() {
	_ = c.stdin.Close()
	_ = c.cmd.Process.Kill() // fails only if it has ended
	_ = c.cmd.Wait()         // "signal: killed"
}

// explain adds to err what a stopped child has to say about it.
func (c *child) explain(err error) error {
	if said := bytes.TrimSpace(c.stderr.b); len(said) > 0 {
		return errors.Join(err, fmt.Errorf("stderr: %s", said))
	}
	return err
}

// A tail keeps the last bytes written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - 2048; over > 0 {
		t.b = t.b[over:]
	}
	return len(p), nil
}
