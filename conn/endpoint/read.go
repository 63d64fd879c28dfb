package endpoint

import (
	"time"

	"github.com/wirebeat/wirebeat/frame"
)

// directMin is how much of a payload must be outstanding for it to be read
// straight into the message.
const directMin = 16 << 10

// gather is a message that did not arrive in one piece.
type gather struct {
	buffers Buffers
	b       []byte
	given   bool // the last event lent b
}

// grow makes room for n bytes that are here and some of the more that will
// come: memory grows with what has arrived, never with what is announced. It
// at least doubles, so that a message of many small fragments costs no more
// than one of the same size in a few.
func (g *gather) grow(n int, more uint64) {
	have := len(g.b) + n
	if have <= cap(g.b) && (n > 0 || have < cap(g.b)) {
		return
	}
	size := 4 * max(have, chunkSize/4)
	if all := uint64(have) + more; all < uint64(size) {
		size = int(all)
	}
	b := append(g.buffers.Get(max(size, 2*cap(g.b)))[:0], g.b...)
	if g.b != nil {
		g.buffers.Put(g.b)
	}
	g.b = b
}

// add appends a piece of payload after which more bytes of its frame are still
// to come. A piece that was read into its place needs no copy.
func (g *gather) add(p []byte, more uint64) {
	if len(p) == 0 {
		return
	}
	if n := len(g.b); n < cap(g.b) && &p[0] == &g.b[:n+1][n] {
		g.b = g.b[:n+len(p)]
		return
	}
	g.grow(len(p), more)
	g.b = append(g.b, p...)
}

func (g *gather) release() {
	if g.b != nil {
		g.buffers.Put(g.b)
		g.b = nil
	}
	g.given = false
}

// ReadBuffer returns where the next bytes should be read to: scratch, or the
// place where the rest of a large payload belongs.
func (e *Endpoint) ReadBuffer(scratch []byte) []byte {
	rest := e.parser.Remaining()
	if rest < directMin || e.stream || e.inPieces || e.msg.given || len(e.in) > 0 || e.ended {
		return scratch
	}
	e.msg.grow(0, rest)
	b := e.msg.b[len(e.msg.b):cap(e.msg.b)]
	if uint64(len(b)) > rest {
		b = b[:rest]
	}
	return b
}

// Received hands over bytes from the peer. They must stay untouched until Poll
// has used them up; those before must be used up.
func (e *Endpoint) Received(now time.Time, b []byte) { e.in, e.received = b, now }

// EOF says that no more bytes will come.
func (e *Endpoint) EOF(now time.Time) { e.eof, e.received = true, now }

// Stream chooses how messages are given: whole (the default), or in pieces as
// they arrive. It may change at any time; what was gathered of a message
// becomes its first piece, and a message of which pieces were given goes on in
// pieces to its end.
func (e *Endpoint) Stream(on bool) { e.stream = on }

// More reports whether at least one frame of the bytes received is complete
// and was not given yet.
func (e *Endpoint) More() bool {
	return len(e.in) > 0 && !e.ended && e.parser.Complete(e.in)
}

// Take makes the data of the last Message event the caller's own, and reports
// whether it could: a message that lies in the bytes received cannot be taken.
func (e *Endpoint) Take() bool {
	if !e.msg.given {
		return false
	}
	e.msg.b, e.msg.given = nil, false
	return true
}

// Poll returns the next event of the bytes received, without answering it. ok
// is false when they are used up or the connection has ended.
func (e *Endpoint) Poll() (ev Event, ok bool) {
	if e.msg.given {
		e.msg.release()
	}
	for !e.ended && len(e.in) > 0 {
		part, n, err := e.parser.Next(e.in)
		e.in = e.in[n:]
		if err != nil {
			return e.violation(err.(*frame.ProtocolError)), true
		}
		if part.None() {
			break
		}
		if part.Opcode.IsControl() {
			return e.controlEvent(part)
		}
		if part.Compressed() {
			if ev, ok = e.gatherCompressed(part); ok {
				return ev, true
			}
			continue
		}
		if part.First() && part.Fin() {
			if e.beats && e.isBeat(part.Opcode, part.Payload) {
				return Event{Kind: Beat, Data: part.Payload}, true
			}
			return Event{Kind: Message, Type: part.Opcode, Data: part.Payload}, true
		}
		if ev, ok = e.gathered(part); ok {
			return ev, true
		}
	}
	if e.ended {
		e.in = nil
	} else if e.eof {
		e.end()
		return Event{Kind: End}, true
	}
	return Event{}, false
}

// gathered adds a piece to the message it belongs to, and returns the event
// that this makes.
func (e *Endpoint) gathered(part frame.Part) (ev Event, ok bool) {
	ev = Event{Kind: Piece, Type: part.Opcode, Data: part.Payload}
	if part.Fin() {
		ev.Kind = Message
	}
	if part.First() {
		e.inPieces = false
	}
	held := e.beats && e.mayBecomeBeat(part.Opcode, part.Payload)
	if (e.stream || e.inPieces) && len(e.msg.b) == 0 && !held {
		if ev.Kind == Piece && len(ev.Data) == 0 {
			return Event{}, false
		}
		e.inPieces = ev.Kind == Piece
		return ev, true
	}
	e.msg.add(part.Payload, e.parser.Remaining())
	if ev.Kind == Piece && (held || !e.stream) {
		return Event{}, false
	}
	e.inPieces = ev.Kind == Piece
	e.msg.given = true
	ev.Data = e.msg.b
	if held && e.isBeat(part.Opcode, ev.Data) {
		return Event{Kind: Beat, Data: ev.Data}, true
	}
	return ev, true
}

// gatherCompressed adds a piece to a compressed message, which is given when it
// is whole: it has no pieces before.
func (e *Endpoint) gatherCompressed(part frame.Part) (ev Event, ok bool) {
	if part.First() && part.Fin() {
		return e.inflated(part.Opcode, part.Payload), true
	}
	if part.First() {
		e.inPieces = false
	}
	e.msg.add(part.Payload, e.parser.Remaining())
	if !part.Fin() {
		return Event{}, false
	}
	return e.inflated(part.Opcode, e.msg.b), true
}

func (e *Endpoint) controlEvent(part frame.Part) (Event, bool) {
	switch part.Opcode {
	case frame.Ping:
		return Event{Kind: Ping, Data: part.Payload}, true
	case frame.Pong:
		return Event{Kind: Pong, Data: part.Payload}, true
	}
	code, _, err := frame.ParseClose(part.Payload)
	if err != nil {
		return e.violation(err.(*frame.ProtocolError)), true
	}
	e.end()
	var reason []byte
	if len(part.Payload) > 2 {
		reason = part.Payload[2:]
	}
	return Event{Kind: Close, Code: code, Data: reason}, true
}

func (e *Endpoint) violation(err *frame.ProtocolError) Event {
	e.failed = err
	e.end()
	return Event{Kind: Failed, Code: err.Code}
}

// end makes everything that follows mean nothing.
func (e *Endpoint) end() {
	e.ended = true
	e.msg.release()
}

// Ended reports whether the peer's bytes mean nothing any more: its Close came,
// it broke the protocol, or its bytes ended.
func (e *Endpoint) Ended() bool { return e.ended }
