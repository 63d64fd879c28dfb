package frame

import (
	"encoding/binary"
	"math/bits"
)

// Limits that hold unless [Rules] says otherwise.
const (
	DefaultMaxMessage   = 1 << 20
	DefaultMaxFragments = 131_072
	DefaultMaxEmpty     = 1_024
)

// Rules is what a [Parser] accepts. For the limits 0 means the default and a
// negative value no limit; a message over one fails with [CloseMessageTooBig].
type Rules struct {
	Masked       bool  // the peer is a client, which MUST mask; a server MUST NOT
	Compression  bool  // RSV1 marks the first frame of a compressed message (RFC 7692 §6)
	MaxMessage   int64 // payload bytes of a message; compressed, it may have 1/64 and 1 KiB more
	MaxFragments int64 // frames of a message
	MaxEmpty     int64 // frames of a message that carry nothing
}

// Part is a piece of a message, or a whole control frame.
type Part struct {
	Opcode  Opcode // Text or Binary, of the message, on continuations too; or Close, Ping, Pong
	flags   partFlags
	Payload []byte // unmasked; part of the bytes given to Next, or valid until the next call
}

type partFlags uint8

const (
	partFirst partFlags = 1 << iota
	partFin
	partCompressed
)

// First reports that the message starts here.
func (p Part) First() bool { return p.flags&partFirst != 0 }

// Fin reports that the message ends here. A control frame is first and fin.
func (p Part) Fin() bool { return p.flags&partFin != 0 }

// Compressed reports that the message is compressed (RFC 7692 §6).
func (p Part) Compressed() bool { return p.flags&partCompressed != 0 }

// None reports that there was no part: more bytes are needed.
func (p Part) None() bool { return p.Opcode == Continuation }

// Parser is a push parser of one direction of a connection: it takes bytes as
// they arrive and gives the parts of messages they contain, each as soon as it
// is there and known to be legal. How the bytes are cut changes where parts
// are cut and nothing else.
//
// Every rule is checked on the first byte that can break it: reserved bits,
// opcodes and their order on the first octet of a frame; masking and control
// length on the second; the shortest form of lengths and the limits on the
// header; UTF-8 on each byte of text.
type Parser struct {
	rules rules
	err   *ProtocolError

	remaining uint64 // payload bytes of the current frame still to come
	size      uint64 // of the current message so far, as announced by headers
	fragments uint32
	empty     uint32

	expect  expectation // what the first octet of the next frame may be
	inFrame bool
	opcode  Opcode // of the current frame
	fin     bool
	key     uint32 // rotated to the next payload byte

	message Opcode    // Text or Binary inside a message, else Continuation
	flags   partFlags // of the next part of this message
	text    UTF8

	headLen uint8
	head    [MaxHeader]byte // an unfinished header

	control *control
}

// rules is Rules with its defaults filled in.
type rules struct {
	maxMessage             uint64
	maxFragments, maxEmpty uint32
	masked                 byte // the mask bit every frame must have
	compression            bool
}

// control collects a control frame that arrives in pieces.
type control struct {
	n int
	b [MaxControl]byte
}

// NewParser returns a parser for one direction of a connection.
func NewParser(r Rules) Parser {
	p := Parser{rules: rules{
		maxMessage:   limit(r.MaxMessage, DefaultMaxMessage, 1<<63-1),
		maxFragments: uint32(limit(r.MaxFragments, DefaultMaxFragments, 1<<32-1)),
		maxEmpty:     uint32(limit(r.MaxEmpty, DefaultMaxEmpty, 1<<32-1)),
		compression:  r.Compression,
	}}
	if r.Masked {
		p.rules.masked = maskBit
	}
	p.betweenMessages()
	return p
}

func limit(v, def int64, most uint64) uint64 {
	switch {
	case v < 0:
		return most
	case v == 0:
		return uint64(def)
	}
	return min(uint64(v), most)
}

// compressedLimit is the size that a message of a size may have when it is
// compressed and does not compress: more by the headers of stored blocks.
func compressedLimit(size uint64) uint64 { return size + size/64 + 1<<10 }

func (p *Parser) betweenMessages() {
	p.message = Continuation
	p.expect = expectMessage
	if p.rules.compression {
		p.expect |= expectCompressed
	}
}

// Remaining returns how many payload bytes of the current frame are still to
// come: all the next bytes up to that number belong to its payload.
func (p *Parser) Remaining() uint64 {
	if !p.inFrame {
		return 0
	}
	return p.remaining
}

// InMessage reports whether a data message has begun and not ended.
func (p *Parser) InMessage() bool { return p.message != Continuation }

