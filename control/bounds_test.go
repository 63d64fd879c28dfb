package control_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

const week = 7 * 24 * time.Hour

// settled returns bounds that must be legal.
func settled(t testing.TB, interval, timeout time.Duration) control.Bounds {
	t.Helper()
	b, err := control.Bounds{Interval: interval, Timeout: timeout}.Settle()
	require.NoError(t, err)
	return b
}

func TestBoundsHaveDefaultsAndCanBeTurnedOff(t *testing.T) {
	for _, c := range []struct {
		name        string
		given, want control.Bounds
	}{
		{"nothing given", control.Bounds{}, control.Bounds{Interval: 25 * time.Second, Timeout: 20 * time.Second, WriteStall: 30 * time.Second}},
		{"one given", control.Bounds{Timeout: time.Second}, control.Bounds{Interval: 25 * time.Second, Timeout: time.Second, WriteStall: 30 * time.Second}},
		{"all off", control.Bounds{Interval: -1, Timeout: -time.Hour, WriteStall: math.MinInt64}, control.Bounds{Interval: -1, Timeout: -1, WriteStall: -1}},
		{"the shortest", control.Bounds{Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond, WriteStall: 10 * time.Millisecond},
			control.Bounds{Interval: 10 * time.Millisecond, Timeout: 10 * time.Millisecond, WriteStall: 10 * time.Millisecond}},
		{"the longest", control.Bounds{Interval: week, Timeout: week, WriteStall: week}, control.Bounds{Interval: week, Timeout: week, WriteStall: week}},
		{"a timeout longer than the interval", control.Bounds{Interval: time.Second, Timeout: time.Minute, WriteStall: -1}, control.Bounds{Interval: time.Second, Timeout: time.Minute, WriteStall: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.given.Settle()
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			again, err := got.Settle()
			require.NoError(t, err)
			require.Equal(t, got, again, "what is settled stays")
		})
	}
}

func TestBoundsThatCannotBeMeantAreErrorsInWords(t *testing.T) {
	for _, f := range []struct {
		name   string
		bounds func(d time.Duration) control.Bounds
	}{
		{"ping interval", func(d time.Duration) control.Bounds { return control.Bounds{Interval: d} }},
		{"ping timeout", func(d time.Duration) control.Bounds { return control.Bounds{Timeout: d} }},
		{"write timeout", func(d time.Duration) control.Bounds { return control.Bounds{WriteStall: d} }},
	} {
		for d, words := range map[time.Duration]string{
			1:                           "1ns is shorter than 10 ms",
			time.Millisecond:            "1ms is shorter than 10 ms",
			10*time.Millisecond - 1:     "9.999999ms is shorter than 10 ms",
			week + 1:                    "168h0m0.000000001s is longer than a week",
			10 * week:                   "1680h0m0s is longer than a week",
			time.Duration(1<<63 - 1):    "2562047h47m16.854775807s is longer than a week",
			time.Duration(1<<63-1) / 10: "256204h46m43.68547758s is longer than a week",
		} {
			t.Run(f.name+" of "+d.String(), func(t *testing.T) {
				got, err := f.bounds(d).Settle()
				require.EqualError(t, err, "websocket: the "+f.name+" of "+words)
				require.Zero(t, got)
			})
		}
	}
}

func TestTickIsATwentiethOfTheShortestBound(t *testing.T) {
	for _, c := range []struct {
		name                          string
		interval, timeout, writeStall time.Duration
		want                          time.Duration
	}{
		{"defaults", 0, 0, 0, 100 * time.Millisecond},
		{"the longest", week, week, week, 100 * time.Millisecond},
		{"everything off", -1, -1, -1, 100 * time.Millisecond},
		{"a timeout of 2 s", 0, 2 * time.Second, 0, 100 * time.Millisecond},
		{"a timeout of 1 s", 0, time.Second, 0, 50 * time.Millisecond},
		{"an interval of 200 ms", 200 * time.Millisecond, time.Second, 0, 10 * time.Millisecond},
		{"a write timeout of 400 ms", -1, -1, 400 * time.Millisecond, 20 * time.Millisecond},
		{"the shortest timeout", 0, 10 * time.Millisecond, 0, time.Millisecond},
		{"a timeout of 20 ms", 0, 20 * time.Millisecond, 0, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := control.Bounds{Interval: c.interval, Timeout: c.timeout, WriteStall: c.writeStall}.Settle()
			require.NoError(t, err)
			require.Equal(t, c.want, b.Tick())
		})
	}
}

func TestWorstIsTheLongestDetection(t *testing.T) {
	for _, c := range []struct {
		name                    string
		interval, timeout, tick time.Duration
		want                    time.Duration
		never                   bool
	}{
		{"defaults", 0, 0, 100 * time.Millisecond, 47_700 * time.Millisecond, false},
		{"a second each", time.Second, time.Second, 50 * time.Millisecond, 2200 * time.Millisecond, false},
		{"the shortest", 10 * time.Millisecond, 10 * time.Millisecond, time.Millisecond, 23 * time.Millisecond, false},
		{"the longest", week, week, 0, 2*week + week/10, false},
		{"no pings", -1, 0, 0, 0, true},
		{"no timeout", 0, -1, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := settled(t, c.interval, c.timeout)
			got, ok := b.Worst(c.tick)
			require.Equal(t, c.want, got)
			require.Equal(t, c.never, !ok)
		})
	}
}
