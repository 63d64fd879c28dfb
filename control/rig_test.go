package control_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// watched is a connection with a monitor, a driver as simple as can be, and
// what there is to see.
type watched struct {
	control.Monitor
	t      testing.TB
	bounds control.Bounds
	salt   uint32
	now    time.Duration
	next   time.Duration // when the monitor wants to look
	stuck  bool          // what is sent does not leave
	sight  control.Sight
	zero   time.Duration // what the log counts from: the last ping that asked anew
	log    []string
	pings  int
	looks  int
	exams  int
}

// watch opens a connection at a time, a multiple of 1 ms.
func watch(t testing.TB, at, interval, timeout time.Duration) *watched {
	w := &watched{t: t, bounds: settled(t, interval, timeout), salt: 7, now: at}
	w.sight.Inbound = at
	w.Open(at)
	w.next = w.Due(at, at, &w.bounds, w.salt)
	return w
}

// asked is watch up to the first ping.
func asked(t testing.TB, interval, timeout time.Duration) *watched {
	w := watch(t, 0, interval, timeout)
	w.ask()
	return w
}

// ask goes on to the next ping that begins a round.
func (w *watched) ask() {
	w.t.Helper()
	for zero := w.zero; w.zero == zero; {
		require.NotZero(w.t, w.next)
		w.run(max(w.next, w.now).Truncate(ms) + ms)
	}
	w.log = nil
}

// look looks once, and again if there is more to see.
func (w *watched) look() control.Step {
	w.t.Helper()
	w.looks++
	s := control.Sight{Inbound: w.sight.Inbound, Stalled: w.sight.Stalled, Left: w.sight.Left, LeftAt: w.sight.LeftAt}
	before := w.State()
	step := w.Look(w.now, &w.bounds, w.salt, s)
	if step.Examine {
		require.Equal(w.t, control.Step{Examine: true}, step)
		require.Equal(w.t, before, w.State())
		w.exams++
		s = w.sight
		s.Examined = true
		step = w.Look(w.now, &w.bounds, w.salt, s)
		require.False(w.t, step.Examine, "everything was to be seen")
	}
	if step.Probe {
		w.pings++
		if step.Missed == 0 {
			w.zero = w.now
			w.sight.Left, w.sight.LeftAt = !w.stuck, w.now
		}
	}
	if w.bounds.Interval > 0 {
		require.Greater(w.t, step.Next, w.now, "the next look is later")
	}
	w.next = step.Next
	w.note(step)
	return step
}

func (w *watched) note(step control.Step) {
	at := w.now - w.zero
	add := func(format string, args ...any) {
		w.log = append(w.log, at.String()+" "+fmt.Sprintf(format, args...))
	}
	if step.Recovered {
		add("recovered after %v", step.Silence)
	}
	if step.Missed > 0 {
		add("missed %d", step.Missed)
	} else if step.Probe {
		add("ping")
	}
	if step.Suspect {
		add("suspect")
	}
	if step.Wake {
		add("wake")
	}
	if step.Verdict {
		add("dead")
	}
}

// run looks whenever the monitor wants to, up to a time: at whole milliseconds,
// as a clock would.
func (w *watched) run(until time.Duration) {
	w.t.Helper()
	for w.next > 0 {
		at := w.next
		if r := at % ms; r > 0 {
			at += ms - r
		}
		if at = max(at, w.now); at > until {
			break
		}
		w.now = at
		w.look()
	}
	w.now = max(w.now, until)
}

// to runs to a time after the last ping that began a round.
func (w *watched) to(after time.Duration) {
	w.t.Helper()
	w.run(w.zero + after)
}

// hear has bytes come now.
func (w *watched) hear() control.Step {
	w.t.Helper()
	w.sight.Inbound = w.now
	return w.look()
}

// sleep has this process stand still.
func (w *watched) sleep(d time.Duration) {
	w.now += d
	w.sight.Stalled += d
}

// leave has the ping that waits leave now.
func (w *watched) leave() { w.stuck, w.sight.Left, w.sight.LeftAt = false, true, w.now }

// rest is what was noted since the last call.
func (w *watched) rest() (log []string) {
	log, w.log = w.log, nil
	return log
}
