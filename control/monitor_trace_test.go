package control_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// times are the bounds that traces are played with.
var times = []struct{ interval, timeout time.Duration }{
	{0, 0}, {time.Second, time.Second}, {10 * ms, 10 * ms}, {week, week}, {10 * ms, 20 * time.Second},
	{25 * time.Second, 10 * ms}, {time.Hour, time.Minute}, {time.Second, time.Minute}, {25 * time.Second, -1}, {-1, 20 * time.Second}, {-1, -1},
}

// trace is a connection to which anything happens, and an oracle that knows of
// the peer what the monitor should find out.
type trace struct {
	t      testing.TB
	m      control.Monitor
	b      control.Bounds
	tick   time.Duration
	salt   uint32
	grid   bool // it is looked at when the clock ticks, and otherwise exactly when it is wanted
	now    time.Duration
	next   time.Duration
	latest time.Duration
	sight  control.Sight
	stuck  bool          // what is sent does not leave
	ruling byte          // what is done about a verdict
	looks  int           // but for those once a tick
	passed time.Duration // time in which it looked

	opened time.Duration
	asked  time.Duration // when the last ping that began a round was sent
	rounds int
	hurry  bool          // it is to be asked at the next look
	half   bool          // with half the timeout
	misses int           // since it was asked
	silent time.Duration // when bytes had last come before
	still  time.Duration // Stalled, when it was asked
	frozen time.Duration // Stalled, when the ping left
	calm   time.Duration // since when nothing came, and no guard applies

	verdicts int
}

func newTrace(t testing.TB, flags byte, seed uint64) *trace {
	c := times[int(flags&15)%len(times)]
	rng := rand.New(rand.NewPCG(seed, 0))
	tr := &trace{t: t, b: settled(t, c.interval, c.timeout), salt: rng.Uint32(), grid: flags&16 != 0}
	tr.tick = tr.b.Tick()
	tr.opened = []time.Duration{0, wrap, wrap / 2, 3 * wrap}[flags>>5&3]
	if tr.opened > 0 {
		tr.opened -= time.Duration(rng.Int64N(int64(20 * tr.unit())))
	}
	tr.opened = tr.opened.Truncate(tr.tick)
	tr.now, tr.calm, tr.sight.Inbound = tr.opened, tr.opened, tr.opened
	tr.m.Open(tr.opened)
	tr.next = tr.m.Due(tr.now, tr.now, &tr.b, tr.salt)
	tr.latest = tr.next + 48*time.Hour
	return tr
}

// unit is a part of the shorter bound.
func (tr *trace) unit() time.Duration {
	d := 2 * week
	for _, bound := range []time.Duration{tr.b.Interval, tr.b.Timeout} {
		if bound > 0 {
			d = min(d, bound)
		}
	}
	return d / 8
}

func (tr *trace) watched() bool { return tr.b.Interval > 0 && tr.b.Timeout > 0 }

func (tr *trace) timeout() time.Duration {
	if tr.half {
		return tr.b.Timeout / 2
	}
	return tr.b.Timeout
}

// patience is how long an answer may take.
func (tr *trace) patience() time.Duration {
	t := tr.timeout().Seconds()
	srtt, rttvar := tr.m.RTT.Smoothed()
	if srtt == 0 {
		return tr.timeout() / 2
	}
	d := srtt.Seconds() + 4*rttvar.Seconds() + min(0.25, t/8)
	return time.Duration(min(max(d, min(1, t/4)), t/2) * 1e9)
}

// excused reports whether something speaks for the peer.
func (tr *trace) excused() bool {
	waiting := tr.m.State() != control.Alive && !tr.sight.Left
	return tr.sight.Paused || tr.sight.Unread || tr.sight.Progress || waiting
}

// must ends the test unless ok.
func (tr *trace) must(ok bool, what string) {
	if !ok {
		tr.t.Helper()
		tr.t.Fatalf("%v after the opening, with %v and %v: %s; the peer is %v, and this is to be seen: %+v",
			tr.now-tr.opened, tr.b.Interval, tr.b.Timeout, what, tr.m.State(), tr.sight)
	}
}

