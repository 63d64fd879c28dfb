package control

import "time"

// Monitor finds out whether the peer of one connection is alive. It asks
// (probes) when nothing came for an interval, suspects when the answer takes
// longer than the round trips before, and has a verdict when nothing at all came
// for the timeout. Any byte of the peer is evidence of life.
//
// It has 44 bytes and no pointers, so that a million of them are cheap to keep.
// All times are since one moment that the caller chose; inside they are
// milliseconds and wrap around after 49 days.
type Monitor struct {
	RTT RTT

	asked   uint32 // when the probe was queued, or the last one, or the opening
	from    uint32 // since when its answer is missing, once left
	silent  uint32 // when bytes had last come before the probe
	stalled uint32 // how long the process had stood still before the probe
	missed  uint16
	doubled uint8 // how often, since it last asked, the distance of its probes doubled
	flags   flags
}

type flags uint8

const (
	fresh     flags = 1 << iota // never asked yet
	waiting                     // for an answer
	suspected                   // and it is late
	left                        // the kernel has the probe
	hurried                     // with half the timeout
	retried                     // asked once more since the verdict
	again                       // to be asked at the next look
)

// Sight is what there is to see of a connection when its monitor looks.
type Sight struct {
	Inbound time.Duration // when bytes last came
	Stalled time.Duration // how long this process has stood still, in all
	Left    bool          // the kernel has the probe
	LeftAt  time.Duration // since when

	// The rest is wanted only if a Step said Examine.
	Examined bool
	Unread   bool          // bytes wait in the kernel for a reader
	LastData time.Duration // when bytes last came to the kernel, if that is known
	Progress bool          // the peer took output since it was last examined
	Paused   bool          // the application does not read
}

// Step is what to do.
type Step struct {
	Examine   bool          // look again at once, with all of Sight
	Probe     bool          // send a ping
	Wake      bool          // have somebody read
	Missed    int           // so many times the answer was due and missing; 0 for no news
	Suspect   bool          // the peer has become suspect
	Recovered bool          // it has not, after all
	Silence   time.Duration // for how long nothing came, with Suspect, Recovered and Verdict
	Verdict   bool          // the peer is dead, unless somebody knows better
	Next      time.Duration // when to look again; 0 for never
}

// Open starts a monitor of a connection that is new.
func (m *Monitor) Open(now time.Duration) { *m = Monitor{asked: millis(now), flags: fresh} }

// State returns Alive, Probing or Suspect.
func (m *Monitor) State() State {
	switch {
	case m.flags&suspected != 0:
		return Suspect
	case m.flags&waiting != 0:
		return Probing
	}
	return Alive
}

// Missed returns how often the answer to the probe was due and missing.
func (m *Monitor) Missed() int { return int(m.missed) }

// Due returns when a monitor that is Alive is to probe, if nothing else comes
// than came by inbound, and 0 for never. salt, which differs from connection to
// connection, keeps those that were opened together from probing together.
func (m *Monitor) Due(now, inbound time.Duration, b *Bounds, salt uint32) time.Duration {
	if b.Interval < 0 {
		return 0
	}
	asked := restore(m.asked, now)
	noise := scramble(m.asked, salt)
	interval := jitter(b.Interval, noise)
	if m.flags&fresh != 0 {
		return asked + min(firstProbe+firstProbe*time.Duration(noise%1024)/1024, interval)
	}
	return min(max(inbound, asked)+interval, asked+jitter(max(refreshAfter, b.Interval), noise))
}

// Look tells what to do now. The salt is that of Due.
func (m *Monitor) Look(now time.Duration, b *Bounds, salt uint32, s Sight) (step Step) {
	soonest := time.Duration(0)
	if m.flags&waiting != 0 {
		m.age(now)
		if s.Inbound >= restore(m.asked, now) {
			m.relieve(&step, s.Inbound-restore(m.silent, now))
			soonest = now + time.Millisecond // what just came is no answer to another ping
		}
	}
	if m.flags&waiting == 0 {
		step.Next = max(m.Due(now, s.Inbound, b, salt), soonest)
		if step.Next == 0 || now < step.Next && m.flags&again == 0 {
			return step
		}
		m.silent = millis(s.Inbound)
	} else if m.flags&again == 0 {
		step = m.wait(now, b, s)
		step.Next = min(step.Next, now+b.Interval) // or what came meanwhile is seen too late
		return step
	}
	m.ask(now, s.Stalled)
	step.Probe = true
	step.Next = now + min(m.patience(b), b.Interval)
	return step
}

// relieve notes that bytes came, after a silence. That the peer is to be asked
// again stays true.
func (m *Monitor) relieve(step *Step, silence time.Duration) {
	if m.flags&suspected != 0 {
		step.Recovered, step.Silence = true, silence
	}
	m.missed = 0
	if m.flags&again == 0 {
		m.flags = 0
	}
	m.flags &= again | hurried
}

// ask notes a probe.
func (m *Monitor) ask(now, stalled time.Duration) {
	m.asked, m.stalled, m.doubled = millis(now), millis(stalled), 0
	m.flags = m.flags&(suspected|hurried) | waiting
}

