package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	// startLimit is how long the suite may take until it listens.
	startLimit = time.Minute
	// fetchLimit is how long it may take where its image may have to be fetched first.
	fetchLimit = 10 * time.Minute
	// portTries is how many ports are tried: between the choice of a free one and its use it may be taken.
	portTries = 3
)

// runClients runs the suite as a server and has clients of ours go through its cases, one after another. notes
// gets a line for each case that a client could not open a connection for.
func (s suite) runClients(ctx context.Context, r run, cases []string, notes, echo io.Writer) error {
	limit := startLimit
	if s.docker != "" {
		limit = fetchLimit
	}
	for try := 1; ; try++ {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		p, err := s.fuzzingServer(r.spec, r.report, "ws://"+addr, cases)
		if err != nil {
			return err
		}
		err = p.host(ctx, addr, limit, echo, func(ctx context.Context) error {
			return playAll(ctx, "ws://"+addr, r.agents, cases, notes)
		})
		if !errors.Is(err, errPortTaken) || try == portTries {
			return err
		}
	}
}

// freeAddr is a loopback address that nobody listens on. The suite itself listens on all interfaces: its spec
// knows the port only.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

var errPortTaken = errors.New("somebody else listens on its port")

// host starts the process, which does not end by itself, waits for at most limit until it listens on addr, and
// calls visit. Then it ends the process. When the process ends before that, so does the context of visit.
func (p *process) host(ctx context.Context, addr string, limit time.Duration, echo io.Writer, visit func(context.Context) error) error {
	c, err := p.start(echo)
	if err != nil {
		return err
	}
	defer c.end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.ended:
			cancel(c.gone())
		case <-ctx.Done():
		}
	}()
	if err = awaitListener(ctx, addr, limit); err == nil {
		err = visit(ctx)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		// A server that breaks off a connection may be about to die, and what it died of explains more.
		select {
		case <-c.ended:
			err = fmt.Errorf("%w (%w)", c.gone(), err)
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return c.explain(err)
}

// gone says how a process ended that should not have.
func (c *child) gone() error {
	switch {
	case c.err == nil:
		return errors.New("ended before it was asked to")
	case strings.Contains(c.last.String(), "CannotListenError"):
		return errPortTaken
	}
	return fmt.Errorf("ended before it was asked to: %w", c.err)
}

// awaitListener waits until somebody listens on addr.
func awaitListener(ctx context.Context, addr string, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("does not listen on %s after %v", addr, limit))
	defer cancel()
	for {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return nc.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
