package frame

import "strconv"

// Opcode says what a frame is; values are those on the wire (RFC 6455 §5.2).
type Opcode uint8

const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// IsControl reports whether the most significant bit of the opcode is set:
// "Control frames are identified by opcodes where the most significant bit of
// the opcode is 1." RFC 6455 §5.5
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "reserved opcode 0x" + strconv.FormatUint(uint64(o), 16)
}
