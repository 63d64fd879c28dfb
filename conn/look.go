package conn

import (
	"runtime"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
)

// maxLooks is how many connections may wait to be looked at. Others wait for
// the next tick.
const maxLooks = 1 << 16

// lookQueue is the dispatcher: at most GOMAXPROCS goroutines, or two, which exist
// while there is something to look at. All that is not for the clock's goroutine, or
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
	if q.workers < max(2, runtime.GOMAXPROCS(0)) { // a hook that blocks, although it must not, is alone
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
		step := m.Look(now, &c.opts.bounds, uint32(c.id), control.Sight{Inbound: now, Stalled: d.lag()})
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
	s := control.Sight{Left: c.probe.left, LeftAt: c.probe.leftAt}
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
		hasten(c.nc, false)
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
			hasten(c.nc, true)
			d.stats.suspects.Add(1)
			if h.OnSuspect != nil {
				h.OnSuspect(c, step.Silence)
			}
		}
	}
	next := step.Next
	switch {
	case stalled:
		next = c.convict(s.Inbound, &control.DeadError{Verdict: control.WriteStall, Silence: stall.silence, Missed: c.missed()})
	case step.Verdict:
		next = c.judge(s.Inbound, step.Silence)
	}
	d.plan(c, next, stall.next)
}

// consult asks the monitor, as of the last tick: whether this process has stood
// still since is not known yet.
func (d *Driver) consult(c *Conn, s *control.Sight) control.Step {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] != c {
		return control.Step{}
	}
	s.Inbound, s.Stalled = time.Duration(c.inbound.Load()), d.lag()
	m := &d.monitors[c.id]
	before := m.State()
	step := m.Look(time.Duration(d.clock.Load()), &c.opts.bounds, uint32(c.id), *s)
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
	seq, err := c.ep.Probe(time.Now())
	if first {
		c.probe = question{seq: seq}
	}
	if err == endpoint.ErrPings {
		// So many wait for their answers already that the last of them serves as
		// well. But a peer that never answers exactly is to hear a ping, too.
		err = c.ep.Ping(oneMore)
	}
	if err == nil {
		c.driver.stats.probes.Add(1)
		c.flush()
	}
}

// oneMore is a ping whose pong is evidence and nothing else.
var oneMore = []byte("one more")

// question is the ping whose answer the monitor waits for.
type question struct {
	seq    uint32
	left   bool // the transport has all of it
	leftAt time.Duration
	behind uint64 // bytes of data that had left by then
}

// ahead is how many bytes of data left before it, after the first taken.
func (q *question) ahead(taken uint64) uint64 { return q.behind - min(taken, q.behind) }

// noteProbe sees whether the probe has left. The endpoint knows for round trips
// when the write that took it began, which may have been long before it was
// over. c.mu is held.
func (c *Conn) noteProbe() {
	if _, ok := c.ep.ProbeLeft(c.probe.seq); ok {
		c.probe.left, c.probe.leftAt, c.probe.behind = true, c.driver.since(), c.ep.Sent()
		if c.blocked.since > 0 {
			c.examine(&control.Sight{}) // what a slow reader does from now on is progress
		}
	}
}

// judge decides about a peer from which nothing came for the timeout, and not
// since inbound, and returns when to look at it again.
func (c *Conn) judge(inbound, silence time.Duration) (next time.Duration) {
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
		m.Retry(now, d.lag())
	}
	soon := now + d.tick
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
		return soon
	}
	return c.convict(inbound, &control.DeadError{Verdict: c.verdict(), Silence: silence, Missed: c.missed()})
}

// options returns the different options of all connections: one of those that
// are copies of the same. d.mu is held.
func (d *Driver) options() (all []*Options) {
	seen := make(map[*Options]bool)
	for _, c := range d.conns {
		if c != nil && !seen[c.opts.origin] {
			seen[c.opts.origin] = true
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

// convict ends the connection with a dead peer, unless a hook puts it off, or
// bytes have come since inbound after all: then it says when to look again.
func (c *Conn) convict(inbound time.Duration, err *control.DeadError) (next time.Duration) {
	d := c.driver
	if h := c.hooks(); h.OnDead != nil {
		if by := h.OnDead(c, err); by > 0 {
			return c.putOff(err.Verdict, min(by, longest))
		}
	}
	switch {
	case c.over.Load():
		return 0
	case time.Duration(c.inbound.Load()) > inbound:
		return d.since()
	}
	d.stats.dead[err.Verdict].Add(1)
	c.abortHard(err)
	return 0
}

// longest is by how much a verdict may be put off at once.
const longest = 7 * 24 * time.Hour

// putOff delays a verdict, and returns when to look again.
func (c *Conn) putOff(v control.Verdict, by time.Duration) time.Duration {
	d := c.driver
	next := d.since() + by
	if v == control.WriteStall {
		c.mu.Lock()
		c.blocked.spared = next
		c.mu.Unlock()
		return next
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] == c {
		d.monitors[c.id].PutOff(by)
	}
	return next
}
