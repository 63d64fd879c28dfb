package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = http.ErrServerClosed

// Server serves WebSocket connections from listeners, or as an http.Handler,
// or both. What is done with a connection is said by Handle, or else by
// Events. The fields must not change once it serves.
type Server struct {
	Options Options

	// Handle is given each connection on a goroutine of its own, as described
	// at Handler.
	Handle func(ctx context.Context, c *conn.Conn) error
	// Events are called for each connection if Handle is nil.
	Events Events
	// Engine runs the connections of Events; nil is one goroutine each.
	Engine Engine
	// Fallback gets requests that do not ask for a WebSocket. If it is nil they
	// are refused with 426.
	Fallback http.Handler

	once     sync.Once
	settings *settings
	err      error // of the options

	mu         sync.Mutex
	down       bool
	listeners  map[net.Listener]struct{}
	stopped    chan struct{} // closed when down is set
	handshakes map[net.Conn]struct{}
	sessions   map[*conn.Conn]*session
	running    int           // handshakes and handlers that have not returned
	idle       chan struct{} // closed when there are none, and no sessions
	plain      *http.Server  // for Fallback
	plainly    sync.Once
	handoff    *handoff
}

// session is what a server knows of a connection.
type session struct {
	cancel   context.CancelFunc
	released bool
}

// Handler returns an http.Handler that upgrades each request and calls f with
// the connection on a goroutine of its own, while its ServeHTTP returns and
// net/http frees what it needed. When f returns, the connection is closed:
// with 1000 for nil, with the code of a [*conn.CloseError], and otherwise, also
// after a panic, with 1011 and without the error's text, which is logged.
//
// ctx has the values of the request's context, but its own end: that of the
// connection, or the beginning of Shutdown. The handler is a *[Server], for
// those who want to shut it down.
func Handler(opts *Options, f func(ctx context.Context, c *conn.Conn) error) http.Handler {
	s := &Server{Handle: f}
	if opts != nil {
		s.Options = *opts
	}
	return s
}

// start checks the options and takes what it needs of them, once.
func (s *Server) start() error {
	s.once.Do(func() {
		opts := s.Options
		opts.Conn.OnEnd, opts.Conn.OnRelease = s.onEnd, s.onRelease
		opts.Conn.Hooks = opts.Conn.Hooks.Both(s.Events.hooks())
		if s.settings, s.err = opts.settle(); s.err != nil {
			return
		}
		s.stopped = make(chan struct{})
		s.listeners = make(map[net.Listener]struct{})
		s.handshakes = make(map[net.Conn]struct{})
		s.sessions = make(map[*conn.Conn]*session)
		if s.Engine == nil {
			s.Engine = Goroutines{}
		}
		if s.Fallback != nil {
			s.handoff = newHandoff()
			s.plain = &http.Server{
				Handler:           s,
				ConnContext:       withReplayed,
				ReadHeaderTimeout: defaultHandshakeTimeout,
				ReadTimeout:       time.Minute,
				IdleTimeout:       time.Minute,
				MaxHeaderBytes:    handshake.MaxBlock,
			}
		}
	})
	return s.err
}

// Check reports what is wrong with the options, if anything is: an origin
// pattern, a subprotocol, a header field. Serve returns the same error.
func (s *Server) Check() error { return s.start() }

// Serve accepts connections from ln until Shutdown or until ln fails, and
// closes ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if err := s.start(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	if s.plain != nil {
		s.plainly.Do(func() { go s.plain.Serve(s.handoff) })
	}
	defer func() {
		s.mu.Lock()
		delete(s.listeners, ln)
		s.mu.Unlock()
	}()

	wait := time.Duration(0)
	for {
		nc, err := ln.Accept()
		if err == nil {
			wait = 0
			go s.serve(nc)
			continue
		}
		if s.isDown() {
			return ErrServerClosed
		}
		// Out of descriptors, say: what else is open goes on, so wait for some.
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(wait):
		case <-s.stopped:
			return ErrServerClosed
		}
	}
}

// serve handles one accepted connection.
func (s *Server) serve(nc net.Conn) {
	if !s.begin(nc) {
		nc.Close()
		return
	}
	defer s.leave()
	r, start, err := s.settings.upgrade(nc, s.toFallback(), func() bool { return s.commit(nc) })
	s.commit(nc)
	if err == nil {
		s.run(r, nc, start)
	}
}

// commit says that a handshake is no longer to be cut short: it is over, or
// about to be accepted, which it must not be once commit returns false.
func (s *Server) commit(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.handshakes, nc)
	return !s.down
}

// begin has Shutdown wait for a connection until leave, and cut its handshake
// short if nc is not nil. It returns false after Shutdown.
func (s *Server) begin(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false
	}
	if nc != nil {
		s.handshakes[nc] = struct{}{}
	}
	s.running++
	return true
}

// toFallback returns what to do with a request that is no handshake.
func (s *Server) toFallback() func(net.Conn) {
	if s.handoff == nil {
		return nil
	}
	return s.handoff.give
}

