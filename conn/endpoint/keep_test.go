package endpoint_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// The header of a borrowed payload and the frame behind the payload share a
// buffer. Keep moves the latter, which owns it, while the former still waits.
func TestKeepLeavesABufferThatIsStillInUse(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	large := text(5000)
	require.NoError(t, s.Send(frame.Binary, []byte(large), true))
	require.NoError(t, s.Send(frame.Text, []byte("behind"), true))
	s.Keep()
	require.Equal(t, []string{fmt.Sprintf("binary %q", large), `text "behind"`}, s.answers())
	require.Empty(t, s.pool.lent)
}

// A pong that joins the queue between two small frames splits their buffer.
func TestKeepLeavesABufferThatAPongHasSplit(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Queue(frame.Text, []byte("one"), true))
	require.NoError(t, s.Queue(frame.Text, []byte("two"), true))
	s.write(2)
	s.receive(s.in(0x89, "p"))
	s.write(1)
	s.Keep()
	require.Equal(t, []string{`text "one"`, `pong "p"`, `text "two"`}, s.answers())
	require.Empty(t, s.pool.lent)
}

func TestPongLeavesAtTheNextFrameBoundaryWithKeep(t *testing.T) {
	pongAtBoundary(t, func(s *side) { s.Keep() })
}

func TestOutputIsWhatWasSentHoweverItIsWrittenAndKept(t *testing.T) { outputModel(t, true) }
