package frame_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

var long = strings.Repeat("abcdefg ", 40)

type parserCase struct {
	name  string
	rules frame.Rules
	in    []byte
	want  string // the trace when the input comes in one piece
	code  frame.CloseCode
}

var (
	server      = frame.Rules{Masked: true}
	compression = frame.Rules{Compression: true}
)

var parserCases = []parserCase{
	{name: "a text message", in: frames(0x81, "Hello"), want: `text "Hello"`},
	{name: "the masked text message of RFC 6455 §5.7", rules: server, want: `text "Hello"`,
		in: []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}},
	{name: "a binary message", in: frames(0x82, "\x00\xff\xfe"), want: `binary "\x00\xff\xfe"`},
	{name: "empty messages", in: frames(0x81, "", 0x82, ""), want: `text ""; binary ""`},
	{name: "empty masked messages", rules: server, in: masked(0x81, "", 0x82, "", 0x89, ""), want: `text ""; binary ""; ping ""`},
	{name: "a message of two fragments", in: frames(0x01, "Hel", 0x80, "lo"), want: `text "Hello"`},
	{name: "a message of empty fragments", in: frames(0x02, "", 0x00, "", 0x80, ""), want: `binary ""`},
	{name: "masked fragments with a ping between them", rules: server, in: masked(0x01, "Hel", 0x89, "ping!", 0x00, "l", 0x8a, "", 0x80, "o"),
		want: `text "Hel"…; ping "ping!"; +text "l"…; pong ""; +text "o"`},
	{name: "a close inside a message", in: frames(0x02, "a", 0x88, "\x03\xe8bye"), want: `binary "a"…; close "\x03\xe8bye"`},
	{name: "a control frame of 125 bytes", in: frames(0x89, long[:125]), want: `ping "` + long[:125] + `"`},
	{name: "a masked control frame of 125 bytes", rules: server, in: masked(0x8a, long[:125]), want: `pong "` + long[:125] + `"`},
	{name: "a 16-bit length", rules: server, in: masked(0x81, long[:126], 0x82, long), want: `text "` + long[:126] + `"; binary "` + long + `"`},
	{name: "messages behind each other", in: frames(0x81, "a", 0x01, "b", 0x80, "c", 0x82, "d"), want: `text "a"; text "bc"; binary "d"`},
	{name: "control frames are outside the message limit", rules: frame.Rules{MaxMessage: 3}, in: frames(0x02, "ab", 0x89, "12345", 0x80, "c"),
		want: `binary "ab"…; ping "12345"; +binary "c"`},
	{name: "control frames are no fragments", rules: frame.Rules{MaxFragments: 2, MaxEmpty: 1}, in: frames(0x02, "ab", 0x89, "", 0x89, "", 0x8a, "", 0x80, ""),
		want: `binary "ab"…; ping ""; ping ""; pong ""; +binary ""`},
	{name: "text in several scripts", in: frames(0x81, "κόσμε €𐍈 日本"), want: `text "κόσμε €𐍈 日本"`},
	{name: "a character cut between fragments", in: frames(0x01, "\xf0\x90", 0x00, "", 0x00, "\x8d", 0x80, "\x88"), want: `text "𐍈"`},
	{name: "binary need not be UTF-8 after text was cut", in: frames(0x01, "\xce", 0x80, "\xba", 0x82, "\xff"), want: `text "κ"; binary "\xff"`},
	{name: "a compressed message", rules: compression, in: frames(0xc1, "\xff\x00"), want: `text "\xff\x00" compressed`},
	{name: "a compressed message in fragments", rules: compression, in: frames(0x41, "\xff", 0x89, "", 0x80, "\xfe", 0x81, "a"),
		want: `text "\xff"… compressed; ping ""; +text "\xfe" compressed; text "a"`},
	{name: "compression does not force compression", rules: compression, in: frames(0x82, "x", 0x02, "y", 0x80, "z"), want: `binary "x"; binary "yz"`},

	{name: "RSV1 without compression", in: frames(0xc1, "a"), code: 1002},
	{name: "RSV2", in: frames(0x81, "a", 0xa1, "b"), want: `text "a"`, code: 1002},
	{name: "RSV3", in: frames(0x91, "a"), code: 1002},
	{name: "RSV1 on a control frame", rules: compression, in: frames(0xc9, "a"), code: 1002},
	{name: "RSV1 on a continuation", rules: compression, in: frames(0x41, "a", 0xc0, "b"), want: `text "a"… compressed`, code: 1002},
	{name: "RSV2 with compression", rules: compression, in: frames(0xa2, "a"), code: 1002},
	{name: "RSV1 with a new message inside another", rules: compression, in: frames(0x01, "a", 0xc1, "b"), want: `text "a"…`, code: 1002},
	{name: "a continuation without a message", in: frames(0x80, "a"), code: 1002},
	{name: "an unfinished continuation without a message", in: frames(0x00, "a"), code: 1002},
	{name: "a continuation after a finished message", in: frames(0x01, "a", 0x80, "b", 0x80, "c"), want: `text "ab"`, code: 1002},
	{name: "a message inside a message", in: frames(0x01, "a", 0x81, "b"), want: `text "a"…`, code: 1002},
	{name: "an unfinished message inside a message", in: frames(0x01, "a", 0x02, "b"), want: `text "a"…`, code: 1002},
	{name: "a fragmented ping", in: frames(0x09, "a"), code: 1002},
	{name: "a fragmented pong", in: frames(0x0a, "a"), code: 1002},
	{name: "a fragmented close", in: frames(0x08, ""), code: 1002},
	{name: "a ping of 126 bytes", in: frames(0x89, long[:126]), code: 1002},
	{name: "a masked close of 126 bytes", rules: server, in: masked(0x88, long[:126]), code: 1002},
	{name: "a ping with a 64-bit length", in: append([]byte{0x89, 127, 0, 0, 0, 0, 0, 1, 0, 0}, long...), code: 1002},
	{name: "an unmasked frame to a server", rules: server, in: frames(0x81, "Hello"), code: 1002},
	{name: "an unmasked ping to a server", rules: server, in: append(masked(0x81, "a"), frames(0x89, "")...), want: `text "a"`, code: 1002},
	{name: "a masked frame to a client", in: masked(0x81, "Hello"), code: 1002},
	{name: "a masked pong to a client", in: masked(0x8a, ""), code: 1002},
	{name: "a 16-bit length that fits 7 bits", in: append([]byte{0x82, 126, 0, 125}, long[:125]...), code: 1002},
	{name: "a 16-bit length of zero", in: []byte{0x82, 126, 0, 0, 0x82, 0}, code: 1002},
	{name: "a 64-bit length that fits 16 bits", rules: server, in: append([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, long...), code: 1002},
	{name: "a 64-bit length that fits 7 bits", in: []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'a'}, code: 1002},
	{name: "a length of 2⁶³", rules: frame.Rules{MaxMessage: -1}, in: []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, code: 1002},
	{name: "a length of 2⁶⁴-1", in: []byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, code: 1002},

	{name: "a stray continuation byte", in: frames(0x81, "ab\x80cd"), code: 1007},
	{name: "a bad byte in a second fragment", in: frames(0x01, "κ", 0x80, "a\xffb"), want: `text "κ"…`, code: 1007},
	{name: "a bad byte in masked text", rules: server, in: masked(0x81, "a", 0x81, "a\xc0\x80"), want: `text "a"`, code: 1007},
	{name: "a character cut by the end of the message", in: frames(0x81, "ab\xe2\x82"), code: 1007},
	{name: "a character cut by an empty last fragment", in: frames(0x01, "ab\xe2\x82", 0x80, ""), want: `text "ab\xe2\x82"…`, code: 1007},
	{name: "a surrogate", in: frames(0x81, "\xed\xa0\x80"), code: 1007},
	{name: "a character above U+10FFFF across fragments", in: frames(0x01, "\xf4", 0x80, "\x90\x80\x80"), want: `text "\xf4"…`, code: 1007},
	{name: "a character that a ping interrupts and nothing continues", in: frames(0x01, "\xc3", 0x89, "", 0x80, "a"), want: `text "\xc3"…; ping ""`, code: 1007},

	{name: "a message over the limit", rules: frame.Rules{MaxMessage: 4}, in: frames(0x82, "abcd", 0x82, "abcde"), want: `binary "abcd"`, code: 1009},
	{name: "fragments over the limit together", rules: frame.Rules{MaxMessage: 4}, in: frames(0x02, "ab", 0x00, "cd", 0x80, "e"), want: `binary "abcd"…`, code: 1009},
	{name: "too many fragments", rules: frame.Rules{MaxFragments: 2}, in: frames(0x02, "a", 0x00, "b", 0x80, "c"), want: `binary "ab"…`, code: 1009},
	{name: "too many empty fragments", rules: frame.Rules{MaxEmpty: 2}, in: frames(0x02, "", 0x00, "a", 0x00, "", 0x80, ""), want: `binary "a"…`, code: 1009},
}

