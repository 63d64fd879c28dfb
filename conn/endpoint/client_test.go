package endpoint_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

func TestClientMasksEveryFrameWithAKeyOfItsOwn(t *testing.T) {
	random := make([]byte, 4*7)
	_, err := rand.Read(random)
	require.NoError(t, err)
	s := newSide(t, endpoint.Client, endpoint.Config{MaxFrame: 100, Rand: bytes.NewReader(random)})
	require.NoError(t, s.Send(frame.Binary, []byte(text(250)), true))
	require.NoError(t, s.Ping([]byte("mine")))
	s.receive(s.in(0x89, "theirs"))
	require.NoError(t, s.SendPrepared(endpoint.NewPrepared(frame.Text, []byte("prepared"))))
	require.NoError(t, s.Close(s.now, 1000, "bye"))
	s.flush()
	var used [][]byte
	for _, f := range s.sent() {
		require.True(t, f.Masked)
		used = append(used, bytes.Clone(f.Key[:]))
	}
	var want [][]byte
	for i := range 7 {
		want = append(want, random[4*i:4*i+4])
	}
	require.ElementsMatch(t, want, used)
}

func TestServerMasksNothing(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{Rand: iotestErr{errors.New("not asked")}})
	require.NoError(t, s.Send(frame.Binary, []byte(text(250)), true))
	require.NoError(t, s.Ping(nil))
	require.NoError(t, s.Close(s.now, 1000, ""))
	s.flush()
	for _, f := range s.sent() {
		require.False(t, f.Masked)
	}
}

func TestClientLeavesTheCallersBytesAlone(t *testing.T) {
	for _, size := range []int{10, 5000, 100_000} {
		s := newSide(t, endpoint.Client, endpoint.Config{})
		p := []byte(text(size))
		require.NoError(t, s.Send(frame.Binary, p, true))
		require.Equal(t, text(size), string(p))
		clear(p)
		require.Equal(t, []string{fmt.Sprintf("binary %q", text(size))}, s.answers(), "they are copied")
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

func TestAnErrorOfRandEndsTheConnection(t *testing.T) {
	broken := errors.New("no entropy")
	for name, use := range map[string]func(s *side) error{
		"sending": func(s *side) error { return s.Send(frame.Text, []byte("a"), true) },
		"sending in frames": func(s *side) error {
			return s.Send(frame.Text, []byte(text(50)), true)
		},
		"sending what is prepared": func(s *side) error {
			return s.SendPrepared(endpoint.NewPrepared(frame.Text, []byte("a")))
		},
		"pinging": func(s *side) error { return s.Ping(nil) },
		"probing": func(s *side) error { _, err := s.Probe(s.now); return err },
		"closing": func(s *side) error { return s.Close(s.now, 1000, "") },
		"answering a ping": func(s *side) error {
			s.receive(s.in(0x89, "p"))
			return s.Err()
		},
		"answering a close": func(s *side) error {
			s.receive(s.in(0x88, ""))
			return broken
		},
		"answering a violation": func(s *side) error {
			s.receive(s.in(0x8f, ""))
			return broken
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, endpoint.Client, endpoint.Config{MaxFrame: 10, Rand: io.MultiReader(bytes.NewReader(make([]byte, 4)), iotestErr{broken})})
			require.NoError(t, s.Queue(frame.Text, []byte("lost"), true))
			require.ErrorIs(t, use(s), broken)
			require.Error(t, s.Err())
			require.False(t, s.Pending(), "nothing leaves unmasked, and nothing else does")
			require.Empty(t, s.Output(nil))
			require.ErrorIs(t, s.Send(frame.Text, nil, true), endpoint.ErrClosed)
			require.Empty(t, s.receive(s.in(0x81, "a")))
		})
	}
}

func TestAShortRandIsAnError(t *testing.T) {
	s := newSide(t, endpoint.Client, endpoint.Config{Rand: bytes.NewReader([]byte{1, 2, 3})})
	require.ErrorIs(t, s.Send(frame.Text, []byte("a"), true), io.ErrUnexpectedEOF)
	require.ErrorIs(t, s.Err(), io.ErrUnexpectedEOF)
}
