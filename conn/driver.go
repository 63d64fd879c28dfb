package conn

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/control/wheel"
)

// Driver is what connections share: a coarse clock, a timing wheel with the
// monitors of their peers, memory and masking keys. The zero value is ready; a
// nil *Driver, in an option and as a receiver, stands for one that all of the
// process shares. Its goroutine runs only while connections exist, and ends
// within 100 ms of the last: a test in a bubble of testing/synctest wants a
// Driver of its own, and that much patience at its end. All methods may be
// called from any goroutine.
type Driver struct {
	clock atomic.Int64 // coarse time since base
	stats counters

	// mu is locked after Conn.mu and readRole.mu, never before them.
	mu       sync.Mutex
	base     time.Time
	tick     time.Duration // of the clock and the wheel
	ticker   *time.Ticker  // nil while no connection exists
	wheel    *wheel.Wheel
	conns    []*Conn           // by identifier in the wheel
	monitors []control.Monitor // likewise
	count    int
	suspects int
	breaker  control.Breaker
	ticked   time.Duration // when the clock last ticked
	stalled  atomic.Int64  // how long this process has stood still, in all; grows before clock does
	asleep   time.Duration // how long this machine has slept, in all
	looks    lookQueue

	pools  pools
	codecs codecs
	keys   keys
}

// slowest is the tick of a driver whose connections do not need a finer one.
const slowest = 100 * time.Millisecond

// shared is the driver of connections that were given none.
var shared Driver

// orShared resolves the meaning of nil.
func (d *Driver) orShared() *Driver {
	if d == nil {
		return &shared
	}
	return d
}

// add registers a connection.
func (d *Driver) add(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wheel == nil {
		d.base = time.Now()
		d.wheel = wheel.New(0)
		d.tick = slowest
	}
	d.refine(c.opts.bounds.Tick())
	d.count++
	now := time.Since(d.base)
	if d.ticker == nil {
		d.clock.Store(int64(now))
		d.ticked, d.asleep = now, slept()
		d.ticker = time.NewTicker(d.tick)
		go d.run(d.ticker)
	}
	c.id = d.wheel.Add()
	for int(c.id) >= len(d.conns) {
		d.conns = append(d.conns, nil)
		d.monitors = append(d.monitors, control.Monitor{})
	}
	d.conns[c.id] = c
	m := &d.monitors[c.id]
	m.Open(now)
	c.inbound.Store(int64(now))
	if next := m.Due(now, now, &c.opts.bounds, uint32(c.id)); next > 0 {
		d.set(c.id, next)
	}
}

// refine makes the tick as short as a connection needs it, or a little shorter:
// one that the present one is a multiple of.
func (d *Driver) refine(tick time.Duration) {
	if tick >= d.tick {
		return
	}
	k := (d.tick + tick - 1) / tick
	for d.tick%(k*time.Millisecond) != 0 {
		k++
	}
	d.wheel.Refine(uint32(k))
	d.tick /= k
	if d.ticker != nil {
		d.ticker.Reset(d.tick)
		d.ticked = d.since() // the tick that was under way is no stall
	}
}

func (d *Driver) remove(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.monitors[c.id].State() == control.Suspect {
		d.suspects--
	}
	d.monitors[c.id] = control.Monitor{}
	d.wheel.Remove(c.id)
	d.conns[c.id] = nil
	d.count--
}

// set has a connection looked at no later than at a time. d.mu is held.
func (d *Driver) set(id int32, at time.Duration) {
	tick := uint32((at + d.tick - 1) / d.tick)
	if due, ok := d.wheel.Due(id); !ok || int32(tick-due) < 0 {
		d.wheel.Set(id, tick)
	}
}

// arm has c looked at in about the given time, or before.
func (d *Driver) arm(c *Conn, in time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] == c {
		d.set(c.id, time.Duration(d.clock.Load())+in+d.tick)
	}
}

// now is the coarse time.
func (d *Driver) now() time.Time { return d.base.Add(time.Duration(d.clock.Load())) }

// lag is how long this process has stood still, in all.
func (d *Driver) lag() time.Duration { return time.Duration(d.stalled.Load()) }

// since is a time in the terms of the monitors.
func (d *Driver) since() time.Duration { return time.Since(d.base) }

func (d *Driver) run(ticker *time.Ticker) {
	var due []*Conn
	for range ticker.C {
		due = d.advance(due[:0])
		for _, c := range due {
			c.checkReader()
		}
		if d.checkPeers(due) {
			return
		}
		clear(due)
	}
}

// advance sets the clock and returns the connections that are due.
func (d *Driver) advance(due []*Conn) []*Conn {
	now := d.since()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notice(now)
	d.clock.Store(int64(now))
	d.wheel.Advance(uint32(now/d.tick), func(id int32) { due = append(due, d.conns[id]) })
	return due
}

// notice sees whether this process has stood still, or the machine slept, since
// the last tick. A short stall shifts what is due; after a long one nothing of
// what was measured before can be trusted, so every peer is asked at once.
func (d *Driver) notice(now time.Duration) {
	lag := now - d.ticked - d.tick
	d.ticked = now
	asleep := slept()
	sleep := asleep - d.asleep
	d.asleep = asleep
	if lag <= 2*d.tick {
		lag = 0
	}
	if lag == 0 && sleep < time.Second {
		return
	}
	d.stalled.Add(int64(lag))
	d.stats.stalls.Add(1)
	for id, c := range d.conns {
		if c == nil || c.opts.bounds.Interval < 0 || c.opts.bounds.Timeout < 0 {
			continue
		}
		if sleep >= time.Second || lag >= c.opts.bounds.Timeout/2 {
			d.monitors[id].Hurry()
			d.set(int32(id), now)
		}
	}
}

// checkPeers sets when the connections that were due will be due again, or has
// them looked at. It returns true when no connection exists any more.
func (d *Driver) checkPeers(due []*Conn) (over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Duration(d.clock.Load())
	for _, c := range due {
		if d.conns[c.id] != c {
			continue
		}
		m := &d.monitors[c.id]
		if m.State() == control.Alive && !m.Hurried() && !c.stallable.Load() {
			next := m.Due(now, time.Duration(c.inbound.Load()), &c.opts.bounds, uint32(c.id))
			if next == 0 {
				continue
			}
			if now < next {
				d.set(c.id, next)
				continue
			}
		}
		d.enqueue(c)
	}
	if d.count > 0 {
		return false
	}
	d.ticker.Stop()
	d.ticker = nil
	return true
}
