package control

import "time"

// What makes a Breaker trip: more than one connection in massShare of all, and
// more than massMin, within massWindow.
const (
	massShare  = 5
	massMin    = 100
	massWindow = 5 * time.Second
	massEnd    = 20 // once tripped, one in so many may end each second, or massMin
)

// Breaker watches over the verdicts of many monitors: when a large part of all
// peers seems dead at once, it is rather this machine or its network. The zero
// value is ready.
type Breaker struct {
	window   time.Duration // start of the current one
	verdicts int           // in it
	before   int           // in the one before
	tripped  bool
	calm     time.Duration // when it last had a reason to be tripped
	second   time.Duration // start of the current second of ending
	ends     int           // in it
}

// Ruling is what to do about a verdict.
type Ruling uint8

const (
	End   Ruling = iota // the connection may end
	Again               // ask its peer once more, if that was not done, and otherwise ask for another ruling
	Wait                // ask for another ruling later
)

// Rule decides about one verdict, which was asked once more if retried is true.
// suspects and total count connections, this one included. tripped is true for
// the one verdict that trips the breaker.
func (b *Breaker) Rule(now time.Duration, suspects, total int, retried bool) (r Ruling, tripped bool) {
	switch since := now - b.window; {
	case since >= 2*massWindow:
		b.window, b.verdicts, b.before = now, 0, 0
	case since >= massWindow:
		b.window += massWindow
		b.verdicts, b.before = 0, b.verdicts
	}
	// Of the window before, that part counts which is not over yet.
	before := time.Duration(b.before) * (b.window + massWindow - now) / massWindow
	dying := max(suspects, b.verdicts+int(before)+1)
	if dying > massMin && dying*massShare > total {
		tripped = !b.tripped
		b.tripped, b.calm = true, now
	} else if b.tripped && now-b.calm >= massWindow {
		b.tripped = false
	}
	if !b.tripped {
		b.verdicts++
		return End, false
	}
	if !retried {
		return Again, tripped
	}
	if now-b.second >= time.Second {
		b.second, b.ends = now, 0
	}
	if b.ends >= max(massMin, total/massEnd) {
		return Wait, tripped
	}
	b.ends++
	b.verdicts++
	return End, tripped
}
