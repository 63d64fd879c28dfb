package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// absent is the error for what this machine has not, as opposed to what does
// not work.
type absent struct{ error }

// An end is a connection that the server gave up.
type end struct {
	port   int           // of the peer
	at     time.Duration // by the clock of monotonic
	reason string
}

// A process is a running server.
type process struct {
	name  string
	addr  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	stats chan string

	mu   sync.Mutex
	ends []end
}

// startProcess starts a server as a child, on an address of this machine or, if
// a namespace is named, in that.
func startProcess(name, namespace, host string, o serveOptions) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{self, "-serve", name, host + ":0"}, o.args()...)
	if name == nodeName {
		if args, err = nodeArgs(host, o); err != nil {
			return nil, err
		}
	}
	if namespace != "" {
		args = append([]string{"ip", "netns", "exec", namespace}, args...)
	}
	p := &process{name: name, cmd: exec.Command(args[0], args[1:]...), stats: make(chan string, 1)}
	p.cmd.Stderr = os.Stderr
	// A stopped process does not see its standard input end. The signal comes
	// when the thread that started it ends: the main one, see main.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ready := make(chan string, 1)
	go p.listen(stdout, ready)
	select {
	case p.addr = <-ready:
	case <-time.After(20 * time.Second):
	}
	if p.addr == "" {
		p.stop()
		return nil, fmt.Errorf("%s did not say where it listens", name)
	}
	return p, nil
}

func (p *process) listen(stdout io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(stdout)
	if lines.Scan() {
		ready <- lines.Text()
	}
	close(ready)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		if kind == "stats" {
			select {
			case p.stats <- rest:
			default:
			}
			continue
		}
		f := strings.SplitN(rest, " ", 3)
		if kind != "end" || len(f) != 3 {
			continue
		}
		port, _ := strconv.Atoi(f[0])
		at, _ := strconv.ParseInt(f[1], 10, 64)
		p.mu.Lock()
		p.ends = append(p.ends, end{port, time.Duration(at), f[2]})
		p.mu.Unlock()
	}
}

// take returns the ends since it was last called.
func (p *process) take() []end {
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := p.ends
	p.ends = nil
	return ends
}

// ask returns what the server says about itself.
func (p *process) ask() string {
	select {
	case <-p.stats: // an answer that came too late
	default:
	}
	_, _ = io.WriteString(p.stdin, "stats\n")
	select {
	case s := <-p.stats:
		return s
	case <-time.After(2 * time.Second):
		return "{}"
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// resident is how much memory the server has, in bytes.
func (p *process) resident() int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid()))
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Kill() // fails only if it has ended
	_ = p.cmd.Wait()         // "signal: killed"
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isAbsent(err error) bool { return errors.As(err, &absent{}) }
