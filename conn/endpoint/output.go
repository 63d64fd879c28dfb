package endpoint

import (
	"github.com/wirebeat/wirebeat/frame"
)

const (
	// chunkSize is how much small frames are collected into one buffer.
	chunkSize = 64 << 10
	// borrowMin is from where a server's payload is sent from where it lies.
	borrowMin = 4 << 10
	finBit    = 0x80
	// maxVectors is how many slices Output lends at once: what one writev takes
	// without being refused anywhere, and more than a batch ever needs.
	maxVectors = 64
	// maxControl is how many bytes of control frames may wait to be lent before
	// the responder is told that the write side is blocked.
	maxControl = chunkSize
)

// output is the queue of bytes to the peer: whole frames, in order. Control
// frames wait beside it and join it at the next frame boundary when it is
// lent, so they overtake all data that has not begun to leave.
type output struct {
	buffers Buffers
	segs    []segment
	ctl     []byte // control frames that have not joined
	waiting int    // how many they are
	off     int    // bytes of segs[0] that are written

	queued    int    // bytes in segs that are not written
	lent      int    // of those, how many Output lent
	written   uint64 // position in the stream of the first byte not written
	joined    uint64 // bytes of control frames that ever joined the queue
	joinedEnd uint64 // where in the stream the last of them end
	boundary  uint64 // start of a frame: the last at or before written, or the first after it
	blocked   bool   // the last write took less than it was lent
}

// segment is a run of bytes of the queue.
type segment struct {
	b     []byte
	owner []byte // to give back once written; nil if there is nothing to give back
	lent  bool   // b is the caller's, who wants it back
	part  bool   // b lies in the owner of a later segment
}

func (o *output) buffered() int { return o.queued + len(o.ctl) }

// room returns the last segment if it can take n more bytes in place, or a new
// one that can.
func (o *output) room(n int) *segment {
	if i := len(o.segs) - 1; i >= 0 {
		if s := &o.segs[i]; s.owner != nil && cap(s.b)-len(s.b) >= n {
			return s
		}
	}
	return o.more(n)
}

// more appends a segment that can take n bytes.
func (o *output) more(n int) *segment {
	next := segment{}
	if i := len(o.segs) - 2; i >= 0 && o.segs[i].owner != nil && cap(o.segs[i].b)-len(o.segs[i].b) >= n {
		// A borrowed payload follows the buffer: go on behind it in the same one.
		s := &o.segs[i]
		next = segment{b: s.b[len(s.b):], owner: s.owner}
		s.b, s.owner, s.part = s.b[:len(s.b):len(s.b)], nil, true
	} else {
		b := o.buffers.Get(max(n, chunkSize))
		next = segment{b: b[:0], owner: b}
	}
	o.segs = append(o.segs, next)
	return &o.segs[len(o.segs)-1]
}

// frame queues one data or Close frame of a server, whose first octet is b0.
// While bytes are lent nothing is borrowed, for keep could not copy it then.
func (o *output) frame(b0 byte, p []byte, borrow bool) {
	if borrow && len(p) >= borrowMin && o.lent == 0 {
		s := o.room(frame.MaxHeader)
		before := len(s.b)
		s.b = appendHeader(s.b, b0, len(p))
		o.queued += len(s.b) - before + len(p)
		o.segs = append(o.segs, segment{b: p, lent: true})
		return
	}
	s := o.room(frame.MaxHeader + len(p))
	before := len(s.b)
	if len(p) <= frame.MaxControl {
		s.b = append(s.b, b0, byte(len(p))) // by far the commonest header
	} else {
		s.b = appendHeader(s.b, b0, len(p))
	}
	s.b = append(s.b, p...)
	o.queued += len(s.b) - before
}

// masked queues one data or Close frame of a client.
func (o *output) masked(b0 byte, p []byte, key [4]byte) {
	s := o.room(frame.MaxHeader + len(p))
	before := len(s.b)
	s.b = appendMasked(s.b, b0, p, key)
	o.queued += len(s.b) - before
}

func appendHeader(dst []byte, b0 byte, length int) []byte {
	return frame.AppendHeader(dst, frame.Header{
		Fin:    b0&finBit != 0,
		RSV:    b0 & frame.RSV1,
		Opcode: frame.Opcode(b0 & 0x0f),
		Length: uint64(length),
	})
}

func appendMasked(dst []byte, b0 byte, p []byte, key [4]byte) []byte {
	dst = frame.AppendHeader(dst, frame.Header{
		Fin:    b0&finBit != 0,
		RSV:    b0 & frame.RSV1,
		Opcode: frame.Opcode(b0 & 0x0f),
		Masked: true,
		Key:    key,
		Length: uint64(len(p)),
	})
	start := len(dst)
	dst = append(dst, p...)
	frame.Mask(dst[start:], key, 0)
	return dst
}

// whole queues a frame of ours that never changes.
func (o *output) whole(b []byte) {
	o.queued += len(b)
	if len(b) >= borrowMin {
		o.segs = append(o.segs, segment{b: b})
		return
	}
	s := o.room(len(b))
	s.b = append(s.b, b...)
}

// control queues a ping or pong of a server ahead of all data that has not
// begun to leave.
func (o *output) control(b0 byte, p []byte) {
	o.growControl()
	o.ctl = append(append(o.ctl, b0, byte(len(p))), p...)
}

// maskedControl queues a ping or pong of a client.
func (o *output) maskedControl(b0 byte, p []byte, key [4]byte) {
	o.growControl()
	o.ctl = appendMasked(o.ctl, b0, p, key)
}

