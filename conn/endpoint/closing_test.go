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

func closeError(t *testing.T, e *endpoint.Endpoint) *endpoint.CloseError {
	t.Helper()
	var ce *endpoint.CloseError
	require.ErrorAs(t, e.Err(), &ce)
	return ce
}

func TestPeerClosesFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload string
		event   string
		answer  string
		err     endpoint.CloseError
	}{
		{"with a code and a reason", "\x03\xe9bye", `close 1001 "bye"`, `close 1001 ""`, endpoint.CloseError{Code: 1001, Reason: "bye", Remote: true}},
		{"with a code", "\x03\xe8", `close 1000 ""`, `close 1000 ""`, endpoint.CloseError{Code: 1000, Remote: true}},
		{"with a private code", "\x13\x87" + text(123), `close 4999 "` + text(123) + `"`, `close 4999 ""`, endpoint.CloseError{Code: 4999, Reason: text(123), Remote: true}},
		{"without a code", "", `close 1005 ""`, `close 1005 ""`, endpoint.CloseError{Code: 1005, Remote: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				in := peer(role, 0x81, "a", 0x88, c.payload, 0x81, "b", 0x89, "c", 0x88, "")
				for _, receive := range []func(*side, []byte) []string{(*side).receive, (*side).receiveBytes} {
					s := newSide(t, role, endpoint.Config{})
					s.echo = true
					require.Equal(t, []string{`text "a"`, c.event}, receive(s, in))
					require.Equal(t, control.Closed, s.Closing())
					require.Equal(t, control.Finished, s.Health().State)
					require.True(t, s.Ended())
					require.ErrorIs(t, s.Send(frame.Text, nil, true), endpoint.ErrClosed)
					require.ErrorIs(t, s.SendPrepared(endpoint.NewPrepared(frame.Text, nil)), endpoint.ErrClosed)
					require.ErrorIs(t, s.Ping(nil), endpoint.ErrClosed)
					_, err := s.Probe(s.now)
					require.ErrorIs(t, err, endpoint.ErrClosed)
					require.NoError(t, s.Close(s.now, 1011, ""))
					require.Equal(t, []string{`text "a"`, c.answer}, s.answers())
					require.Equal(t, &c.err, closeError(t, s.Endpoint))
				}
			})
		})
	}
}

func TestWeCloseFirst(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.Nil(t, s.Err())
		require.NoError(t, s.Send(frame.Text, []byte("last"), true))
		require.NoError(t, s.Close(s.now, 1001, "bye"))
		require.Equal(t, control.CloseSent, s.Closing())
		require.Equal(t, control.Ending, s.Health().State)
		require.NoError(t, s.Close(s.now, 1000, "again"), "a second call does nothing")
		require.ErrorIs(t, s.Send(frame.Text, nil, true), endpoint.ErrClosed)
		require.ErrorIs(t, s.Queue(frame.Text, nil, true), endpoint.ErrClosed)
		require.False(t, s.MaySend())

		require.Equal(t, []string{`text "b"`, `ping "p"`}, s.receive(s.in(0x81, "b", 0x89, "p")), "the peer has not closed yet")
		require.Equal(t, []string{`close 1001 ""`}, s.receive(s.in(0x88, "\x03\xe9", 0x81, "c")))
		require.Equal(t, control.Closed, s.Closing())
		require.Equal(t, []string{`pong "p"`, `text "last"`, `close 1001 "bye"`}, s.answers())
		require.Equal(t, &endpoint.CloseError{Code: 1001, Reason: "bye"}, closeError(t, s.Endpoint), "ours is the cause")
		s.EOF(s.now)
		require.Empty(t, s.events())
	})
}

func TestPingsAfterOurCloseAreAnswered(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
			s := newSide(t, role, endpoint.Config{Pong: mode})
			require.NoError(t, s.Close(s.now, 1000, ""))
			require.Equal(t, []string{`close 1000 ""`}, s.answers())
			s.receive(s.in(0x89, "1"))
			require.Equal(t, []string{`close 1000 ""`, `pong "1"`}, s.answers())
			s.receive(s.in(0x88, "", 0x89, "2"))
			require.Equal(t, []string{`close 1000 ""`, `pong "1"`}, s.answers(), "not after the peer's")
		}
	})
}

func TestPingsThatWaitAreForgottenWithThePeersClose(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{Pong: control.Coalesce})
	s.receive(s.in(0x89, "1", 0x88, ""))
	require.Equal(t, []string{`close 1005 ""`}, s.answers())
}

func TestBothCloseAtOnce(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Close(s.now, 1000, "mine"))
		require.Equal(t, []string{`close 1011 "theirs"`}, s.receive(s.in(0x88, "\x03\xf3theirs")))
		require.Equal(t, []string{`close 1000 "mine"`}, s.answers(), "one close only")
	})
}

func TestCloseInsideAMessageOfOurs(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Send(frame.Text, []byte("begun"), false))
	require.NoError(t, s.Close(s.now, frame.CloseNoStatus, ""))
	require.Equal(t, []string{`text "begun"…`, `close 1005 ""`}, s.answers())
}