// Next takes bytes from the start of b and returns the next part and how many
// bytes were taken. If [Part.None], all of b was taken and nothing is there to
// give yet. The payload is unmasked in place. After an error, which is a
// [*ProtocolError], every call returns it again.
func (p *Parser) Next(b []byte) (part Part, n int, err error) {
	if p.inFrame {
		return p.payload(b, 0)
	}
	h := b
	if p.headLen > 0 {
		h = p.head[:int(p.headLen)+copy(p.head[p.headLen:], b)]
	}
	if len(h) < 2 || len(h) < int(headerSizes[h[1]]) {
		return p.keep(h, len(b))
	}
	b0, b1 := h[0], h[1]
	if firstOctets[b0]&p.expect == 0 || b1&maskBit != p.rules.masked {
		return p.refuse(h)
	}
	size := int(headerSizes[b1])
	length := uint64(b1 &^ maskBit)
	if length >= 126 {
		if length, err = p.longLength(h); err != nil {
			return Part{}, 0, err
		}
	}
	var key uint32
	if b1&maskBit != 0 {
		key = binary.LittleEndian.Uint32(h[size-4:])
	}
	opcode := Opcode(b0 & 0x0f)
	fin := b0&finBit != 0
	n = size - int(p.headLen)
	p.headLen = 0

	// A message of one frame, all of which is there, leaves no state behind.
	if fin && opcode != Continuation && uint64(len(b)-n) >= length && length <= p.rules.maxMessage && b0&rsvBits == 0 {
		end := n + int(length)
		payload := b[n:end:end]
		maskBytes(payload, key)
		if opcode == Text && !validWhole(payload) {
			return p.fail(errUTF8)
		}
		return Part{opcode, partFirst | partFin, payload}, end, nil
	}

	if !opcode.IsControl() {
		if e := p.beginData(b0, length); e != nil {
			return p.fail(e)
		}
	}
	p.inFrame, p.opcode, p.fin = true, opcode, fin
	p.remaining, p.key = length, key
	return p.payload(b[n:], n)
}

// payload takes bytes of the current frame; n is what was taken before.
func (p *Parser) payload(b []byte, n int) (Part, int, error) {
	k := len(b)
	if uint64(k) >= p.remaining {
		k = int(p.remaining)
	} else if k == 0 {
		return Part{}, n, nil
	}
	payload := b[:k:k]
	n += k
	p.remaining -= uint64(k)
	p.inFrame = p.remaining > 0
	maskBytes(payload, p.key)
	p.key = bits.RotateLeft32(p.key, -8*(k&3))
	if p.opcode.IsControl() {
		return p.controlPart(payload), n, nil
	}

	part := Part{p.message, p.flags, payload}
	fin := p.fin && !p.inFrame
	// "When an endpoint is to interpret a byte stream as UTF-8 but finds that
	// the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST
	// Fail the WebSocket Connection." RFC 6455 §8.1. Compressed text is checked
	// by whoever inflates it.
	if p.message == Text && p.flags&partCompressed == 0 {
		if !p.text.Write(payload) || fin && !p.text.Complete() {
			return p.fail(errUTF8)
		}
	}
	p.flags &^= partFirst
	if fin {
		part.flags |= partFin
		p.betweenMessages()
	}
	return part, n, nil
}

// controlPart gives out the current control frame once all of it is there.
func (p *Parser) controlPart(payload []byte) Part {
	if c := p.control; p.inFrame || c != nil && c.n > 0 {
		if c == nil {
			c = new(control)
			p.control = c
		}
		c.n += copy(c.b[c.n:], payload)
		if p.inFrame {
			return Part{}
		}
		payload, c.n = c.b[:c.n:c.n], 0
	}
	return Part{p.opcode, partFirst | partFin, payload}
}

// keep puts an unfinished header aside, if it can still become a legal one.
// taken is the size of the input it came from, all of which belongs to it.
func (p *Parser) keep(h []byte, taken int) (Part, int, error) {
	if p.err != nil {
		return Part{}, 0, p.err
	}
	if len(h) > 0 && firstOctets[h[0]]&p.expect == 0 ||
		len(h) > 1 && h[1]&maskBit != p.rules.masked ||
		len(h) > 1 && Opcode(h[0]&0x0f).IsControl() && h[1]&^maskBit > MaxControl {
		return p.refuse(h)
	}
	p.headLen = uint8(copy(p.head[:], h))
	return Part{}, taken, nil
}

// longLength reads a length that does not fit the second octet.
func (p *Parser) longLength(h []byte) (uint64, error) {
	if Opcode(h[0] & 0x0f).IsControl() {
		_, _, err := p.fail(errControlLength)
		return 0, err
	}
	length, e := decodeLength(h)
	if e != nil {
		_, _, err := p.fail(e)
		return 0, err
	}
	return length, nil
}

// fail makes e the end of this parser.
func (p *Parser) fail(e *ProtocolError) (Part, int, error) {
	p.err = e
	p.expect, p.inFrame, p.headLen = 0, false, 0
	return Part{}, 0, e
}

