package endpoint_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// violations are what a peer of either role can do wrong, after which more
// would follow.
func violations(role endpoint.Role) map[string]struct {
	in   []byte
	code frame.CloseCode
} {
	type v = struct {
		in   []byte
		code frame.CloseCode
	}
	m := map[string]v{
		"RSV1":                               {peer(role, 0xc1, "a"), 1002},
		"RSV2":                               {peer(role, 0xa1, "a"), 1002},
		"RSV3 on a ping":                     {peer(role, 0x99, "a"), 1002},
		"a reserved data opcode":             {peer(role, 0x83, "a"), 1002},
		"a reserved control opcode":          {peer(role, 0x8f, ""), 1002},
		"a fragmented ping":                  {peer(role, 0x09, "a"), 1002},
		"a ping of 126 bytes":                {peer(role, 0x89, text(126)), 1002},
		"a continuation of nothing":          {peer(role, 0x80, "a"), 1002},
		"a message in a message":             {peer(role, 0x01, "a", 0x82, "b"), 1002},
		"the wrong masking":                  {peer(1-role, 0x81, "a"), 1002},
		"text that is not UTF-8":             {peer(role, 0x81, "a\xff"), 1007},
		"text that is not UTF-8 in pieces":   {peer(role, 0x01, "abc", 0x80, "\x80"), 1007},
		"text that ends inside a character":  {peer(role, 0x01, "a\xe2", 0x80, ""), 1007},
		"a close of one byte":                {peer(role, 0x88, "\x03"), 1002},
		"a close with a code of none":        {peer(role, 0x88, "\x03\xed"), 1002},
		"a close with an unassigned code":    {peer(role, 0x88, "\x07\xd0"), 1002},
		"a close with a reason not in UTF-8": {peer(role, 0x88, "\x03\xe8\xff"), 1007},
		"a message over the limit":           {peer(role, 0x82, text(101)), 1009},
		"fragments over the limit":           {peer(role, 0x02, text(60), 0x80, text(41)), 1009},
		"too many fragments":                 {peer(role, 0x02, "a", 0x00, "b", 0x00, "c", 0x00, "d", 0x80, "e"), 1009},
		"too many empty fragments":           {peer(role, 0x02, "", 0x00, "", 0x80, ""), 1009},
	}
	mask := byte(0)
	if role == endpoint.Server {
		mask = 0x80
	}
	for name, head := range map[string][]byte{
		"a 16-bit length that is too long a form": {0x82, mask | 126, 0, 5},
		"a 64-bit length that is too long a form": {0x82, mask | 127, 0, 0, 0, 0, 0, 0, 0, 5},
		"a length of 2⁶³":                         {0x82, mask | 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		m[name] = v{append(head, 1, 2, 3, 4, 5, 6, 7, 8, 9), 1002}
	}
	return m
}

var small = endpoint.Config{MaxMessage: 100, MaxFragments: 4, MaxEmpty: 2}

func TestViolationsEndTheConnection(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for name, v := range violations(role) {
			t.Run(name, func(t *testing.T) {
				in := peer(role, 0x81, "before", 0x89, "1", 0x02, "in ", 0x89, "2", 0x80, "parts")
				in = append(in, v.in...)
				in = append(in, peer(role, 0x80, "after", 0x81, "after", 0x89, "after", 0x88, "")...)
				events := []string{`text "before"`, `ping "1"`, `ping "2"`, `binary "in parts"`, fmt.Sprintf("failed %d", v.code)}

				for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
					for _, receive := range []func(*side, []byte) []string{(*side).receive, (*side).receiveBytes} {
						cfg := small
						cfg.Pong = mode
						s := newSide(t, role, cfg)
						s.echo = true
						require.Equal(t, events, receive(s, in))
						require.True(t, s.Ended())
						require.Empty(t, s.receive(peer(role, 0x81, "after", 0x88, "")))
						require.ErrorIs(t, s.Send(frame.Text, nil, true), endpoint.ErrClosed)
						require.ErrorIs(t, s.Ping(nil), endpoint.ErrClosed)
						require.NoError(t, s.Close(s.now, 1000, ""), "it is closing")

						got := s.answers()
						require.Contains(t, got, `text "before"`)
						require.Contains(t, got, `pong "2"`)
						require.Contains(t, got, `binary "in parts"`)
						last := len(got) - 1
						require.Contains(t, got[last], fmt.Sprintf("close %d ", v.code))
						for _, f := range got[:last] {
							require.NotContains(t, f, "close")
							require.NotContains(t, f, "after")
						}
						var pe *frame.ProtocolError
						require.ErrorAs(t, s.Err(), &pe)
						require.Equal(t, v.code, pe.Code)
						var ce *endpoint.CloseError
						require.ErrorAs(t, s.Err(), &ce)
						require.Equal(t, v.code, ce.Code)
						require.False(t, ce.Remote)
						require.Empty(t, s.pool.lent, "all buffers came back")

						deadline, ok := s.Deadline()
						require.True(t, ok)
						require.Equal(t, s.now.Add(endpoint.DefaultCloseTimeout), deadline)
						s.EOF(s.now)
						require.Empty(t, s.events(), "the end is no news")
					}
				}
			})
		}
	})
}

