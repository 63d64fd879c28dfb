package endpoint

import (
	"math"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/frame"
)

// Compression is how permessage-deflate is used where it was negotiated.
type Compression struct {
	Level     int // see deflate.CheckLevel
	Threshold int // smaller messages are sent plain; default DefaultThreshold, negative none
	Pool      deflate.Pool
}

// DefaultThreshold is the size below which compressing costs more than it saves.
const DefaultThreshold = 128

// compression is what an endpoint that negotiated permessage-deflate has.
type compression struct {
	sender    *deflate.Sender
	receiver  *deflate.Receiver
	threshold int

	// of the message that is being sent in parts
	compressed bool // it is compressed
	typ        frame.Opcode
	begun      bool // its first frame is queued
}

// Compress turns permessage-deflate on, as it was negotiated. It must be called
// before anything else is, and Config.Compression must be set.
func (e *Endpoint) Compress(p deflate.Params) {
	out, in := p.Server, p.Client
	if e.role == Client {
		out, in = in, out
	}
	c := e.cfg.Compression
	e.deflate = &compression{
		sender:    deflate.NewSender(out, c.Level, c.Pool),
		receiver:  deflate.NewReceiver(in, c.Pool),
		threshold: c.Threshold,
	}
	if c.Threshold == 0 {
		e.deflate.threshold = DefaultThreshold
	}
	e.plain = false
	e.parser = frame.NewParser(e.rules(true))
}

// compress queues a message, or a part of one, in compressed form. ok is false
// if it is to be sent as it is.
func (e *Endpoint) compress(typ frame.Opcode, p []byte, fin bool) (ok bool, err error) {
	d := e.deflate
	if !e.inMessage {
		// A message that is sent in parts will be larger than its first.
		d.compressed = !fin || len(p) >= d.threshold
		d.typ, d.begun = typ, false
	}
	if !d.compressed {
		return false, nil
	}
	e.inMessage = !fin
	scratch := e.out.buffers.Get(len(p)/2 + frame.MaxHeader)
	b := d.sender.Append(scratch[:0], p, fin)
	if len(b) > 0 || fin {
		b0 := byte(frame.Continuation)
		if !d.begun {
			// "set the "Per-Message Compressed" bit of the first frame"
			// RFC 7692 §6.1
			b0 = byte(d.typ) | frame.RSV1
			d.begun = true
		}
		err = e.sendFrames(b0, b, fin, false)
	}
	if cap(b) > 0 && cap(scratch) > 0 && &b[:1][0] == &scratch[:1][0] {
		e.out.buffers.Put(scratch)
	}
	return true, err
}

// RestCompressor gives back what compressing needs, until the next message. It
// is worth keeping while messages follow each other.
func (e *Endpoint) RestCompressor() {
	if e.deflate != nil {
		e.deflate.sender.Rest()
	}
}

// inflated gives a message that came compressed.
func (e *Endpoint) inflated(typ frame.Opcode, message []byte) Event {
	in := inflation{e: e, text: typ == frame.Text}
	err := e.deflate.receiver.Inflate(message, &in)
	if err == nil && in.text && !in.utf8.Complete() {
		err = errTextEnds
	}
	e.msg.release()
	if err != nil {
		if in.b != nil {
			e.msg.buffers.Put(in.b)
		}
		return e.violation(inflationError(err))
	}
	e.msg.b = in.b
	e.msg.given = in.b != nil
	if e.beats && e.isBeat(typ, in.b) {
		return Event{Kind: Beat, Data: in.b}
	}
	return Event{Kind: Message, Type: typ, Data: in.b}
}

func inflationError(err error) *frame.ProtocolError {
	if violation, ok := err.(*frame.ProtocolError); ok {
		return violation
	}
	return errDeflate
}

func violation(code frame.CloseCode, section, reason string) *frame.ProtocolError {
	return &frame.ProtocolError{Code: code, Section: section, Reason: reason}
}

var (
	errDeflate     = violation(frame.CloseInvalidPayload, "7.4.1", "compressed message that does not inflate")
	errInflatedBig = violation(frame.CloseMessageTooBig, "7.4.1", "message over the size limit when inflated")
	errTextEnds    = violation(frame.CloseInvalidPayload, "8.1", "text that is not UTF-8")
)

// inflation is a message as it is inflated: checked while it grows, and no
// larger than a message may be.
type inflation struct {
	e    *Endpoint
	b    []byte
	text bool
	utf8 frame.UTF8
}

const (
	firstRoom = 4 << 10
	mostRoom  = 32 << 10
)

func (in *inflation) Bytes() []byte { return in.b }

func (in *inflation) Room() ([]byte, error) {
	if len(in.b) == cap(in.b) {
		buffers := in.e.msg.buffers
		size := max(firstRoom, 2*cap(in.b))
		if limit := in.e.maxMessage(); limit < math.MaxInt64 {
			size = min(size, int(limit)+1) // one more byte is too many
		}
		b := append(buffers.Get(size)[:0], in.b...)
		if in.b != nil {
			buffers.Put(in.b)
		}
		in.b = b
	}
	room := in.b[len(in.b):cap(in.b)]
	return room[:min(len(room), mostRoom)], nil
}

func (in *inflation) Add(n int) error {
	start := len(in.b)
	in.b = in.b[:start+n]
	if int64(len(in.b)) > in.e.maxMessage() {
		return errInflatedBig
	}
	if in.text && !in.utf8.Write(in.b[start:]) {
		return errTextEnds
	}
	return nil
}

// maxMessage is the size of the largest message that the peer may send.
func (e *Endpoint) maxMessage() int64 {
	switch limit := e.cfg.MaxMessage; {
	case limit == 0:
		return frame.DefaultMaxMessage
	case limit < 0:
		return math.MaxInt64
	default:
		return limit
	}
}