// refuse finds out what is wrong with the first octets of a frame.
func (p *Parser) refuse(h []byte) (Part, int, error) {
	if p.err != nil {
		return Part{}, 0, p.err
	}
	b0 := h[0]
	switch opcode := Opcode(b0 & 0x0f); {
	case firstOctets[b0]&p.expect != 0:
		// "The server MUST close the connection upon receiving a frame that is
		// not masked. … A client MUST close a connection if it detects a masked
		// frame." RFC 6455 §5.1
		if h[1]&maskBit != p.rules.masked {
			if p.rules.masked != 0 {
				return p.fail(errUnmasked)
			}
			return p.fail(errMasked)
		}
		return p.fail(errControlLength)
	case opcode > Binary && opcode < Close || opcode > Pong:
		// "If an unknown opcode is received, the receiving endpoint MUST _Fail
		// the WebSocket Connection_." RFC 6455 §5.2
		return p.fail(errReservedOpcode)
	case opcode.IsControl() && b0&finBit == 0:
		// "All control frames … MUST NOT be fragmented." RFC 6455 §5.5
		return p.fail(errControlParts)
	case opcode == Continuation && p.message == Continuation && b0&rsvBits == 0:
		return p.fail(errNoMessage)
	case opcode != Continuation && p.message != Continuation && b0&rsvBits == 0:
		// "The fragments of one message MUST NOT be interleaved between the
		// fragments of another message" RFC 6455 §5.4
		return p.fail(errInterleaved)
	}
	// "MUST be 0 unless an extension is negotiated that defines meanings for
	// non-zero values." RFC 6455 §5.2; and with compression: "An endpoint MUST
	// NOT set the "Per-Message Compressed" bit of control frames and non-first
	// fragments of a data message." RFC 7692 §6.1
	return p.fail(errReservedBits)
}

// beginData applies the rules for messages to the header of a data frame that
// may stand here, and makes it the current one.
func (p *Parser) beginData(b0 byte, length uint64) *ProtocolError {
	if opcode := Opcode(b0 & 0x0f); opcode != Continuation {
		p.message = opcode
		p.expect = expectContinuation
		p.flags = partFirst
		if b0&RSV1 != 0 {
			p.flags |= partCompressed
		}
		p.size, p.fragments, p.empty = 0, 0, 0
	}
	// Both are below 2⁶³, so the sum does not wrap.
	p.size += length
	if p.size > p.rules.maxMessage && (p.flags&partCompressed == 0 || p.size > compressedLimit(p.rules.maxMessage)) {
		return errTooBig
	}
	p.fragments++
	if length == 0 {
		p.empty++
	}
	if p.fragments > p.rules.maxFragments || p.empty > p.rules.maxEmpty {
		return errFragments
	}
	return nil
}

// expectation is a set of first octets that may begin the next frame.
type expectation uint8

const (
	expectMessage      expectation = 1 << iota // a data frame that begins a message
	expectCompressed                           // the same with RSV1
	expectContinuation                         // a continuation frame
	expectControl      = expectMessage | expectContinuation
)

// firstOctets says for each first octet of a frame where it is legal.
var firstOctets = func() (t [256]expectation) {
	for _, fin := range []byte{0, finBit} {
		for _, opcode := range []Opcode{Text, Binary} {
			t[fin|byte(opcode)] = expectMessage
			t[fin|RSV1|byte(opcode)] = expectCompressed
		}
		t[fin|byte(Continuation)] = expectContinuation
	}
	for _, opcode := range []Opcode{Close, Ping, Pong} {
		t[finBit|byte(opcode)] = expectControl
	}
	return t
}()

// headerSizes is the size of the header for each second octet of a frame.
var headerSizes = func() (t [256]uint8) {
	for b1 := range t {
		t[b1] = uint8(headerSize(byte(b1)))
	}
	return t
}()

// Complete reports whether b, which begins where the next call of Next would,
// holds the end of the frame that call would work on. It looks at the header
// only and judges nothing; a frame that breaks a rule counts as complete as
// soon as that can be seen from its length.
func (p *Parser) Complete(b []byte) bool {
	if p.inFrame {
		return uint64(len(b)) >= p.remaining
	}
	h := b
	if p.headLen > 0 {
		var joined [MaxHeader]byte
		n := copy(joined[:], p.head[:p.headLen])
		h = joined[:n+copy(joined[n:], b)]
	}
	if len(h) < 2 {
		return false
	}
	size := headerSize(h[1])
	if len(h) < size {
		return false
	}
	length, err := decodeLength(h)
	if err != nil {
		return true
	}
	return uint64(len(b)) >= uint64(size)-uint64(p.headLen)+length
}
