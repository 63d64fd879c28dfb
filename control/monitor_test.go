package control_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

func TestAMonitorIsSmallAndHoldsNoPointers(t *testing.T) {
	require.EqualValues(t, 44, unsafe.Sizeof(control.Monitor{}))
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Struct:
			for f := range typ.Fields() {
				walk(f.Type, path+"."+f.Name)
			}
		case reflect.Array:
			walk(typ.Elem(), path+"[]")
		default:
			require.Contains(t, []reflect.Kind{reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Bool}, typ.Kind(), path)
		}
	}
	walk(reflect.TypeFor[control.Monitor](), "Monitor")
}

func TestLookingAllocatesNothing(t *testing.T) {
	b := settled(t, time.Second, time.Second)
	var m control.Monitor
	m.Open(0)
	now := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		now += 100 * ms
		m.Look(now, &b, 1, control.Sight{Examined: true, Left: true, LeftAt: now - 300*ms, Inbound: now.Truncate(5 * time.Second)})
	}))
}

func TestTheFirstPingComesSoonAfterTheOpening(t *testing.T) {
	for _, c := range []struct {
		name        string
		interval    time.Duration
		least, most time.Duration
	}{
		{"the default interval", 0, time.Second, 2 * time.Second},
		{"a long interval", week, time.Second, 2 * time.Second},
		{"an interval of 3 s", 3 * time.Second, time.Second, 2 * time.Second},
		{"an interval of 1 s", time.Second, 900 * ms, 1100 * ms},
		{"an interval of 100 ms", 100 * ms, 90 * ms, 110 * ms},
		{"the shortest interval", 10 * ms, 9 * ms, 11 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := settled(t, c.interval, 0)
			for _, opened := range []time.Duration{0, 1234567 * ms} {
				earliest, latest, sum := c.most, c.least, time.Duration(0)
				const n = 2000
				for salt := range uint32(n) {
					var m control.Monitor
					m.Open(opened)
					due := m.Due(opened, opened, &b, salt)
					require.Equal(t, due, m.Due(opened+5*ms, opened+3*ms, &b, salt), "whatever comes")
					require.False(t, m.Look(due-1, &b, salt, control.Sight{Inbound: due - 1}).Probe)
					require.Equal(t, control.Alive, m.State())
					require.True(t, m.Look(due, &b, salt, control.Sight{Inbound: due - 1}).Probe)
					require.Equal(t, control.Probing, m.State())
					after := due - opened
					require.GreaterOrEqual(t, after, c.least)
					require.LessOrEqual(t, after, c.most)
					earliest, latest, sum = min(earliest, after), max(latest, after), sum+after
				}
				spread := c.most - c.least
				require.Less(t, earliest-c.least, spread/20)
				require.Less(t, c.most-latest, spread/10)
				require.InDelta(t, c.least+spread/2, sum/n, float64(spread)/20)
			}
		})
	}
}

func TestConnectionsThatWereOpenedTogetherDoNotPingTogether(t *testing.T) {
	b := settled(t, 0, 0)
	const n, slots = 100_000, 100 // of 10 ms
	var pings [2][slots]int
	for salt := range uint32(n) {
		var m control.Monitor
		m.Open(time.Hour)
		due := m.Due(time.Hour, time.Hour, &b, salt)
		pings[0][(due-time.Hour-time.Second)/(10*ms)]++
		m.Look(due, &b, salt, control.Sight{})
		answered := due + 20*ms
		m.Look(answered, &b, salt, control.Sight{Inbound: answered})
		next := m.Due(answered, answered, &b, salt) - answered
		pings[1][min((next-22500*ms)/(50*ms), slots-1)]++
	}
	for i := range pings {
		for slot, k := range pings[i] {
			require.InDelta(t, n/slots, k, n/slots/5, "ping %d, slot %d", i, slot)
		}
	}
}

func TestSilenceOfTheIntervalMakesAPing(t *testing.T) {
	for _, interval := range []time.Duration{10 * ms, time.Second, 25 * time.Second, 10 * time.Minute, week} {
		t.Run(fmt.Sprint(interval), func(t *testing.T) {
			least, most := interval*2, time.Duration(0)
			for salt := range uint32(500) {
				w := watch(t, 0, interval, time.Second)
				w.salt = salt
				w.ask()
				w.now += ms
				w.hear()
				require.Equal(t, control.Alive, w.State())
				heard := w.now
				before := w.looks
				w.ask()
				require.Less(t, w.looks-before, 4)
				silence := w.now - heard
				require.GreaterOrEqual(t, silence+ms, interval-interval/10)
				require.LessOrEqual(t, silence, interval+interval/10+ms)
				least, most = min(least, silence), max(most, silence)
			}
			if interval >= time.Second {
				require.Greater(t, most-least, interval/6, "it is spread")
			}
		})
	}
}

