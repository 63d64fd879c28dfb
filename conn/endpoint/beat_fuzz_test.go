package endpoint_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// FuzzTextBeat sends texts that are or resemble heartbeats, in any fragments
// and any pieces, to an endpoint that writes, streams and sends as it likes:
// all but the heartbeats comes out, and every ping is followed by an answer.
func FuzzTextBeat(f *testing.F) {
	f.Add([]byte("ping\x00pong\x00pin\x00gping\x00"), byte(0), uint64(1))
	f.Add([]byte("ping\x00ping\x00ping\x00"), byte(1), uint64(2))
	f.Add([]byte("p\x00ponk\x00\x00ping\x00"), byte(3), uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, flags byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		role := roles[flags&1]
		s := beating(t, role)
		var wire []byte
		var want []string
		pings := 0
		for len(in) > 0 && len(want) < 100 {
			n := 0
			for n < len(in) && in[n] != 0 {
				n++
			}
			message := []byte(in[:n])
			in = in[min(n+1, len(in)):]
			for i := range message { // text, and printed as it is
				message[i] = "ping o"[message[i]%6]
			}
			typ := []int{0x01, 0x01, 0x01, 0x02}[rng.IntN(4)]
			text := string(message)
			switch {
			case typ == 0x01 && text == "ping":
				pings++
				want = append(want, "beat")
			case typ == 0x01 && text == "pong":
				want = append(want, "beat")
			default:
				want = append(want, fmt.Sprintf("%v %q", frame.Opcode(typ), text))
			}
			for { // in fragments
				k := rng.IntN(len(text) + 1)
				if rng.IntN(2) == 0 {
					k = len(text)
				}
				fin := 0
				if k == len(text) && rng.IntN(3) > 0 {
					fin = 0x80
				}
				wire = append(wire, peer(role, typ|fin, text[:k])...)
				text, typ = text[k:], 0
				if fin != 0 {
					break
				}
			}
		}
		var events []string
		inMessage, beats := false, 0
		var last int // answers that had left or were queued when the last ping came
		count := func() (n int) {
			frames := s.sent()
			for _, f := range frames {
				if f.payload == "pong" {
					n++
				}
			}
			return n
		}
		for len(wire) > 0 {
			n := min(1+rng.IntN(1+rng.IntN(60)), len(wire))
			got := s.receive(wire[:n])
			wire = wire[n:]
			for _, ev := range got {
				if ev == "beat" {
					beats++
				}
			}
			events = append(events, got...)
			switch rng.IntN(8) {
			case 0:
				s.Stream(flags&2 != 0 && rng.IntN(2) == 0)
			case 1:
				s.write(rng.IntN(20))
			case 2:
				s.flush()
			case 3, 4:
				inMessage = !inMessage
				require.NoError(t, s.Queue(frame.Binary, []byte(letters0), !inMessage))
			}
		}
		require.Equal(t, want, joined(events))
		s.flush()
		last = count()
		require.LessOrEqual(t, last, pings)
		if inMessage {
			require.NoError(t, s.Queue(frame.Binary, nil, true))
		}
		s.flush()
		last = count()
		require.LessOrEqual(t, last, pings)
		require.Equal(t, pings > 0, last > 0)
		require.Empty(t, s.pool.lent)
		_ = endpoint.Beat
	})
}
