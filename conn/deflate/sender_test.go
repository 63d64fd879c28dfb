package deflate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// noise is text that does not compress.
func noise(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// choices calls test for every window, takeover or not, and level.
func choices(t *testing.T, test func(t *testing.T, d deflate.Direction, level int)) {
	for bits := 8; bits <= 15; bits += less(1, 7) {
		levels := []int{1} // windows of less than 15 bits have but one
		switch {
		case bits == 15 && raceEnabled:
			levels = []int{1, 9}
		case bits == 15:
			levels = []int{-2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		}
		for _, noTakeover := range []bool{false, true} {
			for _, level := range levels {
				t.Run(fmt.Sprintf("%d bits, no takeover %v, level %d", bits, noTakeover, level), func(t *testing.T) {
					test(t, deflate.Direction{NoTakeover: noTakeover, Bits: bits}, level)
				})
			}
		}
	}
}

// compress sends a message in one of the ways there are.
func compress(s *deflate.Sender, random *rand.Rand, p []byte) (message []byte) {
	for random.IntN(3) == 0 {
		n := random.IntN(len(p) + 1)
		message = s.Append(message, p[:n], false)
		p = p[n:]
	}
	message = s.Append(message, p, true)
	if random.IntN(4) == 0 {
		s.Rest()
	}
	return message
}

func TestWhatIsCompressedInflates(t *testing.T) {
	choices(t, func(t *testing.T, d deflate.Direction, level int) {
		s, r := deflate.NewSender(d, level, shared), deflate.NewReceiver(d, shared)
		random := rand.New(rand.NewPCG(1, uint64(d.Bits)))
		for i := range 60 {
			p := words(random, random.IntN(1<<random.IntN(16)))
			if i%7 == 0 {
				p = noise(random, len(p))
			}
			got, err := inflate(r, compress(s, random, p))
			require.NoError(t, err, i)
			require.True(t, bytes.Equal(p, got), i)
		}
	})
}

// Text that repeats itself at a distance invites references to there.
func TestNothingRefersFurtherBackThanAgreed(t *testing.T) {
	choices(t, func(t *testing.T, d deflate.Direction, level int) {
		size := 1 << d.Bits
		furthest := 0
		for _, period := range []int{size/2 - 1, size - 9, size - 1, size, size + 1, 3 * size / 2}[less(0, 2):less(6, 4)] {
			random := rand.New(rand.NewPCG(uint64(period), 1))
			s := deflate.NewSender(d, level, shared)
			text := bytes.Repeat(noise(random, period), less(4, 3))
			var before []byte
			for sent := 0; sent < len(text); {
				p := text[sent:min(sent+random.IntN(2*size), len(text))]
				sent += len(p)
				found, err := inspect(compress(s, random, p), before, len(p))
				require.NoError(t, err)
				require.True(t, bytes.Equal(p, found.message()))
				require.LessOrEqual(t, found.furthest, size)
				furthest = max(furthest, found.furthest)
				if d.NoTakeover {
					require.Zero(t, found.earliest)
				} else {
					before = append(before, p...)
				}
			}
			s.Rest()
		}
		if level != -2 {
			require.Greater(t, furthest, size/3, "the test shows nothing")
		}
	})
}

func TestContextIsTakenOver(t *testing.T) {
	choices(t, func(t *testing.T, d deflate.Direction, level int) {
		random := rand.New(rand.NewPCG(1, 1))
		for _, rest := range []bool{true, false} {
			s := deflate.NewSender(d, level, shared)
			p := noise(random, min(200, 1<<d.Bits-50))
			first := len(s.Append(nil, p, true))
			if rest {
				s.Rest()
			}
			second := len(s.Append(nil, p, true))
			if d.NoTakeover || level == -2 {
				require.Equal(t, first, second)
			} else {
				require.Less(t, second, first/4)
			}
			s.Rest()
		}
	})
}

func TestContextIsCarriedOverThousandsOfMessages(t *testing.T) {
	for _, d := range []deflate.Direction{{Bits: 8}, {Bits: 12}, {Bits: 15}} {
		for _, level := range []int{1, 6, 9} {
			t.Run(fmt.Sprintf("%d bits, level %d", d.Bits, level), func(t *testing.T) {
				s, r := deflate.NewSender(d, level, shared), deflate.NewReceiver(d, shared)
				random := rand.New(rand.NewPCG(uint64(level), uint64(d.Bits)))
				o := &output{limit: 1 << 20, most: 32 << 10}
				var message []byte
				for i := range less(1500, 100) {
					p := words(random, random.IntN(300))
					message = s.Append(message[:0], p, true)
					if level < 9 && random.IntN(10) == 0 || random.IntN(100) == 0 {
						s.Rest()
					}
					o.b = o.b[:0]
					require.NoError(t, r.Inflate(message, o), i)
					require.True(t, bytes.Equal(p, o.b), i)
				}
			})
		}
	}
}

func TestMessagesMayBeLarge(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	large := map[string][]byte{
		"text":  bytes.Repeat(words(random, 1<<20), less(8, 1)),
		"noise": noise(random, less(8<<20, 1<<20)),
	}
	for _, d := range []deflate.Direction{{Bits: 9}, {Bits: 15}, {Bits: 15, NoTakeover: true}} {
		for name, p := range large {
			t.Run(fmt.Sprintf("%s, %d bits, no takeover %v", name, d.Bits, d.NoTakeover), func(t *testing.T) {
				s, r := deflate.NewSender(d, 0, shared), deflate.NewReceiver(d, shared)
				for _, n := range []int{5, len(p), 0, 1000} {
					message := s.Append(nil, p[:n], true)
					require.LessOrEqual(t, len(message), n+n/1000+20)
					o := &output{limit: 8 << 20, most: 32 << 10, b: make([]byte, 0, 8<<20)}
					require.NoError(t, r.Inflate(message, o))
					require.True(t, bytes.Equal(p[:n], o.b))
				}
			})
		}
	}
}

// A writer that has seen a secret is used for somebody else.
func TestAPooledWriterTellsNothing(t *testing.T) {
	choices(t, func(t *testing.T, d deflate.Direction, level int) {
		random := rand.New(rand.NewPCG(6, 6))
		p := &pool{}
		for _, n := range []int{50, 127, 200, 1000, less(5000, 300), less(70_000, 500)} {
			secret := noise(random, n)
			for _, parts := range []bool{false, true} {
				for _, noTakeover := range []bool{false, true} {
					one := deflate.NewSender(deflate.Direction{NoTakeover: noTakeover, Bits: d.Bits}, level, p)
					for range 2 {
						if parts {
							one.Append(nil, secret, false)
						}
						one.Append(nil, secret, true)
						one.Rest()
					}
					one.Append(nil, secret, true) // now with a dictionary
					one.Rest()
					other := deflate.NewSender(d, level, p)
					found, err := inspect(other.Append(nil, secret, true), nil, n)
					require.NoError(t, err)
					require.Zero(t, found.earliest)
					require.True(t, bytes.Equal(secret, found.message()))
					// And what follows refers to nothing but its own.
					var before []byte
					if !d.NoTakeover {
						before = secret
					}
					found, err = inspect(other.Append(nil, secret, true), before, n)
					require.NoError(t, err)
					require.True(t, bytes.Equal(secret, found.message()))
					other.Rest()
				}
			}
		}
	})
}

// Positions in a compressor are 32 bits, and each reset uses some up.
func TestAWriterMayBeUsedForever(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("takes long")
	}
	for _, d := range []deflate.Direction{{Bits: 15}, {Bits: 14, NoTakeover: true}} {
		s, r := deflate.NewSender(d, 1, shared), deflate.NewReceiver(d, shared)
		text := words(rand.New(rand.NewPCG(1, 1)), 400)
		var message []byte
		o := &output{limit: 1000}
		for i := range 1 << 17 {
			if i%1000 > 2 {
				// Only resets.
				other := deflate.NewSender(deflate.Direction{NoTakeover: true, Bits: d.Bits}, 1, shared)
				message = other.Append(message[:0], text[:3], true)
				other.Rest()
				continue
			}
			message = s.Append(message[:0], text, true)
			s.Rest()
			o.b = o.b[:0]
			require.NoError(t, r.Inflate(message, o), i)
			require.True(t, bytes.Equal(text, o.b), i)
		}
	}
}

func TestPartsLeaveAtMostEach64KiB(t *testing.T) {
	const every = 64 << 10
	for _, d := range []deflate.Direction{{Bits: 9}, {Bits: 15}} {
		for _, part := range []int{less(1, 20_000), less(100, 40_000), 5000, 32768, 65535, 65536, 65537, 200_000} {
			random := rand.New(rand.NewPCG(1, 1))
			text := words(random, max(less(300_000, 150_000), less(3*part, part)))
			if part < 100 {
				text = text[:100_000]
			}
			s := deflate.NewSender(d, 0, shared)
			var message []byte
			sent, flushed := 0, 0
			for p := range slices.Chunk(text, part) {
				before := len(message)
				message = s.Append(message, p, false)
				sent += len(p)
				if bytes.HasSuffix(message[before:], []byte("\x00\x00\xff\xff")) {
					require.GreaterOrEqual(t, sent-flushed, every, "too early")
					// All so far can be read.
					found, err := inspect(message[:len(message)-4], nil, len(text))
					require.NoError(t, err)
					require.True(t, bytes.Equal(text[:sent], found.message()))
					flushed = sent
				}
				require.Less(t, sent-flushed, every, "this much waits, in parts of %d", part)
			}
			message = s.Append(message, nil, true)
			found, err := inspect(message, nil, len(text))
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, found.message()))
			require.Less(t, len(message), len(text)/2)
			s.Rest()
		}
	}
}

