package control_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	stuck  bool // what is sent does not leave
	looks  int
	budget time.Duration // what the looks may be spread over

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

func (tr *trace) look() {
	tr.looks++
	before, missed := tr.m.State(), tr.m.Missed()
	evidence := before != control.Alive && tr.sight.Inbound >= tr.asked.Truncate(ms)
	s := control.Sight{Inbound: tr.sight.Inbound, Stalled: tr.sight.Stalled, Left: tr.sight.Left, LeftAt: tr.sight.LeftAt}
	step := tr.m.Look(tr.now, &tr.b, tr.salt, s)
	if step.Examine {
		require.Equal(tr.t, control.Step{Examine: true}, step)
		require.False(tr.t, evidence)
		s = tr.sight
		s.Examined = true
		step = tr.m.Look(tr.now, &tr.b, tr.salt, s)
	}
	require.False(tr.t, step.Examine)
	tr.next, tr.latest = step.Next, step.Next+48*time.Hour
	tr.edges(before, evidence, step)
	tr.count(missed, evidence, step)
	if step.Probe && step.Missed == 0 {
		tr.asking(before == control.Alive || evidence)
	}
	if step.Suspect {
		require.True(tr.t, tr.sight.Left)
		require.GreaterOrEqual(tr.t, tr.now-max(tr.sight.LeftAt, tr.asked)+ms, tr.patience())
	}
	if step.Missed > 0 && tr.b.Timeout > 0 {
		require.False(tr.t, tr.sight.Paused || tr.sight.Progress || tr.sight.Unread)
		tr.misses++
	}
	if step.Wake {
		require.True(tr.t, tr.sight.Unread && !tr.sight.Paused)
	}
	if step.Verdict {
		tr.verdict(step)
	} else {
		tr.inTime()
	}
}

// edges checks the way from state to state, and what is said of it.
func (tr *trace) edges(before control.State, evidence bool, step control.Step) {
	t, after := tr.t, tr.m.State()
	if tr.b.Interval < 0 {
		require.Zero(t, step)
		require.Equal(t, control.Alive, after)
		return
	}
	require.Greater(t, step.Next, tr.now)
	switch {
	case before == control.Alive, evidence:
		require.Contains(t, []control.State{control.Alive, control.Probing}, after)
		require.Equal(t, after == control.Probing, step.Probe)
		require.True(t, !step.Probe || !evidence || tr.hurry, "what just came is no reason to ask")
		require.False(t, step.Suspect || step.Verdict || step.Wake)
	case step.Suspect:
		require.Equal(t, control.Probing, before)
		require.Equal(t, control.Suspect, after)
		require.Positive(t, step.Missed)
	default:
		require.Equal(t, before, after)
	}
	require.Equal(t, evidence && before == control.Suspect, step.Recovered)
	if silence := tr.sight.Inbound - tr.silent; step.Recovered && tr.now-tr.silent < 13*24*time.Hour {
		require.InDelta(t, silence, step.Silence, float64(ms))
	}
	if tr.b.Timeout < 0 {
		require.NotEqual(t, control.Suspect, after)
	}
}

// count checks what is said of missing answers.
func (tr *trace) count(before int, evidence bool, step control.Step) {
	after := tr.m.Missed()
	switch {
	case step.Missed > 0:
		require.False(tr.t, evidence)
		require.True(tr.t, step.Probe)
		require.Equal(tr.t, before+1, step.Missed)
		require.Equal(tr.t, step.Missed, after)
	case evidence:
		require.Zero(tr.t, after)
	default:
		require.Equal(tr.t, before, after, "bytes alone forgive")
	}
}

