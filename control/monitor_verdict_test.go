package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// steady has the peer's round trips all been the same, with no variance left.
func (w *watched) steady(rtt time.Duration) *watched {
	for range 200 {
		w.RTT.Sample(rtt, w.now)
	}
	return w
}

func TestSilenceLeadsToSuspicionAndDeath(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		rtt     time.Duration // 0: never measured
		want    []string
	}{
		{"nothing measured", 8 * time.Second, 0,
			[]string{"4s missed 1", "4s suspect", "8s dead"}},
		{"a near peer is given a second", 8 * time.Second, 100 * time.Microsecond,
			[]string{"1s missed 1", "1s suspect", "2s missed 2", "4s missed 3", "8s dead"}},
		{"a near peer and a short timeout: a quarter", 2 * time.Second, 100 * time.Microsecond,
			[]string{"500ms missed 1", "500ms suspect", "1s missed 2", "2s dead"}},
		{"a peer at 1.75 s: that and 250 ms", 20 * time.Second, 1750 * ms,
			[]string{"2s missed 1", "2s suspect", "4s missed 2", "8s missed 3", "16s missed 4", "20s dead"}},
		{"a peer at 500 ms and a timeout of 1.6 s: that and an eighth", 1600 * ms, 500 * ms,
			[]string{"700ms missed 1", "700ms suspect", "1.4s missed 2", "1.6s dead"}},
		{"a far peer: half the timeout", 8 * time.Second, time.Minute,
			[]string{"4s missed 1", "4s suspect", "8s dead"}},
		{"the defaults and a near peer", 20 * time.Second, ms,
			[]string{"1s missed 1", "1s suspect", "2s missed 2", "4s missed 3", "8s missed 4", "16s missed 5", "20s dead"}},
		{"the shortest timeout", 10 * ms, 0,
			[]string{"5ms missed 1", "5ms suspect", "10ms dead"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := asked(t, 25*time.Second, c.timeout)
			if c.rtt > 0 {
				w.steady(c.rtt)
				w.hear()
				w.ask()
			}
			w.to(c.timeout)
			require.Equal(t, c.want, w.rest())
			require.Equal(t, control.Suspect, w.State())
			require.Equal(t, (len(c.want)-2)*1, w.Missed())
			require.LessOrEqual(t, w.looks, 14)
		})
	}
}

func TestTheAnswerMayTakeAsLongAsThoseBeforeTookAndSomeMore(t *testing.T) {
	for _, timeout := range []time.Duration{40 * ms, 800 * ms, 4 * time.Second, 20 * time.Second, time.Hour} {
		for _, samples := range [][]time.Duration{
			nil, {ms}, {40 * ms}, {300 * ms}, {time.Second}, {3 * time.Second}, {40 * ms, 80 * ms, 20 * ms}, {time.Minute, ms, ms, ms},
		} {
			t.Run(fmt.Sprint(timeout, samples), func(t *testing.T) {
				w := watch(t, 0, 25*time.Second, timeout)
				for _, s := range samples {
					w.RTT.Sample(s, 0)
				}
				want := timeout / 2
				if len(samples) > 0 {
					srtt, rttvar := w.RTT.Smoothed()
					want = srtt + 4*rttvar + min(250*ms, timeout/8)
					want = min(max(want, min(time.Second, timeout/4)), timeout/2)
				}
				w.ask()
				due := w.zero + want
				w.now = due - 1
				require.Equal(t, control.Step{Next: min(due, w.now+25*time.Second)}, w.look(), "not yet")
				require.Equal(t, control.Probing, w.State())
				w.now = due
				step := w.look()
				require.True(t, step.Suspect)
				require.True(t, step.Probe)
				require.Equal(t, 1, step.Missed)
				require.Equal(t, due, step.Silence, "since the opening")
				require.Equal(t, control.Suspect, w.State())
			})
		}
	}
}

func TestTheVerdictComesAtTheTimeoutAndNotBefore(t *testing.T) {
	for _, timeout := range []time.Duration{10 * ms, time.Second, 20 * time.Second, week} {
		t.Run(fmt.Sprint(timeout), func(t *testing.T) {
			w := asked(t, 25*time.Second, timeout)
			w.to(timeout / 2)
			require.Equal(t, control.Suspect, w.State())
			w.now = w.zero + timeout - 1
			require.Equal(t, control.Step{Next: w.zero + timeout}, w.look())
			w.now++
			step := w.look()
			require.Equal(t, control.Step{Verdict: true, Silence: w.now, Next: w.now + w.bounds.Tick()}, step)
			require.Equal(t, 1, w.Missed())

			w.now = step.Next
			require.True(t, w.look().Verdict, "as long as nothing comes")
			w.now++
			require.True(t, w.hear().Recovered)
		})
	}
}

