package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

func TestAPingThatHasNotLeftIsNotMissed(t *testing.T) {
	w := watch(t, 0, 10*time.Second, 8*time.Second)
	w.stuck = true
	w.ask()
	w.to(10 * time.Minute)
	require.Empty(t, w.rest(), "only the output's own progress counts")
	require.Equal(t, control.Probing, w.State())
	require.Zero(t, w.exams)
	require.Less(t, w.looks, 160, "a look every half timeout")

	w.leave()
	left := w.now - w.zero
	w.to(left + 8*time.Second)
	require.Equal(t, []string{
		(left + 4*time.Second).String() + " missed 1", (left + 4*time.Second).String() + " suspect", (left + 8*time.Second).String() + " dead",
	}, w.rest(), "its clock starts when it has left")
}

func TestAPingThatLeftBeforeItWasAskedForCountsFromThen(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.LeftAt = w.zero - 5*time.Second // one of the application's, which served as well
	w.to(8 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect", "8s dead"}, w.rest())
}

func TestAStallOfThisProcessIsNoSilenceOfThePeers(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    time.Duration // when it stands still
		stall time.Duration
		want  []string
	}{
		{"before the suspicion", time.Second, 3 * time.Second, []string{"7s missed 1", "7s suspect", "11s dead"}},
		{"over it", 3 * time.Second, 3 * time.Second, []string{"7s missed 1", "7s suspect", "11s dead"}},
		{"after it", 5 * time.Second, 2 * time.Second, []string{"4s missed 1", "4s suspect", "10s dead"}},
		{"over the verdict", 7 * time.Second, 3 * time.Second, []string{"4s missed 1", "4s suspect", "11s dead"}},
		{"for as long as counts", time.Second, 8 * time.Second, []string{"12s missed 1", "12s suspect", "16s dead"}},
		{"for longer than counts", time.Second, 10 * time.Second, []string{"12s missed 1", "12s suspect", "16s dead"}},
		{"for so long that the verdict is late", time.Second, 30 * time.Second, []string{"31s missed 1", "31s suspect", "31.001s dead"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := asked(t, 10*time.Second, 8*time.Second)
			w.sight.Stalled = 77 * time.Hour // before the ping: of no account
			w.hear()
			w.ask()
			w.to(c.at)
			w.sleep(c.stall)
			w.to(32 * time.Second)
			require.Equal(t, c.want, w.rest()[:3])
		})
	}
}

func TestManyShortStallsShiftTheVerdictByOneTimeoutAtMost(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	for range 100 {
		w.to(w.now - w.zero + 500*ms)
		w.sleep(500 * ms)
	}
	require.Contains(t, w.rest(), "16s dead")
}

