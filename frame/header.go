package frame

import "encoding/binary"

const (
	// MaxControl is the most a control frame may carry: "All control frames
	// MUST have a payload length of 125 bytes or less" RFC 6455 §5.5
	MaxControl = 125
	// MaxHeader is the size of the longest header: 2 octets, a 64-bit length
	// and a masking key.
	MaxHeader = 14

	finBit  = 0x80
	rsvBits = 0x70
	maskBit = 0x80

	// RSV1 is the reserved bit that RFC 7692 gives to compressed messages, as
	// it stands in [Header].RSV.
	RSV1 = 0x40
)

// Header is a frame header (RFC 6455 §5.2). It says nothing of whether the
// frame is legal where it stands; that is the [Parser]'s work.
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits where they stand in the first octet: 0x40, 0x20, 0x10
	Opcode Opcode
	Masked bool
	Key    [4]byte // when Masked
	Length uint64  // of the payload, below 2⁶³
}

// ParseHeader reads the header at the start of b and returns its size; n == 0
// without an error means that b ends inside the header. The error is a
// [*ProtocolError] for a length that is too large or not in its shortest form.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return Header{}, 0, nil
	}
	n = headerSize(b[1])
	if len(b) < n {
		return Header{}, 0, nil
	}
	length, perr := decodeLength(b)
	if perr != nil {
		return Header{}, 0, perr
	}
	h = Header{
		Fin:    b[0]&finBit != 0,
		RSV:    b[0] & rsvBits,
		Opcode: Opcode(b[0] & 0x0f),
		Masked: b[1]&maskBit != 0,
		Length: length,
	}
	if h.Masked {
		h.Key = [4]byte(b[n-4 : n])
	}
	return h, n, nil
}

// AppendHeader appends h with its length in the shortest form, as "the minimal
// number of bytes MUST be used to encode the length" RFC 6455 §5.2
func AppendHeader(dst []byte, h Header) []byte {
	b0 := byte(h.Opcode)&0x0f | h.RSV&rsvBits
	if h.Fin {
		b0 |= finBit
	}
	var mask byte
	if h.Masked {
		mask = maskBit
	}
	switch {
	case h.Length <= 125:
		dst = append(dst, b0, mask|byte(h.Length))
	case h.Length <= 0xffff:
		dst = append(dst, b0, mask|126, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, b0, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// headerSize is the size of the whole header whose second octet is b1.
func headerSize(b1 byte) int {
	n := 2
	switch b1 &^ maskBit {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b1&maskBit != 0 {
		n += 4
	}
	return n
}

// decodeLength reads the payload length of the complete header b.
func decodeLength(b []byte) (uint64, *ProtocolError) {
	switch l := b[1] &^ maskBit; l {
	default:
		return uint64(l), nil
	case 126:
		length := uint64(binary.BigEndian.Uint16(b[2:]))
		if length < 126 {
			return 0, errLongLength
		}
		return length, nil
	case 127:
		length := binary.BigEndian.Uint64(b[2:])
		// "the most significant bit MUST be 0" RFC 6455 §5.2
		if length>>63 != 0 {
			return 0, errHugeLength
		}
		if length <= 0xffff {
			return 0, errLongLength
		}
		return length, nil
	}
}
