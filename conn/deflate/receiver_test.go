package deflate_test

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// samples are messages as different encoders make them, and what they say.
func samples() map[string]struct{ message, text []byte } {
	random := rand.New(rand.NewPCG(7, 7))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	list := make(map[string]struct{ message, text []byte })
	for name, text := range map[string][]byte{
		"nothing": nil,
		"a byte":  {'x'},
		"JSON":    words(random, 700),
		"noise":   noise,
		"zeros":   make([]byte, 5000),
		"marks":   bytes.Repeat([]byte("\x00\x00\xff\xff"), 9),
		"mixed":   slices.Concat(words(random, 200), noise, words(random, 200)),
	} {
		for _, level := range []int{stdflate.NoCompression, stdflate.BestSpeed, stdflate.BestCompression, stdflate.HuffmanOnly} {
			var b bytes.Buffer
			w, _ := stdflate.NewWriter(&b, level)
			_, _ = w.Write(text)
			_ = w.Flush()
			list[fmt.Sprintf("%s, compress/flate %d", name, level)] = struct{ message, text []byte }{bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")), text}
		}
		for _, level := range []int{-2, 1, 5, 9} {
			s := deflate.NewSender(deflate.Direction{Bits: 15}, level, &pool{})
			list[fmt.Sprintf("%s, ours %d", name, level)] = struct{ message, text []byte }{s.Append(nil, text, true), text}
		}
	}
	return list
}

// agree inflates with a Receiver and with the oracle.
func agree(t *testing.T, message []byte, limit int) {
	t.Helper()
	s, want := inspect(message, nil, limit)
	o := common
	o.b, o.limit, o.most = o.b[:0], limit, 0
	err := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared).Inflate(message, o)
	switch {
	case s.codeless && want != nil: // read on with codes of an earlier block
	case want == nil:
		require.NoError(t, err, "%x", message)
		require.True(t, bytes.Equal(s.message(), o.b), "%x", message)
	case errors.Is(want, errLimit) || errors.Is(err, errLimit):
		// Which comes first, the limit or the error, is not the same at both.
		require.Error(t, err, "%x", message)
	default:
		require.ErrorIs(t, err, deflate.ErrCorrupt, "%x", message)
	}
}

// shared is the pool of tests that need none of their own, and common what takes
// their output.
var (
	shared = &pool{}
	common = &output{}
)

func TestATruncatedMessageIsCorrupt(t *testing.T) {
	for name, sample := range samples() {
		t.Run(name, func(t *testing.T) {
			got, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), sample.message)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sample.text, got))
			for n := less(0, max(0, len(sample.message)-60)); n < len(sample.message); n++ {
				got, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), sample.message[:n])
				if s, want := inspect(sample.message[:n], nil, 1<<20); want == nil {
					// Cut where a message could end: between blocks.
					require.NoError(t, err, n)
					require.True(t, bytes.Equal(s.message(), got), n)
					require.Less(t, len(got), len(sample.text), n)
					continue
				}
				require.ErrorIs(t, err, deflate.ErrCorrupt, "cut to %d of %d", n, len(sample.message))
			}
		})
	}
}

func TestAMessageWithAFlippedBitIsCorruptOrAnotherMessage(t *testing.T) {
	for name, sample := range samples() {
		t.Run(name, func(t *testing.T) {
			message := slices.Clone(sample.message)
			for i := range min(8*len(message), less(1000, 100)) {
				message[i/8] ^= 1 << (i % 8)
				agree(t, message, 1<<20)
				message[i/8] ^= 1 << (i % 8)
			}
		})
	}
}

// A stored block that promises up to nine bytes more than there are could take
// them from what is appended to a message.
func TestAStoredBlockDoesNotTakeWhatIsAppended(t *testing.T) {
	// 32,768 and 65,531 fill the window of an inflater, and so come out at once.
	for _, have := range []int{0, 1, 100, 32759, 32760, 32764, 32768, 65520, 65526, 65527, 65531} {
		for missing := 1; missing <= 9 && have+missing <= 65535; missing++ {
			for _, first := range []int{0, 1, 4, 5, 9, 32768 - 1} {
				n := have + missing
				message := bytes.Repeat([]byte{'x'}, have)
				message = slices.Concat([]byte{0, byte(n), byte(n >> 8), byte(^n), byte(^n >> 8)}, message)
				if first > 0 { // so much text before
					lead := slices.Concat([]byte{0, byte(first), byte(first >> 8), byte(^first), byte(^first >> 8)}, bytes.Repeat([]byte{'y'}, first))
					message = slices.Concat(lead, message)
				}
				_, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), message)
				require.ErrorIs(t, err, deflate.ErrCorrupt, "%d of %d, after %d", have, n, first)
			}
		}
	}
}

