package main

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// A path is what becomes of packets in one direction.
type path struct {
	loss          float64 // share that is dropped, each packet on its own
	delay, jitter time.Duration
}

// A link decides about packets one after the other. Packets of one flow do not
// overtake each other: jitter makes them late, as a queue does, and not wrong.
type link struct {
	rng  *rand.Rand
	last map[flow]time.Duration // when the last packet of a flow leaves
}

func newLink(seed uint64) *link {
	return &link{rng: rand.New(rand.NewPCG(seed, seed)), last: map[flow]time.Duration{}}
}

// pass returns when a packet that comes now leaves, or false if it never does.
func (l *link) pass(now time.Duration, f flow, p path) (at time.Duration, ok bool) {
	if p.loss > 0 && l.rng.Float64() < p.loss {
		return 0, false
	}
	at = now + p.delay
	if p.jitter > 0 {
		at += time.Duration(l.rng.Int64N(int64(p.jitter)))
	}
	at = max(at, l.last[f])
	l.last[f] = at
	return at, true
}

// A flow is a connection by its ports. That of the client alone is not enough: it
// may have connections to several servers.
type flow struct{ client, server uint16 }

// flowOf returns what a TCP packet belongs to.
func flowOf(packet []byte, fromClient bool) (f flow, ok bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != 6 {
		return f, false
	}
	tcp := int(packet[0]&0xf) * 4
	if len(packet) < tcp+4 {
		return f, false
	}
	f = flow{binary.BigEndian.Uint16(packet[tcp:]), binary.BigEndian.Uint16(packet[tcp+2:])}
	if !fromClient {
		f.client, f.server = f.server, f.client
	}
	return f, true
}

// A queue has packets in the order in which they leave.
type queue []queued

type queued struct {
	at     time.Duration
	serial uint64
	packet []byte
}

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].serial < q[j].serial
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(queued)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = queued{}
	*q = (*q)[:last]
	return x
}

func (q *queue) add(p queued) { heap.Push(q, p) }

// due takes out the first packet if it is to leave by now.
func (q *queue) due(now time.Duration) (p []byte, ok bool) {
	if len(*q) == 0 || (*q)[0].at > now {
		return nil, false
	}
	return heap.Pop(q).(queued).packet, true
}
