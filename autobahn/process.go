package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A process is a run of the suite as a child in a process group of its own.
type process struct {
	name  string
	args  []string
	env   []string // added to ours
	dir   string
	after []string // a command to run when the process had to be ended
}

// gracePeriod is what a process gets between being asked to end and being killed.
const gracePeriod = 5 * time.Second

// run starts the process and waits for it. When ctx ends first, it ends that process and its group, nothing
// else. On failure the error carries the last lines of output; echo, if not nil, gets all of it.
func (p *process) run(ctx context.Context, echo io.Writer) error {
	last := &tail{}
	var out io.Writer = last
	if echo != nil {
		out = io.MultiWriter(last, echo)
	}
	cmd := exec.Command(p.name, p.args...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = out, out
	// A grandchild that inherited the pipe must not hold up Wait.
	cmd.WaitDelay = gracePeriod
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	select {
	case err := <-waited:
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", p.name, err, last)
		}
		return nil
	case <-ctx.Done():
	}
	select {
	case <-waited:
		// It ended at the same moment; its process id may be somebody else's by now.
		return fmt.Errorf("%s: %w\n%s", p.name, context.Cause(ctx), last)
	default:
	}
	askToEnd(cmd)
	select {
	case <-waited:
	case <-time.After(gracePeriod):
		kill(cmd)
		<-waited
	}
	if len(p.after) > 0 {
		// ctx is over; and when the container is gone already, this fails, as it should.
		ctx, cancel := context.WithTimeout(context.Background(), gracePeriod)
		defer cancel()
		_ = exec.CommandContext(ctx, p.after[0], p.after[1:]...).Run()
	}
	return fmt.Errorf("%s ended before it was done: %w\n%s", p.name, context.Cause(ctx), last)
}

// tail keeps the last few KiB written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// String gives the tail from its first whole line on, indented.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.b
	if len(b) == tailSize {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return "  | " + strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n  | ")
}