func TestCloseInsideAMessageOfThePeer(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.Equal(t, []string{`close 1000 ""`}, s.receive(s.in(0x01, "begun", 0x88, "\x03\xe8", 0x80, "x")))
	require.Equal(t, []string{`close 1000 ""`}, s.answers())
}

func TestCloseRefusesWhatMustNotBeSent(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   frame.CloseCode
		reason string
		legal  bool
	}{
		{"a reserved code", 1006, "", false},
		{"a code of no meaning", 1016, "", false},
		{"code 0", 0, "", false},
		{"no code with a reason", 1005, "why", false},
		{"a reason of 124 bytes", 1000, text(124), false},
		{"a reason that is not UTF-8", 1000, "\xff", false},
		{"a reason of 123 bytes", 1000, text(123), true},
		{"a private code", 4000, "ok", true},
		{"no code and no reason", 1005, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{})
			err := s.Close(s.now, c.code, c.reason)
			if c.legal {
				require.NoError(t, err)
				require.Len(t, s.answers(), 1)
				return
			}
			require.ErrorIs(t, err, endpoint.ErrPayload)
			require.True(t, s.MaySend(), "nothing happened")
			require.NoError(t, s.Err())
			require.False(t, s.Pending())
		})
	}
}

func TestCloseDeadline(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		want    time.Duration
	}{{"default", 0, 5 * time.Second}, {"chosen", time.Minute, time.Minute}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{CloseTimeout: c.timeout})
			_, ok := s.Deadline()
			require.False(t, ok, "none while open")
			require.NoError(t, s.Send(frame.Text, []byte(text(5000)), true))
			require.NoError(t, s.Close(start, 1000, "bye"))
			require.NoError(t, s.Close(start.Add(time.Second), 1000, "bye"))
			deadline, ok := s.Deadline()
			require.True(t, ok)
			require.Equal(t, start.Add(c.want), deadline, "the first counts, and nothing moves it")

			s.Advance(deadline.Add(-1))
			require.True(t, s.Pending())
			s.write(10)
			s.Advance(deadline)
			require.False(t, s.Pending(), "nothing leaves any more")
			require.Empty(t, s.Output(nil))
			require.ErrorIs(t, s.Err(), endpoint.ErrCloseTimeout)
			require.EqualValues(t, 1000, closeError(t, s.Endpoint).Code)
			require.Equal(t, control.Finished, s.Health().State)
			_, ok = s.Deadline()
			require.False(t, ok)
			require.Empty(t, s.receive(s.in(0x81, "late")))
			require.Empty(t, s.pool.lent)
		})
	}
}

func TestCloseDeadlineCanBeOff(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{CloseTimeout: -1})
	require.NoError(t, s.Close(s.now, 1000, ""))
	_, ok := s.Deadline()
	require.False(t, ok)
	s.Advance(s.now.Add(1000 * time.Hour))
	require.NotErrorIs(t, s.Err(), endpoint.ErrCloseTimeout)
}

func TestPeersCloseSetsADeadlineToo(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.receive(s.in(0x88, ""))
	deadline, ok := s.Deadline()
	require.True(t, ok)
	require.Equal(t, start.Add(endpoint.DefaultCloseTimeout), deadline)
	s.Advance(deadline)
	require.Equal(t, &endpoint.CloseError{Code: 1005, Remote: true}, closeError(t, s.Endpoint), "how it ended stays")
}

func TestEndOfInputInsteadOfTheAnswerToOurClose(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Close(s.now, 1000, "bye"))
	first := s.Err()
	s.EOF(s.now)
	require.Equal(t, []string{"end"}, s.events())
	ce := closeError(t, s.Endpoint)
	require.EqualValues(t, 1000, ce.Code)
	require.Error(t, ce.Err)
	require.Nil(t, errors.Unwrap(first), "an error that was given out does not change")
}

func TestAbort(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		cause := errors.New("connection reset")
		s := newSide(t, role, endpoint.Config{})
		require.NoError(t, s.Send(frame.Text, []byte("lost"), true))
		s.receive(s.in(0x89, "1"))
		s.Output(nil)
		s.Abort(cause)
		s.Written(s.now, 3)
		require.False(t, s.Pending())
		require.Empty(t, s.Output(nil))
		require.ErrorIs(t, s.Err(), cause)
		require.EqualValues(t, 1006, closeError(t, s.Endpoint).Code)
		require.ErrorIs(t, s.Send(frame.Text, nil, true), endpoint.ErrClosed)
		require.ErrorIs(t, s.Ping(nil), endpoint.ErrClosed)
		require.NoError(t, s.Close(s.now, 1000, ""))
		require.Empty(t, s.receive(s.in(0x89, "2", 0x88, "")))
		require.False(t, s.Pending())
		require.Equal(t, control.Finished, s.Health().State)
		s.Abort(errors.New("later"))
		require.ErrorIs(t, s.Err(), cause, "the first cause stays")
	})
}
