package conn

import (
	"context"
	"sync"
	"sync/atomic"
)

// readRole is the right to read, which one goroutine holds at a time. A caller
// of a read method takes it for as long as one call lasts. While none does and
// something needs the peer's answer (a ping of ours, a closing handshake, or an
// application that has not read for a while), the pump holds it, and gives it
// up as soon as a caller wants it.
//
// Taking and giving back are one atomic operation each unless the attention
// bit is set, which happens under mu only.
type readRole struct {
	state atomic.Int32

	mu      sync.Mutex
	waiters []chan struct{} // callers, in the order they came
	needs   int             // how many things need a reader
	pumping bool            // the pump holds the role
}

const (
	roleFree      int32 = 0
	roleHeld      int32 = 1
	roleAttention int32 = 2 // whoever takes the role or gives it back must lock mu
)

// take takes the role for a caller of a read method.
func (c *Conn) take(ctx context.Context) error {
	if c.role.state.CompareAndSwap(roleFree, roleHeld) {
		return nil
	}
	return c.takeSlowly(ctx)
}

func (c *Conn) takeSlowly(ctx context.Context) error {
	r := &c.role
	r.mu.Lock()
	if r.state.Or(roleAttention)&roleHeld == 0 {
		r.state.Store(roleHeld | roleAttention)
		r.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	r.waiters = append(r.waiters, turn)
	pumping := r.pumping
	r.mu.Unlock()
	if pumping {
		c.interrupt()
	}

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	for i, w := range r.waiters {
		if w == turn {
			r.waiters = append(r.waiters[:i], r.waiters[i+1:]...)
			r.mu.Unlock()
			return ctx.Err()
		}
	}
	r.mu.Unlock()
	c.give() // the turn came in the same moment
	return ctx.Err()
}

// give gives the role back after a call of a read method.
func (c *Conn) give() {
	if !c.watched.Load() {
		c.watch()
	}
	if !c.role.state.CompareAndSwap(roleHeld, roleFree) {
		c.pass()
	}
}

// pass gives the role to whoever wants it.
func (c *Conn) pass() {
	full := c.inboxFull() && !c.closing.Load()
	if full {
		c.paused.Store(true)
	}
	r := &c.role
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pumping = false
	switch {
	case len(r.waiters) > 0:
		close(r.waiters[0])
		r.waiters = append(r.waiters[:0], r.waiters[1:]...)
		r.state.Store(roleHeld | roleAttention)
	case r.needs > 0 && !full && !c.over.Load():
		r.pumping = true
		r.state.Store(roleHeld | roleAttention)
		go c.pump()
	case r.needs > 0:
		r.state.Store(roleAttention)
	default:
		r.state.Store(roleFree)
		if !full && !c.over.Load() {
			c.watch() // the pump may have left for somebody who gave up
		}
	}
}

// need says that somebody waits for what the peer will send.
func (c *Conn) need() {
	c.role.mu.Lock()
	c.role.needs++
	c.role.mu.Unlock()
	c.startPump()
}

// unneed takes one need back. A pump that runs goes on: the connection costs
// no more than one that is being read.
func (c *Conn) unneed() {
	c.role.mu.Lock()
	c.role.needs--
	c.role.mu.Unlock()
}

// startPump starts the pump unless somebody is reading.
func (c *Conn) startPump() {
	r := &c.role
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Or(roleAttention)&roleHeld == 0 {
		r.state.Store(roleHeld | roleAttention)
		r.pumping = true
		go c.pump()
	}
}

// wanted reports whether a caller waits for the role.
func (r *readRole) wanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiters) > 0
}

// watch has checkReader look at the connection when nobody will have read it
// for a while.
func (c *Conn) watch() {
	if !c.watched.Swap(true) {
		c.driver.arm(c, unreadAfter)
	}
}

// checkReader starts the pump if nobody is reading. The driver calls it.
func (c *Conn) checkReader() {
	if c.watched.Swap(false) && !c.over.Load() && c.role.state.Load()&roleHeld == 0 {
		c.startPump()
	}
}
