package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// header is an unmasked header that announces any length.
func header(b0 byte, length uint64) []byte {
	return frame.AppendHeader(nil, frame.Header{Fin: b0&0x80 != 0, Opcode: frame.Opcode(b0 & 0x0f), Length: length})
}

func code(err error) frame.CloseCode {
	var pe *frame.ProtocolError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return 0
}

func TestMessageLimitIsCheckedAgainstTheHeaderAlone(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  int64
		length uint64
		within bool
	}{
		{"exactly the limit", 10, 10, true},
		{"one byte over the limit", 10, 11, false},
		{"exactly the default", 0, frame.DefaultMaxMessage, true},
		{"one byte over the default", 0, frame.DefaultMaxMessage + 1, false},
		{"the longest frame with the default", 0, 1<<63 - 1, false},
		{"the longest frame without a limit", -1, 1<<63 - 1, true},
		{"any negative value is off", -1 << 62, 1 << 62, true},
		{"exactly the largest limit", 1<<63 - 1, 1<<63 - 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := frame.NewParser(frame.Rules{MaxMessage: c.limit})
			_, _, err := p.Next(header(0x82, c.length))
			if c.within {
				require.NoError(t, err)
				require.Equal(t, c.length, p.Remaining())
			} else {
				require.Equal(t, frame.CloseMessageTooBig, code(err))
				require.Zero(t, p.Remaining())
			}
		})
	}
}

func TestMessageLimitCountsAllFragments(t *testing.T) {
	in := bytes.Clone(frames(0x02, "abc", 0x00, "", 0x00, "defg", 0x89, "0123456789", 0x80, "hij"))
	p := frame.NewParser(frame.Rules{MaxMessage: 10})
	require.Zero(t, feed(t, &p, bytes.Repeat(in, 3)).code, "each message counts anew")
	p = frame.NewParser(frame.Rules{MaxMessage: 9})
	require.Equal(t, frame.CloseMessageTooBig, feed(t, &p, in).code)
}

func TestMessageLimitDoesNotOverflowWithoutALimit(t *testing.T) {
	p := frame.NewParser(frame.Rules{MaxMessage: -1})
	require.Zero(t, feed(t, &p, frames(0x02, "ab")).code)
	_, _, err := p.Next(header(0x80, 1<<63-1))
	require.Equal(t, frame.CloseMessageTooBig, code(err), "two frames whose sum has no place in 63 bits")
}

func TestFragmentLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		rules  frame.Rules
		n      int // fragments that pass
		length uint64
	}{
		{"one fragment", frame.Rules{MaxFragments: 1}, 1, 1},
		{"seven fragments", frame.Rules{MaxFragments: 7}, 7, 1},
		{"the default number of fragments", frame.Rules{}, frame.DefaultMaxFragments, 1},
		{"one empty fragment", frame.Rules{MaxEmpty: 1}, 1, 0},
		{"the default number of empty fragments", frame.Rules{}, frame.DefaultMaxEmpty, 0},
		{"empty fragments count as fragments", frame.Rules{MaxEmpty: -1, MaxFragments: 5}, 5, 0},
		{"no limit for empty fragments leaves the other", frame.Rules{MaxEmpty: -1}, frame.DefaultMaxFragments, 0},
		{"limits above 32 bits are as good as none", frame.Rules{MaxEmpty: 1 << 40, MaxFragments: 9}, 9, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := frame.NewParser(c.rules)
			for i := range c.n + 1 {
				b0 := byte(0x00)
				if i == 0 {
					b0 = 0x02
				}
				part, n, err := p.Next(append(header(b0, c.length), make([]byte, c.length)...))
				if i == c.n {
					require.Equal(t, frame.CloseMessageTooBig, code(err))
					return
				}
				if err != nil || n != int(2+c.length) || part.First() != (i == 0) || part.Fin() {
					t.Fatalf("fragment %d: %v, %d bytes taken, %v", i+1, part, n, err)
				}
			}
		})
	}
}

func TestFragmentLimitsCanBeOff(t *testing.T) {
	p := frame.NewParser(frame.Rules{MaxFragments: -1, MaxEmpty: -1})
	_, _, err := p.Next(frames(0x02, ""))
	require.NoError(t, err)
	piece := bytes.Repeat([]byte{0, 0}, 1024)
	for range 200 { // 204,800 empty fragments
		for rest := piece; len(rest) > 0; {
			part, n, err := p.Next(rest)
			if err != nil || part.None() {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}
	part, _, err := p.Next(frames(0x80, ""))
	require.NoError(t, err)
	require.True(t, part.Fin())
}

func TestFragmentsCountPerMessage(t *testing.T) {
	p := frame.NewParser(frame.Rules{MaxFragments: 2, MaxEmpty: 1})
	in := bytes.Repeat(frames(0x02, "", 0x80, "a", 0x82, "", 0x81, "b"), 20)
	require.Zero(t, feed(t, &p, in).code)
}

// The parser keeps nothing of a message, so that its memory and the work a
// fragment costs do not depend on how many there were.
func TestFragmentsCostNoMemory(t *testing.T) {
	p := frame.NewParser(frame.Rules{MaxFragments: -1})
	first := frames(0x02, "a")
	_, _, err := p.Next(first)
	require.NoError(t, err)
	in := frames(0x00, "bc", 0x89, "ping")
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		for rest := in; len(rest) > 0; {
			_, n, err := p.Next(rest)
			if err != nil {
				panic(err)
			}
			rest = rest[n:]
		}
	}))
}

func TestAnnouncedLengthsAllocateNothing(t *testing.T) {
	head := header(0x82, 1<<40)
	require.Equal(t, uint64(1<<40), binary.BigEndian.Uint64(head[2:]))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p := frame.NewParser(frame.Rules{MaxMessage: -1})
		if _, _, err := p.Next(head); err != nil {
			panic(err)
		}
	}))
}

// What does not compress grows a little when it is compressed all the same.
func TestACompressedMessageMayBeALittleOverTheLimit(t *testing.T) {
	const limit = 64 << 10
	for extra, legal := range map[int]bool{0: true, 1: true, limit/64 + 1<<10: true, limit/64 + 1<<10 + 1: false} {
		for _, b0 := range []byte{0x82, 0xc2} {
			p := frame.NewParser(frame.Rules{Compression: true, MaxMessage: limit})
			size := limit + extra
			_, _, err := p.Next([]byte{b0, 127, 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
			if legal && (b0 == 0xc2 || extra == 0) {
				require.NoError(t, err, extra)
			} else {
				require.Error(t, err, extra)
			}
		}
	}
}
