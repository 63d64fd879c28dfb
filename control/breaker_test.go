package control_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// rule asks for n rulings at once and counts them.
func rule(b *control.Breaker, now time.Duration, n, suspects, total int, retried bool) (rulings [3]int, trips int) {
	for range n {
		r, tripped := b.Rule(now, suspects, total, retried)
		rulings[r]++
		if tripped {
			trips++
		}
	}
	return rulings, trips
}

func TestABreakerTripsWhenManyPeersSeemDeadAtOnce(t *testing.T) {
	for _, c := range []struct {
		name            string
		suspects, total int
		trips           bool
	}{
		{"one of one", 1, 1, false},
		{"one of many", 1, 100_000, false},
		{"100 of 100", 100, 100, false},
		{"101 of 101", 101, 101, true},
		{"101 of 504", 101, 504, true},
		{"101 of 505, a fifth", 101, 505, false},
		{"2,000 of 10,000, a fifth", 2000, 10_000, false},
		{"2,001 of 10,000", 2001, 10_000, true},
		{"half a million of a million", 500_000, 1_000_000, true},
	} {
		for _, now := range []time.Duration{0, time.Second, 1000 * time.Hour} {
			t.Run(fmt.Sprintf("%s after %v", c.name, now), func(t *testing.T) {
				var b control.Breaker
				r, tripped := b.Rule(now, c.suspects, c.total, false)
				require.Equal(t, c.trips, tripped)
				require.Equal(t, c.trips, r == control.Again)
				if !c.trips {
					require.Equal(t, control.End, r)
				}
			})
		}
	}
}

func TestVerdictsCountAsWellAsSuspects(t *testing.T) {
	for _, c := range []struct {
		name  string
		total int
		ends  int // before it trips
	}{
		{"of 101", 101, 100},
		{"of 500", 500, 100},
		{"of 505", 505, 101},
		{"of 1,000", 1000, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b control.Breaker
			got, trips := rule(&b, 0, c.total, 1, c.total, false)
			require.Equal(t, [3]int{control.End: c.ends, control.Again: c.total - c.ends}, got)
			require.Equal(t, 1, trips)
		})
	}
	t.Run("of 100", func(t *testing.T) {
		var b control.Breaker
		for i := range 100 {
			got, trips := rule(&b, time.Duration(i)*ms, 100, 100, 100, false)
			require.Equal(t, [3]int{control.End: 100}, got, "small populations have no part that is large enough")
			require.Zero(t, trips)
			b = control.Breaker{}
		}
	})
}

func TestVerdictsOfFiveSecondsCountTogether(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration // one verdict
		total int
		trips bool
	}{
		{"11 a second of 200 are 55 in five", time.Second / 11, 200, false},
		{"19 a second of 400 are 95", time.Second / 19, 400, false},
		{"22 a second of 400 are 110", time.Second / 22, 400, true},
		{"300 a second of 10,000 are 1,500", time.Second / 300, 10_000, false},
		{"450 a second of 10,000 are 2,250", time.Second / 450, 10_000, true},
		{"one a second of a few", time.Second, 10, false},
	} {
		for _, from := range []time.Duration{0, 3 * time.Second, time.Hour} {
			t.Run(fmt.Sprintf("%s, from %v", c.name, from), func(t *testing.T) {
				var b control.Breaker
				trips := 0
				for now := from; now < from+time.Minute; now += c.every {
					if _, tripped := b.Rule(now, 1, c.total, false); tripped {
						trips++
						break
					}
				}
				require.Equal(t, c.trips, trips > 0)
			})
		}
	}
}

func TestVerdictsOfFiveSecondsCountTogetherHoweverTheyLie(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, then time.Duration
		trips       bool
	}{
		{"at once", time.Second, time.Second, true},
		{"soon after each other", 4900 * ms, 5100 * ms, true},
		{"long after each other", ms, 9900 * ms, false},
		{"longer", ms, 10001 * ms, false},
		{"much longer", ms, time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b control.Breaker
			_, trips := rule(&b, 0, 1, 1, 1000, false)
			require.Zero(t, trips)
			_, trips = rule(&b, c.first, 150, 1, 1000, false)
			require.Zero(t, trips)
			_, trips = rule(&b, c.then, 150, 1, 1000, false)
			require.Equal(t, c.trips, trips == 1)
		})
	}
}

func TestATrippedBreakerHasEveryPeerAskedOnceMoreAndEndsFew(t *testing.T) {
	for _, c := range []struct{ total, rate int }{
		{150, 100}, {1000, 100}, {2000, 100}, {2020, 101}, {10_000, 500}, {1_000_000, 50_000},
	} {
		t.Run(fmt.Sprint(c.total), func(t *testing.T) {
			var b control.Breaker
			_, trips := rule(&b, 0, 1, c.total, c.total, false)
			require.Equal(t, 1, trips)
			got, trips := rule(&b, ms, c.total, c.total, c.total, false)
			require.Equal(t, [3]int{control.Again: c.total}, got)
			require.Zero(t, trips, "it trips once")
			for second := range 5 {
				now := time.Duration(second)*1300*ms + 2*time.Second
				for part := range 9 {
					got, trips = rule(&b, now+time.Duration(part)*111*ms, c.total, c.total, c.total, true)
					if part == 0 {
						require.Equal(t, [3]int{control.End: c.rate, control.Wait: c.total - c.rate}, got)
					} else {
						require.Equal(t, [3]int{control.Wait: c.total}, got)
					}
					require.Zero(t, trips)
				}
			}
		})
	}
}

func TestABreakerResetsAfterACalm(t *testing.T) {
	var b control.Breaker
	const total = 10_000
	r, tripped := b.Rule(0, 5000, total, false)
	require.Equal(t, control.Again, r)
	require.True(t, tripped)

	r, _ = b.Rule(4*time.Second, 1, total, false)
	require.Equal(t, control.Again, r, "it is still close")
	_, tripped = b.Rule(4500*ms, 2001, total, false)
	require.False(t, tripped)
	r, _ = b.Rule(9499*ms, 1, total, false)
	require.Equal(t, control.Again, r, "five seconds from the last reason")
	r, _ = b.Rule(9500*ms, 1, total, false)
	require.Equal(t, control.End, r)

	r, tripped = b.Rule(10*time.Second, 5000, total, false)
	require.Equal(t, control.Again, r)
	require.True(t, tripped, "and it may trip again")

	r, tripped = b.Rule(time.Hour, 5000, total, true)
	require.Equal(t, control.End, r)
	require.False(t, tripped, "that it has heard of no reason for long is no calm")
}

func TestEndsOfATrippedBreakerKeepItTripped(t *testing.T) {
	var b control.Breaker
	_, tripped := b.Rule(0, 1000, 1000, false)
	require.True(t, tripped)
	for i := range 10 { // all are ended in ten seconds: 50 % in five
		got, trips := rule(&b, time.Duration(i)*time.Second+ms, 1000, 1, 1000, true)
		require.Equal(t, 100, got[control.End])
		require.Zero(t, trips)
	}
}
