package endpoint

import (
	"io"
	"time"

	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// Role is which end of the connection an Endpoint is.
type Role uint8

const (
	Server Role = iota
	Client
)

func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}

// Buffers lends memory. Get returns a slice of any length with a capacity of
// at least size; Put takes back one that Get returned, once.
type Buffers interface {
	Get(size int) []byte
	Put(b []byte)
}

// DefaultCloseTimeout is how long a closing handshake may take.
const DefaultCloseTimeout = 5 * time.Second

// Config is shared by any number of endpoints and must not change while one
// uses it. For limits and times 0 means the default and a negative value off.
type Config struct {
	MaxMessage   int64 // bytes of a message from the peer: frame.DefaultMaxMessage
	MaxFragments int64 // frames of a message: frame.DefaultMaxFragments
	MaxEmpty     int64 // empty frames of a message: frame.DefaultMaxEmpty
	MaxFrame     int   // longer messages are sent in several frames; default off
	CloseTimeout time.Duration

	Pong        control.PongMode
	ControlRate int  // control frames a second that the peer may send; default off
	PingSize    int  // bytes of the payload of a probe: see control.Probes
	TextBeat    bool // the text messages "ping" and "pong" are a heartbeat

	Compression *Compression // for endpoints that Compress

	Rand    io.Reader // masking keys and nonces; must not be nil for a client or for Probe
	Buffers Buffers   // nil: the garbage collector's
}

// Endpoint is one end of a connection. New makes one.
type Endpoint struct {
	cfg  *Config
	role Role

	// reading half
	in       []byte // received and not used up
	received time.Time
	parser   frame.Parser
	msg      gather
	stream   bool // messages are given in pieces
	inPieces bool // pieces of the current message were given
	beats    bool // heartbeats are not given as messages
	eof      bool
	ended    bool // what the peer sends means nothing any more
	failed   *frame.ProtocolError

	// writing half
	out        output
	responder  control.Responder
	limit      *control.Limit
	probes     *control.Probes
	probeSeq   uint32 // the last probe that joined the queue
	probeNew   uint32 // the last probe
	lastRTT    time.Duration
	now        time.Time // the latest time that was passed in
	deadline   time.Time // of the closing handshake
	closing    control.Closing
	deflate    *compression // nil unless it was negotiated; each half has its own part of it
	key        [4]byte      // of the frame that is being masked
	inMessage  bool         // a streamed message of ours is unfinished
	beat       bool         // a heartbeat is to be answered
	mismatched uint64
	plain      bool // messages leave as they are: unmasked, unlimited, in one frame
	dropped    bool // the connection is over, nothing leaves any more
	closeError *CloseError
}

// New returns one end of a connection whose handshake is done.
func New(role Role, cfg *Config) *Endpoint {
	e := &Endpoint{
		cfg:       cfg,
		role:      role,
		beats:     cfg.TextBeat,
		responder: control.Responder{Mode: cfg.Pong},
		limit:     control.NewLimit(cfg.ControlRate),
	}
	e.parser = frame.NewParser(e.rules(false))
	e.plain = role == Server && cfg.MaxFrame <= 0 && e.limit == nil
	e.out.buffers = cfg.Buffers
	if e.out.buffers == nil {
		e.out.buffers = garbage{}
	}
	e.msg.buffers = e.out.buffers
	return e
}

// rules are those for what the peer sends.
func (e *Endpoint) rules(compression bool) frame.Rules {
	return frame.Rules{
		Masked:       e.role == Server,
		Compression:  compression,
		MaxMessage:   e.cfg.MaxMessage,
		MaxFragments: e.cfg.MaxFragments,
		MaxEmpty:     e.cfg.MaxEmpty,
	}
}

// garbage leaves memory to the garbage collector.
type garbage struct{}

func (garbage) Get(size int) []byte { return make([]byte, size) }
func (garbage) Put([]byte)          {}

// Next returns the next event of the bytes received, having answered it where
// the protocol wants an answer. ok is false when they are used up. It is Poll,
// React and EndBatch in one, for a driver that is a single goroutine.
func (e *Endpoint) Next() (ev Event, ok bool) {
	if e.dropped {
		return Event{}, false
	}
	ev, ok = e.Poll()
	if !ok {
		e.EndBatch()
	} else if !ev.Kind.IsData() {
		e.React(e.received, ev, nil)
	}
	return ev, ok
}

// React answers an event of Poll that is not data: it queues pongs and
// Close frames, and calls answered, unless it is nil, for each probe that a
// pong answers. It needs both halves.
func (e *Endpoint) React(now time.Time, ev Event, answered func(seq uint32, pong control.Pong)) {
	e.now = now
	switch ev.Kind {
	case Ping, Pong, Beat:
		within, exceeded := e.limit.Take(now)
		if exceeded {
			e.end()
			e.fail(frame.ClosePolicyViolation, control.TooManyPings, nil)
			return
		}
		switch {
		case ev.Kind == Pong:
			e.pong(now, ev.Data, answered)
		case ev.Kind == Beat:
			e.beat = e.beat || string(ev.Data) == beatPing
			e.sendBeat()
		case e.closing.MayPong() && !e.dropped:
			e.ping(ev.Data, within)
		}
	case Close:
		e.peerClosed(ev.Code, string(ev.Data))
	case Failed:
		e.fail(ev.Code, e.failed.Reason, e.failed)
	case End:
		if !e.closing.Received() {
			e.startDeadline()
			e.finish(&CloseError{Code: frame.CloseAbnormal, Remote: true, Err: io.ErrUnexpectedEOF})
		}
	}
}