func TestAPeerThatAnswersLateHasRecovered(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	before := w.zero
	w.hear() // at the very moment of the ping
	w.ask()
	heard := w.zero - before
	w.to(7 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect"}, w.rest())

	// The bytes came some time before the look.
	w.sight.Inbound = w.now - 200*ms
	step := w.look()
	require.True(t, step.Recovered)
	require.Equal(t, heard+6800*ms, step.Silence, "from the last bytes before to the first after")
	require.Equal(t, control.Alive, w.State())
	require.Zero(t, w.Missed())
	require.Greater(t, step.Next, w.now)
	require.False(t, step.Probe)

	w.ask()
	w.to(4 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect"}, w.rest(), "and is suspect again when it has a reason to be")
}

func TestSilenceIsThatOfThePeer(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.now += 123 * ms
	w.hear()
	heard := w.now
	w.ask()
	w.to(4*time.Second - ms)
	w.now += ms
	step := w.look()
	require.True(t, step.Suspect)
	require.Equal(t, w.now-heard, step.Silence)
	w.to(8*time.Second - ms)
	w.now += ms
	step = w.look()
	require.True(t, step.Verdict)
	require.Equal(t, w.now-heard, step.Silence)
}

func TestAPeerIsSuspectBeforeItIsDeadHoweverLateTheLook(t *testing.T) {
	for _, late := range []time.Duration{5 * time.Second, 8 * time.Second, time.Minute, week} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			w := asked(t, 10*time.Second, 8*time.Second)
			w.now += late
			step := w.look()
			require.True(t, step.Suspect)
			require.True(t, step.Probe)
			require.False(t, step.Verdict)
			require.Greater(t, step.Next, w.now)
			w.run(w.zero + max(late+10*ms, 8*time.Second))
			require.Contains(t, w.log[len(w.log)-1], "dead")
		})
	}
}

func TestBytesBeforeTheVerdictPreventIt(t *testing.T) {
	for after := 100 * ms; after < 8*time.Second; after += 100 * ms {
		w := watch(t, 0, 10*time.Second, 8*time.Second).steady(ms)
		w.ask()
		w.to(after)
		w.sight.Inbound = w.now // which the monitor sees at its next look
		w.ask()
		require.NotContains(t, w.log, "dead")
		require.Less(t, w.now-w.sight.Inbound, 11*time.Second+2*ms, "and a dead peer is still found in time")
		w.to(8 * time.Second)
		require.Contains(t, w.rest(), "8s dead")
	}
}

func TestDetectionTakesNoLongerThanTheWorst(t *testing.T) {
	for _, c := range []struct{ interval, timeout time.Duration }{
		{0, 0}, {time.Second, time.Second}, {10 * ms, 10 * ms}, {25 * time.Second, time.Second}, {time.Second, time.Minute}, {week, 10 * ms},
	} {
		t.Run(fmt.Sprint(c.interval, c.timeout), func(t *testing.T) {
			for salt := range uint32(200) {
				b := settled(t, c.interval, c.timeout)
				tick := b.Tick()
				worst, ok := b.Worst(tick)
				require.True(t, ok)
				var m control.Monitor
				m.Open(0)
				s := control.Sight{Examined: true}
				alive := time.Duration(salt) * b.Interval / 70 // 0 to 3 intervals
				for now := m.Due(0, 0, &b, salt); ; {
					now = (now + tick - 1).Truncate(tick) + tick - 1 // late by up to a tick
					if now <= alive {
						s.Inbound = now
					}
					step := m.Look(now, &b, salt, s)
					if step.Verdict {
						require.LessOrEqual(t, now-s.Inbound, worst+ms)
						require.Greater(t, now-s.Inbound, b.Timeout-ms)
						break
					}
					if step.Probe && step.Missed == 0 {
						s.Left, s.LeftAt = true, now
					}
					now = step.Next
				}
			}
		})
	}
}

// With a timeout much longer than the interval, bytes of which nobody told the
// monitor must not be found out about too late.
func TestAPeerThatDiesSoonAfterItWasHeardIsFoundInTime(t *testing.T) {
	for after := ms; after < time.Minute; after += 700 * ms {
		w := asked(t, time.Second, time.Minute)
		w.to(after)
		w.sight.Inbound = w.now
		w.log = nil
		for len(w.log) == 0 || !strings.HasSuffix(w.log[len(w.log)-1], "dead") {
			w.run(w.now + 50*ms)
			require.LessOrEqual(t, w.now-w.sight.Inbound, 61200*ms)
		}
	}
}

func TestAVerdictStandsForMonths(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.to(8 * time.Second)
	for range 40 {
		w.now += 5 * 24 * time.Hour
		require.True(t, w.look().Verdict)
	}
	require.True(t, w.hear().Recovered)
}