func TestViolationBehindABlockedWriteKeepsTheAnswersInFront(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{Pong: control.Strict})
		require.NoError(t, s.Send(frame.Text, []byte("begun"), true))
		require.NoError(t, s.Send(frame.Text, []byte("waits"), true))
		s.write(3)
		s.receive(s.in(0x89, "1", 0x89, "2", 0x83, ""))
		require.Equal(t, []string{`text "begun"`, `pong "1"`, `pong "2"`, `text "waits"`,
			`close 1002 "reserved opcode"`}, s.answers())
	})
}

func TestTooManyControlFrames(t *testing.T) {
	for _, c := range []struct {
		name string
		b0   int
	}{{"pings", 0x89}, {"pongs", 0x8a}} {
		t.Run(c.name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				s := newSide(t, role, endpoint.Config{ControlRate: 1})
				one := s.in(c.b0, "x")
				for i := range 18 {
					require.Len(t, s.receive(one), 1)
					require.NoError(t, s.Err(), "frame %d", i+1)
				}
				require.EqualValues(t, 2, s.Health().Strikes)
				require.Len(t, s.receive(append(one, s.in(0x81, "after")...)), 1)
				require.True(t, s.Ended())
				got := s.answers()
				require.Equal(t, `close 1008 "too many pings"`, got[len(got)-1])
				var ce *endpoint.CloseError
				require.ErrorAs(t, s.Err(), &ce)
				require.Equal(t, frame.ClosePolicyViolation, ce.Code)
				require.Equal(t, "too many pings", ce.Reason)
				require.EqualValues(t, 3, s.Health().Strikes)
				require.Empty(t, s.receive(s.in(0x81, "after")))
			})
		})
	}
}

func TestPingsOverTheLimitAreAnsweredWhileItLasts(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{ControlRate: 1})
	s.receive(pings(s.role, 1, 18))
	require.NoError(t, s.Err())
	got := s.answers()
	require.Equal(t, pongs(upTo(16)...), got[:16])
	require.Equal(t, `pong "18"`, got[len(got)-1])
}

func TestOurDataPardonsStrikes(t *testing.T) {
	for name, send := range map[string]func(s *side) error{
		"a message":          func(s *side) error { return s.Send(frame.Text, []byte("a"), true) },
		"a prepared message": func(s *side) error { return s.SendPrepared(endpoint.NewPrepared(frame.Text, []byte("a"))) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{ControlRate: 1})
			s.receive(pings(s.role, 1, 18))
			require.NoError(t, send(s))
			s.receive(pings(s.role, 19, 20))
			require.NoError(t, s.Err(), "two strikes were forgotten")
			require.NoError(t, send(s))
			s.receive(pings(s.role, 21, 21))
			require.Error(t, s.Err(), "at most once a second")
		})
	}
}

func TestEndOfInputInsideAFrameIsUnexpected(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	in := s.in(0x81, "whole")
	s.receive(in[:len(in)-1])
	s.EOF(s.now.Add(time.Second))
	require.Equal(t, []string{"end"}, s.events())
	require.ErrorIs(t, s.Err(), io.ErrUnexpectedEOF)
}
