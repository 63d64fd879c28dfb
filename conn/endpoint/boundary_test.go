package endpoint_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// fill queues messages of every kind; the largest is borrowed by a server.
func fill(s *side) (want []string) {
	large, prepared := []byte(text(4500)), text(4200)
	require.NoError(s.t, s.Send(frame.Text, []byte("one"), true))
	require.NoError(s.t, s.Send(frame.Binary, []byte(text(300)), true))
	require.NoError(s.t, s.Send(frame.Binary, large, true))
	require.NoError(s.t, s.Send(frame.Text, []byte("two"), false))
	require.NoError(s.t, s.Send(frame.Text, nil, false))
	require.NoError(s.t, s.Send(frame.Text, []byte("three"), true))
	require.NoError(s.t, s.SendPrepared(endpoint.NewPrepared(frame.Text, []byte(prepared))))
	require.NoError(s.t, s.Send(frame.Text, []byte("four"), true))
	return []string{`text "one"`, fmt.Sprintf("binary %q", text(300)), fmt.Sprintf("binary %q", large),
		`text "two"…`, `continuation ""…`, `continuation "three"`, fmt.Sprintf("text %q", prepared), `text "four"`}
}

// After any part of the queue has left, the answer to a ping leaves at the
// next frame boundary, and nothing else changes.
func TestPongLeavesAtTheNextFrameBoundary(t *testing.T) {
	pongAtBoundary(t, func(*side) {})
}

// pongAtBoundary calls meanwhile after every write.
func pongAtBoundary(t *testing.T, meanwhile func(s *side)) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.Equal(t, fill(s), s.answers())
		data := bytes.Clone(s.out)
		var boundaries []int
		for _, f := range s.sent() {
			boundaries = append(boundaries, f.at)
		}
		boundaries = append(boundaries, len(data))
		ping := s.in(0x89, "now")
		s.receive(bytes.Clone(ping))
		require.Equal(t, `pong "now"`, s.answers()[len(boundaries)-1])
		pong := s.out[len(data):]

		for writes := 1; writes <= 2; writes++ {
			next := 0
			for n := 0; n <= len(data); n += 1 + 6*(writes-1) {
				for boundaries[next] < n {
					next++
				}
				s := newSide(t, role, endpoint.Config{})
				fill(s)
				meanwhile(s)
				if writes == 2 { // the first of which ends anywhere
					s.write(n / 2)
					meanwhile(s)
				}
				s.write(n - len(s.out))
				meanwhile(s)
				s.receive(bytes.Clone(ping))
				meanwhile(s)
				s.flush()
				at := boundaries[next]
				want := slices.Concat(data[:at], pong, data[at:])
				if !bytes.Equal(want, s.out) || len(s.pool.lent) > 0 {
					t.Fatalf("%d bytes had left: want the pong at byte %d, have %v; %d buffers lent", n, at, s.answers(), len(s.pool.lent))
				}
				if s.Queued() != uint64(len(data)) || s.Sent() != s.Queued() {
					t.Fatalf("%d bytes of data queued, %d sent", s.Queued(), s.Sent())
				}
			}
		}
	})
}

func TestPongWaitsForTheFrameThatHasBegunAndForNoOther(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{MaxFrame: 1000})
	message := text(10_500)
	require.NoError(t, s.Send(frame.Binary, []byte(message), true))
	s.write(1500)
	s.receive(s.in(0x89, "now"))
	s.flush()
	var data string
	for i, f := range s.sent() {
		if i == 2 {
			require.Equal(t, `pong "now"`, f.String())
			continue
		}
		require.LessOrEqual(t, len(f.payload), 1000)
		require.Equal(t, i == 11, f.Fin)
		data += f.payload
	}
	require.Equal(t, message, data)
}

func TestMoreThanOneWriteTakesIsLentInTurns(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	var want []string
	for i := range 100 {
		p := text(4096 + i)
		require.NoError(t, s.Send(frame.Binary, []byte(p), true))
		want = append(want, fmt.Sprintf("binary %q", p))
	}
	require.LessOrEqual(t, len(s.Output(nil)), 64)
	s.Written(s.now, 0)
	require.Equal(t, want, s.answers())
	require.Empty(t, s.pool.lent)
}

func TestWrittenTakesNoMoreThanWasLent(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{})
	require.NoError(t, s.Send(frame.Text, []byte("a"), true))
	s.Written(s.now, 100)
	require.Equal(t, 3, s.Buffered())
	s.write(2)
	require.NoError(t, s.Send(frame.Text, []byte("b"), true))
	require.Equal(t, []string{`text "a"`, `text "b"`}, s.answers())
}

func TestWhatIsQueuedDuringAWriteFollowsIt(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		for _, size := range []int{1, 5000} {
			s := newSide(t, role, endpoint.Config{})
			require.NoError(t, s.Send(frame.Text, []byte("a"), true))
			bufs := s.Output([][]byte{[]byte("kept")})
			require.Equal(t, "kept", string(bufs[0]), "Output appends")
			require.NoError(t, s.Send(frame.Text, []byte(text(size)), true))
			n := 0
			for _, b := range bufs[1:] {
				s.out = append(s.out, b...)
				n += len(b)
			}
			s.Written(s.now, n)
			require.Equal(t, []string{`text "a"`, fmt.Sprintf("text %q", text(size))}, s.answers())
		}
	})
}
