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
	c, err := p.start(echo)
	if err != nil {
		return err
	}
	select {
	case <-c.ended:
		if c.err != nil {
			return c.explain(c.err)
		}
		return nil
	case <-ctx.Done():
		c.end()
		return c.explain(fmt.Errorf("ended before it was done: %w", context.Cause(ctx)))
	}
}

// A child is a process that was started.
type child struct {
	process
	cmd   *exec.Cmd
	last  tail
	ended chan struct{}
	err   error // what Wait returned, once ended
}

// start starts the process. echo, if not nil, gets all of its output.
func (p *process) start(echo io.Writer) (*child, error) {
	c := &child{process: *p, cmd: exec.Command(p.name, p.args...), ended: make(chan struct{})}
	var out io.Writer = &c.last
	if echo != nil {
		out = io.MultiWriter(&c.last, echo)
	}
	c.cmd.Dir, c.cmd.Env = p.dir, append(os.Environ(), p.env...)
	c.cmd.Stdout, c.cmd.Stderr = out, out
	// A grandchild that inherited the pipe must not hold up Wait.
	c.cmd.WaitDelay = gracePeriod
	ownGroup(c.cmd)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// end ends the process if it is still there, and returns when it has ended.
func (c *child) end() {
	select {
	case <-c.ended:
		return // its process id may be somebody else's by now
	default:
	}
	askToEnd(c.cmd)
	select {
	case <-c.ended:
	case <-time.After(gracePeriod):
		kill(c.cmd)
		<-c.ended
	}
	if len(c.after) > 0 {
		// When the container is gone already, this fails, as it should.
		ctx, cancel := context.WithTimeout(context.Background(), gracePeriod)
		defer cancel()
		_ = exec.CommandContext(ctx, c.after[0], c.after[1:]...).Run()
	}
}

// explain adds the last lines of output to an error.
func (c *child) explain(err error) error {
	return fmt.Errorf("%s: %w\n%s", c.name, err, &c.last)
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
