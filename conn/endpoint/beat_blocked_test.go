package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// answered counts the answers among frames.
func answered(frames []string) (n int) {
	for _, f := range frames {
		if f == `text "pong"` {
			n++
		}
	}
	return n
}

func TestHeartbeatsOfAPeerThatDoesNotReadGetOneAnswer(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for _, batch := range []int{1, 7, 1000} {
			s := beating(t, role)
			require.NoError(t, s.Queue(frame.Text, []byte("stuck"), true))
			s.write(3)
			before := s.Buffered()
			var in []any
			for range batch {
				in = append(in, 0x81, "ping")
			}
			for range 10_000 / batch {
				s.receive(s.in(in...))
			}
			require.Equal(t, before, s.Buffered(), "nothing piles up")
			require.True(t, s.Pending())
			require.Equal(t, []string{`text "stuck"`, `text "pong"`}, s.answers())

			s.receive(s.in(0x81, "ping"))
			require.Equal(t, 2, answered(s.answers()), "and later it is as before")
		}
	})
}

func TestHeartbeatsOverFutileWritesGetOneAnswer(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := beating(t, role)
		require.NoError(t, s.Queue(frame.Text, []byte("stuck"), true))
		for range 1000 {
			s.receive(s.in(0x81, "ping"))
			s.write(0)
		}
		require.Less(t, s.Buffered(), 100)
		require.LessOrEqual(t, answered(s.answers()), 2)
		require.GreaterOrEqual(t, answered(s.answers()), 1)
	})
}

func TestAnAnswerIsNotLostWhileEveryWriteTakesALittle(t *testing.T) {
	s := beating(t, endpoint.Server)
	require.NoError(t, s.Queue(frame.Binary, []byte(text(5000)), true))
	s.write(1)
	for s.Buffered() > 1 {
		s.receive(s.in(0x81, "ping"))
		s.write(1)
	}
	s.receive(s.in(0x81, "ping"))
	got := s.answers()
	require.Len(t, got, 2)
	require.Equal(t, 1, answered(got))
}

func TestHeartbeatsDuringAWrite(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := beating(t, role)
		require.NoError(t, s.Queue(frame.Text, []byte("first"), true))
		var lent []byte
		for _, b := range s.Output(nil) {
			lent = append(lent, b...)
		}
		for range 1000 {
			s.receive(s.in(0x81, "ping"))
		}
		require.Less(t, s.Buffered(), 300, "few wait for its end")
		s.out = append(s.out, lent...)
		s.Written(s.now, len(lent))
		got := s.answers()
		require.Equal(t, `text "first"`, got[0])
		require.Equal(t, len(got)-1, answered(got))
		require.LessOrEqual(t, len(got), 30)
		require.Greater(t, len(got), 2, "a write that is under way is no blocked one")
	})
}

func TestHeartbeatsOfADriverThatDoesNotWriteAreBounded(t *testing.T) {
	s := beating(t, endpoint.Server)
	in := s.in(0x81, "ping")
	for range 50_000 {
		s.receive(append([]byte(nil), in...))
	}
	require.LessOrEqual(t, s.Buffered(), 64<<10+6)
}

func TestAnAnswerWaitsForALongQueue(t *testing.T) {
	s := beating(t, endpoint.Server)
	require.NoError(t, s.Queue(frame.Binary, []byte(text(200_000)), true))
	before := s.Buffered()
	s.receive(s.in(0x81, "ping", 0x81, "ping"))
	require.Equal(t, before, s.Buffered())
	got := s.answers()
	require.Len(t, got, 2)
	require.Equal(t, 1, answered(got))
}

func TestPongsOvertakeAnswersToHeartbeats(t *testing.T) {
	s := beating(t, endpoint.Server)
	s.receive(s.in(0x81, "ping", 0x89, "now"))
	require.Equal(t, []string{`pong "now"`, `text "pong"`}, s.answers())
}
