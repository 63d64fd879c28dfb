package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryEngineEchoesEveryByte(t *testing.T) {
	require.NoError(t, benchmark([]string{"-engine", "-quick"}, io.Discard, testWriter{t}))
}

// The broken engines answer with everything at the end, spoiled in one way.
func TestABrokenEngineIsCaught(t *testing.T) {
	b := newBatch(scenario{binary, 4, 16, 1}, false, rand.NewChaCha8([32]byte{}))
	answerWith := func(change func([]byte) []byte) engine {
		return engine{"broken", func(nc net.Conn) error {
			turns := nc.(*memoryConn).turns
			buf := make([]byte, len(b.out))
			for range turns {
				if _, err := io.ReadFull(nc, buf); err != nil {
					return err
				}
			}
			if _, err := nc.Write(change(bytes.Repeat(b.exp, turns))); err != nil {
				return err
			}
			_, err := nc.Read(buf)
			return err
		}}
	}
	require.NoError(t, verifyEngine(answerWith(func(p []byte) []byte { return p }), &b))
	for name, change := range map[string]func([]byte) []byte{
		"drops the last byte":  func(p []byte) []byte { return p[:len(p)-1] },
		"adds a byte":          func(p []byte) []byte { return append(p, p[0]) },
		"spoils the last byte": func(p []byte) []byte { p[len(p)-1]++; return p },
		"swaps two frames":     func(p []byte) []byte { return append(bytes.Clone(p[18:36]), append(p[:18:18], p[36:]...)...) },
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, verifyEngine(answerWith(change), &b))
		})
	}
	_, _, err := timeEngine(answerWith(func(p []byte) []byte { return p[18:] }), &b, 4, 10)
	require.ErrorContains(t, err, "bytes of answers instead of", "the timed run counts")

	stops := engine{"stops", func(net.Conn) error { return errors.New("tired") }}
	require.ErrorContains(t, verifyEngine(stops, &b), "tired")

	late := engine{"late", func(nc net.Conn) error {
		for {
			if _, err := nc.Read(make([]byte, 1000)); err != nil {
				_, err = nc.Write(bytes.Repeat(b.exp, nc.(*memoryConn).turns))
				return err
			}
		}
	}}
	require.Error(t, verifyEngine(late, &b), "answers must not wait for the end of the input")
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}
