package frame_test

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// bad is where each text goes wrong; -1 says it does not.
var utf8Cases = []struct {
	name     string
	text     string
	bad      int
	complete bool
}{
	{"nothing", "", -1, true},
	{"U+0000", "\x00", -1, true},
	{"U+007F", "\x7f", -1, true},
	{"U+0080", "\xc2\x80", -1, true},
	{"U+07FF", "\xdf\xbf", -1, true},
	{"U+0800", "\xe0\xa0\x80", -1, true},
	{"U+0FFF", "\xe0\xbf\xbf", -1, true},
	{"U+1000", "\xe1\x80\x80", -1, true},
	{"U+CFFF", "\xec\xbf\xbf", -1, true},
	{"U+D000", "\xed\x80\x80", -1, true},
	{"U+D7FF", "\xed\x9f\xbf", -1, true},
	{"U+E000", "\xee\x80\x80", -1, true},
	{"U+FFFD", "\xef\xbf\xbd", -1, true},
	{"U+FFFF", "\xef\xbf\xbf", -1, true},
	{"U+10000", "\xf0\x90\x80\x80", -1, true},
	{"U+3FFFF", "\xf0\xbf\xbf\xbf", -1, true},
	{"U+40000", "\xf1\x80\x80\x80", -1, true},
	{"U+FFFFF", "\xf3\xbf\xbf\xbf", -1, true},
	{"U+100000", "\xf4\x80\x80\x80", -1, true},
	{"U+10FFFF", "\xf4\x8f\xbf\xbf", -1, true},
	{"the examples of RFC 3629 §7", "A\xe2\x89\xa2\xce\x91.\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xef\xbb\xbf\xf0\xa3\x8e\xb4", -1, true},
	{"a long run of ASCII and then more", "0123456789abcdef0123456789abcdefé", -1, true},

	{"a lead byte of two", "a\xc2", -1, false},
	{"a lead byte of three", "a\xe0", -1, false},
	{"two of three", "a\xed\x9f", -1, false},
	{"a lead byte of four", "\xf4", -1, false},
	{"two of four", "\xf0\x90", -1, false},
	{"three of four", "abcdefgh\xf4\x8f\xbf", -1, false},

	{"a stray continuation byte", "\x80", 0, false},
	{"the last stray continuation byte", "a\xbf", 1, false},
	{"a continuation byte too many after two", "\xc2\x80\x80", 2, false},
	{"a continuation byte too many after three", "\xe1\x80\x80\x80", 3, false},
	{"a continuation byte too many after four", "\xf1\x80\x80\x80\x80", 4, false},
	{"U+0000 in two bytes", "\xc0\x80", 0, false},
	{"U+007F in two bytes", "\xc1\xbf", 0, false},
	{"U+0000 in three bytes", "\xe0\x80\x80", 1, false},
	{"U+07FF in three bytes", "\xe0\x9f\xbf", 1, false},
	{"U+0000 in four bytes", "\xf0\x80\x80\x80", 1, false},
	{"U+FFFF in four bytes", "\xf0\x8f\xbf\xbf", 1, false},
	{"U+D800, the first surrogate", "\xed\xa0\x80", 1, false},
	{"U+DBFF", "\xed\xaf\xbf", 1, false},
	{"U+DC00", "\xed\xb0\x80", 1, false},
	{"U+DFFF, the last surrogate", "\xed\xbf\xbf", 1, false},
	{"a pair of surrogates", "\xed\xa1\x8c\xed\xbe\xb4", 1, false},
	{"U+110000", "\xf4\x90\x80\x80", 1, false},
	{"U+13FFFF", "\xf4\xbf\xbf\xbf", 1, false},
	{"U+140000", "\xf5\x80\x80\x80", 0, false},
	{"a lead byte of five", "\xf8\x88\x80\x80\x80", 0, false},
	{"a lead byte of six", "\xfc\x84\x80\x80\x80\x80", 0, false},
	{"FE", "abc\xfe", 3, false},
	{"FF", "abc\xff", 3, false},
	{"a character of two broken off by ASCII", "\xc2a", 1, false},
	{"a character of three broken off by a lead byte", "\xe2\x82\xe2\x82\xac", 2, false},
	{"a character of four broken off by ASCII", "\xf0\x90\x8da", 3, false},
	{"a bad byte behind a long run of ASCII", "0123456789abcdef0123456\xff89", 23, false},
	{"a bad second byte behind ASCII, more behind it", "0123456\xed\xa0\x80abcdefgh", 8, false},
}

