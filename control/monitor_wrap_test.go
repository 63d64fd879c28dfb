package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// wrap is when the milliseconds of a monitor have been counted to the end.
const wrap = (1 << 32) * ms

func TestMillisecondsWrapAroundAndNothingHappens(t *testing.T) {
	plain := func(at time.Duration) (log []string) {
		w := watch(t, at, 10*time.Second, 8*time.Second)
		w.ask()
		w.log = append(w.log, fmt.Sprint(w.zero-at > time.Second, w.zero-at < 2002*ms))
		w.to(6 * time.Second)
		w.hear()
		w.ask()
		w.to(7 * time.Second)
		w.sight.Inbound = w.zero // an answer that nobody told of
		w.ask()
		w.now += 500 * ms
		w.Hurry()
		w.look()
		w.to(4 * time.Second)
		w.Retry(w.now, w.sight.Stalled)
		w.zero, w.sight.LeftAt = w.now, w.now
		w.to(4 * time.Second)
		w.PutOff(time.Second)
		w.next = w.now + time.Second
		w.to(5 * time.Second)
		return w.log
	}
	want := plain(0)
	require.Contains(t, want, "5s dead")
	for before := time.Duration(0); before < 70*time.Second; before += 777 * ms {
		for _, end := range []time.Duration{wrap / 2, wrap, 2 * wrap, 100 * wrap} {
			require.Equal(t, want, plain(end-before), "%v before %v", before, end)
		}
	}
}

func TestAConnectionMayLiveForYears(t *testing.T) {
	for _, interval := range []time.Duration{25 * time.Second, week} {
		w := watch(t, wrap-time.Second, interval, 8*time.Second)
		for w.now < 3*wrap {
			w.ask()
			w.now += 40 * ms
			w.hear()
			require.Equal(t, control.Alive, w.State())
			require.LessOrEqual(t, w.next-w.now, interval+interval/10)
			w.log = nil
			if interval < week {
				w.now += 5 * 24 * time.Hour // of talking, in which it was not looked at
				w.sight.Inbound = w.now - ms
			}
		}
		w.ask()
		w.to(8 * time.Second)
		require.Equal(t, []string{"4s missed 1", "4s suspect", "8s dead"}, w.rest())
	}
}

// The answer to a ping may be missing for weeks, and that is no death. What
// comes then is evidence of life all the same, and what does not is none.
func TestAnAnswerMayBeMissingForMonths(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    func(w *watched)
		unset  func(w *watched)
		state  control.State
		missed bool
	}{
		{"the application does not read", func(w *watched) { w.sight.Paused = true }, func(w *watched) { w.sight.Paused = false }, control.Probing, false},
		{"the ping does not leave", func(w *watched) { w.sight.Left = false }, func(w *watched) { w.leave() }, control.Probing, false},
		{"the peer takes output", func(w *watched) { w.to(30 * time.Minute); w.sight.Progress = true }, func(w *watched) { w.sight.Progress = false }, control.Suspect, true},
	} {
		for _, days := range []time.Duration{1, 13, 15, 24, 25, 26, 40, 49, 50, 51, 75, 100} {
			t.Run(fmt.Sprintf("%s for %d days", c.name, days), func(t *testing.T) {
				for _, answered := range []bool{true, false} {
					w := asked(t, 30*time.Minute, time.Hour)
					asked := w.zero
					c.set(w)
					require.Equal(t, c.state, w.State())
					w.run(w.now + days*24*time.Hour)
					require.Equal(t, c.state, w.State())
					require.Equal(t, c.missed, w.Missed() > 0)
					w.rest()
					c.unset(w)
					if answered {
						w.now += ms
						step := w.hear()
						require.Equal(t, c.state == control.Suspect, step.Recovered)
						require.Equal(t, control.Alive, w.State())
						if step.Recovered {
							require.GreaterOrEqual(t, step.Silence, min(14*24*time.Hour, w.now-asked))
							require.LessOrEqual(t, step.Silence, w.now)
						}
						continue
					}
					for until := w.now + 2*time.Hour; len(w.log) == 0 || !strings.HasSuffix(w.log[len(w.log)-1], "dead"); {
						require.Less(t, w.now, until)
						w.run(w.now + time.Second)
					}
				}
			})
		}
	}
}