func TestEmptyMessagesAreOneOctet(t *testing.T) {
	choices(t, func(t *testing.T, d deflate.Direction, level int) {
		s, r := deflate.NewSender(d, level, shared), deflate.NewReceiver(d, shared)
		for i := range 10 {
			require.Equal(t, "before\x00", string(s.Append([]byte("before"), nil, true)))
			if i%2 == 0 {
				s.Rest()
			}
			got, err := inflate(r, s.Append(nil, []byte("something"), true))
			require.NoError(t, err)
			require.Equal(t, "something", string(got))
			message := s.Append(nil, nil, false)
			message = s.Append(message, nil, false)
			require.Equal(t, "\x00", string(s.Append(message, nil, true)))
		}
		s.Rest()
		s.Rest()
	})
}

func TestARestWithinAMessageDoesNothing(t *testing.T) {
	for _, d := range []deflate.Direction{{Bits: 15}, {Bits: 10, NoTakeover: true}} {
		s, r := deflate.NewSender(d, 0, shared), deflate.NewReceiver(d, shared)
		s.Rest()
		for range 3 {
			text := words(rand.New(rand.NewPCG(1, 1)), 3000)
			var message []byte
			for p := range slices.Chunk(text, 700) {
				message = s.Append(message, p, false)
				s.Rest()
			}
			message = s.Append(message, nil, true)
			s.Rest()
			got, err := inflate(r, message)
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, got))
		}
	}
}