// asking checks that a round of pings had a reason to begin.
func (tr *trace) asking(wasAlive bool) {
	interval, refresh := tr.b.Interval*9/10-ms, max(tr.b.Interval, 5*time.Minute)*9/10-ms
	switch {
	case tr.hurry:
	case tr.rounds == 0:
		require.GreaterOrEqual(tr.t, tr.now-tr.opened, min(time.Second-ms, interval))
	default:
		require.True(tr.t, tr.now-max(tr.asked, tr.sight.Inbound) >= interval || tr.now-tr.asked >= refresh)
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
// inside the timeout.
func (tr *trace) verdict(step control.Step) {
	t, timeout := tr.t, tr.timeout()
	require.True(t, tr.watched())
	require.Equal(t, control.Suspect, tr.m.State())
	require.Positive(t, tr.misses)
	require.False(t, tr.excused())
	require.Greater(t, tr.now-tr.sight.Inbound+ms, timeout)
	require.GreaterOrEqual(t, tr.now-tr.sight.LastData+ms, timeout)
	forgiven := min(tr.sight.Stalled-tr.frozen, timeout)
	require.GreaterOrEqual(t, tr.now-max(tr.sight.LeftAt, tr.asked)+2*ms, timeout+forgiven)
	if silence := tr.now - tr.silent; silence < 13*24*time.Hour {
		require.InDelta(t, silence, step.Silence, float64(ms))
	}
	tr.calm = tr.now
}

// inTime checks that a peer for which nothing speaks is dead by now if it must be.
func (tr *trace) inTime() {
	if tr.excused() {
		tr.calm = tr.now
	}
	worst, ok := tr.b.Worst(tr.tick)
	if !ok {
		return
	}
	if tr.m.State() != control.Alive {
		worst += min(tr.sight.Stalled-tr.still, tr.b.Timeout)
	}
	require.LessOrEqual(tr.t, tr.now-tr.calm, worst+3*ms)
}

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
	tr.budget += tr.now - from
}

func (tr *trace) hear() { tr.sight.Inbound, tr.calm = tr.now, tr.now }

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
		tr.calm = tr.now
	case 9: // nobody has the time to look
		tr.now += tr.late(some)
		tr.calm = tr.now
	case 10:
		tr.sight.Paused = !tr.sight.Paused
	case 11:
		tr.sight.Unread = !tr.sight.Unread
	case 12:
		tr.sight.Progress = !tr.sight.Progress
	case 13:
		tr.sight.LastData, tr.calm = tr.now, tr.now
	case 14:
		if tr.watched() {
			tr.hurried()
			tr.calm = tr.now
		}
	case 15: // somebody looks, for whatever reason
		tr.now += some % (3 * ms)
		tr.sentence(arg)
	}
	if tr.excused() {
		tr.calm = tr.now
	}
}

func (tr *trace) hurried() {
	tr.m.Hurry()
	tr.hurry, tr.next = true, max(tr.now, 1)
}

// sentence looks, and does what a driver may do about a verdict.
func (tr *trace) sentence(arg byte) {
	looks := tr.looks
	for tr.watched() && tr.looks < looks+40 {
		if tr.calm = tr.now; tr.m.State() != control.Suspect || tr.excused() {
			break
		}
		tr.now = max(tr.next, tr.now)
		tr.calm = tr.now
		before := tr.m.Missed()
		step := tr.m.Look(tr.now, &tr.b, tr.salt, tr.full())
		if tr.looks++; tr.m.State() != control.Suspect || step.Probe && step.Missed == 0 {
			tr.t.Skip("what comes meanwhile is for the other events")
		}
		if tr.next = step.Next; step.Missed > 0 {
			tr.misses++
		}
		if !step.Verdict {
			continue
		}
		tr.verdict(step)
		switch arg % 3 {
		case 0:
			tr.m.Retry(tr.now, tr.sight.Stalled)
			require.True(tr.t, tr.m.Retried())
			tr.begin(true)
			tr.next = tr.now + tr.tick
		case 1:
			by := min(tr.unit()*time.Duration(arg), week)
			tr.m.PutOff(by)
			tr.now += by
			tr.calm, tr.next = tr.now, tr.now
		}
		require.Equal(tr.t, before, tr.m.Missed())
		return
	}
}

func (tr *trace) full() control.Sight {
	s := tr.sight
	s.Examined = true
	return s
}

// finish lets the peer die, with nothing that speaks for it.
func (tr *trace) finish() {
	tr.sight.Paused, tr.sight.Unread, tr.sight.Progress = false, false, false
	if tr.stuck {
		tr.happen(7, 0)
	}
	tr.calm = tr.now
	if !tr.watched() {
		tr.advance(10 * tr.unit())
		return
	}
	for verdicts, looks := 0, 0; verdicts == 0; looks++ {
		require.Less(tr.t, looks, 4000)
		tr.now = max(tr.next, tr.now)
		calm := tr.calm
		tr.look()
		if tr.calm > calm {
			verdicts++
		}
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
			if tr.watched() {
				// By the tick while bytes lie unread or a verdict stands, and else
				// by the patience or the interval.
				require.LessOrEqual(t, tr.looks, 50+45*(i/2+1)+2*int(tr.budget/tr.tick))
			}
		}
		tr.finish()
	})
}
