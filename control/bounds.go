package control

import (
	"errors"
	"time"
)

// Defaults of Bounds.
const (
	DefaultInterval   = 25 * time.Second // two chances within the 55–60 s that proxies leave an idle connection
	DefaultTimeout    = 20 * time.Second // survives outages of about half of it, as TCP's retransmission backs off
	DefaultWriteStall = 30 * time.Second
)

const (
	minBound = 10 * time.Millisecond
	maxBound = 7 * 24 * time.Hour

	firstProbe   = time.Second     // after the opening, up to twice that: it seeds the RTT
	refreshAfter = 5 * time.Minute // a connection that never falls silent is measured that often
	maxTick      = 100 * time.Millisecond
)

// Bounds are the times of monitors, which any number of them share. 0 is the
// default of each and a negative value turns it off.
type Bounds struct {
	// Interval is the silence after which the peer is pinged, ± 10 %.
	Interval time.Duration
	// Timeout is the silence after such a ping by which the peer is dead.
	Timeout time.Duration
	// WriteStall is how long output may wait without any progress.
	WriteStall time.Duration
}

// Settle fills in the defaults. Its error, in words, is about a time that is too
// short to mean anything, or longer than a week.
func (b Bounds) Settle() (Bounds, error) {
	for _, f := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"ping interval", &b.Interval, DefaultInterval},
		{"ping timeout", &b.Timeout, DefaultTimeout},
		{"write timeout", &b.WriteStall, DefaultWriteStall},
	} {
		switch d := *f.value; {
		case d == 0:
			*f.value = f.def
		case d < 0:
			*f.value = -1
		case d < minBound:
			return Bounds{}, errors.New("websocket: the " + f.name + " of " + d.String() + " is shorter than 10 ms")
		case d > maxBound:
			return Bounds{}, errors.New("websocket: the " + f.name + " of " + d.String() + " is longer than a week")
		}
	}
	return b, nil
}

// Tick is how precise a clock must be for these bounds: a twentieth of the
// shortest of them, between 1 and 100 ms.
func (b *Bounds) Tick() time.Duration {
	d := maxTick
	for _, bound := range []time.Duration{b.Timeout, b.Interval, b.WriteStall} {
		if bound > 0 {
			d = min(d, bound/20)
		}
	}
	return max(d, time.Millisecond)
}

// Worst is the longest it takes to find a dead peer, with a clock of this tick
// and when no guard applies. ok is false if it is never found.
func (b *Bounds) Worst(tick time.Duration) (d time.Duration, ok bool) {
	if b.Interval < 0 || b.Timeout < 0 {
		return 0, false
	}
	return b.Interval + b.Interval/10 + b.Timeout + 2*tick, true
}

// suspect is the silence after a ping by which the peer is suspect.
func (b *Bounds) suspect(rtt *RTT, timeout time.Duration) time.Duration {
	most := timeout / 2
	smoothed, variance := rtt.Smoothed()
	if smoothed == 0 {
		return most
	}
	d := smoothed + 4*variance + min(250*time.Millisecond, timeout/8)
	return min(max(d, min(time.Second, timeout/4)), most)
}
