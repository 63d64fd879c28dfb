package endpoint_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// Control frames that outgrow the buffer they wait in must not take it away
// from Buffers, nor give Buffers one that is not its own.
func TestWaitingControlFramesStayInLentBuffers(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		for range 16 {
			s.receive(s.in(0x89, text(125)))
		}
		require.Len(t, s.answers(), 16)
		require.Empty(t, s.pool.lent)
	})
}

func TestAllBuffersComeBackInTheEnd(t *testing.T) {
	for name, end := range map[string]func(s *side){
		"with control frames waiting": func(s *side) {
			require.NoError(s.t, s.Ping([]byte("p")))
			s.Abort(errors.New("reset"))
		},
		"with half a message when the peer closes": func(s *side) {
			s.receive(s.in(0x02, "half", 0x88, ""))
			s.flush()
			s.events()
		},
		"with half a message at the end of input": func(s *side) {
			s.receive(s.in(0x02, "half"))
			s.EOF(s.now)
			s.events()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{})
			end(s)
			require.Empty(t, s.pool.lent)
		})
	}
}

// A driver that tries to write after every read, in vain, must not make every
// ping of a flood a pong in the queue.
func TestAPeerThatDoesNotReadDoesNotMakePongsPileUp(t *testing.T) {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		t.Run(mode.String(), func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{Pong: mode})
			require.NoError(t, s.Queue(frame.Text, []byte("stuck"), true))
			for range 1000 {
				s.receive(s.in(0x89, text(100)))
				s.write(0)
			}
			require.Less(t, s.Buffered(), 4000)
		})
	}
}

func TestPongsKeepTheirOrderOverFutileWrites(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{Pong: control.Strict})
	require.NoError(t, s.Queue(frame.Text, []byte("stuck"), true))
	s.write(3)
	s.receive(pings(s.role, 1, 2))
	s.write(0)
	s.receive(pings(s.role, 3, 4))
	s.write(0)
	require.Equal(t, append([]string{`text "stuck"`}, pongs(1, 2, 3, 4)...), s.answers())
}

// The clock of a probe must not start before its ping has left.
func TestProbesKeepTheirOrderOverFutileWrites(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	for range 2 {
		_, err := s.Probe(s.now)
		require.NoError(t, err)
		s.write(0)
	}
	s.write(10)
	first := s.sent()[0].payload
	s.now = start.Add(10 * time.Second)
	s.flush()
	require.Len(t, s.sent(), 2)
	require.Equal(t, byte(1), first[3], "the first probe leaves first")
	s.now = start.Add(11 * time.Second)
	s.receive(s.in(0x8a, lastPing(s)))
	require.Equal(t, time.Second, s.Health().RTT)
}

func TestPreparedMessagesDoNotInterruptAnUnfinishedOne(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Send(frame.Text, []byte("begun"), false))
		require.NoError(t, s.SendPrepared(endpoint.NewPrepared(frame.Text, []byte(", done"))))
		require.Equal(t, []string{`text "begun"…`, `continuation ", done"`}, s.answers(), "as Send would")
	})
}

// A driver with two halves may have taken an event when the other aborts.
func TestNothingIsQueuedAfterAbort(t *testing.T) {
	for name, in := range map[string][]byte{
		"by the peer's close": peer(endpoint.Server, 0x88, "\x03\xe8"),
		"by a violation":      peer(endpoint.Server, 0x8f, ""),
	} {
		t.Run(name, func(t *testing.T) {
			cause := errors.New("reset")
			s := newSide(t, endpoint.Server, endpoint.Config{})
			s.Received(s.now, in)
			ev, ok := s.Poll()
			require.True(t, ok)
			s.Abort(cause)
			s.React(s.now, ev, nil)
			require.False(t, s.Pending())
			require.Empty(t, s.Output(nil))
			require.ErrorIs(t, s.Err(), cause)
			require.Empty(t, s.pool.lent)
		})
	}
}

// No piece was given when whole messages were chosen again.
func TestAnEmptyFirstFragmentIsNoPiece(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.Stream(true)
	require.Empty(t, s.receive(s.in(0x01, "")))
	s.Stream(false)
	require.Equal(t, []string{`text "whole"`}, s.receive(s.in(0x00, "who", 0x80, "le")))
}