func (tr *trace) look() {
	before, missed := tr.m.State(), tr.m.Missed()
	evidence := before != control.Alive && tr.sight.Inbound >= tr.asked.Truncate(ms)
	s := control.Sight{Inbound: tr.sight.Inbound, Stalled: tr.sight.Stalled, Left: tr.sight.Left, LeftAt: tr.sight.LeftAt}
	step := tr.m.Look(tr.now, &tr.b, tr.salt, s)
	if step.Examine {
		tr.must(step == control.Step{Examine: true}, "nothing but a closer look")
		tr.must(!evidence, "there is nothing to examine")
		s = tr.sight
		s.Examined = true
		step = tr.m.Look(tr.now, &tr.b, tr.salt, s)
		tr.must(!step.Examine, "everything was to be seen")
	}
	if !step.Wake && !step.Verdict {
		tr.looks++
	}
	tr.next, tr.latest = step.Next, step.Next+48*time.Hour
	tr.edges(before, evidence, step)
	tr.count(missed, evidence, step)
	if step.Probe && step.Missed == 0 {
		tr.asking(before == control.Alive || evidence)
	}
	tr.must(!tr.hurry || tr.b.Interval < 0, "it was to be asked")
	if step.Suspect {
		tr.must(tr.sight.Left, "only a ping that has left is missed")
		tr.must(tr.now-max(tr.sight.LeftAt, tr.asked)+ms >= tr.patience(), "it is suspect too early")
	}
	if step.Missed > 0 && tr.b.Timeout > 0 {
		tr.must(!tr.sight.Paused && !tr.sight.Progress && !tr.sight.Unread, "there is an excuse")
		tr.misses++
	}
	if step.Missed > 0 && tr.b.Timeout < 0 {
		tr.asked = tr.now // each of them begins anew
	}
	if step.Wake {
		tr.must(tr.sight.Unread && !tr.sight.Paused, "there is nobody to wake")
	}
	if step.Verdict {
		tr.verdict(step)
	} else {
		tr.inTime()
	}
}

// edges checks the way from state to state, and what is said of it.
func (tr *trace) edges(before control.State, evidence bool, step control.Step) {
	after := tr.m.State()
	if tr.b.Interval < 0 {
		tr.must(step == control.Step{} && after == control.Alive, "nothing is ever due")
		return
	}
	tr.must(step.Next > tr.now, "the next look is later")
	switch {
	case before == control.Alive, evidence:
		tr.must(after == control.Alive && !step.Probe || after == control.Probing && step.Probe, "it is probed or not")
		tr.must(!step.Probe || !evidence || tr.hurry, "what just came is no reason to ask")
		tr.must(!step.Suspect && !step.Verdict && !step.Wake, "it lives")
	case step.Suspect:
		tr.must(before == control.Probing && after == control.Suspect && step.Missed > 0, "it becomes suspect")
	default:
		tr.must(before == after, "no reason to change")
	}
	tr.must(step.Recovered == (evidence && before == control.Suspect), "it recovers by evidence")
	if step.Recovered {
		tr.silence(step, tr.sight.Inbound-tr.silent)
	}
	tr.must(after != control.Suspect || tr.b.Timeout > 0, "without a timeout nobody is suspect")
}

// silence checks how long nothing is said to have come, which is not known
// exactly after weeks.
func (tr *trace) silence(step control.Step, want time.Duration) {
	off := step.Silence - want
	tr.must(max(off, -off) < ms || tr.now-tr.silent > 13*24*time.Hour, "the silence is wrong")
}

// count checks what is said of missing answers.
func (tr *trace) count(before int, evidence bool, step control.Step) {
	after := tr.m.Missed()
	switch {
	case step.Missed > 0:
		tr.must(!evidence && step.Probe && step.Missed == before+1 && step.Missed == after, "one more is missed")
	case evidence:
		tr.must(after == 0, "it is forgiven")
	default:
		tr.must(before == after, "bytes alone forgive")
	}
}