// The same text is fine when it is there.
func TestATextMayEndAsWhatIsAppended(t *testing.T) {
	const mark = "\x00\x00\xff\xff"
	for _, n := range []int{4, 5, 13, 32764, 32767, 32768, 32769, 65532, 65535, 65536, 65540} {
		for _, end := range []string{mark, mark + "\x01", mark + "\x01" + mark} {
			text := []byte(string(bytes.Repeat([]byte{'x'}, max(0, n-len(end)))) + end)
			for _, level := range []int{0, 1, 9}[:less(3, 1)] {
				var b bytes.Buffer
				w, _ := stdflate.NewWriter(&b, level)
				_, _ = w.Write(text)
				_ = w.Flush()
				message := bytes.TrimSuffix(b.Bytes(), []byte(mark))
				for _, room := range []int{1000, 32768, 1} {
					if room == 1 && n > 100 {
						continue
					}
					o := &output{limit: 1 << 20, most: room}
					r := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
					for range 3 { // at other places of the window
						o.b = nil
						require.NoError(t, r.Inflate(message, o))
						require.True(t, bytes.Equal(text, o.b))
					}
				}
			}
		}
	}
}

func TestWhatIsNoMessageIsCorrupt(t *testing.T) {
	const hello, final = "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00"
	for name, message := range map[string]string{
		"no octet at all":                              "",
		"a reserved type of block":                     "\x06",
		"a reserved type of last block":                "\x07\x00",
		"the tail, sent":                               hello + "\x00\x00\xff\xff",
		"half the tail, sent":                          hello + "\x00\x00",
		"trailing garbage":                             hello + "garbage",
		"trailing garbage of one byte":                 hello + "\x55",
		"a last block, and nothing":                    final,
		"a last block, and garbage":                    final + "\x55\xaa\x55",
		"a last block, and the tail":                   final + "\x00\x00\xff\xff",
		"an unfinished header":                         hello[:len(hello)-1],
		"a distance into nothing":                      "\xf2\x00\x11\x00\x00",
		"a length that is not its complement":          "\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00",
		"a dynamic block, unfinished":                  "\x04",
		"too many symbols":                             "\xfc\xff\xff\xff\xff\xff\xff\x00",
		"zlib's header":                                "\x78\x9c" + hello,
		"gzip's header":                                "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + hello,
		"text":                                         "Hello",
		"only the tail":                                "\x00\x00\xff\xff",
		"the end that is appended, sent":               hello + "\x00\x00\xff\xff\x01\x00\x00\xff\xff",
		"the end that is appended, sent without a end": "\x01\x00\x00\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			_, want := inspect([]byte(message), nil, 1<<20)
			require.Error(t, want, "the oracle")
			_, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), []byte(message))
			require.ErrorIs(t, err, deflate.ErrCorrupt)
		})
	}
}

func TestBlocksAreFine(t *testing.T) {
	const (
		hello  = "\xf2\x48\xcd\xc9\xc9\x07\x00"
		final  = "\xf3\x48\xcd\xc9\xc9\x07\x00"
		empty  = "\x00\x00\x00\xff\xff"
		stored = "\x00\x05\x00\xfa\xffHello"
		last   = "\x01\x05\x00\xfa\xffHello"
	)
	for name, c := range map[string]struct {
		message string
		hellos  int
	}{
		"a last block and an empty one":          {final + "\x00", 1},
		"a last block and an empty last one":     {final + "\x01\x00\x00\xff\xff\x00", 1},
		"a last block and another":               {final + hello, 2},
		"stored, last, and another":              {last + hello, 2},
		"stored, not last":                       {stored + stored + "\x00", 2},
		"empty blocks before":                    {empty + empty + hello, 1},
		"empty blocks behind":                    {hello + "\x00\x00\xff\xff" + empty + "\x00", 1},
		"many last blocks":                       {last + last + last + final + last + "\x00", 5},
		"padding that is not zero":               {"\xf8\x05\x00\xfa\xffHello\xf8", 1},
		"padding behind a last block":            {"\xf3\x48\xcd\xc9\xc9\x07\xf8\x00", 1},
		"the end that is appended, and an end":   {hello + "\x00\x00\xff\xff\x01\x00\x00\xff\xff\x00", 1},
		"a last block that refers to one before": {final + "\xf3\x00\x11\x00" + "\x00", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := inspect([]byte(c.message), nil, 1<<20)
			require.NoError(t, err, "the oracle")
			want := string(bytes.Repeat([]byte("Hello"), c.hellos))
			require.Equal(t, want, string(s.message()))
			r := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
			for range 3 {
				got, err := inflate(r, []byte(c.message))
				require.NoError(t, err)
				require.Equal(t, want, string(got))
			}
		})
	}
}