func TestBytesThatNobodyHasReadWakeAReader(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.Unread = true
	w.to(4 * time.Second)
	require.Equal(t, []string{"4s wake"}, w.rest())
	require.Equal(t, control.Probing, w.State())
	require.Equal(t, w.now+w.bounds.Tick(), w.next)
	w.to(time.Minute)
	require.Less(t, w.looks, 600, "once a tick")
	for _, line := range w.rest() {
		require.Contains(t, line, "wake")
	}
	step := w.hear()
	require.False(t, step.Recovered, "it was not even suspect")
	require.Equal(t, control.Alive, w.State())

	w.ask()
	w.sight.Unread = false
	w.to(7 * time.Second)
	w.sight.Unread = true
	w.to(8 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect", "8s wake"}, w.rest(), "also before the verdict")
}

func TestBytesThatCameToTheKernelStartTheSilenceAnew(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.LastData = w.zero - ms
	w.to(4 * time.Second)
	require.Equal(t, []string{"4s missed 1", "4s suspect"}, w.rest(), "what came before the ping says nothing")
	w.to(6 * time.Second)
	w.sight.LastData = w.now
	w.to(20 * time.Second)
	require.Equal(t, []string{"14s dead"}, w.rest()[:1])
	require.Less(t, w.exams, 100)
}

// What the kernel says of the last bytes is coarse, so that the same ones seem
// to come a little earlier or later each time.
func TestBytesThatCameOnceDoNotPutTheVerdictOffForever(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	came := w.zero + 2*time.Second
	for i := range 30_000 {
		w.sight.LastData = came + time.Duration(i*7919%4_000_000)
		w.run(w.now + ms)
	}
	log := w.rest()
	dead := slices.IndexFunc(log, func(line string) bool { return strings.HasSuffix(line, "dead") })
	require.Equal(t, "10.00", log[dead][:5])
	require.Less(t, w.exams, 600)
}

func TestAStallIsForgivenToAPeerWhoseBytesCame(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.to(time.Second)
	w.sleep(2 * time.Second)
	w.sight.LastData = w.now + ms
	w.to(30 * time.Second)
	require.Equal(t, []string{"9.001s missed 1", "9.001s suspect", "13.001s dead"}, w.rest()[:3])
}

func TestAPeerWhoseApplicationDoesNotReadIsNeverDead(t *testing.T) {
	for _, unread := range []bool{false, true} {
		w := asked(t, 10*time.Second, 8*time.Second)
		w.sight.Paused, w.sight.Unread = true, unread
		w.to(10 * time.Minute)
		require.Empty(t, w.rest())
		require.Equal(t, control.Probing, w.State())
		require.Less(t, w.looks, 160)

		w.sight.Paused, w.sight.Unread = false, false
		read := w.now
		w.to(w.now - w.zero + 13*time.Second)
		log := w.rest()
		require.Contains(t, log[len(log)-1], "dead")
		require.Less(t, w.exams, 260)
		require.GreaterOrEqual(t, w.now-read, 8*time.Second)
	}
}

func TestAStallBeforeTheApplicationReadAgainIsForgotten(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.Paused = true
	w.to(time.Second)
	w.sleep(3 * time.Second)
	w.to(7 * time.Second)
	w.sight.Paused = false
	w.to(30 * time.Second)
	require.Equal(t, []string{"11s missed 1", "11s suspect", "15s dead"}, w.rest()[:3])
}

func TestAPeerThatTakesOutputIsAlive(t *testing.T) {
	w := watch(t, 0, 10*time.Second, 8*time.Second).steady(ms)
	w.ask()
	w.to(1500 * ms)
	require.Equal(t, []string{"1s missed 1", "1s suspect"}, w.rest(), "nothing is known of its progress yet")
	w.sight.Progress = true
	w.to(10 * time.Minute)
	require.Empty(t, w.rest())
	w.sight.Progress = false
	stopped := w.now
	w.to(w.now - w.zero + 17*time.Second)
	log := w.rest()
	require.Contains(t, log, "10m8s dead", "%v since %v", log, stopped)
}

func TestPuttingTheVerdictOff(t *testing.T) {
	for _, by := range []time.Duration{ms, 3 * time.Second, time.Hour, week} {
		w := asked(t, 10*time.Second, 8*time.Second)
		w.to(8*time.Second - ms)
		w.now += ms
		require.True(t, w.look().Verdict)
		w.PutOff(by)
		w.next = w.now + by
		w.rest()
		w.to(8*time.Second + by - ms)
		require.Empty(t, w.rest())
		w.to(8*time.Second + by)
		require.Equal(t, []string{(8*time.Second + by).String() + " dead"}, w.rest())
		require.True(t, w.hear().Recovered)
	}
}

func TestPuttingTheVerdictOffForeverIsForAWeek(t *testing.T) {
	w := asked(t, time.Hour, 8*time.Second)
	w.to(8*time.Second - ms)
	w.now += ms
	require.True(t, w.look().Verdict)
	for range 10 { // again and again, for more than what 32 bits count
		w.PutOff(1<<63 - 1)
		w.next = w.now + ms
		w.rest()
		until := w.now + week
		w.run(until - ms)
		require.Empty(t, w.rest())
		w.now = until
		require.True(t, w.look().Verdict)
	}
	w.PutOff(-time.Hour)
	require.True(t, w.look().Verdict)
	step := w.hear()
	require.True(t, step.Recovered)
	require.Greater(t, step.Silence, week)
}