// ping answers one ping. "Upon receipt of a Ping frame, an endpoint MUST send
// a Pong frame in response, unless it already received a Close frame."
// RFC 6455 §5.5.2
func (e *Endpoint) ping(payload []byte, within bool) {
	// A write that is under way is no blocked one, as long as no more pongs wait
	// for its end than one batch of input may ask for.
	blocked := e.out.blocked || e.out.lent > 0 && e.out.waiting >= control.PongBudget || len(e.out.ctl) > maxControl
	if !blocked {
		e.pongs()
	}
	if e.responder.Ping(payload, blocked || !within) {
		e.sendControl(frame.Pong, payload)
	}
}

// pongs queues the pongs that had to wait.
func (e *Endpoint) pongs() {
	for e.responder.Waiting() {
		p, ok := e.responder.Next()
		if !ok {
			return
		}
		e.sendControl(frame.Pong, p)
	}
}

// EndBatch says that the bytes of the last Received are used up, or that what
// follows in them takes a while: pongs that were coalesced may leave.
func (e *Endpoint) EndBatch() { e.responder.EndBatch() }

func (e *Endpoint) pong(now time.Time, payload []byte, answered func(uint32, control.Pong)) {
	if e.probes == nil {
		return // "A response to an unsolicited Pong frame is not expected." RFC 6455 §5.5.3
	}
	e.probes.Pong(payload, now, func(seq uint32, pong control.Pong) {
		if pong.Exact {
			e.lastRTT = pong.RTT
		}
		if pong.Empty {
			e.mismatched++
		}
		if answered != nil {
			answered(seq, pong)
		}
	})
}

// peerClosed answers the peer's Close with its own code: "When sending a Close
// frame in response, the endpoint typically echos the status code it
// received." RFC 6455 §5.5.1
func (e *Endpoint) peerClosed(code frame.CloseCode, reason string) {
	if e.dropped {
		return
	}
	e.responder.Drop()
	if e.closing.Receive() && e.closing.Send() {
		e.startDeadline()
		e.finish(&CloseError{Code: code, Reason: reason, Remote: true})
		e.sendClose(code, "")
	}
}

// fail answers a violation: "_Fail the WebSocket Connection_", and as a Close
// frame is the last thing to leave, what was answered before leaves first.
func (e *Endpoint) fail(code frame.CloseCode, reason string, cause *frame.ProtocolError) {
	if e.dropped {
		return
	}
	err := &CloseError{Code: code, Reason: reason}
	if cause != nil {
		err.Reason, err.Err = "", cause
	}
	e.finish(err)
	e.responder.EndBatch()
	e.pongs()
	if e.closing.Send() {
		e.startDeadline()
		e.sendClose(code, reason)
	}
}

// finish notes how the connection ends. The first cause stays; what kept the
// peer from answering a Close of ours is added to it.
func (e *Endpoint) finish(err *CloseError) {
	switch {
	case e.closeError == nil:
		e.closeError = err
	case e.closeError.Err == nil && e.closing == control.CloseSent:
		added := *e.closeError // others may have the first
		added.Err = err.Err
		e.closeError = &added
	}
}

// startDeadline starts the time that the end of the connection may take, unless
// it has begun.
func (e *Endpoint) startDeadline() {
	if e.cfg.CloseTimeout < 0 || !e.deadline.IsZero() {
		return
	}
	timeout := e.cfg.CloseTimeout
	if timeout == 0 {
		timeout = DefaultCloseTimeout
	}
	e.deadline = e.now.Add(timeout)
}

// Err returns how the connection ended or is ending, as a [*CloseError], and
// nil while it is open.
func (e *Endpoint) Err() error {
	if e.closeError == nil {
		return nil
	}
	return e.closeError
}

// Aborted reports whether what was queued and not written is lost.
func (e *Endpoint) Aborted() bool { return e.dropped }

// Closing tells where the closing handshake stands.
func (e *Endpoint) Closing() control.Closing { return e.closing }

// Deadline returns the time at which Advance has something to do.
func (e *Endpoint) Deadline() (t time.Time, ok bool) {
	return e.deadline, !e.deadline.IsZero() && !e.dropped
}

// Advance tells the time. Past the deadline of the closing handshake it drops
// the connection.
func (e *Endpoint) Advance(now time.Time) {
	e.now = now
	if t, ok := e.Deadline(); ok && !now.Before(t) {
		e.Abort(ErrCloseTimeout)
	}
}

// Abort ends the connection without a closing handshake. What was not written
// is lost; buffers that Output lent are left to the garbage collector.
func (e *Endpoint) Abort(err error) {
	e.dropped = true
	_, dead := err.(*control.DeadError)
	e.finish(&CloseError{Code: frame.CloseAbnormal, Remote: dead, Err: err})
	e.responder.Drop()
	e.out.release()
}

// Health returns what is known of the peer, but for LastInbound, which is the
// driver's.
func (e *Endpoint) Health() control.Health {
	h := control.Health{RTT: e.lastRTT, Coalesced: e.responder.Coalesced(), Strikes: e.limit.Strikes(), Mismatched: e.mismatched}
	if e.probes != nil {
		h.Outstanding = e.probes.Outstanding()
	}
	switch {
	case e.dropped || e.closing == control.Closed:
		h.State = control.Finished
	case e.closing != control.Open:
		h.State = control.Ending
	case h.Outstanding > 0:
		h.State = control.Probing
	}
	return h
}
