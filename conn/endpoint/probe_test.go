package endpoint_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// lastPing returns the payload of the last ping that left.
func lastPing(s *side) (payload string) {
	for _, f := range s.sent() {
		if f.Opcode == frame.Ping {
			payload = f.payload
		}
	}
	return payload
}

func TestProbeMeasuresFromTheWriteToThePong(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.False(t, s.Probing())
		seq, err := s.Probe(s.now)
		require.NoError(t, err)
		require.EqualValues(t, 1, seq)
		require.True(t, s.Probing())
		require.Equal(t, control.Probing, s.Health().State)
		require.Equal(t, 1, s.Health().Outstanding)

		s.now = start.Add(time.Second)
		s.write(3)
		s.now = start.Add(2 * time.Second)
		s.write(1000)
		s.now = start.Add(3 * time.Second)
		require.NoError(t, s.Queue(frame.Text, []byte("later"), true))
		s.flush()

		ping := lastPing(s)
		require.Len(t, ping, 8)
		s.Received(s.now, s.in(0x8a, "unknown", 0x8a, ping))
		var answered []control.Pong
		for ev, ok := s.Poll(); ok; ev, ok = s.Poll() {
			require.Equal(t, endpoint.Pong, ev.Kind)
			s.React(start.Add(2*time.Second+40*time.Millisecond), ev, func(seq uint32, pong control.Pong) {
				require.EqualValues(t, 1, seq)
				answered = append(answered, pong)
			})
		}
		s.EndBatch()
		require.Equal(t, []control.Pong{{RTT: 40 * time.Millisecond, Exact: true}}, answered)
		require.False(t, s.Probing())
		require.Equal(t, control.Health{RTT: 40 * time.Millisecond}, s.Health())
	})
}

func TestProbesBehindABlockedWriteStartTheirClockWhenTheyLeave(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Queue(frame.Text, []byte(text(100)), true))
	s.write(10)
	_, err := s.Probe(s.now)
	require.NoError(t, err)
	s.now = start.Add(time.Second)
	s.write(50)
	s.now = start.Add(10 * time.Second)
	s.flush()
	s.now = start.Add(11 * time.Second)
	s.receive(s.in(0x8a, lastPing(s)))
	require.Equal(t, time.Second, s.Health().RTT)
}

func TestProbesTogether(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	for i := range control.MaxProbes {
		seq, err := s.Probe(s.now)
		require.NoError(t, err)
		require.EqualValues(t, i+1, seq)
	}
	_, err := s.Probe(s.now)
	require.ErrorIs(t, err, endpoint.ErrPings)
	require.Len(t, s.answers(), control.MaxProbes)
	s.now = start.Add(time.Second)
	s.receive(s.in(0x8a, lastPing(s)))
	require.False(t, s.Probing(), "the newest speaks for all")
	require.Equal(t, time.Second, s.Health().RTT)
}

func TestAnEmptyPongAnswersASingleProbe(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	_, err := s.Probe(s.now)
	require.NoError(t, err)
	s.flush()
	s.receive(s.in(0x8a, ""))
	require.False(t, s.Probing())
	require.Zero(t, s.Health().RTT, "its round trip is not exact")
}

func TestNoncesOfConnectionsDiffer(t *testing.T) {
	rand := &keys{}
	a := newSide(t, endpoint.Server, endpoint.Config{Rand: rand})
	b := newSide(t, endpoint.Server, endpoint.Config{Rand: rand})
	for _, s := range []*side{a, b} {
		_, err := s.Probe(s.now)
		require.NoError(t, err)
		s.flush()
	}
	b.receive(b.in(0x8a, lastPing(a)))
	require.True(t, b.Probing())
	b.receive(b.in(0x8a, lastPing(b)))
	require.False(t, b.Probing())
}

func TestProbesOfAnotherSize(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{PingSize: 125})
		_, err := s.Probe(s.now)
		require.NoError(t, err)
		s.flush()
		ping := lastPing(s)
		require.Len(t, ping, 125)
		s.receive(s.in(0x8a, ping[:8]))
		require.True(t, s.Probing())
		s.receive(s.in(0x8a, ping))
		require.False(t, s.Probing())
	})
}
