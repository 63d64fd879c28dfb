package conn

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// Type is the type of a message.
type Type = frame.Opcode

const (
	Text   = frame.Text   // UTF-8, checked on receipt; the sender's duty on sending
	Binary = frame.Binary // any bytes
)

// CloseCode is a status code of RFC 6455 §7.4.
type CloseCode = frame.CloseCode

// CloseError is how a connection ended. Find it with [errors.As].
type CloseError = endpoint.CloseError

// Prepared is a message that is framed once and sent to many connections, as it
// is: it is not compressed.
type Prepared = endpoint.Prepared

// Prepare makes a message for WritePrepared. It copies p.
func Prepare(typ Type, p []byte) *Prepared { return endpoint.NewPrepared(typ, p) }

// Errors of the methods of Conn, beside *CloseError and those of a context.
var (
	// ErrClosed: the connection is closing, and data can no longer be sent.
	ErrClosed = endpoint.ErrClosed
	// ErrBackpressure: the output limit is reached; nothing was sent.
	ErrBackpressure = endpoint.ErrBackpressure
	// ErrPings: 16 pings of ours are unanswered; no other was sent.
	ErrPings = endpoint.ErrPings
	// ErrPayload: the code or the reason of a Close is not fit to be sent.
	ErrPayload = endpoint.ErrPayload
)

// Conn is a WebSocket connection. [New] makes one from a net.Conn whose
// handshake is done; packages server and client do both.
//
// Every method may be called from any goroutine at any time, also several at
// once. Not allowed is only this: using the net.Conn itself, changing a []byte
// while a call that was given it has not returned, and using the data of a
// Message of Messages after its turn of the loop.
//
// A second reader waits for the first; a second writer waits while a
// MessageWriter is open or the output limit is reached. Pings are answered and
// the end of the peer is noticed also while the application does not read.
type Conn struct {
	nc          net.Conn
	raw         *rawIO // nil if nc cannot be read and written without blocking
	opts        *Options
	driver      *Driver
	id          int32 // in the driver's wheel
	subprotocol string
	owner       any
	ownHooks    atomic.Pointer[Hooks]

	role    readRole
	unwatch func() bool // stops watching; guarded by role.mu
	watched atomic.Bool // checkReader will see whether somebody reads
	batch   atomic.Bool // complete frames of the last read wait to be delivered
	held    atomic.Bool // replies wait for the end of the batch
	closing atomic.Bool // Close was called
	over    atomic.Bool // the connection ended
	inbound atomic.Int64
	probing atomic.Bool // an answer is missing: what comes is stamped precisely
	paused  atomic.Bool // the inbox is full and nobody reads
	// stallable: output waits, or did when it was last looked at.
	stallable atomic.Bool

	looking, lookAgain bool // for the driver, guarded by its mutex

	// What follows belongs to the holder of the read role.
	ep        *endpoint.Endpoint // its reading half; the writing half belongs to mu
	buf       []byte             // what the last read used, until it is used up
	lent      int                // how many parts of this or earlier buffers the application has
	more      bool               // the value of batch
	filled    bool               // the last read filled its buffer
	reacted   bool               // control frames came in this batch
	announced bool               // and their answers leave within 1 ms
	inbox     inbox
	typ       Type            // of the message whose pieces are being joined
	reader    *messageReader  // whose message is not read to its end
	watching  <-chan struct{} // of the context whose end interrupts

	mu       sync.Mutex // guards the writing half of ep and what follows
	writing  bool       // somebody is writing to the transport
	vec      [][]byte
	writer   *MessageWriter // open
	room     []chan struct{}
	flushes  []flushWaiter
	pings    map[uint32]chan control.Pong
	timer    *time.Timer // lets held replies go
	deadline *time.Timer // of the closing handshake
	err      error
	probe    question
	taken    uint64 // bytes of data that the peer has read: it answered a probe behind them
	exam     *exam  // what the kernel knew when the answer was last missed
	blocked  blockedOutput
	pong     PongEvent // what React makes of a pong

	ended    chan struct{}
	released chan struct{}
	freed    bool
}

// Start is what the handshake settled.
type Start struct {
	Role        endpoint.Role
	Subprotocol string
	// Received are bytes that came behind the handshake: the first frames. They
	// are copied.
	Received []byte
	// Deflate is what was negotiated for permessage-deflate; nil for none.
	Deflate *deflate.Params
	// Owner is what Owner returns.
	Owner any
}

