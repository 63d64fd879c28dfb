package conn

import (
	"runtime"
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// maxLooks is how many connections may wait to be looked at. Others wait for
// the next tick.
const maxLooks = 1 << 16

// lookQueue is the dispatcher: at most GOMAXPROCS goroutines, which exist while
// there is something to look at. All that is not for the clock's goroutine, or
// for whoever reads, is done here, for one connection by one goroutine at a
// time.
type lookQueue struct {
	waiting []*Conn
	next    int
	workers int
}

// enqueue has c looked at soon. d.mu is held.
func (d *Driver) enqueue(c *Conn) {
	q := &d.looks
	if c.looking {
		c.lookAgain = true
		return
	}
	if len(q.waiting)-q.next >= maxLooks {
		d.set(c.id, time.Duration(d.clock.Load())+d.tick)
		return
	}
	c.looking = true
	q.waiting = append(q.waiting, c)
	if q.workers < runtime.GOMAXPROCS(0) {
		q.workers++
		go d.lookAtAll()
	}
}

func (d *Driver) lookAtAll() {
	q := &d.looks
	d.mu.Lock()
	defer d.mu.Unlock()
	for q.next < len(q.waiting) {
		c := q.waiting[q.next]
		q.waiting[q.next] = nil
		if q.next++; q.next == len(q.waiting) || q.next == maxLooks {
			q.waiting = append(q.waiting[:0], q.waiting[q.next:]...)
			q.next = 0
		}
		d.mu.Unlock()
		c.look()
		d.mu.Lock()
		c.looking = false
		if c.lookAgain {
			c.lookAgain = false
			d.enqueue(c)
		}
	}
	if q.workers--; q.workers == 0 {
		q.waiting = nil
	}
}

// heard stamps what is being read precisely, as a probe is outstanding, and
// tells the monitor of it, once.
func (c *Conn) heard() {
	d := c.driver
	now := d.since()
	c.inbound.Store(int64(now))
	if !c.probing.Swap(false) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] != c {
		return
	}
	m := &d.monitors[c.id]
	if m.State() == control.Probing && !m.Hurried() {
		step := m.Look(now, &c.opts.bounds, uint32(c.id), control.Sight{Inbound: now, Stalled: d.stalled})
		if step.Next > 0 {
			d.set(c.id, step.Next)
		}
	} else {
		d.enqueue(c) // there are hooks to call
	}
}

// look sees how the peer is and does what follows from it.
func (c *Conn) look() {
	d := c.driver
	c.mu.Lock()
	if c.over.Load() || !c.ep.MaySend() { // the closing handshake has its own deadline
		c.mu.Unlock()
		return
	}
	s := control.Sight{}
	if at, ok := c.ep.ProbeLeft(c.probe); ok {
		s.Left, s.LeftAt = true, at.Sub(d.base)
	}
	stall, stalled := c.stall()
	step := d.consult(c, &s)
	if step.Examine {
		step = d.consult(c, c.examine(&s))
	}
	if step.Probe {
		c.sendProbe(step.Missed == 0)
	}
	c.mu.Unlock()

	if step.Probe || step.Wake {
		c.startPump()
	}
	h := c.hooks()
	switch {
	case step.Recovered:
		d.stats.recovered.Add(1)
		if h.OnRecovered != nil {
			h.OnRecovered(c, step.Silence)
		}
	case step.Missed > 0:
		d.stats.missed.Add(1)
		if h.OnMissed != nil {
			h.OnMissed(c, step.Missed)
		}
		if step.Suspect {
			d.stats.suspects.Add(1)
			if h.OnSuspect != nil {
				h.OnSuspect(c, step.Silence)
			}
		}
	}
	next := step.Next
	switch {
	case stalled:
		next = c.convict(&control.DeadError{Verdict: control.WriteStall, Silence: stall.silence, Missed: c.missed()})
	case step.Verdict:
		next = c.judge(step.Silence)
	}
	d.plan(c, next, stall.next)
}

// consult asks the monitor.
func (d *Driver) consult(c *Conn, s *control.Sight) control.Step {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] != c {
		return control.Step{}
	}
	s.Inbound, s.Stalled = time.Duration(c.inbound.Load()), d.stalled
	m := &d.monitors[c.id]
	before := m.State()
	step := m.Look(d.since(), &c.opts.bounds, uint32(c.id), *s)
	c.probing.Store(m.State() != control.Alive)
	d.suspects += btoi(m.State() == control.Suspect) - btoi(before == control.Suspect)
	return step
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plan has c looked at when it has to be, for any of the reasons there are.
func (d *Driver) plan(c *Conn, times ...time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range times {
		if at > 0 && d.conns[c.id] == c {
			d.set(c.id, at)
		}
	}
}

// sendProbe sends a ping. c.mu is held.
func (c *Conn) sendProbe(first bool) {
	if first {
		c.exam = nil // what was seen at another time says nothing
	}
	c.driver.stats.probes.Add(1)
	// If 16 pings of the application wait for their answers already, the last of
	// them serves as well.
	seq, err := c.ep.Probe(time.Now())
	if first {
		c.probe = seq
	}
	if err == nil {
		c.flush()
	}
}

// judge decides about a peer from which nothing came for the timeout, and
// returns when to look at it again.
func (c *Conn) judge(silence time.Duration) (next time.Duration) {
	d := c.driver
	d.mu.Lock()
	if d.conns[c.id] != c {
		d.mu.Unlock()
		return 0
	}
	now := d.since()
	m := &d.monitors[c.id]
	ruling, tripped := d.breaker.Rule(now, d.suspects, d.count, m.Retried())
	mass := control.Mass{Suspects: d.suspects, Total: d.count}
	var all []*Options
	if tripped {
		all = d.options()
	}
	if ruling == control.Again {
		m.Retry(now, d.stalled)
	}
	d.mu.Unlock()

	if tripped {
		d.stats.mass.Add(1)
	}
	for _, o := range all {
		if o.Hooks.OnMassSuspect != nil {
			o.Hooks.OnMassSuspect(mass)
		}
	}
	switch ruling {
	case control.Again:
		c.mu.Lock()
		if c.ep.MaySend() {
			c.sendProbe(true)
		}
		c.mu.Unlock()
		fallthrough
	case control.Wait:
		return now + d.tick
	}
	return c.convict(&control.DeadError{Verdict: c.verdict(), Silence: silence, Missed: c.missed()})
}

// options returns the different options of all connections. d.mu is held.
func (d *Driver) options() (all []*Options) {
	seen := make(map[*Options]bool)
	for _, c := range d.conns {
		if c != nil && !seen[c.opts] {
			seen[c.opts] = true
			all = append(all, c.opts)
		}
	}
	return all
}

func (c *Conn) missed() int {
	d := c.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] != c {
		return 0
	}
	return d.monitors[c.id].Missed()
}

// convict ends the connection with a dead peer, unless a hook puts it off.
func (c *Conn) convict(err *control.DeadError) (next time.Duration) {
	d := c.driver
	if h := c.hooks(); h.OnDead != nil {
		if by := h.OnDead(c, err); by > 0 {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.conns[c.id] == c {
				d.monitors[c.id].PutOff(by)
			}
			return d.since() + by
		}
	}
	d.stats.dead[err.Verdict].Add(1)
	c.abortHard(err)
	return 0
}