func TestTheIntervalsOfOneConnectionDiffer(t *testing.T) {
	w := asked(t, 10*time.Second, time.Second)
	seen := map[time.Duration]bool{}
	for range 100 {
		w.now += 7 * ms
		w.hear()
		heard := w.now
		w.ask()
		seen[(w.now - heard).Truncate(10*ms)] = true
	}
	require.Greater(t, len(seen), 60)
}

func TestAnythingThatComesPutsThePingOff(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.hear()
	for range 20 {
		w.run(w.now + 8*time.Second)
		w.sight.Inbound = w.now // nobody tells the monitor
	}
	require.Empty(t, w.rest())
	require.Equal(t, 1, w.pings)
	require.Less(t, w.looks, 45, "and costs few looks")
	heard := w.now
	w.ask()
	require.InDelta(t, 10*time.Second, w.now-heard, float64(time.Second+2*ms))
}

func TestAConnectionThatNeverFallsSilentIsPingedEveryFiveMinutes(t *testing.T) {
	for interval, period := range map[time.Duration]time.Duration{
		0:                5 * time.Minute,
		time.Second:      5 * time.Minute,
		4 * time.Minute:  5 * time.Minute,
		20 * time.Minute: 20 * time.Minute,
	} {
		t.Run(fmt.Sprint(interval), func(t *testing.T) {
			for salt := range uint32(3) {
				w := watch(t, 0, interval, 0)
				w.salt = salt
				var pings []time.Duration
				for w.now < max(2*time.Hour, 12*period) {
					before := w.pings
					w.run(w.now + 600*ms)
					w.hear()
					if w.pings > before {
						pings = append(pings, w.now)
					}
				}
				require.Greater(t, len(pings), 9)
				for i, at := range pings[1:] {
					require.InDelta(t, period, at-pings[i], float64(period/10+1200*ms))
				}
			}
		})
	}
}

func TestAnAnswerMakesAPeerAlive(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	require.Equal(t, control.Probing, w.State())
	w.now += 30 * ms
	step := w.hear()
	require.Equal(t, control.Alive, w.State())
	require.Equal(t, control.Step{Next: w.Due(w.now, w.now, &w.bounds, w.salt)}, step, "that is nothing to speak of")
}

func TestBytesOfTheMomentOfThePingAreAnAnswer(t *testing.T) {
	w := asked(t, 10*time.Second, 8*time.Second)
	w.sight.Inbound = w.zero - ms
	w.look()
	require.Equal(t, control.Probing, w.State(), "they came before")
	w.sight.Inbound = w.zero
	w.look()
	require.Equal(t, control.Alive, w.State())
}

func TestWithoutAnIntervalNothingIsEverDue(t *testing.T) {
	w := watch(t, 0, -1, 20*time.Second)
	require.Zero(t, w.next)
	for _, now := range []time.Duration{0, time.Second, time.Hour, 1000 * time.Hour} {
		require.Equal(t, control.Step{}, w.Look(now, &w.bounds, w.salt, control.Sight{}))
		require.Equal(t, control.Alive, w.State())
	}
	w.Hurry()
	require.Equal(t, control.Step{}, w.Look(1001*time.Hour, &w.bounds, w.salt, control.Sight{}))
}

func TestWithoutATimeoutPingsGoOnAndConcludeNothing(t *testing.T) {
	w := asked(t, 10*time.Second, -1)
	w.to(35 * time.Second)
	require.Equal(t, []string{"10s missed 1", "20s missed 2", "30s missed 3"}, w.rest())
	require.Equal(t, control.Probing, w.State())
	require.Equal(t, 3, w.Missed())
	require.Zero(t, w.exams)
	w.look()
	require.Empty(t, w.rest(), "nor at other times")
	w.to(40 * time.Second)
	require.Equal(t, []string{"40s missed 4"}, w.rest())
	w.now += ms
	w.hear()
	require.Equal(t, control.Alive, w.State())
	require.Zero(t, w.Missed())
	w.stuck = true
	w.ask()
	w.to(200 * time.Hour)
	require.Equal(t, control.Probing, w.State())
	require.Equal(t, 1<<16-1, w.Missed(), "the count is saturated")
	require.Equal(t, fmt.Sprintf("%v missed 65535", 200*time.Hour), w.log[len(w.log)-1])
}
