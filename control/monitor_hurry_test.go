package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

func TestHurryAsksAtOnceAndWaitsHalfTheTimeout(t *testing.T) {
	for _, c := range []struct {
		name  string
		until func(w *watched)
		state control.State
		want  []string
	}{
		{"before the first ping", func(w *watched) { w.run(100 * ms) }, control.Alive,
			[]string{"0s ping", "2s missed 1", "2s suspect", "4s dead"}},
		{"while it is alive", func(w *watched) { w.ask(); w.hear(); w.to(time.Second) }, control.Alive,
			[]string{"0s ping", "2s missed 1", "2s suspect", "4s dead"}},
		{"while an answer is missing", func(w *watched) { w.ask(); w.to(time.Second) }, control.Probing,
			[]string{"0s ping", "2s missed 1", "2s suspect", "4s dead"}},
		{"while a ping has not left", func(w *watched) { w.stuck = true; w.ask(); w.to(time.Second); w.stuck = false }, control.Probing,
			[]string{"0s ping", "2s missed 1", "2s suspect", "4s dead"}},
		{"while it is suspect", func(w *watched) { w.ask(); w.to(5 * time.Second) }, control.Suspect,
			[]string{"0s ping", "2s missed 2", "4s dead"}},
		{"after the verdict", func(w *watched) { w.ask(); w.to(8 * time.Second) }, control.Suspect,
			[]string{"0s ping", "2s missed 2", "4s dead"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watch(t, 0, 10*time.Second, 8*time.Second)
			c.until(w)
			require.Equal(t, c.state, w.State())
			require.False(t, w.Hurried())
			w.rest()
			w.Hurry()
			require.True(t, w.Hurried())
			require.Equal(t, c.state, w.State())
			missed := w.Missed()
			w.look()
			require.False(t, w.Hurried())
			require.Equal(t, max(c.state, control.Probing), w.State())
			require.Equal(t, missed, w.Missed(), "bytes alone forgive")
			w.to(4 * time.Second)
			require.Equal(t, c.want, w.rest())

			// Once it was heard it has all of the timeout again.
			w.hear()
			w.ask()
			w.to(8 * time.Second)
			require.Equal(t, []string{"4s missed 1", "4s suspect", "8s dead"}, w.rest())
		})
	}
}

func TestHurryLeavesANearPeerLittleTime(t *testing.T) {
	w := watch(t, 0, 10*time.Second, 8*time.Second).steady(ms)
	w.now += 100 * ms
	w.Hurry()
	w.look()
	w.rest()
	w.to(4 * time.Second)
	require.Equal(t, []string{"1s missed 1", "1s suspect", "2s missed 2", "4s dead"}, w.rest())
}

func TestBytesThatCameBeforeDoNotCallAHurryOff(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 5 * time.Second} {
		w := asked(t, 10*time.Second, 8*time.Second)
		w.to(after)
		suspect := w.State() == control.Suspect
		require.Equal(t, after > 4*time.Second, suspect)
		w.sight.Inbound = w.now
		w.Hurry()
		step := w.look()
		require.True(t, step.Probe, "what came before says nothing of now")
		require.Equal(t, suspect, step.Recovered)
		require.Equal(t, control.Probing, w.State())
		require.Zero(t, w.Missed())
		require.False(t, w.Hurried())
		w.rest()
		w.now += ms
		w.to(4 * time.Second)
		require.Equal(t, control.Alive, w.State(), "bytes of the same moment are an answer")
	}
}

func TestHurryIsOnceAndNotMore(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.hear()
	w.Hurry()
	w.Hurry()
	pings := w.pings
	w.look()
	w.now += ms
	w.hear()
	require.Equal(t, pings+1, w.pings)
	require.Equal(t, control.Alive, w.State())
	require.False(t, w.Hurried())
}

func TestRetryGivesOneMoreChance(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	require.False(t, w.Retried())
	w.to(8 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect", "8s dead"}, w.rest())
	require.False(t, w.Retried())

	w.Retry(w.now, w.sight.Stalled)
	require.True(t, w.Retried())
	require.Equal(t, control.Suspect, w.State())
	require.Equal(t, 1, w.Missed())
	require.Empty(t, w.rest())
	w.sight.Left = false
	w.to(20 * time.Second)
	require.Empty(t, w.rest(), "it has not left")
	w.sight.Left, w.sight.LeftAt = true, w.now
	w.to(24 * time.Second)
	require.Equal(t, []string{"22s missed 2", "24s dead"}, w.rest(), "half the timeout, and suspect it was before")
	require.True(t, w.Retried())

	step := w.hear()
	require.True(t, step.Recovered)
	require.False(t, w.Retried())
	w.ask()
	w.to(8 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect", "8s dead"}, w.rest(), "later it is as it was")
	require.False(t, w.Retried())
}

func TestRetryForgivesAStallAnew(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.Stalled = time.Hour
	w.to(24 * time.Second)
	w.rest()
	w.Retry(w.now, w.sight.Stalled)
	w.sight.LeftAt = w.now
	at := w.now - w.zero
	w.to(at + time.Second)
	w.sleep(time.Second)
	w.to(at + 6*time.Second)
	require.Equal(t, []string{"27s missed 2", "29s dead", "29.1s dead"}, w.rest()[:3])
}
