package endpoint_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// pings is frames of pings whose payloads are from … to.
func pings(role endpoint.Role, from, to int) (b []byte) {
	for i := from; i <= to; i++ {
		b = append(b, peer(role, 0x89, fmt.Sprint(i))...)
	}
	return b
}

func pongs(numbers ...int) (s []string) {
	for _, n := range numbers {
		s = append(s, fmt.Sprintf(`pong "%d"`, n))
	}
	return s
}

func upTo(n int, more ...int) (s []int) {
	for i := 1; i <= n; i++ {
		s = append(s, i)
	}
	return append(s, more...)
}

func TestPingsOfOneBatch(t *testing.T) {
	for _, c := range []struct {
		mode      control.PongMode
		pings     int
		want      []int
		coalesced int
	}{
		{control.Auto, 1, upTo(1), 0},
		{control.Auto, 10, upTo(10), 0},
		{control.Auto, 16, upTo(16), 0},
		{control.Auto, 17, upTo(17), 0},
		{control.Auto, 20, upTo(16, 20), 3},
		{control.Strict, 10, upTo(10), 0},
		{control.Strict, 40, upTo(40), 0},
		{control.Coalesce, 1, upTo(1), 0},
		{control.Coalesce, 10, upTo(0, 10), 9},
	} {
		t.Run(fmt.Sprintf("%d in mode %v", c.pings, c.mode), func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				s := newSide(t, role, endpoint.Config{Pong: c.mode})
				require.Len(t, s.receive(pings(role, 1, c.pings)), c.pings)
				require.Equal(t, pongs(c.want...), s.answers())
				require.EqualValues(t, c.coalesced, s.Health().Coalesced)
			})
		})
	}
}

func TestPingsOfSeveralBatchesBeforeAnythingLeaves(t *testing.T) {
	for mode, want := range map[control.PongMode][]int{
		control.Auto:     {1, 2, 3, 4, 5, 6},
		control.Strict:   {1, 2, 3, 4, 5, 6},
		control.Coalesce: {3, 6},
	} {
		s := newSide(t, endpoint.Server, endpoint.Config{Pong: mode})
		s.receive(pings(s.role, 1, 3))
		s.receive(pings(s.role, 4, 6))
		require.Equal(t, pongs(want...), s.answers(), mode)
	}
}

func TestPingsWhileAWriteIsBlocked(t *testing.T) {
	for _, c := range []struct {
		mode   control.PongMode
		pings  int
		want   []int // after a partial write
		during []int // while a write is under way, which may take no time
	}{
		{control.Auto, 3, []int{3}, upTo(3)},
		{control.Auto, 40, []int{40}, upTo(16, 40)},
		{control.Strict, 3, upTo(3), upTo(3)},
		{control.Strict, 16, upTo(16), upTo(16)},
		{control.Strict, 20, upTo(15, 20), upTo(20)},
		{control.Strict, 40, upTo(15, 40), upTo(31, 40)},
		{control.Coalesce, 3, []int{3}, nil}, // the last of each batch
	} {
		t.Run(fmt.Sprintf("%d in mode %v", c.pings, c.mode), func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				block := map[string]func(s *side) (unblock func()){
					"after a partial write": func(s *side) func() {
						s.write(3)
						return func() {}
					},
					"during a write": func(s *side) func() {
						var lent []byte
						for _, b := range s.Output(nil) {
							lent = append(lent, b...)
						}
						return func() {
							s.out = append(s.out, lent...)
							s.Written(s.now, len(lent))
						}
					},
				}
				for name, block := range block {
					for _, batch := range []int{1, 7, 1000} {
						t.Run(fmt.Sprintf("%s, batches of %d", name, batch), func(t *testing.T) {
							want := c.want
							if name == "during a write" {
								want = c.during
							}
							if want == nil {
								for i := 1; i <= c.pings; i += batch {
									want = append(want, min(i+batch-1, c.pings))
								}
							}
							s := newSide(t, role, endpoint.Config{Pong: c.mode})
							require.NoError(t, s.Queue(frame.Text, []byte("first"), true))
							unblock := block(s)
							for i := 1; i <= c.pings; i += batch {
								s.receive(pings(role, i, min(i+batch-1, c.pings)))
							}
							require.LessOrEqual(t, s.Buffered(), 16*131+20, "no queue grows")
							unblock()
							require.Equal(t, append([]string{`text "first"`}, pongs(want...)...), s.answers())
							require.EqualValues(t, c.pings-len(want), s.Health().Coalesced)
						})
					}
				}
			})
		})
	}
}

func TestPongsOvertakeQueuedData(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Send(frame.Text, []byte("a"), true))
		require.NoError(t, s.Send(frame.Binary, []byte(text(6000)), false))
		s.receive(s.in(0x89, "now"))
		require.NoError(t, s.Send(frame.Text, []byte("b"), true))
		got := s.answers()
		require.Equal(t, `pong "now"`, got[0])
		require.Equal(t, `text "a"`, got[1])
		require.Equal(t, `continuation "b"`, got[3])
	})
}

func TestPongsAreKeptFromAFloodOfPingsOverBatches(t *testing.T) {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		s := newSide(t, endpoint.Server, endpoint.Config{Pong: mode})
		in := s.in(0x89, text(125))
		for range 5000 {
			s.receive(in)
		}
		require.Less(t, s.Buffered(), 80<<10, "a driver that does not write holds a bounded number of pongs")
	}
}

func TestPingPayloadsOfEverySizeComeBack(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for n := range 126 {
			s := newSide(t, role, endpoint.Config{})
			s.receive(s.in(0x89, text(n)))
			require.Equal(t, []string{fmt.Sprintf("pong %q", text(n))}, s.answers())
		}
	})
}

func TestPingsOfOurOwn(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Send(frame.Text, []byte("data"), true))
		require.NoError(t, s.Ping([]byte("mine")))
		require.NoError(t, s.Ping(nil))
		require.ErrorIs(t, s.Ping(make([]byte, 126)), endpoint.ErrPayload)
		require.True(t, s.Pending())
		require.Equal(t, []string{`ping "mine"`, `ping ""`, `text "data"`}, s.answers())
		require.NoError(t, s.Close(s.now, 1000, ""))
		require.ErrorIs(t, s.Ping(nil), endpoint.ErrClosed)
	})
}
