package conn

import (
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// exam is what the kernel knows of a TCP connection.
type exam struct {
	unread  int           // bytes that nobody has read
	unacked int           // bytes that the peer's kernel has not acknowledged
	acked   uint64        // bytes that it has
	edge    uint64        // where what it is ready to take ends
	recent  time.Duration // since bytes last came
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
	if was := c.exam; was != nil {
		s.Progress = now.unacked < was.unacked || now.edge >= was.edge+minWindow
	}
	c.exam = &now
	return s
}

// verdict says what the kernel knows of a peer that does not answer.
func (c *Conn) verdict() control.Verdict {
	seen, ok := inspect(c.nc)
	switch {
	case !ok:
		return control.Silent
	case seen.unacked == 0:
		return control.PeerStalled
	}
	return control.PathDead
}

// blockedOutput watches output that waits. Conn.mu guards it.
type blockedOutput struct {
	since time.Duration // when the transport last took any of it; 0 when none waits
	acked uint64        // bytes that the peer's kernel had acknowledged when it was last asked
}

// block notes that output waits for the transport, or that it took some of it.
// c.mu is held.
func (c *Conn) block() {
	if c.opts.bounds.WriteStall < 0 {
		return
	}
	c.blocked.since = max(time.Duration(c.driver.clock.Load()), 1)
	if !c.stallable.Swap(true) {
		c.driver.arm(c, c.opts.bounds.WriteStall/4)
	}
}

// stallSight is what came of looking at output that waits.
type stallSight struct {
	silence time.Duration // since the last progress
	next    time.Duration // when to look again
}

// stall reports whether output has waited too long without any progress: bytes
// that the kernel took or the peer's kernel acknowledged, or anything that came
// from the peer. c.mu is held.
func (c *Conn) stall() (s stallSight, stalled bool) {
	bound := c.opts.bounds.WriteStall
	if c.blocked.since == 0 || bound < 0 {
		c.stallable.Store(false)
		return s, false
	}
	now := c.driver.since()
	if seen, ok := inspect(c.nc); ok && seen.acked != c.blocked.acked {
		if c.blocked.acked != 0 {
			c.blocked.since = now
		}
		c.blocked.acked = seen.acked
	}
	s.silence = now - max(c.blocked.since, time.Duration(c.inbound.Load()))
	s.next = now + bound/4
	return s, s.silence >= bound
}