// asking checks that a round of pings had a reason to begin.
func (tr *trace) asking(wasAlive bool) {
	interval, refresh := tr.b.Interval*9/10-ms, max(tr.b.Interval, 5*time.Minute)*9/10-ms
	switch {
	case tr.hurry:
	case tr.rounds == 0:
		tr.must(tr.now-tr.opened >= min(time.Second-ms, interval), "the first ping is too early")
	default:
		silent := tr.now-max(tr.asked, tr.sight.Inbound) >= interval
		tr.must(silent || tr.now-tr.asked >= refresh, "there is no reason to ask")
	}
	tr.begin(tr.hurry)
	tr.rounds++
	if wasAlive {
		tr.silent = tr.sight.Inbound
	}
}

// begin notes a ping that begins a round.
func (tr *trace) begin(half bool) {
	tr.asked, tr.half, tr.misses, tr.hurry = tr.now, half, 0, false
	tr.still, tr.frozen = tr.sight.Stalled, tr.sight.Stalled
	tr.sight.Left, tr.sight.LeftAt = !tr.stuck, tr.now
}

// verdict checks that nothing speaks for the peer: above all, that no byte came
// inside the timeout. Then it does one of the things that may be done.
func (tr *trace) verdict(step control.Step) {
	timeout := tr.timeout()
	tr.must(tr.watched() && tr.m.State() == control.Suspect && tr.misses > 0, "it is suspect first")
	tr.must(!tr.excused(), "there is an excuse")
	tr.must(tr.now-tr.sight.Inbound+ms > timeout, "bytes came inside the timeout")
	tr.must(tr.now-tr.sight.LastData+ms >= timeout, "bytes came to the kernel inside the timeout")
	forgiven := min(tr.sight.Stalled-tr.frozen, timeout)
	tr.must(tr.now-max(tr.sight.LeftAt, tr.asked)+2*ms >= timeout+forgiven, "it is dead too early")
	tr.silence(step, tr.now-tr.silent)
	tr.verdicts++
	tr.calm = tr.now
	missed := tr.m.Missed()
	switch tr.ruling % 4 {
	case 0, 1:
		tr.m.Retry(tr.now, tr.sight.Stalled)
		tr.must(tr.m.Retried(), "it has its chance")
		tr.begin(true)
		tr.next = tr.now + tr.tick
	case 2:
		by := min(tr.unit()*time.Duration(tr.ruling), week)
		tr.m.PutOff(by)
		tr.next = tr.now + min(max(by, tr.tick), tr.b.Interval)
		tr.calm = tr.now + by
	}
	tr.must(missed == tr.m.Missed(), "bytes alone forgive")
}

// inTime checks that a peer for which nothing speaks is dead by now if it must be.
func (tr *trace) inTime() {
	if tr.excused() {
		tr.calm = max(tr.calm, tr.now)
	}
	worst, ok := tr.b.Worst(tr.tick)
	if tr.m.State() != control.Alive {
		worst += min(tr.sight.Stalled-tr.still, tr.b.Timeout)
	}
	tr.must(!ok || tr.now-tr.calm <= worst+3*ms, "it should be dead")
	if tr.m.State() != control.Alive && tr.sight.Inbound < tr.asked.Truncate(ms) {
		most := tr.timeout() + min(tr.sight.Stalled-tr.still, tr.timeout()) + 2*tr.tick
		tr.must(!ok || tr.now-max(tr.calm, tr.asked) <= most+3*ms, "it should be dead, as it was asked")
	}
}

// busy checks that it is not looked at more often than it takes, but for the
// ticks in which somebody is to read, or in which a verdict stands.
func (tr *trace) busy(events int) {
	least := min(time.Second, tr.b.Timeout/8, tr.b.Interval*8/10)
	tr.must(!tr.watched() || tr.looks <= 50+40*events+2*int(tr.passed/least), "it is looked at too often")
}
