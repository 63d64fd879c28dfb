package endpoint

import (
	"encoding/binary"
	"io"
	"time"
	"unicode/utf8"

	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// Send queues a message, or a part of one when fin is false; the parts that
// follow continue it whatever their type. A server's large p is kept by
// reference until it is written or Keep is called. The error is ErrClosed, or
// one of Config.Rand, which ends the connection.
func (e *Endpoint) Send(typ frame.Opcode, p []byte, fin bool) error {
	return e.send(typ, p, fin, true)
}

// Queue is Send, but p is copied whatever its size.
func (e *Endpoint) Queue(typ frame.Opcode, p []byte, fin bool) error {
	return e.send(typ, p, fin, false)
}

func (e *Endpoint) send(typ frame.Opcode, p []byte, fin, borrow bool) error {
	if !e.MaySend() {
		return ErrClosed
	}
	if e.plain && fin && !e.inMessage {
		e.out.frame(finBit|byte(typ), p, borrow)
		return nil
	}
	if e.limit != nil {
		e.limit.Sent(e.now)
	}
	if e.deflate != nil {
		if ok, err := e.compress(typ, p, fin); ok {
			return err
		}
	}
	if e.inMessage {
		typ = frame.Continuation
	}
	e.inMessage = !fin
	return e.sendFrames(byte(typ), p, fin, borrow)
}

// sendFrames queues a message or a part of one, whose first frame has b0 as its
// first octet but for FIN, in as many frames as it takes.
func (e *Endpoint) sendFrames(b0 byte, p []byte, fin, borrow bool) error {
	for e.cfg.MaxFrame > 0 && len(p) > e.cfg.MaxFrame {
		if err := e.sendFrame(b0, p[:e.cfg.MaxFrame], borrow); err != nil {
			return err
		}
		b0, p = byte(frame.Continuation), p[e.cfg.MaxFrame:]
	}
	if fin {
		b0 |= finBit
	}
	return e.sendFrame(b0, p, borrow)
}

// MaySend reports whether data may be sent: no Close frame is queued, and the
// connection has not ended.
func (e *Endpoint) MaySend() bool { return e.closeError == nil }

// Prepared is a message that is framed once and sent to many. It does not
// change, and may be used by any number of goroutines and endpoints at once.
type Prepared struct {
	typ     frame.Opcode
	frame   []byte // as a server sends it
	payload []byte // the end of frame
}

// NewPrepared copies p.
func NewPrepared(typ frame.Opcode, p []byte) *Prepared {
	b := make([]byte, 0, frame.MaxHeader+len(p))
	b = frame.AppendHeader(b, frame.Header{Fin: true, Opcode: typ, Length: uint64(len(p))})
	n := len(b)
	b = append(b, p...)
	return &Prepared{typ: typ, frame: b, payload: b[n:]}
}

// Len returns the size of the message.
func (m *Prepared) Len() int { return len(m.payload) }

// SendPrepared queues m as Send would queue its message.
func (e *Endpoint) SendPrepared(m *Prepared) error {
	if e.role == Client || e.inMessage || e.cfg.MaxFrame > 0 && len(m.payload) > e.cfg.MaxFrame {
		return e.Send(m.typ, m.payload, true)
	}
	if !e.MaySend() {
		return ErrClosed
	}
	e.out.whole(m.frame)
	e.limit.Sent(e.now)
	return nil
}

// sendFrame queues a data or Close frame whose first octet is b0.
func (e *Endpoint) sendFrame(b0 byte, p []byte, borrow bool) error {
	if e.role == Server {
		e.out.frame(b0, p, borrow)
		return nil
	}
	err := e.mask()
	if err == nil {
		e.out.masked(b0, p, e.key)
	}
	return err
}

// sendControl queues a ping or pong.
func (e *Endpoint) sendControl(opcode frame.Opcode, p []byte) error {
	if e.role == Server {
		e.out.control(finBit|byte(opcode), p)
		return nil
	}
	err := e.mask()
	if err == nil {
		e.out.maskedControl(finBit|byte(opcode), p, e.key)
	}
	return err
}

// mask makes the key of the next frame: "The masking key needs to be
// unpredictable; thus, the masking key MUST be derived from a strong source of
// entropy" RFC 6455 §5.3
func (e *Endpoint) mask() error {
	if _, err := io.ReadFull(e.cfg.Rand, e.key[:]); err != nil {
		e.Abort(err)
		return err
	}
	return nil
}

// Ping queues a ping with a payload of at most 125 bytes, ahead of data. While
// 64 KiB of control frames wait it returns ErrPings.
func (e *Endpoint) Ping(p []byte) error {
	if len(p) > frame.MaxControl {
		return ErrPayload
	}
	if !e.MaySend() {
		return ErrClosed
	}
	if len(e.out.ctl) > maxControl {
		return ErrPings
	}
	return e.sendControl(frame.Ping, p)
}

// Probe queues a ping whose pong is recognised: React reports it by the number
// that Probe returns. With ErrPings that is the number of the last one.
func (e *Endpoint) Probe(now time.Time) (seq uint32, err error) {
	e.now = now
	if !e.MaySend() {
		return 0, ErrClosed
	}
	if e.probes == nil {
		var nonce [4]byte
		if _, err := io.ReadFull(e.cfg.Rand, nonce[:]); err != nil {
			e.Abort(err)
			return 0, err
		}
		e.probes = &control.Probes{Nonce: binary.BigEndian.Uint32(nonce[:]), Size: e.cfg.PingSize}
	}
	payload, seq, ok := e.probes.Append(nil, now)
	if !ok {
		return e.probeNew, ErrPings
	}
	e.probeNew = seq
	return seq, e.sendControl(frame.Ping, payload)
}

// ProbeLeft returns when a probe was handed to the transport; ok is false before
// that and once it was answered.
func (e *Endpoint) ProbeLeft(seq uint32) (at time.Time, ok bool) {
	if e.probes == nil {
		return at, false
	}
	return e.probes.Left(seq)
}

// Forget gives up a probe whose answer nobody waits for any more.
func (e *Endpoint) Forget(seq uint32) {
	if e.probes != nil {
		e.probes.Forget(seq)
	}
}

// Probing reports whether a probe is outstanding; the times passed in then
// should be precise, as round trips are measured with them.
func (e *Endpoint) Probing() bool { return e.probes != nil && e.probes.Outstanding() > 0 }

// Close starts the closing handshake: data queued before leaves first, then a
// Close frame; no data may be sent after. Code must be one that may appear on
// the wire, or frame.CloseNoStatus for an empty frame. A second call does
// nothing.
func (e *Endpoint) Close(now time.Time, code frame.CloseCode, reason string) error {
	e.now = now
	if code != frame.CloseNoStatus && !code.OnWire() || len(reason) > frame.MaxControl-2 ||
		!utf8.ValidString(reason) || code == frame.CloseNoStatus && reason != "" {
		return ErrPayload
	}
	if e.dropped || !e.closing.Send() {
		return nil
	}
	e.startDeadline()
	e.finish(&CloseError{Code: code, Reason: reason})
	return e.sendClose(code, reason)
}

// sendClose queues a Close frame behind everything else.
func (e *Endpoint) sendClose(code frame.CloseCode, reason string) error {
	e.out.follow()
	return e.sendFrame(finBit|byte(frame.Close), frame.AppendClose(nil, code, reason), false)
}

// Output appends to bufs what is to be written next, in order, and lends it
// until Written, which must follow before the next Output.
func (e *Endpoint) Output(bufs [][]byte) [][]byte {
	// Control frames that joined before leave first: it keeps their order, and
	// while the peer does not read, new ones wait where they are few.
	e.sendBeat()
	if e.out.written >= e.out.joinedEnd {
		e.pongs()
		if len(e.out.ctl) > 0 {
			e.out.join()
			e.probeSeq = e.probeNew
		}
	}
	return e.out.lend(bufs)
}

// Written says how much of what Output lent was taken by the transport.
func (e *Endpoint) Written(now time.Time, n int) {
	e.now = now
	if e.dropped {
		e.out.lent = 0
		return
	}
	e.out.wrote(n)
	if e.probes != nil && e.out.written >= e.out.joinedEnd {
		e.probes.Sent(e.probeSeq, now)
	}
}

// Queued and Sent count the bytes of data and Close frames that were ever
// queued, and at least how many of them were taken by the transport. They are
// equal when nothing is buffered.
func (e *Endpoint) Queued() uint64 { return e.out.written + uint64(e.out.queued) - e.out.joined }

// Sent is described at Queued.
func (e *Endpoint) Sent() uint64 {
	if e.out.written < e.out.joined {
		return 0
	}
	return e.out.written - e.out.joined
}

// Buffered returns how many bytes are queued and not written.
func (e *Endpoint) Buffered() int { return e.out.buffered() }

// Pending reports whether Output has anything to lend.
func (e *Endpoint) Pending() bool {
	return e.out.buffered() > 0 || e.responder.Waiting() || e.beat && e.mayBeat()
}

// Keep copies what Send kept by reference, which is the caller's again then.
// Nothing may be lent.
func (e *Endpoint) Keep() { e.out.keep() }
