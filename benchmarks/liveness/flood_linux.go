package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// controlRate is the limit of the server that has one.
const controlRate = 100

// flood has a peer send pings and never read, beside a neighbour that plays
// ping-pong with messages. Rounds with and without flood are interleaved.
func flood(ctx context.Context, r *rig) error {
	rounds, length := r.roundsOr(9), 2*time.Second
	if r.quick {
		rounds, length = 1, 200*time.Millisecond
	}
	r.about("flood: %d interleaved rounds of %v; pings of 125 bytes, %d a second (0: as fast as they are taken), never read; ControlRate %d where there is a limit.",
		rounds, length, r.rate, controlRate)
	t := newTable("server", "flood", "pings sent", "pongs", "newest answered", "memory grew by", "neighbour's p99", "ratio to quiet", "end")
	err := r.each(ctx, "", "127.0.0.1", r.real(0), func(f *fleet) error {
		servers := []*process{f.srv}
		if f.srv.name == wirebeatName {
			limited, err := startProcess(f.srv.name, "", "127.0.0.1", r.real(controlRate))
			if err != nil {
				return err
			}
			defer limited.stop()
			servers = append(servers, limited)
		}
		quiet := []float64{}
		outcomes := make([]outcome, len(servers))
		for range rounds {
			p99, err := neighbour(ctx, f.srv, length)
			if err != nil {
				return err
			}
			quiet = append(quiet, p99)
			for i, srv := range servers {
				if err := outcomes[i].round(ctx, r, srv, length); err != nil {
					return err
				}
				outcomes[i].ratios = append(outcomes[i].ratios, outcomes[i].p99[len(outcomes[i].p99)-1]/p99)
			}
		}
		t.row(f.srv.name, "none", 0, 0, "–", "–", µs(median(quiet)), "1", "–")
		for i, y := range outcomes {
			kind := "no limit"
			if i > 0 {
				kind = "limit"
			}
			newest := "yes"
			if y.stale > 0 {
				newest = "no"
			}
			if i > 0 {
				newest = "–"
			}
			t.row(f.srv.name, kind, y.sent, y.pongs, newest, figure(float64(y.grown)/(1<<20))+" MiB", µs(median(y.p99)), median(y.ratios), y.end)
			if f.srv.name == wirebeatName {
				r.expectTime(median(y.ratios) <= 1.3, "a ping flood (%s) multiplies the p99 of wirebeat's neighbours by %s", kind, figure(median(y.ratios)))
				r.expect(i > 0 || y.stale == 0 && y.end == "", "wirebeat did not answer the newest ping of a flood in %d rounds (%s)", y.stale, y.end)
				r.expect(i == 0 || strings.Contains(y.end, "1008"), "wirebeat ended a flood over the limit with %q", y.end)
			}
		}
		return nil
	})
	t.print(r.out)
	return err
}

// real are the default times.
func (r *rig) real(limit int) serveOptions {
	return serveOptions{interval: 25 * time.Second, timeout: 20 * time.Second, controlRate: limit}
}

func µs(v float64) string { return figure(v) + " µs" }

// outcome is what came of the floods of one server.
type outcome struct {
	sent, pongs int
	stale       int   // rounds whose newest ping got no answer
	grown       int64 // most memory that one flood cost
	p99, ratios []float64
	end         string
}

func (y *outcome) round(ctx context.Context, r *rig, srv *process, length time.Duration) error {
	p, err := dialPeer(srv.addr, 4096)
	if err != nil {
		return err
	}
	defer p.close()
	before := srv.resident()
	var stop atomic.Bool
	sent := make(chan int, 1)
	go func() { sent <- p.pour(r.rate, &stop) }()
	p99, err := neighbour(ctx, srv, length)
	y.grown = max(y.grown, srv.resident()-before)
	stop.Store(true)
	_ = p.nc.SetWriteDeadline(time.Now().Add(2 * time.Second))
	last := <-sent
	if err != nil {
		return err
	}
	pongs, newest := p.pongs()
	y.sent += last
	y.pongs += pongs
	if newest != last {
		y.stale++
	}
	y.p99 = append(y.p99, p99)
	for _, e := range srv.take() {
		if e.port == p.port {
			y.end = e.reason
		}
	}
	return nil
}

// pour sends numbered pings until it is stopped or the connection fails, and
// returns how many.
func (p *peer) pour(rate int, stop *atomic.Bool) (sent int) {
	payload := make([]byte, 125)
	var batch []byte
	for start := time.Now(); !stop.Load(); {
		n := 64
		if rate > 0 {
			if n = int(time.Since(start).Seconds()*float64(rate)) - sent; n <= 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			n = min(n, rate/100+1)
		}
		batch = batch[:0]
		for i := range n {
			binary.BigEndian.PutUint64(payload, uint64(sent+i+1))
			batch = appendFrame(batch, 9, payload)
		}
		if _, err := p.nc.Write(batch); err != nil {
			return sent
		}
		sent += n
	}
	return sent
}

// pongs reads what was never read, until nothing comes for a while.
func (p *peer) pongs() (n, newest int) {
	r := bufio.NewReaderSize(p.nc, 64<<10)
	b := make([]byte, 127)
	for {
		_ = p.nc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := io.ReadFull(r, b[:2]); err != nil {
			return n, newest
		}
		size := int(b[1])
		if size > 125 {
			return n, newest // no control frame: nothing else was asked for
		}
		if _, err := io.ReadFull(r, b[2:2+size]); err != nil {
			return n, newest
		}
		if b[0]&0xf == 10 && size == 125 {
			n++
			newest = int(binary.BigEndian.Uint64(b[2:]))
		}
	}
}

// neighbour plays ping-pong and returns the p99 of a round trip in µs.
func neighbour(ctx context.Context, srv *process, length time.Duration) (p99 float64, err error) {
	p, err := dialPeer(srv.addr, 0)
	if err != nil {
		return 0, err
	}
	defer p.close()
	var trips durations
	message, answer := appendFrame(nil, 2, make([]byte, 125)), make([]byte, 127)
	_ = p.nc.SetDeadline(time.Now().Add(length + 10*time.Second))
	for start := time.Now(); time.Since(start) < length; {
		at := time.Now()
		if _, err := p.nc.Write(message); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(p.nc, answer); err != nil {
			return 0, err
		}
		trips = append(trips, time.Since(at))
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	return float64(trips.quantile(.99)) / 1e3, nil
}