func TestUTF8(t *testing.T) {
	for _, c := range utf8Cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.complete, utf8.ValidString(c.text), "the table is right")
			end := c.bad
			if c.bad < 0 {
				end = len(c.text)
			}
			var u frame.UTF8
			ok := u.Write([]byte(c.text))
			require.Equal(t, c.bad < 0, ok)
			if ok {
				require.Equal(t, c.complete, u.Complete())
			}

			u.Reset()
			for i := range end {
				require.True(t, u.Write([]byte{c.text[i]}), "byte %d", i)
			}
			if c.bad >= 0 {
				require.False(t, u.Write([]byte{c.text[c.bad]}), "it fails on the first bad byte")
			} else {
				require.Equal(t, c.complete, u.Complete())
			}

			for cut := range len(c.text) + 1 {
				var u frame.UTF8
				require.True(t, u.Complete())
				ok := u.Write([]byte(c.text[:cut]))
				require.Equal(t, c.bad < 0 || cut <= c.bad, ok, "the first %d bytes", cut)
				if !ok {
					continue
				}
				require.Equal(t, utf8.ValidString(c.text[:cut]), u.Complete(), "the first %d bytes", cut)
				require.True(t, u.Write(nil))
				require.Equal(t, c.bad < 0, u.Write([]byte(c.text[cut:])), "cut at %d", cut)
				if c.bad < 0 {
					require.Equal(t, c.complete, u.Complete())
				}
			}
		})
	}
}

// agrees checks p, whole, in two pieces and bytewise, against the standard
// library.
func agrees(t *testing.T, p []byte) {
	bad, complete := firstBad(p)
	if complete != utf8.Valid(p) {
		t.Fatalf("the oracle is wrong about %x", p)
	}
	for cut := range p {
		var u frame.UTF8
		ok := u.Write(p[:cut]) && u.Write(p[cut:])
		if ok != (bad < 0) || ok && u.Complete() != complete {
			t.Fatalf("%x cut at %d: %v, complete %v", p, cut, ok, u.Complete())
		}
	}
	var u frame.UTF8
	for i := range p {
		ok := u.Write(p[i : i+1])
		if ok != (bad < 0 || i < bad) {
			t.Fatalf("%x byte %d: %v", p, i, ok)
		}
		if !ok {
			return
		}
	}
}

func TestUTF8AgreesWithTheStandardLibrary(t *testing.T) {
	t.Run("on all sequences of one and two bytes", func(t *testing.T) {
		for a := range 256 {
			agrees(t, []byte{byte(a)})
			for b := range 256 {
				agrees(t, []byte{byte(a), byte(b)})
			}
		}
	})
	// Every class of bytes begins or ends at one of these.
	edges := []byte("\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff")
	t.Run("on sequences of three and four bytes at the edges", func(t *testing.T) {
		for _, a := range edges {
			for _, b := range edges {
				for _, c := range edges {
					agrees(t, []byte{a, b, c})
					for _, d := range edges {
						agrees(t, []byte{a, b, c, d})
					}
				}
			}
		}
	})
	t.Run("on random sequences of lead and continuation bytes", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		for range 20_000 {
			p := make([]byte, 3+rng.IntN(20))
			for i := range p {
				p[i] = []byte{byte(rng.Uint32()), 0x80 | byte(rng.IntN(64)), 0xc0 | byte(rng.IntN(64)), 'a'}[rng.IntN(4)]
			}
			agrees(t, p)
		}
	})
	t.Run("on every code point", func(t *testing.T) {
		var b [4]byte
		var u frame.UTF8
		for r := rune(0); r <= utf8.MaxRune; r++ {
			n := utf8.EncodeRune(b[:], r)
			if !u.Write(b[:n-1]) || !u.Write(b[n-1:n]) || !u.Complete() {
				t.Fatalf("U+%04X", r)
			}
		}
	})
}

func FuzzUTF8(f *testing.F) {
	for _, c := range utf8Cases {
		f.Add([]byte(c.text), uint64(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		bad, complete := firstBad(p)
		require.Equal(t, utf8.Valid(p), complete)
		rng := rand.New(rand.NewPCG(seed, 0))
		var u frame.UTF8
		from := 0
		for _, cut := range append(randomCuts(rng, len(p)), len(p)) {
			ok := u.Write(p[from:cut])
			require.Equal(t, bad < 0 || cut <= bad, ok)
			if !ok {
				return
			}
			from = cut
		}
		require.Equal(t, complete, u.Complete())
	})
}
