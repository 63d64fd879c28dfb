package control_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

func TestClosingTransitions(t *testing.T) {
	for _, c := range []struct {
		from     control.Closing
		name     string
		maySend  bool
		mayPong  bool
		received bool

		afterSend control.Closing
		first     bool

		afterReceive control.Closing
		answer       bool
	}{
		{control.Open, "open", true, true, false, control.CloseSent, true, control.CloseReceived, true},
		{control.CloseSent, "close sent", false, true, false, control.CloseSent, false, control.Closed, false},
		{control.CloseReceived, "close received", true, false, true, control.Closed, true, control.CloseReceived, false},
		{control.Closed, "closed", false, false, true, control.Closed, false, control.Closed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.name, c.from.String())
			require.Equal(t, c.maySend, c.from.MaySend())
			require.Equal(t, c.mayPong, c.from.MayPong())
			require.Equal(t, c.received, c.from.Received())

			s := c.from
			require.Equal(t, c.first, s.Send())
			require.Equal(t, c.afterSend, s)

			s = c.from
			require.Equal(t, c.answer, s.Receive())
			require.Equal(t, c.afterReceive, s)
		})
	}
	require.Equal(t, "unknown closing state", control.Closing(9).String())
	var zero control.Closing
	require.Equal(t, control.Open, zero)
}

func TestStatesHaveNames(t *testing.T) {
	for s, want := range map[control.State]string{
		control.Alive: "alive", control.Probing: "probing", control.Ending: "closing",
		control.Finished: "closed", 99: "unknown state",
	} {
		require.Equal(t, want, s.String())
	}
}
