package endpoint_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// left asserts when a probe left, in seconds since the start; -1 for not.
func (s *side) left(seq uint32, want int) {
	s.t.Helper()
	at, ok := s.ProbeLeft(seq)
	require.Equal(s.t, want >= 0, ok)
	if ok {
		require.Equal(s.t, start.Add(time.Duration(want)*time.Second), at)
	}
}

func (s *side) at(seconds int) { s.now = start.Add(time.Duration(seconds) * time.Second) }

func TestAProbeHasLeftWhenAllOfItsBytesAreWritten(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		s.left(0, -1)
		s.left(1, -1)
		seq, err := s.Probe(s.now)
		require.NoError(t, err)
		s.left(seq, -1)
		size := s.Buffered()
		for i := range size - 1 {
			s.at(1 + i)
			s.write(1)
			s.left(seq, -1)
		}
		s.at(100)
		s.write(1)
		s.left(seq, 100)
		s.left(seq+1, -1)
		s.left(seq-1, -1)
		s.at(200)
		require.NoError(t, s.Queue(frame.Text, []byte("later"), true))
		s.flush()
		s.left(seq, 100)

		s.receive(s.in(0x8a, "unsolicited"))
		s.left(seq, 100)
		s.receive(s.in(0x8a, lastPing(s)))
		s.left(seq, -1)
	})
}

func TestProbesBehindOthersLeaveOneAfterTheOther(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Queue(frame.Binary, []byte(text(3000)), true))
		s.write(10)
		one, err := s.Probe(s.now)
		require.NoError(t, err)
		s.at(1)
		s.write(2000)
		s.left(one, -1)
		s.at(2)
		s.write(1 << 20)
		s.left(one, 2)
		two, err := s.Probe(s.now)
		require.NoError(t, err)
		three, err := s.Probe(s.now)
		require.NoError(t, err)
		s.left(two, -1)
		s.at(3)
		s.flush()
		s.left(one, 2)
		s.left(two, 3)
		s.left(three, 3)

		var pings []string
		for _, f := range s.sent() {
			if f.Opcode == frame.Ping {
				pings = append(pings, f.payload)
			}
		}
		s.receive(s.in(0x8a, pings[1]))
		s.left(one, -1)
		s.left(two, -1)
		s.left(three, 3)
	})
}

func TestAProbeThatWasNeverWrittenHasNotLeft(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Queue(frame.Binary, []byte(text(3000)), true))
	s.write(10)
	seq, err := s.Probe(s.now)
	require.NoError(t, err)
	for i := range 100 {
		s.at(i)
		s.write(0)
		s.left(seq, -1)
	}
	s.Abort(&control.DeadError{})
	s.left(seq, -1)
}

func TestWhenTooManyAreOutTheLastProbeServes(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	for range control.MaxProbes {
		_, err := s.Probe(s.now)
		require.NoError(t, err)
	}
	s.at(1)
	s.flush()
	seq, err := s.Probe(s.now)
	require.ErrorIs(t, err, endpoint.ErrPings)
	require.EqualValues(t, control.MaxProbes, seq)
	s.left(seq, 1)
	require.False(t, s.Pending())
}

func TestEmptyPongsAreCountedAsMismatches(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		s.receive(s.in(0x8a, ""))
		require.Zero(t, s.Health().Mismatched, "it is unsolicited")
		probe := func() {
			_, err := s.Probe(s.now)
			require.NoError(t, err)
			s.flush()
		}
		for n := range 3 {
			probe()
			s.receive(s.in(0x8a, "", 0x8a, ""))
			require.EqualValues(t, n+1, s.Health().Mismatched)
			require.Zero(t, s.Health().RTT, "nobody knows what it answers")
			require.False(t, s.Probing())
		}
		probe()
		probe()
		s.receive(s.in(0x8a, ""))
		require.EqualValues(t, 3, s.Health().Mismatched, "it may be the answer to either")
		require.Equal(t, 2, s.Health().Outstanding)
		s.at(5)
		s.receive(s.in(0x8a, lastPing(s)))
		require.EqualValues(t, 3, s.Health().Mismatched)
		require.Equal(t, 5*time.Second, s.Health().RTT)
		probe()
		s.receive(s.in(0x8a, "other"))
		require.EqualValues(t, 3, s.Health().Mismatched)
		require.True(t, s.Probing(), "an unknown payload answers nothing")
	})
}
