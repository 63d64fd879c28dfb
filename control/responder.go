package control

import "github.com/wirebeat/wirebeat/frame"

// PongMode says which of several pings get a pong of their own. "If an
// endpoint receives a Ping frame and has not yet sent Pong frame(s) in
// response to previous Ping frame(s), the endpoint MAY elect to send a Pong
// frame for only the most recently processed Ping frame." RFC 6455 §5.5.3
type PongMode uint8

const (
	// Auto answers each ping while the write side is free, up to PongBudget in
	// one batch of input; beyond that, or while a write is blocked, only the
	// newest.
	Auto PongMode = iota
	// Strict answers every ping; while a write is blocked it keeps up to
	// PongBudget, and beyond that only the newest.
	Strict
	// Coalesce answers the newest ping of each batch of input.
	Coalesce
)

// PongBudget is how many pongs of their own Auto grants to one batch of input
// and Strict keeps while a write is blocked.
const PongBudget = 16

func (m PongMode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Strict:
		return "strict"
	case Coalesce:
		return "coalesce"
	}
	return "unknown pong mode"
}

// Responder decides which pings are answered when. It keeps at most one
// payload, the newest; in Strict mode and while writes are blocked up to
// PongBudget before it. The zero value is an Auto responder.
type Responder struct {
	Mode PongMode

	inBatch   uint8    // pongs granted in this batch of input
	kept      *pending // nil unless a ping waits
	coalesced uint64
}

type pending struct {
	queue  []payload // older pings, each of which gets its own pong
	newest payload
	ready  bool // newest need not wait for the end of the batch
}

type payload struct {
	n uint8
	b [frame.MaxControl]byte
}

func (p *payload) set(b []byte)  { p.n = uint8(copy(p.b[:], b)) }
func (p *payload) bytes() []byte { return p.b[:p.n] }

// Ping takes the payload of a ping and reports whether it is to be answered at
// once. Otherwise a copy is kept for Next. blocked says that what is written
// now cannot leave now.
func (r *Responder) Ping(p []byte, blocked bool) (now bool) {
	if r.kept == nil {
		switch {
		case blocked:
		case r.Mode == Strict:
			return true
		case r.Mode == Auto && r.inBatch < PongBudget:
			r.inBatch++
			return true
		}
		r.kept = &pending{ready: blocked}
		r.kept.newest.set(p)
		return false
	}
	if r.Mode == Strict && len(r.kept.queue) < PongBudget-1 {
		r.kept.queue = append(r.kept.queue, r.kept.newest)
	} else {
		r.coalesced++
	}
	r.kept.newest.set(p)
	return false
}

// EndBatch says that the current batch of input has no more frames: what was
// coalesced in it may go.
func (r *Responder) EndBatch() {
	r.inBatch = 0
	if r.kept != nil {
		r.kept.ready = true
	}
}

// Waiting reports whether Next would give a payload.
func (r *Responder) Waiting() bool { return r.kept != nil && (r.kept.ready || len(r.kept.queue) > 0) }

// Next gives the payload of the next pong that is due, oldest first, when the
// write side is free again. It is valid until the next call of any method.
func (r *Responder) Next() (p []byte, ok bool) {
	switch {
	case r.kept == nil:
		return nil, false
	case len(r.kept.queue) > 0:
		p = r.kept.queue[0].bytes()
		r.kept.queue = r.kept.queue[1:]
		return p, true
	case r.kept.ready:
		p = r.kept.newest.bytes()
		r.kept = nil
		return p, true
	}
	return nil, false
}

// Drop forgets every ping that waits: "…unless it already received a Close
// frame" RFC 6455 §5.5.2
func (r *Responder) Drop() { r.kept = nil }

// Coalesced returns how many pings were answered by the pong of a newer one.
func (r *Responder) Coalesced() uint64 { return r.coalesced }
