package control_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

const ms = time.Millisecond

func TestRTTWithoutASampleIsZero(t *testing.T) {
	var r control.RTT
	smoothed, variance := r.Smoothed()
	require.Zero(t, r.Last())
	require.Zero(t, smoothed)
	require.Zero(t, variance)
	require.Zero(t, r.Shortest())
}

func TestRTTOfTheFirstSamples(t *testing.T) {
	var r control.RTT
	for _, c := range []struct{ sample, smoothed, variance time.Duration }{
		{100 * ms, 100 * ms, 50 * ms}, // "SRTT <- R, RTTVAR <- R/2"
		{180 * ms, 110 * ms, 57_500 * time.Microsecond},
		{110 * ms, 110 * ms, 43_125 * time.Microsecond},
		{30 * ms, 100 * ms, 52_343 * time.Microsecond},
	} {
		r.Sample(c.sample, time.Second)
		smoothed, variance := r.Smoothed()
		require.Equal(t, c.sample, r.Last())
		require.Equal(t, c.smoothed, smoothed)
		require.Equal(t, c.variance, variance)
	}
	require.Equal(t, 30*ms, r.Shortest())
}

// "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|" and "SRTT <- (1 - alpha)
// * SRTT + alpha * R'", where "alpha=1/8 and beta=1/4" RFC 6298 §2. Whole µs
// lose less than one with each sample.
func TestRTTIsThatOfRFC6298(t *testing.T) {
	for name, sample := range map[string]func(rng *rand.Rand) float64{
		"a steady path":         func(rng *rand.Rand) float64 { return 40_000 },
		"a little noise":        func(rng *rand.Rand) float64 { return 40_000 + math.Floor(rng.Float64()*500) },
		"a machine next to it":  func(rng *rand.Rand) float64 { return 1 + math.Floor(rng.Float64()*30) },
		"with long outages":     func(rng *rand.Rand) float64 { return math.Floor(math.Exp(7 + 12*rng.Float64())) },
		"as long as is counted": func(rng *rand.Rand) float64 { return math.MaxUint32 - math.Floor(rng.Float64()*1e6) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var r control.RTT
			var srtt, rttvar float64
			for i := range 5000 {
				us := sample(rng)
				if r.Sample(time.Duration(us)*time.Microsecond, time.Duration(i)*time.Second); i == 0 {
					srtt, rttvar = us, us/2
				} else {
					rttvar += (math.Abs(srtt-us) - rttvar) / 4
					srtt += (us - srtt) / 8
				}
				smoothed, variance := r.Smoothed()
				require.InDelta(t, srtt, smoothed.Microseconds(), 8)
				require.InDelta(t, rttvar, variance.Microseconds(), 13)
				require.EqualValues(t, us, r.Last().Microseconds())
				require.Positive(t, smoothed, "0 would mean that there is no sample")
			}
		})
	}
}

func TestRTTIsAtLeastAMicrosecondAndAtMost71Minutes(t *testing.T) {
	const longest = math.MaxUint32 * time.Microsecond
	for sample, want := range map[time.Duration]time.Duration{
		math.MinInt64:                time.Microsecond,
		-time.Second:                 time.Microsecond,
		0:                            time.Microsecond,
		999:                          time.Microsecond,
		1999:                         time.Microsecond,
		2000:                         2 * time.Microsecond,
		longest:                      longest,
		longest + time.Microsecond:   longest,
		2*longest + time.Microsecond: longest,
		math.MaxInt64:                longest,
	} {
		t.Run(fmt.Sprint(sample), func(t *testing.T) {
			var r control.RTT
			for range 100 {
				r.Sample(sample, 0)
			}
			smoothed, variance := r.Smoothed()
			require.Equal(t, want, r.Last())
			require.Equal(t, want, smoothed)
			require.Equal(t, want, r.Shortest())
			require.Less(t, variance, time.Microsecond*4, "it has become steady")

			r.Sample(0, 0)
			r.Sample(longest, 0)
			smoothed, _ = r.Smoothed()
			require.LessOrEqual(t, smoothed, longest)
			require.Equal(t, time.Microsecond, r.Shortest())
		})
	}
}

func TestShortestIsOfThisPeriodAndTheOneBefore(t *testing.T) {
	type sample struct {
		at  time.Duration
		rtt time.Duration
	}
	const wrap = 65536 * 5 * time.Minute
	for _, c := range []struct {
		name    string
		samples []sample
		want    time.Duration
	}{
		{"a single one", []sample{{0, 50 * ms}}, 50 * ms},
		{"the shortest comes first", []sample{{0, 20 * ms}, {time.Minute, 50 * ms}}, 20 * ms},
		{"the shortest comes last", []sample{{0, 50 * ms}, {time.Minute, 20 * ms}}, 20 * ms},
		{"it was in the period before", []sample{{0, 20 * ms}, {5 * time.Minute, 50 * ms}}, 20 * ms},
		{"it was two periods before", []sample{{0, 20 * ms}, {5 * time.Minute, 50 * ms}, {10 * time.Minute, 60 * ms}}, 50 * ms},
		{"it is in this one", []sample{{0, 20 * ms}, {5 * time.Minute, 10 * ms}, {10*time.Minute - 1, 15 * ms}}, 10 * ms},
		{"almost ten minutes ago", []sample{{0, 20 * ms}, {10*time.Minute - 1, 50 * ms}}, 20 * ms},
		{"a period without any in between", []sample{{0, 20 * ms}, {10 * time.Minute, 50 * ms}}, 50 * ms},
		{"an hour without any", []sample{{4 * time.Minute, 20 * ms}, {64 * time.Minute, 50 * ms}}, 50 * ms},
		{"the first is late", []sample{{100 * time.Hour, 20 * ms}, {100*time.Hour + 5*time.Minute, 50 * ms}}, 20 * ms},
		{"the count of periods wraps around", []sample{{wrap - 1, 20 * ms}, {wrap, 50 * ms}}, 20 * ms},
		{"and goes on", []sample{{wrap - 1, 20 * ms}, {wrap, 50 * ms}, {wrap + 5*time.Minute, 60 * ms}}, 50 * ms},
		{"with a gap", []sample{{wrap - 1, 20 * ms}, {wrap + 5*time.Minute, 60 * ms}}, 60 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r control.RTT
			for _, s := range c.samples {
				r.Sample(s.rtt, s.at)
			}
			require.Equal(t, c.want, r.Shortest())
		})
	}
}
