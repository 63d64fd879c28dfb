package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// drain takes until the bucket is empty and returns how often that worked. The
// failed attempt is a strike.
func drain(l *control.Limit, now time.Time) (n int, exceeded bool) {
	for {
		within, over := l.Take(now)
		if !within {
			return n, over
		}
		n++
	}
}

func TestLimitIsOffUnlessPositive(t *testing.T) {
	for _, n := range []int{0, -1, -1 << 31} {
		l := control.NewLimit(n)
		require.Nil(t, l)
		for range 1000 {
			within, exceeded := l.Take(start)
			require.True(t, within)
			require.False(t, exceeded)
		}
		l.Sent(start)
		require.Zero(t, l.Strikes())
	}
}

func TestLimitBurst(t *testing.T) {
	for rate, burst := range map[int]int{1: 16, 5: 16, 16: 16, 17: 17, 100: 100} {
		n, exceeded := drain(control.NewLimit(rate), start)
		require.Equal(t, burst, n, "%d a second", rate)
		require.False(t, exceeded, "the first strike is no end")
	}
}

func TestLimitRefills(t *testing.T) {
	for _, c := range []struct {
		name  string
		rate  int
		after time.Duration
		want  int
	}{
		{"nothing in no time", 10, 0, 0},
		{"nothing before a whole token is there", 10, 99 * time.Millisecond, 0},
		{"one token in its time", 10, 100 * time.Millisecond, 1},
		{"many tokens", 10, 1250 * time.Millisecond, 12},
		{"a burst at most", 10, time.Hour, 16},
		{"a large burst at most", 40, time.Hour, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := control.NewLimit(c.rate)
			drain(l, start)
			n, _ := drain(l, start.Add(c.after))
			require.Equal(t, c.want, n)
		})
	}
}

func TestLimitKeepsUpWithTheRateForEver(t *testing.T) {
	l := control.NewLimit(10)
	now := start
	for range 10_000 {
		within, _ := l.Take(now)
		require.True(t, within)
		now = now.Add(100 * time.Millisecond)
	}
	require.Zero(t, l.Strikes())
}

func TestLimitIsExceededAtTheThirdStrike(t *testing.T) {
	l := control.NewLimit(1)
	n, exceeded := drain(l, start)
	require.Equal(t, 16, n)
	require.False(t, exceeded)
	_, exceeded = l.Take(start)
	require.False(t, exceeded)
	within, exceeded := l.Take(start)
	require.False(t, within)
	require.True(t, exceeded)
	require.EqualValues(t, control.MaxStrikes, l.Strikes())
	_, exceeded = l.Take(start)
	require.True(t, exceeded, "and stays so")
}

func TestStrikesAddUpOverTime(t *testing.T) {
	l := control.NewLimit(1)
	now := start
	for strike := 1; ; strike++ {
		_, exceeded := drain(l, now)
		require.Equal(t, strike == control.MaxStrikes, exceeded)
		if exceeded {
			return
		}
		now = now.Add(time.Minute)
	}
}

func TestSendingDataForgetsStrikes(t *testing.T) {
	l := control.NewLimit(1)
	drain(l, start)
	l.Take(start)
	l.Sent(start)
	require.EqualValues(t, 2, l.Strikes(), "all of them are still counted")
	for range control.MaxStrikes - 1 {
		_, exceeded := l.Take(start)
		require.False(t, exceeded)
	}
	_, exceeded := l.Take(start)
	require.True(t, exceeded)
}

func TestStrikesAreForgottenAtMostOnceASecond(t *testing.T) {
	strike := func(l *control.Limit, now time.Time) bool {
		_, exceeded := drain(l, now)
		return exceeded
	}
	l := control.NewLimit(1)
	require.False(t, strike(l, start))
	require.False(t, strike(l, start))
	l.Sent(start)
	require.False(t, strike(l, start))
	require.False(t, strike(l, start))
	l.Sent(start.Add(999 * time.Millisecond))
	require.True(t, strike(l, start.Add(999*time.Millisecond)), "too early")

	l = control.NewLimit(1)
	strike(l, start)
	strike(l, start)
	l.Sent(start)
	strike(l, start)
	strike(l, start)
	l.Sent(start.Add(time.Second))
	require.False(t, strike(l, start.Add(time.Second)), "a second later")
}

func TestSendingWithoutStrikesUsesUpNoPardon(t *testing.T) {
	l := control.NewLimit(1)
	l.Sent(start)
	drain(l, start)
	l.Take(start)
	l.Sent(start)
	_, exceeded := l.Take(start)
	require.False(t, exceeded)
}
