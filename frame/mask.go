package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask applies the masking key to b in place, where b[0] is octet pos of the
// payload, and returns the position after b, modulo 4. Masking and unmasking
// are the same: "octet i of the transformed data is the XOR of octet i of the
// original data with octet at index i modulo 4 of the masking key"
// RFC 6455 §5.3
func Mask(b []byte, key [4]byte, pos int) int {
	k := binary.LittleEndian.Uint32(key[:])
	maskBytes(b, bits.RotateLeft32(k, -8*(pos&3)))
	return (pos + len(b)) & 3
}
