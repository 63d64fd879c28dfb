package endpoint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

func TestMaxFrameSplitsLongMessages(t *testing.T) {
	for _, c := range []struct {
		max, size int
		want      []int
	}{
		{0, 10_000, []int{10_000}},
		{-1, 10_000, []int{10_000}},
		{10, 0, []int{0}},
		{10, 9, []int{9}},
		{10, 10, []int{10}},
		{10, 11, []int{10, 1}},
		{10, 30, []int{10, 10, 10}},
		{5000, 12_000, []int{5000, 5000, 2000}},
	} {
		t.Run(fmt.Sprintf("%d bytes at most %d", c.size, c.max), func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				for name, send := range map[string]func(s *side, p []byte) error{
					"Send":         func(s *side, p []byte) error { return s.Send(frame.Binary, p, true) },
					"Queue":        func(s *side, p []byte) error { return s.Queue(frame.Binary, p, true) },
					"SendPrepared": func(s *side, p []byte) error { return s.SendPrepared(endpoint.NewPrepared(frame.Binary, p)) },
				} {
					s := newSide(t, role, endpoint.Config{MaxFrame: c.max})
					require.NoError(t, send(s, []byte(text(c.size))))
					s.flush()
					var sizes []int
					var all string
					for i, f := range s.sent() {
						sizes = append(sizes, len(f.payload))
						all += f.payload
						require.Equal(t, i == 0, f.Opcode == frame.Binary, name)
					}
					require.Equal(t, c.want, sizes, name)
					require.Equal(t, text(c.size), all, name)
				}
			})
		})
	}
}

func TestPartsOfAMessageContinueItWhateverTheirType(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{MaxFrame: 3})
		require.NoError(t, s.Send(frame.Text, []byte("abcd"), false))
		require.NoError(t, s.Send(frame.Binary, []byte("efgh"), false))
		require.NoError(t, s.Queue(frame.Continuation, nil, true))
		require.NoError(t, s.Send(frame.Binary, []byte("x"), true))
		require.Equal(t, []string{`text "abc"…`, `continuation "d"…`, `continuation "efg"…`, `continuation "h"…`,
			`continuation ""`, `binary "x"`}, s.answers())
	})
}

func TestSendBorrowsAndQueueCopies(t *testing.T) {
	large := text(10_000)
	for _, c := range []struct {
		name     string
		role     endpoint.Role
		send     func(s *side, p []byte) error
		borrowed bool
	}{
		{"Send of a server", endpoint.Server, func(s *side, p []byte) error { return s.Send(frame.Binary, p, true) }, true},
		{"Queue of a server", endpoint.Server, func(s *side, p []byte) error { return s.Queue(frame.Binary, p, true) }, false},
		{"Send of a client", endpoint.Client, func(s *side, p []byte) error { return s.Send(frame.Binary, p, true) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSide(t, c.role, endpoint.Config{})
			p := []byte(large)
			require.NoError(t, c.send(s, p))
			lent := false
			for _, b := range s.Output(nil) {
				lent = lent || &b[0] == &p[0]
			}
			s.Written(s.now, 0)
			require.Equal(t, c.borrowed, lent)
			if c.borrowed {
				s.write(5000)
				s.Keep()
			}
			clear(p)
			require.Equal(t, []string{fmt.Sprintf("binary %q", large)}, s.answers())
			require.Empty(t, s.pool.lent)
		})
	}
}

func TestKeepLeavesLittleMoreThanWhatWaits(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	for range 10 {
		require.NoError(t, s.Queue(frame.Binary, []byte(text(1000)), true))
	}
	s.write(9900)
	s.Keep()
	held := 0
	for _, n := range s.pool.lent {
		held += n
	}
	require.Less(t, held, 2*s.Buffered()+64)
	s.flush()
	require.Len(t, s.sent(), 10)
	require.Empty(t, s.pool.lent)
}

func TestPrepared(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 4095, 4096, 70_000} {
		p := []byte(text(size))
		m := endpoint.NewPrepared(frame.Text, p)
		clear(p)
		require.Equal(t, size, m.Len())
		forRoles(t, func(t *testing.T, role endpoint.Role) {
			s := newSide(t, role, endpoint.Config{})
			require.NoError(t, s.Send(frame.Text, []byte("a"), true))
			require.NoError(t, s.SendPrepared(m))
			require.NoError(t, s.SendPrepared(m))
			require.NoError(t, s.Send(frame.Text, []byte("b"), true))
			want := fmt.Sprintf("text %q", text(size))
			require.Equal(t, []string{`text "a"`, want, want, `text "b"`}, s.answers())
			require.Empty(t, s.pool.lent)
		})
	}
}

func TestQueuedAndSentCountDataAlone(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Queue(frame.Text, []byte(text(100)), true))
		size := s.Queued()
		require.EqualValues(t, len(peer(1-role, 0x81, text(100))), size)
		require.Zero(t, s.Sent())
		require.NoError(t, s.Ping([]byte(strings.Repeat("p", 50))))
		require.Equal(t, size, s.Queued())
		require.Greater(t, uint64(s.Buffered()), size)
		total := s.Buffered()
		for i := range total {
			s.write(1)
			require.LessOrEqual(t, s.Sent(), uint64(i+1))
			require.LessOrEqual(t, s.Sent(), size)
			require.Equal(t, size, s.Queued())
			require.Equal(t, total-i-1, s.Buffered())
		}
		require.Equal(t, size, s.Sent())
	})
}
