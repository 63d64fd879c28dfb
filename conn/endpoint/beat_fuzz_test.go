package endpoint_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// fragments builds a message of the peer in any fragments.
func fragments(s *side, rng *rand.Rand, typ int, message string) (b []byte) {
	for {
		k := len(message)
		if rng.IntN(2) == 0 {
			k = rng.IntN(k + 1)
		}
		if k == len(message) && rng.IntN(3) > 0 {
			return append(b, s.in(typ|0x80, message)...)
		}
		b = append(b, s.in(typ, message[:k])...)
		message, typ = message[k:], 0
	}
}

// FuzzTextBeat sends messages that are or resemble heartbeats, in any fragments
// and any pieces, to an endpoint that writes, streams and sends as it likes:
// all but the heartbeats comes out, and the last ping is followed by an answer.
func FuzzTextBeat(f *testing.F) {
	f.Add([]byte("ping pong pin gping"), byte(0), uint64(1))
	f.Add([]byte("ping ping ping"), byte(1), uint64(2))
	f.Add([]byte("p ponk  ping"), byte(3), uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, flags byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := beating(t, roles[flags&1])
		var wire []byte
		var want []string
		pings, last := 0, -1 // and the last of them, among want
		for _, m := range bytes.Split(in[:min(len(in), 300)], []byte(" ")) {
			for i, c := range m { // text that is printed as it is
				m[i] = "pingo"[c%5]
			}
			message, typ := string(m), []int{0x01, 0x01, 0x01, 0x02}[rng.IntN(4)]
			if bytes.HasPrefix(m, []byte("nn")) {
				message, typ = "ping", 0x01
			}
			wire = append(wire, fragments(s, rng, typ, message)...)
			switch {
			case typ == 0x01 && message == "ping":
				pings, last = pings+1, len(want)
				want = append(want, "beat")
			case typ == 0x01 && message == "pong":
				want = append(want, "beat")
			default:
				want = append(want, fmt.Sprintf("%v %q", frame.Opcode(typ), message))
			}
		}
		var events []string
		inMessage, before := false, -1 // bytes that had left before the last ping came
		for len(wire) > 0 {
			n := min(1+rng.IntN(1+rng.IntN(60)), len(wire))
			left := len(s.out)
			events = append(events, s.receive(wire[:n])...)
			wire = wire[n:]
			if before < 0 && last >= 0 && len(joined(events)) > last {
				before = left
			}
			switch rng.IntN(8) {
			case 0:
				s.Stream(flags&2 != 0 && rng.IntN(2) == 0)
			case 1:
				s.write(rng.IntN(20))
			case 2:
				s.flush()
			case 3:
				inMessage = !inMessage
				require.NoError(t, s.Queue(frame.Binary, []byte("data"), !inMessage))
			}
		}
		if inMessage {
			s.flush()
			require.NoError(t, s.Queue(frame.Binary, nil, true))
		}
		s.flush()
		require.Equal(t, want, joined(events))
		answers, latest := 0, -1
		for _, f := range s.sent() {
			if f.payload == "pong" {
				answers, latest = answers+1, f.at
			}
		}
		require.LessOrEqual(t, answers, pings)
		require.GreaterOrEqual(t, latest, before)
		require.Empty(t, s.pool.lent)
	})
}
