package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"
)

// stallLengths are multiples of the timeout.
var stallLengths = []float64{0.8, 1.4, 3}

// tally is what came of the rounds of one server and one kind of trouble.
type tally struct {
	healthy, killed int       // connections that were well, and those of them given up
	dead            int       // connections whose peer was not
	found           durations // how long it took to find the others
}

// stall stops the whole server for a while, as a virtual machine is that is
// moved, while a tenth of the peers falls deaf.
func stall(ctx context.Context, r *rig) error {
	o := r.scaled()
	rounds := r.roundsOr(4)
	lengths := stallLengths
	if r.quick {
		lengths = lengths[1:2]
	}
	limit := o.timeout + 2*o.tick()
	t := newTable("server", "stall", "connection-stalls", "false kills", "share", "dead peers", "found",
		"within "+seconds(limit), "p50", "p99", "max")
	r.about("stall: the server process is stopped (SIGSTOP) %d times for each length; interval %v, timeout %v, %d connections, "+
		"of which 10 %% fall deaf, half of them before the stall. Times are since the resume.", rounds, o.interval, o.timeout, r.conns)
	err := r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
		tallies := make([]tally, len(lengths))
		for range rounds {
			for i, length := range lengths {
				if err := stallOnce(ctx, r, f, o, time.Duration(length*float64(o.timeout)), &tallies[i]); err != nil {
					return err
				}
			}
		}
		for i, length := range lengths {
			y := &tallies[i]
			t.row(f.srv.name, strconv.FormatFloat(length, 'g', -1, 64)+" × timeout", y.healthy+y.dead, y.killed, percent(y.killed, y.healthy), y.dead,
				len(y.found), percent(y.found.within(limit), y.dead), y.found.quantile(.5), y.found.quantile(.99), y.found.quantile(1))
			if f.srv.name == wirebeatName {
				r.expect(y.killed == 0, "wirebeat killed %d of %d healthy peers in stalls of %g timeouts", y.killed, y.healthy, length)
				r.expect(len(y.found) == y.dead, "wirebeat did not find %d of %d dead peers", y.dead-len(y.found), y.dead)
				r.expectTime(y.found.within(limit) == y.dead, "wirebeat found %d of %d dead peers later than %v after stalls of %g timeouts",
					y.dead-y.found.within(limit), y.dead, limit, length)
			}
		}
		r.note("%s: %s", f.srv.name, f.srv.ask())
		return nil
	})
	t.print(r.out)
	return err
}

func stallOnce(ctx context.Context, r *rig, f *fleet, o serveOptions, length time.Duration, y *tally) error {
	if err := f.fill(ctx, r.conns, 2*o.mean()); err != nil {
		return err
	}
	if err := sleep(ctx, r.settle(o)); err != nil {
		return err
	}
	// What died until now was not stalled, and counts as a false kill too.
	gone := map[*peer]bool{}
	y.collect(f, gone, 0)

	deaf := rand.Perm(len(f.peers))[:len(f.peers)/10]
	before, during := deaf[:len(deaf)/2], deaf[len(deaf)/2:]
	fall := func(of []int, over time.Duration) error {
		for _, i := range of {
			if p := f.peers[i]; !gone[p] {
				p.fallDeaf()
			}
			if err := sleep(ctx, over/time.Duration(len(of)+1)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fall(before, o.timeout/2); err != nil {
		return err
	}
	if err := f.srv.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer f.srv.signal(syscall.SIGCONT)
	stopped := time.Now()
	if err := fall(during, length*9/10); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(stopped.Add(length))); err != nil {
		return err
	}
	y.healthy += len(f.peers) - len(deaf)
	y.dead += len(deaf)
	resumed := monotonic()
	if err := f.srv.signal(syscall.SIGCONT); err != nil {
		return err
	}
	// As long as any idiom may need, and no shorter than 2 timeouts, so that
	// kills that come late are seen.
	found := 0
	for monotonic()-resumed < 4*o.mean() && (found < len(deaf) || monotonic()-resumed < 2*o.timeout) {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		found += y.collect(f, gone, resumed)
	}
	for _, i := range deaf {
		if gone[f.peers[i]] {
			continue
		}
		gone[f.peers[i]] = true
	}
	f.drop(gone)
	return nil
}

// collect sorts what the server gave up: deaf peers were found so long after
// they died, or after a later moment if one is given.
func (y *tally) collect(f *fleet, gone map[*peer]bool, later time.Duration) (found int) {
	for _, e := range f.srv.take() {
		p := f.byPort[e.port]
		switch {
		case p == nil || gone[p]:
			continue
		case p.since == 0 || e.at < p.since:
			y.killed++
		default:
			y.found = append(y.found, e.at-max(later, p.since))
			found++
		}
		gone[p] = true
	}
	return found
}
