package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

func TestStreamGivesPiecesAsTheyArrive(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		s.Stream(true)
		in := s.in(0x01, "Hello", 0x00, "", 0x89, "p", 0x80, "!", 0x82, "whole", 0x01, "", 0x80, "")
		head := len(s.in(0x01, "Hello")) - 5
		require.Empty(t, s.receive(in[:head]))
		require.Equal(t, []string{`text "He"…`}, s.receive(in[head:head+2]))
		require.Equal(t, []string{`text "llo"…`, `ping "p"`, `text "!"`, `binary "whole"`, `text ""`}, s.receive(in[head+2:]))
	})
}

func TestStreamBytewise(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.Stream(true)
	require.Equal(t, []string{`text "a"…`, `text "b"…`, `pong ""`, `text "c"…`, `text ""`, `binary ""`},
		s.receiveBytes(s.in(0x01, "ab", 0x8a, "", 0x00, "c", 0x80, "", 0x82, "")))
}

func TestStreamCanBeChosenInsideAMessage(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.Empty(t, s.receive(s.in(0x01, "gath", 0x00, "ered ")))
		s.Stream(true)
		require.Equal(t, []string{`text "gathered first"…`}, s.receive(s.in(0x00, "first")), "what was gathered is the first piece")
		require.Equal(t, []string{`text "second"…`}, s.receive(s.in(0x00, "second")))
		s.Stream(false)
		require.Equal(t, []string{`text "third"…`, `text "last"`}, s.receive(s.in(0x00, "third", 0x80, "last")),
			"pieces to the end of the message")
		require.Equal(t, []string{`text "whole again"`}, s.receive(s.in(0x01, "whole ", 0x80, "again")))
		require.Empty(t, s.events())
		require.Empty(t, s.pool.lent)
	})
}

func TestStreamChosenBeforeAnEmptyLastFragment(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.Empty(t, s.receive(s.in(0x01, "gathered")))
	s.Stream(true)
	require.Equal(t, []string{`text "gathered"`}, s.receive(s.in(0x80, "")))
}

func TestStreamNeedsNoBuffers(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.Stream(true)
	message := text(500_000)
	var got string
	in := s.in(0x82, message)
	for len(in) > 0 {
		buf := s.ReadBuffer(s.scratch)
		require.Same(t, &s.scratch[0], &buf[0])
		n := copy(buf, in)
		in = in[n:]
		s.Received(s.now, buf[:n])
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			got += string(ev.Data)
			require.Equal(t, len(got) == len(message), ev.Kind == endpoint.Message)
			require.False(t, s.Take())
		}
	}
	require.Equal(t, message, got)
	require.Zero(t, s.pool.requested)
}

func TestStreamChosenWhileAMessageIsReadIntoItsPlace(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	message := text(100_000)
	in := s.in(0x82, message)
	require.Empty(t, s.receive(in[:50_000]))
	require.NotZero(t, s.direct)
	s.Stream(true)
	var got string
	pieces := 0
	for in = in[50_000:]; len(in) > 0; {
		n := copy(s.ReadBuffer(s.scratch), in)
		s.Received(s.now, s.scratch[:n])
		in = in[n:]
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			got += string(ev.Data)
			pieces++
			require.Equal(t, len(in) == 0, ev.Kind == endpoint.Message)
		}
	}
	require.Greater(t, pieces, 2)
	require.Equal(t, message, got)
	require.Empty(t, s.pool.lent)
}

func TestTextIsCheckedPieceByPiece(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	s.Stream(true)
	require.Equal(t, []string{"text \"a\"…", `text "\xe2"…`, `text "\x82"…`, "failed 1007"}, s.receiveBytes(s.in(0x81, "a\xe2\x82\xffb")))
}
