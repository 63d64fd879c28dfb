package control_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

const nonce = 0xfeedbeef

// answers collects what Pong reports.
type answers []string

func (a *answers) pong(p *control.Probes, payload []byte, now time.Time) answers {
	*a = nil
	p.Pong(payload, now, func(seq uint32, pong control.Pong) {
		s := fmt.Sprintf("%d %v", seq, pong.RTT)
		if pong.Exact {
			s += " exact"
		}
		if pong.Empty {
			s += " empty"
		}
		*a = append(*a, s)
	})
	return *a
}

func payload(seq, nonce uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, seq), nonce)
}

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// probing returns n probes that were queued a second apart and left half a
// second later each.
func probing(t *testing.T, n int) *control.Probes {
	p := &control.Probes{Nonce: nonce}
	for i := range n {
		b, seq, ok := p.Append([]byte("x"), at(1000*i))
		require.True(t, ok)
		require.EqualValues(t, i+1, seq)
		require.Equal(t, append([]byte("x"), payload(seq, nonce)...), b)
		p.Sent(seq, at(1000*i+500))
	}
	require.Equal(t, n, p.Outstanding())
	return p
}

func TestProbePongs(t *testing.T) {
	for _, c := range []struct {
		name    string
		out     int
		payload []byte
		want    answers
		left    int
	}{
		{"the pong of the only probe", 1, payload(1, nonce), answers{"1 9.5s exact"}, 0},
		{"the pong of the newest answers all before", 3, payload(3, nonce), answers{"1 9.5s", "2 8.5s", "3 7.5s exact"}, 0},
		{"the pong of an earlier one leaves the later", 3, payload(1, nonce), answers{"1 9.5s exact"}, 2},
		{"the pong of one in the middle", 3, payload(2, nonce), answers{"1 9.5s", "2 8.5s exact"}, 1},
		{"an empty pong to a single probe", 1, nil, answers{"1 9.5s empty"}, 0},
		{"an empty pong to several probes is unsolicited", 2, nil, nil, 2},
		{"an empty pong to no probe", 0, nil, nil, 0},
		{"a pong to no probe", 0, payload(1, nonce), nil, 0},
		{"the nonce of another connection", 1, payload(1, nonce+1), nil, 1},
		{"a number that was never used", 2, payload(3, nonce), nil, 2},
		{"number zero", 1, payload(0, nonce), nil, 1},
		{"a payload that is cut", 1, payload(1, nonce)[:7], nil, 1},
		{"a payload with more behind it", 1, append(payload(1, nonce), 0), nil, 1},
		{"a payload of somebody else", 1, []byte("hello"), nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := probing(t, c.out)
			var a answers
			require.Equal(t, c.want, a.pong(p, c.payload, at(10_000)))
			require.Equal(t, c.left, p.Outstanding())
		})
	}
}

func TestProbeIsAnsweredOnce(t *testing.T) {
	p := probing(t, 2)
	var a answers
	require.Len(t, a.pong(p, payload(2, nonce), at(5000)), 2)
	require.Empty(t, a.pong(p, payload(2, nonce), at(5000)))
	require.Empty(t, a.pong(p, payload(1, nonce), at(5000)), "it was answered by the later one")
}

func TestProbeClockStartsWhenThePingHasLeft(t *testing.T) {
	p := &control.Probes{Nonce: nonce}
	for i := range 3 {
		_, _, ok := p.Append(nil, at(i))
		require.True(t, ok)
	}
	p.Sent(2, at(100)) // and the first with it
	p.Sent(2, at(200)) // they had left
	p.Sent(3, at(300))
	var a answers
	require.Equal(t, answers{"1 900ms", "2 900ms", "3 700ms exact"}, a.pong(p, payload(3, nonce), at(1000)))
}

func TestProbeThatHasNotLeftIsMeasuredFromItsQueueing(t *testing.T) {
	p := &control.Probes{Nonce: nonce}
	_, _, ok := p.Append(nil, at(0))
	require.True(t, ok)
	p.Sent(0, at(700))
	var a answers
	require.Equal(t, answers{"1 1s exact"}, a.pong(p, payload(1, nonce), at(1000)))
}

func TestProbesOutstandingAreLimited(t *testing.T) {
	p := probing(t, control.MaxProbes)
	b, seq, ok := p.Append([]byte("x"), at(0))
	require.False(t, ok)
	require.Zero(t, seq)
	require.Equal(t, "x", string(b))
	require.Equal(t, control.MaxProbes, p.Outstanding())

	var a answers
	require.Len(t, a.pong(p, payload(1, nonce), at(99_000)), 1)
	_, seq, ok = p.Append(nil, at(0))
	require.True(t, ok)
	require.EqualValues(t, control.MaxProbes+1, seq, "a number that was refused is not used up")
}

func TestProbePayloadsAreOfTheSizeThatIsAskedFor(t *testing.T) {
	for size, want := range map[int]int{
		-1: 8, 0: 8, 7: 8, 8: 8, 9: 9, 16: 16, 124: 124, 125: 125, 126: 125, 1 << 20: 125,
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			p := &control.Probes{Nonce: nonce, Size: size}
			b, _, ok := p.Append([]byte("x"), at(0))
			require.True(t, ok)
			require.Len(t, b, 1+want)
			require.Equal(t, payload(1, nonce), b[1:9])
			p.Sent(1, at(0))
			b = b[1:]

			var a answers
			for i := range b {
				changed := append([]byte(nil), b...)
				changed[i] ^= 1
				require.Empty(t, a.pong(p, changed, at(1)), "octet %d changed", i)
			}
			for i := 1; i < len(b); i++ { // an empty one is accepted
				require.Empty(t, a.pong(p, b[:i], at(1)), "cut to %d", i)
			}
			require.Empty(t, a.pong(p, append(append([]byte(nil), b...), byte(want)), at(1)), "one more")
			require.Equal(t, answers{"1 1ms exact"}, a.pong(p, b, at(1)))
		})
	}
}
