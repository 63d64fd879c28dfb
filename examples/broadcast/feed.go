package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

const maxPeers = 10_000

// tick is what a client gets, unless it is a notice.
type tick struct {
	Seq   uint64  `json:"seq"`
	Price float64 `json:"price"`
}

// notice is in the place of ticks that were dropped.
type notice struct {
	Missed int `json:"missed"`
}

// encode is for what can always be encoded.
func encode(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}

// feed is who gets the ticks. Its lock is held while a tick is sent, which
// waits for nobody.
type feed struct {
	mu    sync.Mutex
	last  tick
	peers map[*server.Peer]int // ticks that each has missed and was not told of
	stats stats
}

func newFeed() *feed {
	return &feed{last: tick{Seq: 1, Price: 100}, peers: make(map[*server.Peer]int)}
}

type stats struct {
	Peers   int    `json:"peers"`
	Sent    uint64 `json:"sent"`
	Dropped uint64 `json:"dropped"`
}

// publish sends a tick at each time until ctx ends.
func (f *feed) publish(ctx context.Context, times <-chan time.Time) {
	for {
		select {
		case <-times:
			f.send(rand.NormFloat64() / 1000)
		case <-ctx.Done():
			return
		}
	}
}

func (f *feed) send(change float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = tick{f.last.Seq + 1, f.last.Price * (1 + change)}
	m := conn.Prepare(conn.Text, encode(f.last))
	for p, missed := range f.peers {
		err := conn.ErrBackpressure
		if missed == 0 { // else Drained is still to come
			err = p.SendPrepared(m)
		}
		switch {
		case err == nil:
			f.stats.Sent++
		case errors.Is(err, conn.ErrBackpressure):
			f.stats.Dropped++
			f.peers[p]++
		default: // it is closing, and leave will be called
		}
	}
}

// drained is called when a client for whom ticks were dropped has read all
// that was not.
func (f *feed) drained(p *server.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if missed, ok := f.peers[p]; ok && p.Send(conn.Text, encode(notice{missed})) == nil {
		f.peers[p] = 0
	}
}

func (f *feed) join(p *server.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.peers) >= maxPeers {
		p.Close(1013, "too many clients")
		return
	}
	f.peers[p] = 0
	p.Send(conn.Text, encode(f.last)) // its only failure is that leave follows
}

func (f *feed) leave(p *server.Peer, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.peers, p)
}

func (f *feed) showStats(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	s := f.stats
	s.Peers = len(f.peers)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Write(encode(s))
}
