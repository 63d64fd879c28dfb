package main

import (
	"math/bits"
	"slices"
	"time"
)

// median returns the middle of v, or the mean of the two in the middle; 0 of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// medianRatio returns the median of v[i]/base[i]. Runs of one round lie close
// together in time, so a machine that speeds up or slows down during the
// measurement moves both alike.
func medianRatio(v, base []float64) float64 {
	var ratios []float64
	for i := range min(len(v), len(base)) {
		if base[i] > 0 {
			ratios = append(ratios, v[i]/base[i])
		}
	}
	return median(ratios)
}

// spread returns (max-min)/median: how far the rounds lie apart.
func spread(v []float64) float64 {
	m := median(v)
	if m == 0 {
		return 0
	}
	return (slices.Max(v) - slices.Min(v)) / m
}

// steps is the number of buckets an octave of a histogram has: a quantile is
// exact to 1/32.
const steps = 32

// A histogram counts durations in log-linear buckets and never allocates.
type histogram struct {
	buckets [60 * steps]uint64
	n       uint64
}

func (h *histogram) add(d time.Duration) {
	v := uint64(max(d, 0))
	b := int(v)
	if v >= steps {
		e := bits.Len64(v) - 6 // v>>e is in [steps, 2*steps)
		b = e*steps + int(v>>e)
	}
	h.buckets[b]++
	h.n++
}

// quantile returns the lower end of the bucket in which a share q of all
// durations is reached.
func (h *histogram) quantile(q float64) time.Duration {
	want, sum := uint64(q*float64(h.n)), uint64(0)
	for b, n := range h.buckets {
		sum += n
		if sum <= want {
			continue
		}
		if b < 2*steps {
			return time.Duration(b)
		}
		e := b/steps - 1
		return time.Duration(uint64(b-e*steps) << e)
	}
	return 0
}
