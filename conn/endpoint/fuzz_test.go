package endpoint_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// FuzzEndpoint sends anything to a server that echoes, in any pieces, and lets
// its answers leave in any pieces: they are legal, and at most one Close is
// among them, at the end.
func FuzzEndpoint(f *testing.F) {
	for _, v := range violations(endpoint.Server) {
		f.Add(v.in, byte(0), uint64(1))
	}
	f.Add(peer(endpoint.Server, 0x81, "a", 0x89, "p", 0x02, "b", 0x8a, "q", 0x80, "c", 0x88, "\x03\xe8bye"), byte(1), uint64(2))
	f.Add(peer(endpoint.Server, 0x82, text(20_000), 0x01, text(5000), 0x89, "p", 0x80, "c", 0x88, ""), byte(2), uint64(3))
	f.Add(pings(endpoint.Server, 1, 20), byte(16), uint64(4))
	f.Fuzz(func(t *testing.T, in []byte, flags byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		cfg := endpoint.Config{Pong: control.PongMode(flags % 3)}
		if flags&4 != 0 {
			cfg.MaxMessage, cfg.MaxFragments, cfg.MaxEmpty, cfg.MaxFrame = 50, 3, 1, 7
		}
		if flags&8 != 0 {
			cfg.MaxMessage, cfg.MaxFragments, cfg.MaxEmpty = -1, -1, -1
		}
		if flags&16 != 0 {
			cfg.ControlRate = 1
		}
		s := newSide(t, endpoint.Server, cfg)
		s.Stream(flags&32 != 0)
		ended := 0
		for len(in) > 0 {
			buf := s.ReadBuffer(s.scratch)
			n := copy(buf[:min(len(buf), 1+rng.IntN(1+rng.IntN(4000)))], in)
			in = in[n:]
			s.Received(s.now, buf[:n])
			for ev, ok := s.Next(); ok; ev, ok = s.Next() {
				require.Zero(t, ended, "nothing is given after the end")
				switch ev.Kind {
				case endpoint.Message, endpoint.Piece:
					require.NoError(t, s.Queue(ev.Type, ev.Data, ev.Kind == endpoint.Message))
				case endpoint.Close, endpoint.Failed:
					ended++
				}
				if s.Err() != nil && ev.Kind == endpoint.Ping {
					ended++ // one too many
				}
			}
			if rng.IntN(3) == 0 {
				s.write(rng.IntN(200))
			}
			if rng.IntN(8) == 0 {
				s.Stream(rng.IntN(2) == 0)
			}
		}
		require.Equal(t, ended > 0, s.Err() != nil)
		s.EOF(s.now)
		s.events()
		s.flush()
		frames := s.sent()
		for i, f := range frames {
			if f.Opcode != frame.Close {
				continue
			}
			require.Equal(t, len(frames)-1, i, "a Close is the last frame")
			code, _, err := frame.ParseClose([]byte(f.payload))
			require.NoError(t, err)
			require.Equal(t, closeError(t, s.Endpoint).Code, code)
		}
		require.Equal(t, ended > 0, len(frames) > 0 && frames[len(frames)-1].Opcode == frame.Close)
	})
}