func TestParserGivesWhatIsLegal(t *testing.T) {
	for _, c := range parserCases {
		t.Run(c.name, func(t *testing.T) {
			want := model(c.rules, c.in)
			require.Equal(t, c.code, want.code)

			p := frame.NewParser(c.rules)
			got := feed(t, &p, c.in)
			require.Equal(t, c.code, got.code)
			require.Equal(t, c.want, got.trace.String())

			requireModel(t, c.rules, c.in, want, nil)
			requireModel(t, c.rules, c.in, want, everyByte(len(c.in)))
			for cut := 1; cut < len(c.in); cut++ {
				requireModel(t, c.rules, c.in, want, []int{cut})
			}
		})
	}
}

func TestParserWaitsForWhatIsCutOff(t *testing.T) {
	for _, c := range parserCases {
		t.Run(c.name, func(t *testing.T) {
			whole := model(c.rules, c.in)
			for n := range c.in {
				p := frame.NewParser(c.rules)
				got := feed(t, &p, c.in[:n])
				if whole.code != 0 && n >= whole.at {
					require.Equal(t, whole.code, got.code, "truncated to %d bytes", n)
				} else {
					require.Zero(t, got.code, "truncated to %d bytes", n)
				}
				require.True(t, got.trace.begins(whole.trace), "%v is not what %v begins with", got.trace, whole.trace)
				require.Equal(t, model(c.rules, c.in[:n]).code, got.code)
			}
		})
	}
}