// New makes a connection of nc, which belongs to it from then on. The options
// are copied; nil means all defaults. The error is about the options, and then
// nc was not touched.
func New(nc net.Conn, start Start, opts *Options) (*Conn, error) {
	opts, err := opts.Shared()
	if err != nil {
		return nil, err
	}
	c := &Conn{
		nc:          nc,
		raw:         newRawIO(nc),
		opts:        opts,
		driver:      opts.Driver,
		subprotocol: start.Subprotocol,
		owner:       start.Owner,
		ep:          endpoint.New(start.Role, opts.endpoint),
		ended:       make(chan struct{}),
		released:    make(chan struct{}),
	}
	if start.Deflate != nil {
		c.ep.Compress(*start.Deflate)
	}
	c.driver.add(c)
	if len(start.Received) > 0 {
		c.buf = append(c.driver.pools.Get(len(start.Received))[:0], start.Received...)
		c.ep.Received(c.driver.now(), c.buf)
	}
	c.watch()
	return c, nil
}

// Done returns a channel that is closed when the connection has ended; Err
// says how.
func (c *Conn) Done() <-chan struct{} { return c.ended }

// Err returns nil until the connection has ended, then a [*CloseError].
func (c *Conn) Err() error {
	if !c.over.Load() {
		return nil
	}
	<-c.ended
	return c.err
}

// Subprotocol returns what the handshake agreed on, or "".
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Owner returns what Start named, or nil: whatever the connection belongs to,
// for hooks to find.
func (c *Conn) Owner() any { return c.owner }

// LocalAddr returns the address of this end of the transport.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the address of the peer's end of the transport.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Health returns what is known of the peer at this moment.
func (c *Conn) Health() control.Health {
	c.mu.Lock()
	h := c.ep.Health()
	if h.State == control.Probing && len(c.pings) == 0 {
		h.State = control.Alive // as far as the monitor knows: a ping that was never answered is no news
	}
	c.mu.Unlock()
	h.LastInbound = c.driver.base.Add(time.Duration(c.inbound.Load()))
	d := c.driver
	d.mu.Lock()
	if d.conns[c.id] == c {
		m := &d.monitors[c.id]
		h.Smoothed, h.Variance = m.RTT.Smoothed()
		h.RTT, h.Shortest, h.Missed = m.RTT.Last(), m.RTT.Shortest(), m.Missed()
		if h.State == control.Alive || h.State == control.Probing {
			h.State = max(h.State, m.State())
		}
	}
	d.mu.Unlock()
	switch {
	case c.over.Load():
		h.State = control.Finished
		var dead *control.DeadError
		if errors.As(c.Err(), &dead) {
			h.State = control.Dead
		}
	case c.paused.Load() && h.State != control.Ending:
		h.State = control.Paused
	}
	return h
}

// now is the time for the endpoint: coarse, unless a round trip is being
// measured. c.mu is held.
func (c *Conn) now() time.Time {
	if c.ep.Probing() {
		return time.Now()
	}
	return c.driver.now()
}

// Ping sends a ping and waits for its pong, which also answers pings sent
// before it. The error is that of ctx, or how the connection ended, or
// [ErrPings] when 16 are unanswered.
func (c *Conn) Ping(ctx context.Context) (control.Pong, error) {
	if err := ctx.Err(); err != nil {
		return control.Pong{}, err
	}
	answer := make(chan control.Pong, 1)
	c.mu.Lock()
	seq, err := c.ep.Probe(time.Now())
	if err != nil {
		c.mu.Unlock()
		return control.Pong{}, c.explain(err)
	}
	if c.pings == nil {
		c.pings = make(map[uint32]chan control.Pong)
	}
	c.pings[seq] = answer
	c.flush()
	c.mu.Unlock()

	c.need()
	defer c.unneed()
	select {
	case pong := <-answer:
		return pong, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.ended:
		err = c.err
	}
	c.mu.Lock()
	delete(c.pings, seq)
	if seq != c.probe.seq { // for which the monitor waits
		c.ep.Forget(seq)
	}
	c.mu.Unlock()
	return control.Pong{}, err
}

// answered takes note of a pong and hands it to the Ping that waits for it. Of
// several pings that one pong answers, the last comes last. c.mu is held.
func (c *Conn) answered(seq uint32, pong control.Pong) {
	if c.pong.Solicited {
		c.pong.Coalesced++
	}
	c.pong.Solicited, c.pong.Pong = true, pong
	d := c.driver
	d.stats.sample(pong)
	if pong.Exact && c.probe.left && seq == c.probe.seq {
		c.taken = c.probe.behind
	}
	if pong.Exact {
		d.mu.Lock()
		if d.conns[c.id] == c {
			d.monitors[c.id].RTT.Sample(pong.RTT, d.since())
		}
		d.mu.Unlock()
	}
	if answer := c.pings[seq]; answer != nil {
		delete(c.pings, seq)
		answer <- pong
	}
}

// explain replaces the endpoint's ErrClosed by how the connection ended, once
// that is known.
func (c *Conn) explain(err error) error {
	if err == ErrClosed && c.over.Load() {
		return c.Err()
	}
	return err
}
