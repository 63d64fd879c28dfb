package main

import (
	"context"
	"time"
)

// writeRates are how often the application of writeonly writes.
var writeRates = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}

// writeOnly has an application that writes and never reads, and lets some of its
// peers die. What they did not read yet is small, so no buffer is full.
func writeOnly(ctx context.Context, r *rig) error {
	o := r.scaled()
	conns := min(r.conns, 50)
	rounds := r.roundsOr(4)
	limit := o.interval + o.interval/10 + o.timeout + 2*o.tick()
	r.about("writeonly: the application writes 100 bytes at a fixed rate and reads nothing; %d times %d of %d peers die. Interval %v, timeout %v: the formula says %v.",
		rounds, conns/10, conns, o.interval, o.timeout, limit)
	t := newTable("server", "a write every", "death", "dead peers", "found", "false kills", "mean", "p50", "p99", "max", "within the formula")
	rates := writeRates
	if r.quick {
		rates = rates[1:2]
	}
	all := *r
	all.conns = conns
	r = &all
	part := func(f *fleet, kind string, die func(p *peer)) error {
		y := &tally{}
		for range rounds {
			if err := dieOnce(ctx, r, f, o, y, die); err != nil {
				return err
			}
		}
		t.row(f.srv.name, o.every.String(), kind, y.dead, len(y.found), y.killed, y.found.mean(), y.found.quantile(.5), y.found.quantile(.99), y.found.quantile(1),
			percent(y.found.within(limit), y.dead))
		r.note("%s: %s", f.srv.name, f.srv.ask())
		if f.srv.name == wirebeatName {
			r.expect(len(y.found) == y.dead, "wirebeat did not find %d of %d dead peers (%s, a write every %v)", y.dead-len(y.found), y.dead, kind, o.every)
			r.expect(y.killed == 0, "wirebeat killed %d healthy peers to which an application only writes", y.killed)
			r.expectTime(y.found.quantile(.99) <= limit+2*o.tick(), "wirebeat's p99 of %v is over the formula's %v (%s, a write every %v)",
				y.found.quantile(.99), limit, kind, o.every)
		}
		return nil
	}
	var err error
	for _, o.every = range rates {
		if err = r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
			return part(f, "deaf peer", (*peer).fallDeaf)
		}); err != nil {
			break
		}
		if err = r.relayed(ctx, path{delay: r.delay, jitter: r.jitter}, func(n *network) error {
			return r.each(ctx, n.serverNS, n.serverIP, o, func(f *fleet) error {
				n.carry(f)
				return part(f, "black hole", func(p *peer) {
					p.since = monotonic()
					n.blackHole(p, true)
				})
			})
		}); err != nil {
			break
		}
	}
	t.print(r.out)
	return err
}