func TestParserDoesNotNeedPiecesToContainAnything(t *testing.T) {
	for _, c := range parserCases {
		p := frame.NewParser(c.rules)
		whole := model(c.rules, c.in)
		var cuts []int
		for i := range c.in {
			cuts = append(cuts, i, i)
		}
		got := feed(t, &p, c.in, cuts...)
		require.Equal(t, whole.trace, got.trace, c.name)
		part, n, err := p.Next(nil)
		require.True(t, part.None())
		require.Zero(t, n)
		require.Equal(t, whole.code != 0, err != nil)
	}
}

// randomFrames is mostly legal, and goes on after it no longer is.
func randomFrames(rng *rand.Rand, r frame.Rules) (in []byte) {
	texts := []string{"", "a", "κόσμε", "\xf0\x90", "\x8d\x88", "日本", long, "\xff", strings.Repeat("é", 60)}
	first := true
	for range 1 + rng.IntN(12) {
		b0 := []int{0x81, 0x82, 0x01, 0x02, 0x00, 0x00, 0x80, 0x80, 0x89, 0x8a, 0x88}[rng.IntN(11)]
		if !first && b0&0x0f != 0 && b0&8 == 0 && rng.IntN(8) > 0 {
			b0 &= 0xf0
		}
		if b0&8 == 0 {
			first = b0&0x80 != 0
		}
		if r.Compression && rng.IntN(4) == 0 {
			b0 |= 0x40
		}
		payload := texts[rng.IntN(len(texts))]
		if b0&8 != 0 && rng.IntN(30) > 0 {
			payload = payload[:min(len(payload), 125)]
		}
		in = append(in, encode(byte(b0), payload, r.Masked)...)
	}
	if rng.IntN(3) == 0 {
		in[rng.IntN(len(in))] ^= 1 << rng.IntN(8)
	}
	return in[:len(in)-rng.IntN(2)*rng.IntN(len(in))]
}

func TestParserAgreesWithTheModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		r := frame.Rules{Masked: rng.IntN(2) == 0, Compression: rng.IntN(2) == 0}
		if rng.IntN(3) == 0 {
			r.MaxMessage, r.MaxFragments, r.MaxEmpty = int64(1+rng.IntN(400)), int64(1+rng.IntN(5)), int64(1+rng.IntN(3))
		}
		in := randomFrames(rng, r)
		want := model(r, in)
		requireModel(t, r, in, want, nil)
		requireModel(t, r, in, want, everyByte(len(in)))
		requireModel(t, r, in, want, randomCuts(rng, len(in)))
	}
}

func TestParserTakesMessagesOfEveryLengthForm(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 70_000, 1 << 20} {
		payload := strings.Repeat("x", n)
		for _, m := range []bool{false, true} {
			in := encode(0x82, payload, m)
			p := frame.NewParser(frame.Rules{Masked: m})
			part, k, err := p.Next(bytes.Clone(in))
			require.NoError(t, err)
			require.Equal(t, len(in), k)
			require.Equal(t, payload, string(part.Payload))
		}
	}
}