// wait is Look while an answer is missing.
func (m *Monitor) wait(now time.Duration, b *Bounds, s Sight) (step Step) {
	if b.Timeout < 0 { // the probes keep the path open, and nothing else
		step.Next = restore(m.asked, now) + b.Interval
		if now >= step.Next {
			m.miss(&step)
			m.ask(now, s.Stalled)
			step.Next = now + b.Interval
		}
		return step
	}
	// "The probe's clock starts when its bytes have been handed to the kernel":
	// before that only the output's own progress counts.
	if m.flags&left == 0 {
		if !s.Left {
			return Step{Next: now + m.patience(b)}
		}
		m.from = millis(max(s.LeftAt, restore(m.asked, now)))
		m.flags |= left
	}
	from, due := m.due(now, b, s.Stalled)
	if now < due {
		return Step{Next: due}
	}
	if !s.Examined {
		return Step{Examine: true}
	}
	switch {
	case s.Unread && !s.Paused:
		return Step{Wake: true, Next: now + b.Tick()}
	case s.Paused, s.Progress:
		m.from, m.stalled = millis(now), millis(s.Stalled)
	case s.LastData > from:
		m.from = millis(s.LastData)
	}
	if from, due = m.due(now, b, s.Stalled); now < due {
		return Step{Next: due}
	}
	step.Silence = now - restore(m.silent, now)
	if now >= from+m.timeout(b) && m.doubled > 0 { // it is suspect first, however late this look comes
		step.Verdict = true
		step.Next = now + b.Tick()
		return step
	}
	m.miss(&step)
	step.Suspect = m.flags&suspected == 0
	m.flags |= suspected
	m.doubled++
	_, due = m.due(now, b, s.Stalled)
	step.Next = max(due, now+time.Millisecond)
	return step
}

// due returns since when the answer is missing, and when that is to be missed,
// or to be the end. A stall of this process is no silence of the peer's, up to
// one timeout.
func (m *Monitor) due(now time.Duration, b *Bounds, stalled time.Duration) (from, due time.Duration) {
	timeout := m.timeout(b)
	still := time.Duration(millis(stalled)-m.stalled) * time.Millisecond
	from = restore(m.from, now) + min(still, timeout)
	return from, from + min(m.patience(b)<<m.doubled, timeout)
}

// miss notes that an answer is overdue, and asks again: the more often, the
// likelier it is that one gets through.
func (m *Monitor) miss(step *Step) {
	if m.missed < 1<<16-1 {
		m.missed++
	}
	step.Missed = int(m.missed)
	step.Probe = true
}

// Hurry has the peer probed at the next Look, with half the timeout: this
// machine has slept, or this process has stood still for long.
func (m *Monitor) Hurry() { m.flags |= hurried | again }

// Hurried reports whether the next Look is to probe whatever came.
func (m *Monitor) Hurried() bool { return m.flags&again != 0 }

// Retried reports whether Retry gave the peer its chance.
func (m *Monitor) Retried() bool { return m.flags&retried != 0 }

// Retry gives a peer one more probe after its verdict, and half a timeout.
func (m *Monitor) Retry(now, stalled time.Duration) {
	m.ask(now, stalled)
	m.flags |= retried | hurried
}

// PutOff delays the verdict, by a week at most.
func (m *Monitor) PutOff(by time.Duration) { m.from += millis(min(by, maxBound)) }

func (m *Monitor) timeout(b *Bounds) time.Duration {
	if m.flags&hurried != 0 {
		return b.Timeout / 2
	}
	return b.Timeout
}

// patience is how long an answer may take before it is missed.
func (m *Monitor) patience(b *Bounds) time.Duration {
	if b.Timeout < 0 {
		return b.Interval
	}
	return b.suspect(&m.RTT, m.timeout(b))
}

// millis is a time as it is kept.
func millis(d time.Duration) uint32 { return uint32(d / time.Millisecond) }

// age keeps the times of a probe that nobody answers for weeks, which is no
// death by itself, within what restore can tell.
func (m *Monitor) age(now time.Duration) {
	oldest := now - 2*maxBound
	for _, t := range []*uint32{&m.asked, &m.from, &m.silent} {
		if restore(*t, now) < oldest {
			*t = millis(oldest)
		}
	}
}

// restore is a time that was kept, and is less than 24 days from now.
func restore(ms uint32, now time.Duration) time.Duration {
	return now.Truncate(time.Millisecond) + time.Duration(int32(ms-millis(now)))*time.Millisecond
}

// jitter is d ± 10 %.
func jitter(d time.Duration, noise uint32) time.Duration {
	return d - d/10 + d/5/1024*time.Duration(noise>>10%1024)
}

// scramble makes two numbers look random.
func scramble(a, b uint32) uint32 {
	x := a*0x9e3779b1 ^ b*0x85ebca77
	x ^= x >> 15
	x *= 0xc2b2ae3d
	return x ^ x>>13
}
