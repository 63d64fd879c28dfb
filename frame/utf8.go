package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// UTF8 checks text that arrives in pieces, cut anywhere, and fails on the
// first byte that cannot be part of well-formed UTF-8 (RFC 3629). The zero
// value is ready.
type UTF8 struct {
	need   uint8 // continuation bytes still to come
	lo, hi uint8 // bounds of the next one
}

// Write checks the next piece; false means that no continuation can make the
// text valid. After false the value is of no further use until Reset.
func (u *UTF8) Write(p []byte) bool {
	for u.need > 0 {
		if len(p) == 0 {
			return true
		}
		if p[0] < u.lo || p[0] > u.hi {
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xbf
		p = p[1:]
	}
	whole := len(p) - incomplete(p)
	if !validWhole(p[:whole]) {
		return false
	}
	return u.begin(p[whole:])
}

// Complete reports whether the text so far ends with a whole character.
func (u *UTF8) Complete() bool { return u.need == 0 }

// Reset makes u ready for another text.
func (u *UTF8) Reset() { *u = UTF8{} }

// begin takes the first bytes of a character whose rest has not arrived.
func (u *UTF8) begin(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	u.lo, u.hi = 0x80, 0xbf
	switch b := p[0]; {
	case b >= 0xc2 && b <= 0xdf:
		u.need = 1
	case b >= 0xe0 && b <= 0xef:
		u.need = 2
		if b == 0xe0 { // shorter forms exist below U+0800
			u.lo = 0xa0
		} else if b == 0xed { // surrogates
			u.hi = 0x9f
		}
	case b >= 0xf0 && b <= 0xf4:
		u.need = 3
		if b == 0xf0 { // shorter forms exist below U+10000
			u.lo = 0x90
		} else if b == 0xf4 { // nothing above U+10FFFF
			u.hi = 0x8f
		}
	default:
		return false
	}
	for _, b := range p[1:] {
		if b < u.lo || b > u.hi {
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xbf
	}
	return true
}

// incomplete returns how many bytes at the end of p begin a character that
// does not end in p, judging by the lead byte alone.
func incomplete(p []byte) int {
	for n := 1; n <= utf8.UTFMax-1 && n <= len(p); n++ {
		b := p[len(p)-n]
		if b < 0x80 {
			return 0
		}
		if b >= 0xc0 {
			if b >= 0xf0 && n < 4 || b >= 0xe0 && n < 3 || n < 2 {
				return n
			}
			return 0
		}
	}
	return 0
}

// validWhole reports whether p is well-formed text. Runs of ASCII are skipped
// a word at a time before the table-driven standard library takes over.
func validWhole(p []byte) bool {
	for len(p) >= 8 && binary.LittleEndian.Uint64(p)&0x8080808080808080 == 0 {
		p = p[8:]
	}
	return utf8.Valid(p)
}
