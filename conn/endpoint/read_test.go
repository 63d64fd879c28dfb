package endpoint_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// readAll reads in with reads of random sizes and returns the messages.
func readAll(s *side, rng *rand.Rand, in []byte) (messages []string) {
	s.t.Helper()
	for len(in) > 0 {
		size := 1 + rng.IntN(len(s.scratch))
		if rng.IntN(4) == 0 {
			size = 1 + rng.IntN(20)
		}
		buf := s.ReadBuffer(s.scratch)
		require.NotEmpty(s.t, buf)
		n := copy(buf[:min(len(buf), size)], in)
		if &buf[0] != &s.scratch[0] {
			s.direct += n
		}
		in = in[n:]
		s.Received(s.now, buf[:n])
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Kind.IsData() {
				require.Equal(s.t, endpoint.Message, ev.Kind)
				messages = append(messages, string(ev.Data))
			}
		}
		scribble(s.scratch[:n])
	}
	return messages
}

func TestLargeMessagesAreReadIntoTheirPlace(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				s := newSide(t, role, endpoint.Config{})
				s.scratch = make([]byte, 4096<<rng.IntN(5))
				want := []string{text(1 << 20), "small", text(300_000), text(70_000)}
				in := s.in(0x82, want[0], 0x81, want[1], 0x01, want[2][:100_000], 0x89, "p", 0x00, want[2][100_000:100_001],
					0x80, want[2][100_001:], 0x82, want[3])
				require.Equal(t, want, readAll(s, rng, in))
				require.Greater(t, s.direct, len(in)/3, "most of it")
				require.Equal(t, []string{`pong "p"`}, s.answers())
				require.Empty(t, s.events())
				require.Empty(t, s.pool.lent)
				require.LessOrEqual(t, s.pool.largest, 1<<20, "no buffer is larger than the message")
			})
		}
	})
}

func TestReadBufferEndsWithTheFrame(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	in := s.in(0x82, text(40_000))
	require.Empty(t, s.receive(in[:1000]))
	pos := 1000
	for len(in)-pos >= 16<<10 {
		buf := s.ReadBuffer(s.scratch)
		require.NotSame(t, &s.scratch[0], &buf[0])
		require.LessOrEqual(t, len(buf), len(in)-pos)
		n := copy(buf[:min(len(buf), 5000)], in[pos:])
		s.Received(s.now, buf[:n])
		require.Empty(t, s.events())
		pos += n
	}
	require.Same(t, &s.scratch[0], &s.ReadBuffer(s.scratch)[0], "a small rest is copied")
	require.Equal(t, []string{fmt.Sprintf("binary %q", text(40_000))}, s.receive(in[pos:]))
}

func TestReadBufferIsScratchWhileThereIsNothingLarge(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	same := func() {
		t.Helper()
		require.Same(t, &s.scratch[0], &s.ReadBuffer(s.scratch)[0])
		require.Len(t, s.ReadBuffer(s.scratch), len(s.scratch))
	}
	same()
	s.receive(s.in(0x81, text(5000)))
	same()
	s.receive(s.in(0x89, "ping")[:3])
	same()
	s = newSide(t, endpoint.Server, endpoint.Config{})
	s.receive(s.in(0x88, ""))
	same()
}

// A whole message in one read needs no memory at all.
func TestMessagesThatArriveWholeNeedNoBuffer(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.scratch = make([]byte, 1<<20)
	require.Len(t, s.receive(s.in(0x82, text(500_000), 0x81, "b")), 2)
	require.Zero(t, s.pool.requested)
}

func TestMemoryGrowsWithWhatHasArrived(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		h := frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 30, Masked: role == endpoint.Server}
		in := append(frame.AppendHeader(nil, h), strings.Repeat("x", 100<<10)...)
		for name, receive := range map[string]func(*side, []byte) []string{"in reads of 8 KiB": (*side).receive, "bytewise": (*side).receiveBytes} {
			t.Run(name, func(t *testing.T) {
				s := newSide(t, role, endpoint.Config{MaxMessage: -1})
				require.Empty(t, receive(s, in))
				require.Less(t, s.pool.requested, 1<<20)
			})
		}
		t.Run("the header alone", func(t *testing.T) {
			s := newSide(t, role, endpoint.Config{MaxMessage: -1})
			require.Empty(t, s.receive(in[:14]))
			s.ReadBuffer(s.scratch)
			require.LessOrEqual(t, s.pool.requested, 64<<10)
		})
	})
}

func TestMemoryOfManySmallFragmentsIsLinear(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	in := s.in(0x02, "")
	const n = 100_000
	var rest []any
	for range 100 {
		rest = append(rest, 0x00, "1234567890")
	}
	require.Empty(t, s.receive(in))
	piece := s.in(rest...)
	for range n / 100 {
		require.Empty(t, s.receive(append([]byte(nil), piece...)))
	}
	require.Len(t, s.receive(s.in(0x80, "")), 1)
	require.Less(t, s.pool.requested, 8*10*n)
	require.Empty(t, s.events())
	require.Empty(t, s.pool.lent)
}

func TestAnAnnouncementOverTheLimitNeedsNoMemory(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	head := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Binary, Length: 1<<20 + 1, Masked: true})
	require.Equal(t, []string{"failed 1009"}, s.receive(head))
	require.Less(t, s.pool.requested, 65<<10, "the answer alone")
	require.Equal(t, []string{`close 1009 "message over the size limit"`}, s.answers())
}
