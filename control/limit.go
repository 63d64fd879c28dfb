package control

import "time"

// MaxStrikes is how often a peer may find its bucket empty before the
// connection ends with 1008 and TooManyPings.
const MaxStrikes = 3

// TooManyPings is the reason of the Close frame that ends a flood.
const TooManyPings = "too many pings"

// Limit is a token bucket for the control frames of a peer. A bounded slot
// makes a ping as cheap as a data frame, so this is off unless asked for.
type Limit struct {
	rate    float64 // tokens a second
	burst   float64
	tokens  float64
	last    time.Time
	strikes int
	total   uint64
	pardon  time.Time // when strikes may next be forgotten
}

// NewLimit grants perSecond control frames a second, and max(16, perSecond) at
// once; a perSecond of 0 or less means no limit, which is a nil Limit.
func NewLimit(perSecond int) *Limit {
	if perSecond <= 0 {
		return nil
	}
	burst := float64(max(16, perSecond))
	return &Limit{rate: float64(perSecond), burst: burst, tokens: burst}
}

// Take counts one control frame. within is false when the bucket was empty; a
// frame too many for which the connection should end makes exceeded true.
func (l *Limit) Take(now time.Time) (within, exceeded bool) {
	if l == nil {
		return true, false
	}
	if l.last.IsZero() {
		l.last = now
	} else if now.After(l.last) { // coarse times may step back
		l.tokens = min(l.burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
		l.last = now
	}
	if l.tokens >= 1 {
		l.tokens--
		return true, false
	}
	l.strikes++
	l.total++
	return false, l.strikes >= MaxStrikes
}

// Sent says that we sent data: a peer that is given work may ping more, so its
// strikes are forgotten, at most once a second.
func (l *Limit) Sent(now time.Time) {
	if l == nil || l.strikes == 0 || now.Before(l.pardon) {
		return
	}
	l.strikes = 0
	l.pardon = now.Add(time.Second)
}

// Strikes returns how often the bucket was found empty, ever.
func (l *Limit) Strikes() uint64 {
	if l == nil {
		return 0
	}
	return l.total
}
