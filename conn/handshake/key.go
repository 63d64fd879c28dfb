package handshake

import (
	"crypto/fips140"
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// AcceptKey returns the Sec-WebSocket-Accept value that answers a
// Sec-WebSocket-Key. The key is taken as it is, without any check.
func AcceptKey(key string) string {
	// "concatenating /key/, defined above in step 4 in Section 4.2.2, with the
	// string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the SHA-1 hash of
	// this concatenated value to obtain a 20-byte value and base64-encoding
	// (see Section 4 of [RFC4648]) this 20-byte hash" RFC 6455 §4.2.2
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var array [64]byte
	input := append(append(array[:0], key...), guid...)
	var sum [sha1.Size]byte
	// The hash protects nothing, so a process that forbids SHA-1 elsewhere
	// (GODEBUG=fips140=only) may still speak the protocol.
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(input) })
	return base64.StdEncoding.EncodeToString(sum[:])
}

// validKey tells whether key is base64 of 16 bytes. The last character before
// the padding carries 4 bits that mean nothing, and they may have any value.
func validKey(key string) bool {
	// "A |Sec-WebSocket-Key| header field with a base64-encoded (see Section 4
	// of [RFC4648]) value that, when decoded, is 16 bytes in length."
	// RFC 6455 §4.2.1
	digits, ok := strings.CutSuffix(key, "==")
	if !ok || len(digits) != 22 {
		return false
	}
	for i := range len(digits) {
		if c := digits[i]; !isAlphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}