// ServeHTTP upgrades a request that asks for a WebSocket, and gives any other
// to Fallback.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.start(); err != nil {
		http.Error(w, "the server is misconfigured", http.StatusInternalServerError)
		return
	}
	findTLS(r)
	if !isHandshake(r) {
		if s.Fallback != nil {
			s.Fallback.ServeHTTP(w, r)
		} else {
			answerRefusal(w, errNotHandshake)
		}
		return
	}
	if !s.begin(nil) {
		answerRefusal(w, errShutdown)
		return
	}
	nc, start, err := s.settings.accept(w, r)
	if err != nil {
		s.leave()
		return
	}
	go func() {
		defer s.leave()
		s.run(r, nc, start)
	}()
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// run runs one connection to its end, or starts what does.
func (s *Server) run(r *http.Request, nc net.Conn, start conn.Start) {
	if s.Handle == nil {
		p := newPeer(s, r)
		start.Owner = p
		s.Engine.Attach(nc, start, s.settings.conn, (*sink)(p))
		return
	}
	c, err := conn.New(nc, start, s.settings.conn)
	if err != nil {
		nc.Close() // not for options that were checked
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	if !s.enter(c, cancel) {
		return
	}
	defer s.leave()
	err = s.call(ctx, c)
	s.end(c, err)
}

// call calls Handle.
func (s *Server) call(ctx context.Context, c *conn.Conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
	}()
	return s.Handle(ctx, c)
}

// end closes a connection with whose handler is done.
func (s *Server) end(c *conn.Conn, err error) {
	code, reason := conn.CloseCode(1000), ""
	var end *conn.CloseError
	switch {
	case c.Err() != nil:
		return // it had ended before the handler did
	case err == nil:
	case errors.As(err, &end) && (end.Code.OnWire() || end.Code == 1005):
		code, reason = end.Code, end.Reason
	case errors.Is(err, context.Canceled) && s.isDown():
		code = 1001
	default:
		code = 1011
		s.settings.Log.Error("websocket: handler failed", "error", err, "remote", c.RemoteAddr())
	}
	if c.Close(context.Background(), code, reason) != nil && c.Err() == nil {
		c.Close(context.Background(), 1011, "") // the reason was not fit to be sent
	}
}

// enter registers a connection. cancel is called when it ends or Shutdown
// begins. After that it returns false, and the connection is being closed.
func (s *Server) enter(c *conn.Conn, cancel context.CancelFunc) bool {
	s.mu.Lock()
	if e := s.sessions[c]; e != nil && e.released { // it was over that soon
		delete(s.sessions, c)
	} else {
		s.sessions[c] = &session{cancel: cancel}
	}
	down := s.down
	if !down {
		s.running++
	}
	s.mu.Unlock()
	if down {
		closeAway(c)
		return false
	}
	if c.Err() != nil {
		cancel()
	}
	return true
}

// leave notes that a handler has returned.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.checkIdle()
}

// checkIdle tells Shutdown that nothing is left. s.mu is held.
func (s *Server) checkIdle() {
	if s.idle != nil && s.running == 0 && len(s.sessions) == 0 {
		close(s.idle)
		s.idle = nil
	}
}

func (s *Server) onEnd(c *conn.Conn, err error) {
	s.mu.Lock()
	e := s.sessions[c]
	s.mu.Unlock()
	if e != nil && e.cancel != nil {
		e.cancel()
	}
	if s.Options.Conn.OnEnd != nil {
		s.Options.Conn.OnEnd(c, err)
	}
}

func (s *Server) onRelease(c *conn.Conn) {
	s.mu.Lock()
	if s.sessions[c] != nil {
		delete(s.sessions, c)
	} else {
		s.sessions[c] = &session{released: true} // until enter comes
	}
	s.checkIdle()
	s.mu.Unlock()
	if s.Options.Conn.OnRelease != nil {
		s.Options.Conn.OnRelease(c)
	}
}

// Shutdown stops accepting, ends the contexts of handlers, sends Close 1001 to
// every connection and waits until all are closed and all handlers have
// returned. When ctx ends first, what is left is closed at once and the error
// is that of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.start(); err != nil {
		return nil // it never served
	}
	s.mu.Lock()
	if !s.down {
		s.down = true
		close(s.stopped)
	}
	for ln := range s.listeners {
		ln.Close()
	}
	for nc := range s.handshakes {
		nc.Close()
	}
	var left []*conn.Conn
	var cancels []context.CancelFunc
	for c, e := range s.sessions {
		if e.released {
			continue // enter is about to come
		}
		left = append(left, c)
		if e.cancel != nil {
			cancels = append(cancels, e.cancel)
		}
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.checkIdle()
	s.mu.Unlock()

	for _, c := range left {
		closeAway(c) // first, lest a handler's context cut off what it waits for
	}
	for _, cancel := range cancels {
		cancel()
	}
	var err error
	if s.plain != nil {
		err = s.plain.Shutdown(ctx)
	}
	select {
	case <-idle:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	left = left[:0]
	for c := range s.sessions {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		c.CloseNow()
	}
	if s.plain != nil {
		s.plain.Close()
	}
	return ctx.Err()
}

// closeAway starts to close a connection and does not wait for it.
func closeAway(c *conn.Conn) { c.Close(ended, 1001, "") }

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
