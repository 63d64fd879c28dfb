package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAQuantileIsOneOfTheSample(t *testing.T) {
	var d durations
	require.Zero(t, d.quantile(.5))
	for i := 100; i > 0; i-- {
		d = append(d, time.Duration(i))
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {.01, 1}, {.5, 50}, {.99, 99}, {.991, 100}, {1, 100}} {
		require.Equal(t, c.want, d.quantile(c.q), "quantile %v", c.q)
	}
	require.Equal(t, time.Duration(100), d[0], "the sample was sorted in place")
}

func TestMeanMedianAndLimit(t *testing.T) {
	d := durations{1, 2, 6}
	require.Equal(t, time.Duration(3), d.mean())
	require.Equal(t, 2, d.within(2))
	require.Zero(t, durations(nil).mean())
	require.Zero(t, median(nil))
	require.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
	require.Equal(t, 2.0, median([]float64{4, 1, 2}))
}

func TestMostWithinASpanThatDoesNotIncludeItsEnd(t *testing.T) {
	require.Zero(t, mostWithin(nil, time.Second))
	at := durations{5, 1, 2, 11, 10, 12}
	require.Equal(t, 3, mostWithin(at, 3)) // 10, 11, 12
	require.Equal(t, 2, mostWithin(at, 2))
	require.Equal(t, 6, mostWithin(at, 12))
	require.Equal(t, 1, mostWithin(at, 1))
}

func TestATableIsMarkdown(t *testing.T) {
	var out strings.Builder
	tab := newTable("a", "b", "c")
	tab.row("x", 1500*time.Millisecond, 0.5)
	tab.row(3, time.Duration(0), 12.345)
	tab.print(&out)
	require.Equal(t, "\n| a | b | c |\n|---|---|---|\n| x | 1.500 s | 0.5 |\n| 3 | – | 12.3 |\n\n", out.String())
	require.Equal(t, "50.0 %", percent(1, 2))
	require.Equal(t, "–", percent(1, 0))
}
