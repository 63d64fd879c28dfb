package server

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
)

// Engine runs the connections of a Server with Events.
type Engine interface {
	// Attach takes over nc, whose handshake is done, and calls the sink until
	// the connection has ended. It may return at once or when that is so.
	Attach(nc net.Conn, start conn.Start, opts *conn.Options, to Sink)
}

// Sink is what an engine calls for one connection, never two methods at once:
// Enter first, and if it returns true Open, then the events, then Leave. The
// application's panics come out of Open, Message, Drained and Close; an engine
// recovers them, calls Panicked and closes the connection with 1011.
type Sink interface {
	Enter(c *conn.Conn) bool
	Open(l Link)
	Message(typ conn.Type, data []byte)
	Drained()
	Close(err error)
	Panicked(value any)
	Leave()
}

// Link is a connection as its engine runs it. The methods are those of Peer.
type Link interface {
	Send(typ conn.Type, data []byte) error
	SendPrepared(m *conn.Prepared) error
	Ping(done func(control.Pong, error))
	Close(code conn.CloseCode, reason string) error
	Pause()
	Resume()
	Detach() (*conn.Conn, error)
	Health() control.Health
	Subprotocol() string
	RemoteAddr() net.Addr
}

// Goroutines is the engine that runs each connection on a goroutine of its
// own. It works everywhere.
type Goroutines struct{}

// Attach runs the connection on the calling goroutine.
func (Goroutines) Attach(nc net.Conn, start conn.Start, opts *conn.Options, to Sink) {
	c, err := conn.New(nc, start, opts)
	if err != nil {
		nc.Close() // not for options that were checked
		return
	}
	l := &link{Conn: c, sink: to}
	if !to.Enter(l.Conn) {
		return
	}
	defer to.Leave()
	l.run()
}

// link runs a connection by ranging over its messages. Whatever else there is
// to do breaks the loop: pausing, waiting until the output is empty, leaving.
type link struct {
	*conn.Conn
	sink Sink

	mu       sync.Mutex
	stop     context.CancelFunc // breaks the loop; nil if it is not running
	refused  bool               // a Send failed, and Drained was not called yet
	paused   bool
	resumed  chan struct{} // closed by Resume
	detached bool
	broken   bool // one of the above
}

// run calls the sink until the connection ends or is detached.
func (l *link) run() {
	ok := l.guard(func() { l.sink.Open(l) })
	for ok && l.settle() {
		ok = l.guard(l.messages)
	}
	l.mu.Lock()
	detached := l.detached
	l.mu.Unlock()
	if detached {
		return
	}
	if !ok {
		l.Close(1011, "")
	}
	<-l.Done()
	l.guard(func() { l.sink.Close(l.Err()) })
}

// guard calls f and reports whether it returned without a panic.
func (l *link) guard(f func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			l.sink.Panicked(p)
		}
	}()
	f()
	return true
}

// messages delivers messages until something else is to be done.
func (l *link) messages() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !l.enter(cancel) {
		return
	}
	for m, err := range l.Messages(ctx) {
		if err != nil {
			return
		}
		l.sink.Message(m.Type, m.Data)
	}
}

// enter makes the loop breakable, unless there is something to do already.
func (l *link) enter(stop context.CancelFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return false
	}
	l.stop = stop
	return true
}

// interrupt notes something else to do and breaks the loop.
func (l *link) interrupt(note func()) {
	l.mu.Lock()
	note()
	l.broken = true
	stop := l.stop
	l.stop = nil
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// settle does whatever broke the loop, and reports whether to go on.
func (l *link) settle() bool {
	for {
		l.mu.Lock()
		l.stop = nil
		refused, paused, resumed := l.refused, l.paused, l.resumed
		l.refused = false
		if l.detached || l.Conn.Err() != nil {
			l.mu.Unlock()
			return false
		}
		if !refused && !paused {
			l.broken = false
			l.mu.Unlock()
			return true
		}
		l.mu.Unlock()

		if refused {
			l.Flush(context.Background()) // ends with the connection
			if l.Conn.Err() == nil && !l.guard(l.sink.Drained) {
				l.Close(1011, "")
			}
			continue
		}
		select {
		case <-resumed:
		case <-l.Done():
		}
	}
}

func (l *link) Send(typ conn.Type, data []byte) error {
	return l.check(l.TryWrite(typ, data))
}

func (l *link) SendPrepared(m *conn.Prepared) error {
	return l.check(l.TryWritePrepared(m))
}

func (l *link) check(err error) error {
	if err == conn.ErrBackpressure {
		l.interrupt(func() { l.refused = true })
	}
	return err
}

// pingTimeout bounds the goroutine that waits for a pong.
const pingTimeout = 20 * time.Second

func (l *link) Ping(done func(control.Pong, error)) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
		defer cancel()
		pong, err := l.Conn.Ping(ctx)
		if done != nil && !l.guard(func() { done(pong, err) }) {
			l.Close(1011, "")
		}
	}()
}

func (l *link) Close(code conn.CloseCode, reason string) error {
	err := l.Conn.Close(ended, code, reason)
	if err == context.Canceled {
		err = nil // it only means that nobody waited
	}
	return err
}

func (l *link) Pause() {
	l.interrupt(func() {
		if !l.paused {
			l.paused, l.resumed = true, make(chan struct{})
		}
	})
}

func (l *link) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		l.paused = false
		close(l.resumed)
	}
}

func (l *link) Detach() (*conn.Conn, error) {
	if err := l.Conn.Err(); err != nil {
		return nil, err
	}
	l.interrupt(func() { l.detached = true })
	return l.Conn, nil
}
