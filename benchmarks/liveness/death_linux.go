package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// death lets some of the peers die, by falling deaf and by a black hole in the
// path, and sees how long it takes to find them.
func death(ctx context.Context, r *rig) error {
	o := r.scaled()
	rounds := r.roundsOr(10)
	worst := o.interval + o.interval/10 + o.timeout
	limit := worst + 2*o.tick()
	r.about("death: %d times %d of %d peers die, at any moments of an interval; interval %v, timeout %v: the formula says %v.",
		rounds, r.conns/10, r.conns, o.interval, o.timeout, limit)
	t := newTable("server", "death", "dead peers", "found", "false kills", "mean", "p50", "p99", "max", "within the formula")
	measure := func(f *fleet, kind string, limit time.Duration, die func(p *peer)) error {
		y := &tally{}
		for range rounds {
			if err := dieOnce(ctx, r, f, o, y, die); err != nil {
				return err
			}
		}
		t.row(f.srv.name, kind, y.dead, len(y.found), y.killed, y.found.mean(), y.found.quantile(.5), y.found.quantile(.99), y.found.quantile(1),
			percent(y.found.within(limit), y.dead))
		if f.srv.name == wirebeatName {
			r.expect(len(y.found) == y.dead, "wirebeat did not find %d of %d dead peers", y.dead-len(y.found), y.dead)
			r.expect(y.killed == 0, "wirebeat killed %d healthy peers", y.killed)
			r.note("wirebeat: %s", f.srv.ask())
			r.expectTime(y.found.quantile(.99) <= limit+2*o.tick(), "wirebeat's p99 of %v is over the formula's %v", y.found.quantile(.99), limit)
		}
		return nil
	}
	err := r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
		return measure(f, "deaf peer", limit, (*peer).fallDeaf)
	})
	if err == nil {
		err = r.relayed(ctx, path{delay: r.delay, jitter: r.jitter}, func(n *network) error {
			return r.each(ctx, n.serverNS, n.serverIP, o, func(f *fleet) error {
				n.carry(f)
				// What is on its way when the hole opens still arrives.
				return measure(f, "black hole", limit+r.delay+r.jitter, func(p *peer) {
					p.since = monotonic()
					n.blackHole(p, true)
				})
			})
		})
	}
	t.print(r.out)
	return err
}

func dieOnce(ctx context.Context, r *rig, f *fleet, o serveOptions, y *tally, die func(p *peer)) error {
	if err := f.fill(ctx, r.conns, 2*o.mean()); err != nil {
		return err
	}
	// Over an interval longer, so that no two rounds begin alike.
	if err := sleep(ctx, r.settle(o)+rand.N(o.interval)); err != nil {
		return err
	}
	gone := map[*peer]bool{}
	y.collect(f, gone, 0)
	dying := rand.Perm(len(f.peers))[:len(f.peers)/10]
	for _, i := range dying {
		if p := f.peers[i]; !gone[p] {
			y.dead++
			die(p)
		}
		if err := sleep(ctx, o.interval/time.Duration(len(dying))); err != nil {
			return err
		}
	}
	found := 0
	for start := monotonic(); monotonic()-start < 12*o.mean() && found < len(dying); {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		found += y.collect(f, gone, 0)
	}
	for _, i := range dying {
		gone[f.peers[i]] = true
	}
	f.drop(gone)
	return nil
}

// mass makes all peers vanish for longer than any of them is given, and come
// back.
func mass(ctx context.Context, r *rig) error {
	o := r.scaled()
	outage := time.Duration(float64(o.timeout) * 5)
	r.about("mass: all %d peers vanish for %v; interval %v, timeout %v.", r.conns, outage, o.interval, o.timeout)
	t := newTable("server", "outage", "peers", "given up", "share", "most in a second", "first after", "last after", "breaker tripped")
	measure := func(f *fleet, kind string, vanish func(p *peer, gone bool)) error {
		if err := f.fill(ctx, r.conns, 2*o.mean()); err != nil {
			return err
		}
		if err := sleep(ctx, r.settle(o)); err != nil {
			return err
		}
		f.srv.take()
		start := monotonic()
		for _, p := range f.peers {
			vanish(p, true)
		}
		if err := sleep(ctx, outage); err != nil {
			return err
		}
		for _, p := range f.peers {
			vanish(p, false)
		}
		if err := sleep(ctx, 3*o.mean()); err != nil {
			return err
		}
		var at durations
		for _, e := range f.srv.take() {
			at = append(at, e.at-start)
		}
		most := mostWithin(at, time.Second)
		t.row(f.srv.name, kind, len(f.peers), len(at), percent(len(at), len(f.peers)), most, at.quantile(0), at.quantile(1), counter(f.srv.ask(), "mass"))
		if f.srv.name == wirebeatName {
			limit := max(100, r.conns/20)
			r.expect(most <= 2*limit, "wirebeat gave up %d peers within a second, of which the breaker allows %d", most, limit)
		}
		return nil
	}
	err := r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
		return measure(f, "deaf peers", func(p *peer, gone bool) {
			if gone {
				p.fallDeaf()
			} else {
				p.hearAgain()
			}
		})
	})
	if err == nil {
		err = r.relayed(ctx, path{delay: r.delay, jitter: r.jitter}, func(n *network) error {
			return r.each(ctx, n.serverNS, n.serverIP, o, func(f *fleet) error {
				n.carry(f)
				return measure(f, "black hole", func(p *peer, gone bool) { n.blackHole(p, gone) })
			})
		})
	}
	t.print(r.out)
	return err
}
