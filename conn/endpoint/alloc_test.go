package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

// stack is Buffers of one size that come back.
type stack struct{ free [][]byte }

func (s *stack) Get(size int) []byte {
	if n := len(s.free); n > 0 && size <= 64<<10 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, max(size, 64<<10))
}

func (s *stack) Put(b []byte) { s.free = append(s.free, b[:cap(b)]) }

func TestEchoAllocatesNothing(t *testing.T) {
	for name, frames := range map[string][]any{
		"a message of 125 bytes":  {0x82, text(125)},
		"a text of 125 bytes":     {0x81, text(125)},
		"a batch of messages":     {0x82, text(125), 0x81, "small", 0x82, text(1000)},
		"a message and a ping":    {0x82, text(125), 0x89, "ping"},
		"a message in fragments":  {0x02, text(60), 0x80, text(65)},
		"a message of 5000 bytes": {0x82, text(5000)},
	} {
		t.Run(name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				e := endpoint.New(role, &endpoint.Config{Rand: &keys{}, Buffers: &stack{}})
				in := peer(role, frames...)
				scratch := make([]byte, len(in))
				var bufs [][]byte
				require.Zero(t, testing.AllocsPerRun(200, func() {
					buf := e.ReadBuffer(scratch)
					e.Received(start, buf[:copy(buf, in)])
					for ev, ok := e.Next(); ok; ev, ok = e.Next() {
						if ev.Kind != endpoint.Message {
							continue
						}
						if err := e.Queue(ev.Type, ev.Data, true); err != nil {
							panic(err)
						}
					}
					n := 0
					bufs = e.Output(bufs[:0])
					for _, b := range bufs {
						n += len(b)
					}
					e.Written(start, n)
				}))
				require.NoError(t, e.Err())
				require.Zero(t, e.Buffered())
			})
		})
	}
}

func TestPreparedMessagesAllocateNothing(t *testing.T) {
	for _, size := range []int{125, 5000} {
		e := endpoint.New(endpoint.Server, &endpoint.Config{Buffers: &stack{}})
		m := endpoint.NewPrepared(2, []byte(text(size)))
		var bufs [][]byte
		require.Zero(t, testing.AllocsPerRun(200, func() {
			if err := e.SendPrepared(m); err != nil {
				panic(err)
			}
			bufs = e.Output(bufs[:0])
			e.Written(start, m.Len()+14)
		}))
		require.Zero(t, e.Buffered())
	}
}
