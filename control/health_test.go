package control_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

func TestStatesAndVerdictsCanBeReadAloud(t *testing.T) {
	for s, want := range map[control.State]string{
		control.Alive: "alive", control.Probing: "probing", control.Suspect: "suspect", control.Dead: "dead",
		control.Paused: "paused", control.Ending: "closing", control.Finished: "closed", 200: "unknown state",
	} {
		require.Equal(t, want, s.String())
	}
	for v, want := range map[control.Verdict]string{
		control.Silent: "silent", control.PeerStalled: "peer stalled", control.PathDead: "path dead",
		control.WriteStall: "write stall", 200: "unknown verdict",
	} {
		require.Equal(t, want, v.String())
	}
}

func TestADeadPeerIsATimeout(t *testing.T) {
	err := &control.DeadError{Verdict: control.PeerStalled, Silence: 42_500_400 * time.Microsecond, Missed: 5}
	require.EqualError(t, err, "the peer is dead (peer stalled): nothing for 42.5s")
	require.True(t, err.Timeout())
	require.False(t, err.Temporary())
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, errors.Join(errors.New("outer"), err), &timeout)
}