func TestLevels(t *testing.T) {
	for level := -100; level <= 100; level++ {
		err := deflate.CheckLevel(level)
		if level == -2 || level >= 0 && level <= 9 {
			require.NoError(t, err, level)
		} else {
			require.Error(t, err, level)
		}
	}
	text := words(rand.New(rand.NewPCG(1, 1)), 50_000)
	sizes := make(map[int]int)
	for level := -2; level <= 9; level++ {
		if level != -1 {
			sizes[level] = len(deflate.NewSender(deflate.Direction{Bits: 15}, level, &pool{}).Append(nil, text, true))
		}
	}
	require.Equal(t, sizes[deflate.DefaultLevel], sizes[0])
	require.Less(t, sizes[9], sizes[6])
	require.Less(t, sizes[6], sizes[1])
	require.Less(t, sizes[1], sizes[-2])
	require.Less(t, sizes[-2], len(text))
	// Levels that CheckLevel refuses are no reason to panic.
	for _, level := range []int{-1 << 20, -33, -3, -1, 10, 1 << 20} {
		s, r := deflate.NewSender(deflate.Direction{Bits: 15}, level, &pool{}), deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
		got, err := inflate(r, s.Append(nil, text, true))
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))
	}
}

func TestTheZeroDirectionIsAWindowOf15Bits(t *testing.T) {
	p := &pool{}
	s, r := deflate.NewSender(deflate.Direction{}, 0, p), deflate.NewReceiver(deflate.Direction{}, shared)
	text := noise(rand.New(rand.NewPCG(1, 1)), 20_000)
	for i := range 3 {
		message := s.Append(nil, text, true)
		s.Rest()
		require.Equal(t, i > 0, len(message) < len(text)/2)
		got, err := inflate(r, message)
		require.NoError(t, err)
		require.True(t, bytes.Equal(text, got))
	}
	require.NotNil(t, p.GetWriter(15, deflate.DefaultLevel))
}
