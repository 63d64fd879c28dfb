package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// command is a program of a peer, or one that installs it.
type command struct {
	path string
	args []string
	env  []string // added to ours
	dir  string
}

// with returns the command with more arguments.
func (c command) with(args ...string) command {
	c.args = append(c.args[:len(c.args):len(c.args)], args...)
	return c
}

// graceful is how long the output of a killed process may stay open.
const graceful = 2 * time.Second

// prepare makes a process of the command that is killed, with all that it
// started, when ctx ends.
func (c command) prepare(ctx context.Context) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Dir = c.dir
	cmd.WaitDelay = graceful
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

// lines runs the command and calls each for every line that it prints.
func (c command) lines(ctx context.Context, each func(line []byte)) error {
	cmd, stderr := c.prepare(ctx)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		each(scan.Bytes())
	}
	_, _ = io.Copy(io.Discard, out) // after a line that is too long
	return explained(ctx, errors.Join(scan.Err(), cmd.Wait()), stderr)
}

// run runs the command and returns what it prints.
func (c command) run(ctx context.Context) (string, error) {
	cmd, stderr := c.prepare(ctx)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), explained(ctx, err, stderr)
}

// explained adds to an error what the process said.
func explained(ctx context.Context, err error, stderr *bytes.Buffer) error {
	if err == nil {
		return nil
	}
	const last = 2000
	said := stderr.String()
	if len(said) > last {
		said = "…" + said[len(said)-last:]
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimSpace(said))
}

// process is a command that goes on until it is told to end.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  chan string   // of its standard output
	ended  chan struct{} // closed when it has
	err    error         // of the process, once it has ended
	stderr *transcript
}

// start starts a command that is killed when the test ends, if it still runs.
// Its standard input stays open until somebody closes it.
func (c command) start(t *testing.T, files ...*os.File) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd, _ := c.prepare(ctx)
	p := &process{cmd: cmd, lines: make(chan string, 100), ended: make(chan struct{}), stderr: &transcript{}}
	cmd.Stderr, cmd.ExtraFiles = p.stderr, files
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	p.stdin = stdin
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	go func() {
		defer close(p.ended)
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			select {
			case p.lines <- scan.Text():
			default: // nobody cares
			}
		}
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// line waits for the next line that the process prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		require.True(t, ok, "the process has ended: %s", p.stderr)
		return line
	case <-time.After(patience):
		require.FailNow(t, "the process says nothing", "%s", p.stderr)
		return ""
	}
}

// wait waits for the end of the process.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		require.FailNow(t, "the process does not end", "%s", p.stderr)
		return nil
	}
}

// transcript is what a process says, which may be read meanwhile.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