// growControl counts one more control frame and makes room for it.
func (o *output) growControl() {
	o.waiting++
	const most = frame.MaxHeader + frame.MaxControl
	if cap(o.ctl)-len(o.ctl) >= most {
		return
	}
	b := append(o.buffers.Get(max(4*most, 2*cap(o.ctl)))[:0], o.ctl...)
	if o.ctl != nil {
		o.buffers.Put(o.ctl)
	}
	o.ctl = b
}

// join puts the control frames into the queue at the first frame boundary that
// has not been passed.
func (o *output) join() {
	at := 0
	o.joinedEnd = o.written
	if o.boundary > o.written {
		at = o.split(int(o.boundary - o.written))
		o.joinedEnd = o.boundary
	} else if o.off > 0 {
		s := &o.segs[0]
		s.b = s.b[o.off:]
		o.off = 0
	}
	o.segs = append(o.segs, segment{})
	copy(o.segs[at+1:], o.segs[at:])
	o.segs[at] = segment{b: o.ctl, owner: o.ctl}
	o.queued += len(o.ctl)
	o.joined += uint64(len(o.ctl))
	o.joinedEnd += uint64(len(o.ctl))
	o.ctl, o.waiting = nil, 0
}

// follow puts the control frames at the end of the queue, unless they are about
// to join it ahead of its end anyway: what is queued next must not overtake
// them.
func (o *output) follow() {
	if len(o.ctl) == 0 || o.lent == 0 && o.written >= o.joinedEnd {
		return
	}
	o.segs = append(o.segs, segment{b: o.ctl, owner: o.ctl})
	o.queued += len(o.ctl)
	o.joined += uint64(len(o.ctl))
	o.joinedEnd = o.written + uint64(o.queued)
	o.ctl, o.waiting = nil, 0
}

// split makes a segment begin n bytes after the first byte not written, and
// returns its index.
func (o *output) split(n int) int {
	n += o.off
	for i := range o.segs {
		s := &o.segs[i]
		if n == 0 {
			return i
		}
		if n < len(s.b) {
			rest := *s
			rest.b = s.b[n:]
			s.b, s.part = s.b[:n:n], s.part || s.owner != nil
			s.owner = nil
			o.segs = append(o.segs, segment{})
			copy(o.segs[i+2:], o.segs[i+1:])
			o.segs[i+1] = rest
			return i + 1
		}
		n -= len(s.b)
	}
	return len(o.segs)
}

// lend appends what is to be written next to bufs.
func (o *output) lend(bufs [][]byte) [][]byte {
	o.lent = 0
	off := o.off
	for i := range o.segs {
		if i == maxVectors {
			break
		}
		b := o.segs[i].b[off:]
		off = 0
		bufs = append(bufs, b)
		o.lent += len(b)
	}
	return bufs
}

// wrote takes n bytes off the queue.
func (o *output) wrote(n int) {
	n = min(n, o.lent)
	o.blocked = n < o.lent
	o.lent = 0
	target := o.written + uint64(n)
	if n == o.queued {
		o.boundary = target
	} else {
		o.walk(target)
	}
	o.written = target
	o.queued -= n
	done := 0
	for done < len(o.segs) {
		s := &o.segs[done]
		if left := len(s.b) - o.off; n < left {
			o.off += n
			break
		} else {
			n -= left
		}
		o.off = 0
		if s.owner != nil {
			o.buffers.Put(s.owner)
		}
		done++
	}
	if done > 0 {
		k := copy(o.segs, o.segs[done:])
		clear(o.segs[k:])
		o.segs = o.segs[:k]
	}
}

// walk moves the boundary to the first start of a frame at or after target, by
// the headers in the queue, which are ours and so are whole and legal.
func (o *output) walk(target uint64) {
	for o.boundary < target {
		var head [frame.MaxHeader]byte
		n := o.peek(head[:], int(o.boundary-o.written))
		h, size, _ := frame.ParseHeader(head[:n])
		o.boundary += uint64(size) + h.Length
	}
}

// peek copies bytes that start at bytes after the first one not written.
func (o *output) peek(dst []byte, at int) (n int) {
	at += o.off
	for i := range o.segs {
		b := o.segs[i].b
		if at >= len(b) {
			at -= len(b)
			continue
		}
		n += copy(dst[n:], b[at:])
		at = 0
		if n == len(dst) {
			break
		}
	}
	return n
}

// keep copies what was borrowed, and moves the rest of a mostly written buffer
// to one of its own size, so that a peer which does not read holds little more
// memory than the bytes it has not read. Nothing may be lent.
func (o *output) keep() {
	parts := false // of a buffer that must stay are in the queue
	for i := range o.segs {
		s := &o.segs[i]
		off := 0
		if i == 0 {
			off = o.off
		}
		rest := s.b[off:]
		parts = parts || s.part
		if !s.lent && (s.owner == nil || parts || len(rest) > cap(s.owner)/4) {
			continue
		}
		b := append(o.buffers.Get(len(rest))[:0], rest...)
		if s.owner != nil {
			o.buffers.Put(s.owner)
		}
		*s = segment{b: b, owner: b}
		if i == 0 {
			o.off = 0
		}
	}
}

// release gives every buffer back; what was not written is lost.
func (o *output) release() {
	for i := range o.segs {
		if s := &o.segs[i]; s.owner != nil && o.lent == 0 {
			o.buffers.Put(s.owner)
		}
	}
	if o.ctl != nil {
		o.buffers.Put(o.ctl)
	}
	o.segs, o.ctl, o.waiting = nil, nil, 0
	o.off, o.queued, o.lent = 0, 0, 0
	o.boundary = o.written
}
