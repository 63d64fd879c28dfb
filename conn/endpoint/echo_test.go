package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

func TestEcho(t *testing.T) {
	big := text(70_000)
	for _, c := range []struct {
		name   string
		frames []any
		events []string
		out    []string
	}{
		{"a text message", []any{0x81, "Hello"}, []string{`text "Hello"`}, []string{`text "Hello"`}},
		{"a binary message", []any{0x82, "\x00\xff"}, []string{`binary "\x00\xff"`}, []string{`binary "\x00\xff"`}},
		{"an empty message", []any{0x81, ""}, []string{`text ""`}, []string{`text ""`}},
		{"messages behind each other", []any{0x81, "a", 0x82, "b"}, []string{`text "a"`, `binary "b"`}, []string{`text "a"`, `binary "b"`}},
		{"a fragmented message is given whole", []any{0x01, "Hel", 0x00, "", 0x80, "lo"}, []string{`text "Hello"`}, []string{`text "Hello"`}},
		{"an empty fragmented message", []any{0x02, "", 0x00, "", 0x80, ""}, []string{`binary ""`}, []string{`binary ""`}},
		{"a fragmented message with pings inside", []any{0x01, "Hel", 0x89, "1", 0x00, "l", 0x89, "2", 0x80, "o"},
			[]string{`ping "1"`, `ping "2"`, `text "Hello"`}, []string{`pong "1"`, `pong "2"`, `text "Hello"`}},
		{"an unsolicited pong is not answered", []any{0x8a, "x", 0x81, "a"}, []string{`pong "x"`, `text "a"`}, []string{`text "a"`}},
		{"a message after a fragmented one", []any{0x01, "a", 0x80, "b", 0x81, "c"}, []string{`text "ab"`, `text "c"`}, []string{`text "ab"`, `text "c"`}},
		{"a character cut by fragments", []any{0x01, "\xe2\x82", 0x80, "\xac"}, []string{`text "€"`}, []string{`text "€"`}},
		{"a message of 70,000 bytes", []any{0x81, big}, []string{`text "` + big + `"`}, []string{`text "` + big + `"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				s := newSide(t, role, endpoint.Config{})
				s.echo = true
				require.Equal(t, c.events, s.receive(s.in(c.frames...)))
				require.Equal(t, c.out, s.answers())
				require.Zero(t, s.Buffered())
				require.NoError(t, s.Err())
				require.Empty(t, s.pool.lent, "all buffers came back")

				in := peer(role, c.frames...)
				if len(in) > 1000 {
					return
				}
				s = newSide(t, role, endpoint.Config{})
				s.echo = true
				require.Equal(t, c.events, s.receiveBytes(in))
				require.Equal(t, c.out, s.answers())
				for cut := 1; cut < len(in); cut++ {
					s := newSide(t, role, endpoint.Config{})
					s.echo = true
					require.Equal(t, c.events, append(s.receive(in[:cut]), s.receive(in[cut:])...))
					require.ElementsMatch(t, c.out, s.answers())
				}
			})
		})
	}
}

func TestMessagesBelongToWhoTakesThem(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.Received(s.now, s.in(0x81, "whole", 0x01, "in ", 0x80, "parts", 0x81, "more"))
	ev, ok := s.Poll()
	require.True(t, ok)
	require.Equal(t, "whole", string(ev.Data))
	require.False(t, s.Take(), "it lies in the bytes received")
	ev, ok = s.Poll()
	require.True(t, ok)
	require.Equal(t, "in parts", string(ev.Data))
	require.True(t, s.Take())
	require.False(t, s.Take(), "once")
	taken := ev.Data
	ev, ok = s.Poll()
	require.True(t, ok)
	require.Equal(t, "more", string(ev.Data))
	_, ok = s.Poll()
	require.False(t, ok)
	require.Equal(t, "in parts", string(taken))
	require.Len(t, s.pool.lent, 1)
	s.pool.Put(taken)
}

func TestMoreSeesWholeFramesThatWereNotGiven(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.False(t, s.More())
	in := s.in(0x81, "one", 0x81, "two", 0x81, "three")
	s.Received(s.now, in[:len(in)-1])
	require.True(t, s.More())
	_, ok := s.Next()
	require.True(t, ok)
	require.True(t, s.More())
	_, ok = s.Next()
	require.True(t, ok)
	require.False(t, s.More(), "the third lacks a byte")
	_, ok = s.Next()
	require.False(t, ok)
	s.Received(s.now, in[len(in)-1:])
	require.True(t, s.More())
	require.Equal(t, []string{`text "three"`}, s.events())
	require.False(t, s.More())

	s.Received(s.now, s.in(0x88, "", 0x81, "x"))
	_, ok = s.Next()
	require.True(t, ok)
	require.False(t, s.More(), "nothing counts after a close")
}

func TestEndOfInput(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		s.Received(s.now, s.in(0x81, "last"))
		s.EOF(s.now)
		require.Equal(t, []string{`text "last"`, "end"}, s.events())
		require.Empty(t, s.events(), "once")
		require.True(t, s.Ended())
		var ce *endpoint.CloseError
		require.ErrorAs(t, s.Err(), &ce)
		require.Equal(t, frame.CloseAbnormal, ce.Code)
		require.True(t, ce.Remote)
		require.Empty(t, s.answers())
	})
}
