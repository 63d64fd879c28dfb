package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name string
		of   []float64
		want float64
	}{
		{"of nothing is 0", nil, 0},
		{"of one is that", []float64{7}, 7},
		{"of two is their mean", []float64{1, 2}, 1.5},
		{"of an odd number is the middle", []float64{9, 1, 5}, 5},
		{"of an even number is the mean of the middle two", []float64{4, 100, 1, 2}, 3},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, median(c.of)) })
	}
	v := []float64{3, 1, 2}
	median(v)
	require.Equal(t, []float64{3, 1, 2}, v, "median must not sort its argument")
}

func TestRatiosArePairedByRound(t *testing.T) {
	// The machine runs at half speed in the second round; the ratio does not see it.
	require.Equal(t, 2.0, medianRatio([]float64{20, 10, 20}, []float64{10, 5, 10}))
	require.Equal(t, 3.0, medianRatio([]float64{20, 30, 50}, []float64{10, 10, 10}))
	require.Equal(t, 2.0, medianRatio([]float64{5, 20}, []float64{0, 10}), "a base of 0 has no ratio")
	require.Zero(t, medianRatio([]float64{1}, nil))
	require.Equal(t, "-", ratio([]float64{1}, nil))
}

func TestSpread(t *testing.T) {
	require.Equal(t, 0.5, spread([]float64{10, 8, 13}))
	require.Zero(t, spread([]float64{10}))
	require.Zero(t, spread(nil))
}

func TestHistogramQuantilesAreExactToOneBucket(t *testing.T) {
	var h histogram
	require.Zero(t, h.quantile(0.5))
	for i := range 100_000 {
		h.add(time.Duration(i))
	}
	for _, q := range []float64{0.0001, 0.001, 0.5, 0.9, 0.99} {
		want := q * 100_000
		require.InDelta(t, want, float64(h.quantile(q)), want/steps+1, "quantile %v", q)
	}
	h.add(1<<63 - 1) // the last bucket exists
	h.add(-1)
	require.Positive(t, h.quantile(0.999999))
}

func TestHistogramBucketsStartWhereTheySay(t *testing.T) {
	for v := time.Duration(1); v > 0 && v < 1<<62; v = v*5/4 + 1 {
		var h histogram
		h.add(v)
		low := h.quantile(0)
		require.LessOrEqual(t, low, v)
		require.Less(t, float64(v-low), float64(v)/steps+1)
	}
}
