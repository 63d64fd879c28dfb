package control

import (
	"math"
	"time"
)

// minFor is how long a round trip counts as the shortest, at least; at most
// twice as long.
const minFor = 5 * time.Minute

// RTT estimates round trips as RFC 6298 does: all in µs, at most 71 minutes.
// The zero value has no sample.
type RTT struct {
	last, smoothed, variance uint32
	shortest                 [2]uint32 // of this period and of the one before; 0 for none
	period                   uint16
}

func micros(d time.Duration) uint32 {
	return uint32(min(max(d/time.Microsecond, 1), math.MaxUint32))
}

func fromMicros(us uint32) time.Duration { return time.Duration(us) * time.Microsecond }

// Sample adds a round trip that ended now, a time since any fixed moment.
func (r *RTT) Sample(rtt, now time.Duration) {
	r.rotate(now)
	us := micros(rtt)
	if r.shortest[0] == 0 || us < r.shortest[0] {
		r.shortest[0] = us
	}
	if r.last = us; r.smoothed == 0 {
		r.smoothed, r.variance = us, us/2
		return
	}
	// "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|" and "SRTT <- (1 -
	// alpha) * SRTT + alpha * R'" RFC 6298 §2
	off := int64(r.smoothed) - int64(us)
	r.variance = uint32((3*int64(r.variance) + max(off, -off)) / 4)
	r.smoothed = uint32((7*int64(r.smoothed) + int64(us)) / 8)
}

func (r *RTT) rotate(now time.Duration) {
	period := uint16(now / minFor)
	switch period - r.period {
	case 0:
	case 1:
		r.shortest = [2]uint32{0, r.shortest[0]}
	default:
		r.shortest = [2]uint32{}
	}
	r.period = period
}

// Last returns the latest round trip, 0 for none.
func (r *RTT) Last() time.Duration { return fromMicros(r.last) }

// Smoothed returns the estimate and its variance, 0 for none.
func (r *RTT) Smoothed() (rtt, variance time.Duration) {
	return fromMicros(r.smoothed), fromMicros(r.variance)
}

// Shortest returns the shortest round trip of the last 5 to 10 minutes in
// which there was one, 0 for none.
func (r *RTT) Shortest() time.Duration {
	if r.shortest[0] == 0 || r.shortest[1] != 0 && r.shortest[1] < r.shortest[0] {
		return fromMicros(r.shortest[1])
	}
	return fromMicros(r.shortest[0])
}
