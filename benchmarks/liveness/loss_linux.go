package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// loss has all servers at once on a network that drops packets, with the real
// default times: TCP's retransmission does not scale. Who is given up there is
// well. Then some do vanish, to see whether detection takes equally long.
func loss(ctx context.Context, r *rig) error {
	o := serveOptions{interval: 25 * time.Second, timeout: 20 * time.Second}
	if r.given["interval"] || r.quick {
		o.interval = r.interval
	}
	if r.given["timeout"] || r.quick {
		o.timeout = r.timeout
	}
	length := time.Duration(r.minutes * float64(time.Minute))
	if r.quick && !r.given["minutes"] {
		length = 3 * time.Second
	}
	r.about("loss: %d connections of each server at once for %v, through a relay with a delay of %v + up to %v each way; interval %v, timeout %v. "+
		"Afterwards 5 %% of them vanish.", r.conns, length, r.delay, r.jitter, o.interval, o.timeout)
	t := newTable("loss each way", "server", "connections", "false kills", "a 1000 connection-hours", "vanished", "found", "mean", "p50", "max")
	rates := r.losses
	if r.quick && !r.given["loss"] {
		rates = "1" // with times as short as these TCP gets one more chance, at best
	}
	var err error
	for rate := range strings.SplitSeq(rates, ",") {
		var share float64
		if share, err = strconv.ParseFloat(rate, 64); err != nil || share < 0 || share > 50 {
			return errors.New("-loss wants percentages up to 50")
		}
		if err = r.relayed(ctx, path{delay: r.delay, jitter: r.jitter}, func(n *network) error {
			return lossOnce(ctx, r, n, o, length, share/100, t)
		}); err != nil {
			break
		}
	}
	t.print(r.out)
	return err
}

func lossOnce(ctx context.Context, r *rig, n *network, o serveOptions, length time.Duration, share float64, t *table) error {
	var fleets []*fleet
	defer func() {
		for _, f := range fleets {
			f.close()
		}
	}()
	for _, d := range r.idioms {
		srv, err := startProcess(d.name, n.serverNS, n.serverIP, o)
		if isAbsent(err) && os.Getenv("CI") != "true" {
			r.note("%s left out: %v", d.name, err)
			continue
		}
		if err != nil {
			return err
		}
		f := newFleet(srv)
		fleets = append(fleets, f)
		n.carry(f)
		if err := f.fill(ctx, r.conns, time.Second); err != nil {
			return err
		}
	}
	// A handshake that is lost is not what is measured.
	n.relay.path.Store(&path{loss: share, delay: r.delay, jitter: r.jitter})
	tallies := make([]tally, len(fleets))
	gone := make([]map[*peer]bool, len(fleets))
	for i := range gone {
		gone[i] = map[*peer]bool{}
	}
	collect := func() {
		for i, f := range fleets {
			tallies[i].collect(f, gone[i], 0)
		}
	}
	exposed := make([]time.Duration, len(fleets))
	for start := time.Now(); time.Since(start) < length; {
		before := time.Now()
		if err := sleep(ctx, min(time.Second, length)); err != nil {
			return err
		}
		collect()
		for i, f := range fleets {
			exposed[i] += time.Since(before) * time.Duration(len(f.peers)-len(gone[i]))
		}
	}
	kills := make([]int, len(fleets))
	for i := range tallies {
		kills[i] = tallies[i].killed
	}
	if err := vanish(ctx, n, o, fleets, gone, collect); err != nil {
		return err
	}
	for i, f := range fleets {
		vanished := 0
		for _, p := range f.peers {
			if p.since != 0 {
				vanished++
			}
		}
		y := &tallies[i]
		t.row(fmt.Sprintf("%g %%", 100*share), f.srv.name, len(f.peers), kills[i], float64(kills[i])/exposed[i].Hours()*1000,
			vanished, len(y.found), y.found.mean(), y.found.quantile(.5), y.found.quantile(1))
		r.note("%s: %s", f.srv.name, f.srv.ask())
	}
	judgeLoss(r, fleets, kills, exposed, share)
	return nil
}

// vanish has 5 % of the peers of each server vanish, at any moments, and waits
// until the last should have been found.
func vanish(ctx context.Context, n *network, o serveOptions, fleets []*fleet, gone []map[*peer]bool, collect func()) error {
	over := 2 * o.mean()
	var dying []*peer
	for i, f := range fleets {
		some := 0
		for _, k := range rand.Perm(len(f.peers)) {
			if p := f.peers[k]; !gone[i][p] && some < max(len(f.peers)/20, 1) {
				dying = append(dying, p)
				some++
			}
		}
	}
	rand.Shuffle(len(dying), func(i, j int) { dying[i], dying[j] = dying[j], dying[i] })
	for _, p := range dying {
		p.since = monotonic()
		n.blackHole(p, true)
		if err := sleep(ctx, over/time.Duration(len(dying))); err != nil {
			return err
		}
	}
	err := sleep(ctx, 5*o.mean()/2)
	collect()
	return err
}

// judgeLoss compares wirebeat with gorilla's idiom.
func judgeLoss(r *rig, fleets []*fleet, kills []int, exposed []time.Duration, share float64) {
	rate := map[string]float64{}
	count := map[string]int{}
	for i, f := range fleets {
		rate[f.srv.name] = float64(kills[i]) / exposed[i].Hours()
		count[f.srv.name] = kills[i]
	}
	if count["gorilla"] < 10 {
		r.note("loss of %g %%: gorilla's idiom killed %d, which is too few to compare with", 100*share, count["gorilla"])
		return
	}
	if _, ok := rate[wirebeatName]; ok {
		r.expectTime(10*rate[wirebeatName] <= rate["gorilla"], "at a loss of %g %% wirebeat killed %d and gorilla's idiom %d",
			100*share, count[wirebeatName], count["gorilla"])
	}
}