// What a block refers to behind a last one is as far away as without.
func TestALastBlockDoesNotMoveTheWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, c := range []struct{ earlier, here int }{{0, 5}, {100, 5}, {40_000, 5}, {32763, 5}, {40_000, 40_000}, {20_000, 20_000}, {100, 32767}} {
		earlier, here := words(random, c.earlier), words(random, c.here)
		text := slices.Concat(earlier, here)
		for _, distance := range []int{3, c.here, c.here + 1, c.here + c.earlier, 32768} {
			r := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
			_, err := inflate(r, plain(earlier))
			require.NoError(t, err)
			var w bitWriter
			w.put(2, 3)
			w.code(1, 7)
			w.distance(min(distance, 32768))
			w.code(0, 7)
			w.put(0, 3)
			message := slices.Concat(plain(here), []byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"), w.b)
			got, err := inflate(r, message)
			if from := len(text) - min(distance, 32768); from >= 0 {
				require.NoError(t, err, "%+v, %d", c, distance)
				said := slices.Clone(text)
				for i := range 3 {
					said = append(said, text[from+i%min(distance, 32768)])
				}
				require.True(t, bytes.Equal(said[len(earlier):], got), "%+v, %d", c, distance)
			} else {
				require.ErrorIs(t, err, deflate.ErrCorrupt, "%+v, %d", c, distance)
			}
		}
	}
}

func TestAMessageHasAtMost1024LastBlocks(t *testing.T) {
	const last = "\x01\x00\x00\xff\xff"
	for _, n := range []int{1, 1023, 1024, 1025, 1 << 20} {
		message := []byte(string(bytes.Repeat([]byte(last), n)) + "\x00")
		start := time.Now()
		got, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), message)
		require.Less(t, time.Since(start), time.Second)
		if n > maxFinals {
			require.ErrorIs(t, err, deflate.ErrCorrupt, n)
			continue
		}
		require.NoError(t, err, n)
		require.Empty(t, got)
	}
}

func TestReferencesDoNotPassWhatIsKept(t *testing.T) {
	// A reference of 3 bytes, 2^bits back, as the first of a message.
	for bits := 8; bits <= 15; bits++ {
		for _, over := range []int{0, 1} {
			for _, noTakeover := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d bits, %d more, no takeover %v", bits, over, noTakeover), func(t *testing.T) {
					distance := 1<<bits + over
					if distance > 1<<15 {
						t.Skip("DEFLATE has no such distance")
					}
					r := deflate.NewReceiver(deflate.Direction{NoTakeover: noTakeover, Bits: bits}, shared)
					random := rand.New(rand.NewPCG(3, 3))
					text := words(random, 1<<16)
					for text := range slices.Chunk(text, 999) {
						got, err := inflate(r, plain(text))
						require.NoError(t, err)
						require.Equal(t, text, got)
					}
					var w bitWriter
					w.put(2, 3)  // fixed codes, not the last
					w.code(1, 7) // 257: three bytes
					w.distance(distance)
					w.code(0, 7) // the end
					w.put(0, 3)  // stored
					got, err := inflate(r, w.b)
					if over > 0 || noTakeover {
						require.ErrorIs(t, err, deflate.ErrCorrupt)
						return
					}
					require.NoError(t, err)
					from := len(text) - distance
					require.Equal(t, string(text[from:from+3]), string(got))
				})
			}
		}
	}
}

// distance appends a distance of the fixed code.
func (w *bitWriter) distance(n int) {
	for symbol := 29; symbol >= 0; symbol-- {
		extra := max(0, symbol/2-1)
		base := symbol
		if symbol >= 4 {
			base = (2 + symbol%2) << extra
		}
		if n-1 >= base {
			w.code(uint16(symbol), 5)
			w.put(uint(n-1-base), extra)
			return
		}
	}
}

// plain is a message of stored blocks.
func plain(text []byte) (message []byte) {
	for part := range slices.Chunk(text, 65535) {
		n := len(part)
		message = append(message, 0, byte(n), byte(n>>8), byte(^n), byte(^n>>8))
		message = append(message, part...)
	}
	return append(message, 0)
}
