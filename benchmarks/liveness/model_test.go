package main

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALinkDropsTheShareItWasToldTo(t *testing.T) {
	for _, loss := range []float64{0, .1, .2, 1} {
		l := newLink(1)
		const n = 100_000
		lost, runs, before := 0, 0, true
		for range n {
			_, ok := l.pass(0, flow{}, path{loss: loss})
			if !ok {
				lost++
				if before {
					runs++
				}
			}
			before = ok
		}
		require.InDelta(t, loss*n, lost, .01*n)
		if loss > 0 && loss < 1 {
			// Each packet on its own: a loss follows a loss as often as any packet is lost.
			require.InDelta(t, 1/(1-loss), float64(lost)/float64(runs), .03)
		}
	}
}

func TestALinkDelaysWithoutReorderingAFlow(t *testing.T) {
	l := newLink(2)
	p := path{delay: 20 * time.Millisecond, jitter: 10 * time.Millisecond}
	last := map[flow]time.Duration{}
	late := false
	for i := range 10_000 {
		now := time.Duration(i) * time.Millisecond
		f := flow{client: uint16(i % 3)}
		at, ok := l.pass(now, f, p)
		require.True(t, ok)
		require.GreaterOrEqual(t, at, now+p.delay)
		require.Less(t, at, now+p.delay+p.jitter)
		require.GreaterOrEqual(t, at, last[f], "packet %d overtook one of its flow", i)
		last[f] = at
		late = late || at > now+p.delay+p.jitter/2
	}
	require.True(t, late, "there is no jitter")
}

func TestTheSameSeedHasTheSameFate(t *testing.T) {
	a, b := newLink(3), newLink(3)
	p := path{loss: .3, delay: time.Second, jitter: time.Second}
	for i := range 1000 {
		atA, okA := a.pass(time.Duration(i), flow{}, p)
		atB, okB := b.pass(time.Duration(i), flow{}, p)
		require.Equal(t, atA, atB)
		require.Equal(t, okA, okB)
	}
}

func TestAFlowIsThePortsOfBothEnds(t *testing.T) {
	packet := make([]byte, 44)
	packet[0], packet[9] = 0x46, 6 // a header with an option
	binary.BigEndian.PutUint16(packet[24:], 40000)
	binary.BigEndian.PutUint16(packet[26:], 80)
	f, ok := flowOf(packet, true)
	require.True(t, ok)
	require.Equal(t, flow{client: 40000, server: 80}, f)
	f, ok = flowOf(packet, false)
	require.True(t, ok)
	require.Equal(t, flow{client: 80, server: 40000}, f)

	for n := range 28 {
		_, ok := flowOf(packet[:n], true)
		require.False(t, ok, "%d bytes of a packet have no ports", n)
	}
	packet[9] = 17
	_, ok = flowOf(packet, true)
	require.False(t, ok, "UDP")
	packet[0], packet[9] = 0x60, 6
	_, ok = flowOf(packet, true)
	require.False(t, ok, "IPv6")
}

func TestAQueueLetsPacketsGoInTimeAndInOrder(t *testing.T) {
	var q queue
	for i, at := range []time.Duration{5, 3, 5, 1} {
		q.add(queued{at, uint64(i), []byte{byte(i)}})
	}
	_, ok := q.due(0)
	require.False(t, ok)
	var order []byte
	for now := time.Duration(0); len(q) > 0; now++ {
		for p, ok := q.due(now); ok; p, ok = q.due(now) {
			order = append(order, p[0])
		}
	}
	require.Equal(t, []byte{3, 1, 0, 2}, order)
}
