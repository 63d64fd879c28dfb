package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIdiomsGetTimesOfTheSameMeanDetection(t *testing.T) {
	o := serveOptions{interval: 25 * time.Second, timeout: 20 * time.Second}
	require.Equal(t, 32500*time.Millisecond, o.mean())
	// A pong comes at the start of a period of 0.9 pongWait, and the peer dies at
	// any moment of it.
	w := o.pongWait()
	require.InDelta(t, o.mean().Seconds(), (w - w*9/20).Seconds(), 1e-6)
	// It dies in one period and is found at the end of the next but one.
	s := o.sweep()
	require.InDelta(t, o.mean().Seconds(), (2*s - s/2).Seconds(), 1e-6)
}

func TestOptionsSurviveTheCommandLine(t *testing.T) {
	o := serveOptions{time.Second, 2 * time.Second, 3 * time.Second, time.Millisecond, 100}
	back, err := parseServeOptions(o.args())
	require.NoError(t, err)
	require.Equal(t, o, back)
	_, err = parseServeOptions([]string{"1s"})
	require.Error(t, err)
	_, err = parseServeOptions([]string{"1s", "x", "0s", "0s", "0"})
	require.Error(t, err)
}

func TestAnOrderAsksForALargeMessage(t *testing.T) {
	answer, large := ordered([]byte("send 1000"))
	require.True(t, large)
	require.Len(t, answer, 1000)
	for _, m := range []string{"", "send", "send x", "sent 10", "hello"} {
		answer, large := ordered([]byte(m))
		require.False(t, large)
		require.Equal(t, m, string(answer))
	}
}

func TestPickPutsWirebeatFirst(t *testing.T) {
	all, err := pick("")
	require.NoError(t, err)
	require.Equal(t, wirebeatName, all[0].name)
	require.Len(t, all, 5)
	two, err := pick("gws,wirebeat")
	require.NoError(t, err)
	require.Equal(t, "gws", two[0].name)
	_, err = pick("nobody")
	require.Error(t, err)
}
