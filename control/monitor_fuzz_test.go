package control_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// advance lets time pass, in which the monitor looks when it wants to.
func (tr *trace) advance(by time.Duration) {
	from := tr.now
	until := tr.now + by
	for looks := 0; tr.next > 0; looks++ {
		at := max(tr.next, tr.now)
		if tr.grid {
			at = (at + tr.tick - 1).Truncate(tr.tick)
		}
		if looks == 300 {
			until = min(until, at)
		}
		if at > until || looks == 300 {
			break
		}
		tr.now = at
		tr.look()
	}
	tr.now = max(tr.now, until)
	tr.inTime()
	tr.passed += tr.now - from
}

func (tr *trace) hear() { tr.sight.Inbound, tr.calm = max(tr.sight.Inbound, tr.now), tr.now }

// late is by how much a look may become later: two days at most, as times that
// are kept have limits.
func (tr *trace) late(by time.Duration) time.Duration {
	if tr.next == 0 {
		return by
	}
	return max(min(by, tr.latest-tr.now), 0)
}

// happen is one event.
func (tr *trace) happen(kind, arg byte) {
	some := tr.unit() * time.Duration(arg) * time.Duration(arg) / 4096
	switch kind % 16 {
	case 0, 1, 2, 3:
		tr.advance(some)
	case 4, 5: // bytes, of which the monitor is told or not
		tr.hear()
		if arg&1 == 0 {
			tr.look()
		}
	case 6: // a pong
		tr.hear()
		tr.m.RTT.Sample(time.Duration(arg)*tr.unit()/64, tr.now)
		tr.look()
	case 7:
		tr.stuck = !tr.stuck
		if !tr.stuck && !tr.sight.Left {
			tr.sight.Left, tr.sight.LeftAt, tr.frozen = true, tr.now, tr.sight.Stalled
		}
	case 8: // this process stands still
		some = tr.late(some)
		tr.now += some
		tr.sight.Stalled += some
		if tr.watched() && some >= tr.b.Timeout/2 {
			tr.hurried()
		}
		tr.calm = max(tr.calm, tr.now)
	case 9: // nobody has the time to look
		tr.now += tr.late(some)
		tr.calm = max(tr.calm, tr.now)
	case 10:
		tr.sight.Paused = !tr.sight.Paused
	case 11:
		tr.sight.Unread = !tr.sight.Unread
	case 12:
		tr.sight.Progress = !tr.sight.Progress
	case 13:
		tr.sight.LastData, tr.calm = tr.now, max(tr.calm, tr.now)
	case 14:
		if tr.watched() {
			tr.hurried()
			tr.calm = tr.now
		}
	case 15: // somebody looks, for whatever reason, with another clock
		if tr.now += some % (3 * ms); arg&1 == 0 {
			tr.now = max(tr.now-some%tr.tick, tr.opened)
		}
		tr.ruling = arg
		tr.look()
	}
	if tr.excused() {
		tr.calm = max(tr.calm, tr.now)
	}
}

func (tr *trace) hurried() {
	tr.m.Hurry()
	tr.hurry, tr.next = true, max(tr.now, 1)
}

// finish lets the peer die, with nothing that speaks for it.
func (tr *trace) finish() {
	tr.sight.Paused, tr.sight.Unread, tr.sight.Progress = false, false, false
	if tr.stuck {
		tr.happen(7, 0)
	}
	tr.ruling, tr.calm = 3, max(tr.calm, tr.now)
	if !tr.watched() {
		tr.advance(10 * tr.unit())
		return
	}
	for looks, verdicts := 0, tr.verdicts; tr.verdicts == verdicts; looks++ {
		tr.must(looks < 4000, "it never dies")
		tr.now = max(tr.next, tr.now)
		tr.look()
	}
}

// FuzzMonitor plays traces of anything that may happen to a connection against
// an oracle: no death with bytes inside the timeout, or with anything else that
// speaks for the peer; death in time when nothing does; states go from one to
// the next; what is missed is forgiven by bytes alone; and nobody is busy.
func FuzzMonitor(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	for flags := range 256 {
		for range 1 {
			events := make([]byte, 2+rng.IntN(120))
			for i := range events {
				events[i] = byte(rng.Uint32())
			}
			f.Add(byte(flags), rng.Uint64(), events)
		}
	}
	f.Fuzz(func(t *testing.T, flags byte, seed uint64, events []byte) {
		tr := newTrace(t, flags, seed)
		for i := 0; i+1 < len(events) && i < 400; i += 2 {
			tr.happen(events[i], events[i+1])
			tr.busy(i/2 + 1)
		}
		tr.finish()
	})
}
