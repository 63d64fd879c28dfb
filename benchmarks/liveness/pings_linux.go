package main

import (
	"context"
	"time"
)

// pings counts the pings that connections get whose peers send all the time.
func pings(ctx context.Context, r *rig) error {
	o := r.scaled()
	conns, length, every := min(r.conns, 100), 20*o.interval, o.interval/5
	r.about("pings: %d connections whose peers send a message every %v, for %v; interval %v, timeout %v.", conns, every, length, o.interval, o.timeout)
	t := newTable("server", "messages", "pings", "pings a connection and interval", "ratio to wirebeat")
	var base float64
	err := r.each(ctx, "", "127.0.0.1", o, func(f *fleet) error {
		if err := f.fill(ctx, conns, o.interval); err != nil {
			return err
		}
		count := func() (n int64) {
			for _, p := range f.peers {
				n += p.pings.Load()
			}
			return n
		}
		messages := 0
		send := func(d time.Duration) error {
			for start := time.Now(); time.Since(start) < d; {
				next := time.Now().Add(every)
				for _, p := range f.peers {
					if p.send(2, []byte("alive")) == nil { // some idioms give up peers like these
						messages++
					}
				}
				if err := sleep(ctx, time.Until(next)); err != nil {
					return err
				}
			}
			return nil
		}
		if err := send(3 * o.interval); err != nil { // the first ping seeds the round trip
			return err
		}
		before := count()
		messages = 0
		if err := send(length); err != nil {
			return err
		}
		n := float64(count() - before)
		each := n / float64(conns) / (length.Seconds() / o.interval.Seconds())
		if f.srv.name == wirebeatName {
			base = n
		}
		ratio := "–"
		if f.srv.name != wirebeatName && base > 0 {
			ratio = figure(n / base)
		} else if base == 0 && f.srv.name != wirebeatName && n > 0 {
			ratio = "∞"
		}
		t.row(f.srv.name, messages, int(n), each, ratio)
		if f.srv.name == wirebeatName {
			r.expectTime(each <= 0.05, "wirebeat pings active connections %s times an interval", figure(each))
		}
		return nil
	})
	t.print(r.out)
	return err
}
