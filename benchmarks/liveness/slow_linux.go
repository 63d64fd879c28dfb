package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const largeMessage = 32 << 20

// A reader takes what comes slowly, one way or another.
type reader struct {
	name string
	each int // bytes a read takes
	size int // bytes between two rests
	rest time.Duration
	last time.Duration // how long it reads; what is left then is read at once
}

// slow drains a message of 32 MiB in ways that leave the socket unwritable, or
// writable for a little at a time. A ping of the server's cannot overtake the
// message, so no pong comes for many timeouts.
func slow(ctx context.Context, r *rig) error {
	o := r.scaled()
	steady, pause := 10*o.timeout, o.timeout
	o.write = o.timeout * 3 / 2
	if r.quick {
		steady = 5 * o.timeout
	}
	if r.write > 0 {
		o.write = r.write
	}
	if r.given["timeout"] && o.timeout >= 20*time.Second {
		// The real thing: the message for 4 timeouts, and pauses of 20 s.
		steady, pause = 4*o.timeout, 20*time.Second
		o.write = r.write
	}
	readers := []reader{
		{name: "steady", each: 32 << 10, size: 64 << 10, rest: steady / (largeMessage / (64 << 10)), last: 2 * steady},
		{name: "pauses", each: 64 << 10, size: 1 << 20, rest: pause, last: 6 * pause},
	}
	conns := min(r.conns, 5)
	r.about("slow: a message of 32 MiB to %d peers that read it within %v, or 1 MiB at a time with pauses of %v for %v; interval %v, timeout %v, write timeout %v (0 is the default).",
		conns, steady, pause, 6*pause, o.interval, o.timeout, o.write)
	t := newTable("server", "reader", "peers", "given up", "got all", "it took", "reason")
	err := r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
		for _, kind := range readers {
			whole, took, ends, err := drain(ctx, f, conns, kind)
			if err != nil {
				return err
			}
			reason := ""
			if len(ends) > 0 {
				reason = ends[0].reason
			}
			t.row(f.srv.name, kind.name, conns, len(ends), whole, took.quantile(.5), reason)
			if f.srv.name == wirebeatName {
				r.expect(whole == conns && len(ends) == 0, "wirebeat gave up %d of %d peers that read slowly (%s): %s", len(ends), conns, kind.name, reason)
			}
		}
		return nil
	})
	t.print(r.out)
	return err
}

// drain has peers ask for the message and read it.
func drain(ctx context.Context, f *fleet, conns int, kind reader) (whole int, took durations, ends []end, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	ports := map[int]bool{}
	for range conns {
		p, err := dialPeer(f.srv.addr, 64<<10)
		if err != nil {
			return 0, nil, nil, err
		}
		defer p.close()
		ports[p.port] = true
		start := time.Now()
		got := 0
		p.limit = kind.each
		p.pace = func(n int) {
			before := got / kind.size
			got += n
			if got/kind.size > before && time.Since(start) < kind.last {
				_ = sleep(ctx, kind.rest)
			}
		}
		answered := make(chan struct{})
		go p.run(func(n int) {
			if n == largeMessage {
				close(answered)
			}
		})
		if err := p.send(1, fmt.Appendf(nil, order+"%d", largeMessage)); err != nil {
			return 0, nil, nil, err
		}
		wg.Go(func() {
			select {
			case <-answered:
				mu.Lock()
				whole++
				took = append(took, time.Since(start))
				mu.Unlock()
			case <-p.over:
			case <-ctx.Done():
			}
		})
	}
	wg.Wait()
	for _, e := range f.srv.take() {
		if ports[e.port] { // and not of peers of another drain, which left
			ends = append(ends, e)
		}
	}
	return whole, took, ends, ctx.Err()
}
