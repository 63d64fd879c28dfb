package server

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
)

// Events are the callbacks of a Server; nil ones are passed over. Those of one
// peer are called one after the other, those of different peers at the same
// time. They must not block: what has to wait belongs on a goroutine of its
// own, with Peer.Detach if it is about the connection.
type Events struct {
	// Open is the first call for a peer.
	Open func(p *Peer)
	// Message is called for each message. The data is valid until it returns.
	Message func(p *Peer, typ conn.Type, data []byte)
	// Drained is called when the output is empty, after a Send that failed with
	// conn.ErrBackpressure. One Send of any size is accepted then. Until it was
	// called no Message is.
	Drained func(p *Peer)
	// Close is the last call for a peer that was not detached. The error is a
	// *conn.CloseError; conn.NormalEnd tells whether it is no failure.
	Close func(p *Peer, err error)

	// Hooks tell of the peer's life, on other goroutines than the callbacks above
	// and possibly at the same time.
	Hooks control.Hooks[*Peer]
}

// hooks are Hooks for connections whose owners are peers.
func (e *Events) hooks() (h conn.Hooks) {
	g := &e.Hooks
	if f := g.OnPing; f != nil {
		h.OnPing = func(c *conn.Conn, payload []byte) { withPeer(c, payload, f) }
	}
	if f := g.OnPong; f != nil {
		h.OnPong = func(c *conn.Conn, pong conn.PongEvent) { withPeer(c, pong, f) }
	}
	if f := g.OnMissed; f != nil {
		h.OnMissed = func(c *conn.Conn, missed int) { withPeer(c, missed, f) }
	}
	if f := g.OnSuspect; f != nil {
		h.OnSuspect = func(c *conn.Conn, silence time.Duration) { withPeer(c, silence, f) }
	}
	if f := g.OnRecovered; f != nil {
		h.OnRecovered = func(c *conn.Conn, downtime time.Duration) { withPeer(c, downtime, f) }
	}
	if f := g.OnDead; f != nil {
		h.OnDead = func(c *conn.Conn, err *control.DeadError) (putOff time.Duration) {
			withPeer(c, err, func(p *Peer, err *control.DeadError) { putOff = f(p, err) })
			return putOff
		}
	}
	h.OnMassSuspect = g.OnMassSuspect
	return h
}

// withPeer calls f with the peer whose connection c is, once it was opened.
func withPeer[V any](c *conn.Conn, v V, f func(*Peer, V)) {
	p, ok := c.Owner().(*Peer)
	if !ok || !p.opened.Load() {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			p.server.panicked(v)
			p.Close(1011, "")
		}
	}()
	f(p, v)
}

// Peer is a connection of a Server with Events. Nothing it does blocks, and
// every method may be called from any goroutine.
type Peer struct {
	server  *Server
	link    Link
	opened  atomic.Bool // link is set
	request atomic.Pointer[http.Request]
	value   atomic.Pointer[any]
}

// Send sends a copy of a message. Replies to messages that arrived together
// leave together. At the output limit (see conn.Options.MaxOutput) it returns
// [conn.ErrBackpressure]: nothing was sent, nothing more is read from the
// peer, and Drained will be called.
func (p *Peer) Send(typ conn.Type, data []byte) error { return p.link.Send(typ, data) }

// SendPrepared is Send for a message that many peers get.
func (p *Peer) SendPrepared(m *conn.Prepared) error { return p.link.SendPrepared(m) }

// Ping sends a ping. done, unless it is nil, is called once, on any goroutine:
// with the pong, or with how the connection ended, [conn.ErrPings], or
// context.DeadlineExceeded after 20 s.
func (p *Peer) Ping(done func(control.Pong, error)) { p.link.Ping(done) }

// Close starts the closing handshake; see conn.Conn.Close.
func (p *Peer) Close(code conn.CloseCode, reason string) error { return p.link.Close(code, reason) }

// Pause stops Message from being called until Resume, after at most one call
// that is under way. Control frames are still handled.
func (p *Peer) Pause() { p.link.Pause() }

// Resume ends a Pause.
func (p *Peer) Resume() { p.link.Resume() }

// Detach ends the callbacks, without calling Close, and returns the connection
// for a goroutine that is to read and write it. What arrived and was not given
// to Message yet is read from it. It is meant for a callback; from elsewhere
// one more Message may be under way.
func (p *Peer) Detach() (*conn.Conn, error) { return p.link.Detach() }

// Health returns what is known of the peer at this moment.
func (p *Peer) Health() control.Health { return p.link.Health() }

// Subprotocol returns what the handshake agreed on, or "".
func (p *Peer) Subprotocol() string { return p.link.Subprotocol() }

// RemoteAddr returns the peer's address.
func (p *Peer) RemoteAddr() net.Addr { return p.link.RemoteAddr() }

// Request returns the request of the handshake during Open, and later too if
// Options.KeepRequest is set; otherwise nil.
func (p *Peer) Request() *http.Request { return p.request.Load() }

// SetValue keeps something of the application's with the peer.
func (p *Peer) SetValue(v any) { p.value.Store(&v) }

// Value returns what SetValue kept, or nil.
func (p *Peer) Value() any {
	if v := p.value.Load(); v != nil {
		return *v
	}
	return nil
}

func newPeer(s *Server, r *http.Request) *Peer {
	p := &Peer{server: s}
	p.request.Store(r)
	return p
}

// sink is a Peer as its engine sees it.
type sink Peer

func (s *sink) Open(link Link) {
	p := (*Peer)(s)
	p.link = link
	p.opened.Store(true)
	if f := p.server.Events.Open; f != nil {
		f(p)
	}
	if !p.server.settings.KeepRequest {
		p.request.Store(nil)
	}
}

func (s *sink) Message(typ conn.Type, data []byte) {
	if f := s.server.Events.Message; f != nil {
		f((*Peer)(s), typ, data)
	}
}

func (s *sink) Drained() {
	if f := s.server.Events.Drained; f != nil {
		f((*Peer)(s))
	}
}

func (s *sink) Close(err error) {
	if f := s.server.Events.Close; f != nil {
		f((*Peer)(s), err)
	}
}

func (s *sink) Panicked(value any) { s.server.panicked(value) }

func (s *sink) Enter(c *conn.Conn) bool { return s.server.enter(c, func() {}) }

func (s *sink) Leave() { s.server.leave() }

// panicked logs a panic of the application, and returns it as an error.
func (s *Server) panicked(value any) error {
	s.settings.Log.Error("websocket: handler panicked", "panic", value, "stack", string(debug.Stack()))
	return errPanic{value}
}

type errPanic struct{ value any }

func (e errPanic) Error() string { return fmt.Sprintf("websocket: handler panicked: %v", e.value) }
