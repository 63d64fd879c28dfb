package conn

import (
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// exam is what the kernel knows of a TCP connection.
type exam struct {
	unread  int           // bytes that nobody has read
	unacked int           // bytes that the peer's kernel has not acknowledged
	unsent  int           // of those, bytes that wait for the peer's window, or the network
	acked   uint64        // bytes that it has
	window  uint64        // how many more it is ready to take
	edge    uint64        // where these end
	recent  time.Duration // since bytes last came
	mark    uint64        // acked when the peer's kernel has the probe
	start   uint64        // edge at the first exam
}

// minWindow is by how much the peer's window must have grown to say that
// somebody reads there: less may be the kernel's doing.
const minWindow = 4 << 10

// examine asks the kernel about a peer that is about to be suspected. What it
// says of the peer's progress is about the time since it was last asked. c.mu
// is held.
func (c *Conn) examine(s *control.Sight) *control.Sight {
	s.Examined = true
	s.Paused = c.paused.Load()
	now, ok := inspect(c.nc)
	if !ok {
		return s
	}
	s.Unread = now.unread > 0
	s.LastData = c.driver.since() - now.recent
	// Progress is what brings the probe nearer to whoever is to answer it: what the
	// peer's kernel acknowledges of all that was sent up to it, and what somebody
	// reads there of all that may lie before it. The edge alone says little of
	// that: while the window is wide it moves with every byte that comes, read or
	// not.
	if was := c.exam; was == nil {
		behind := c.ep.Sent() - c.probe.behind // data that was sent after it
		now.mark, now.start = now.acked+uint64(now.unacked)-behind, now.edge
	} else {
		now.mark, now.start = was.mark, was.start
		s.Progress = was.acked < min(now.acked, now.mark) ||
			(now.window >= was.window+minWindow || was.unsent > 0) &&
				now.edge >= was.edge+minWindow && now.edge <= now.start+c.probe.ahead(c.taken)+minWindow
	}
	c.exam = &now
	return s
}

// verdict says what the kernel knows of a peer that does not answer.
func (c *Conn) verdict() control.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, ok := inspect(c.nc)
	switch {
	case !ok:
		return control.Silent
	case seen.unacked == 0 || c.exam != nil && seen.acked >= c.exam.mark:
		return control.PeerStalled // it had the probe
	}
	return control.PathDead
}

// blockedOutput watches output that waits. Conn.mu guards it.
type blockedOutput struct {
	since  time.Duration // when the transport last took any of it; 0 when none waits
	lag    time.Duration // how long this process had stood still by then, in all
	acked  uint64        // bytes that the peer's kernel had acknowledged when it was last asked
	spared time.Duration // until when a hook has put the verdict off
}

// block notes that output waits for the transport, or that it took some of it.
// c.mu is held.
func (c *Conn) block() {
	if c.opts.bounds.WriteStall < 0 {
		return
	}
	d := c.driver
	c.blocked.since, c.blocked.lag = max(d.since(), 1), d.lag()
	if !c.stallable.Swap(true) {
		d.arm(c, c.opts.bounds.WriteStall/4)
	}
}

// stallSight is what came of looking at output that waits.
type stallSight struct {
	silence time.Duration // since the last progress
	next    time.Duration // when to look again
}

// stall reports whether output has waited too long without any progress: bytes
// that the kernel took or the peer's kernel acknowledged, or anything that came
// from the peer. While this process stood still nothing could be seen of that,
// which is forgiven up to once the bound. c.mu is held.
func (c *Conn) stall() (s stallSight, stalled bool) {
	bound := c.opts.bounds.WriteStall
	if c.blocked.since == 0 || bound < 0 {
		c.stallable.Store(false)
		return s, false
	}
	now := time.Duration(c.driver.clock.Load())
	lag := c.driver.lag()
	if seen, ok := inspect(c.nc); ok && seen.acked != c.blocked.acked {
		if c.blocked.acked != 0 {
			c.blocked.since, c.blocked.lag = now, lag
		}
		c.blocked.acked = seen.acked
	}
	last := max(c.blocked.since, time.Duration(c.inbound.Load()))
	due := max(last+bound+min(lag-c.blocked.lag, bound), c.blocked.spared)
	s.silence = now - last
	s.next = min(now+bound/4, due)
	return s, now >= due
}
