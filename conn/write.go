package conn

import (
	"context"
	"time"
)

// holdFor is how long a reply may wait for others of its batch.
const holdFor = time.Millisecond

// Write sends a message. nil means that it was accepted, in order: it leaves
// at once, or with the other replies to a batch of messages that arrived
// together, within 1 ms; if the peer does not read, it waits in a copy. At the
// output limit Write waits, until ctx ends, in which case nothing was sent and
// the connection goes on. p is the caller's again when Write returns.
func (c *Conn) Write(ctx context.Context, typ Type, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, len(p)); err != nil {
		return err
	}
	return c.send(typ, p)
}

// TryWrite is Write, but where that would wait it returns [ErrBackpressure].
func (c *Conn) TryWrite(typ Type, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admits(len(p)) {
		return ErrBackpressure
	}
	return c.send(typ, p)
}

// Queue copies a message to the output, to leave with the next one that is
// written, with Flush, or within 1 ms. It never waits: at the output limit it
// returns [ErrBackpressure], and nothing was queued.
func (c *Conn) Queue(typ Type, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admits(len(p)) {
		return ErrBackpressure
	}
	if err := c.ep.Queue(typ, p, true); err != nil {
		return c.explain(err)
	}
	c.collect()
	return nil
}

// WritePrepared is Write for a message that many connections get.
func (c *Conn) WritePrepared(ctx context.Context, m *Prepared) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, m.Len()); err != nil {
		return err
	}
	return c.sendPrepared(m)
}

// TryWritePrepared is TryWrite for a message that many connections get.
func (c *Conn) TryWritePrepared(m *Prepared) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admits(m.Len()) {
		return ErrBackpressure
	}
	return c.sendPrepared(m)
}

func (c *Conn) sendPrepared(m *Prepared) error {
	if err := c.ep.SendPrepared(m); err != nil {
		return c.explain(err)
	}
	c.leave()
	return nil
}

// send queues a whole message and lets it leave.
func (c *Conn) send(typ Type, p []byte) error {
	if c.raw == nil || c.writing || c.batch.Load() {
		if err := c.ep.Queue(typ, p, true); err != nil {
			return c.explain(err)
		}
		c.leave()
		return nil
	}
	if err := c.ep.Send(typ, p, true); err != nil {
		return c.explain(err)
	}
	c.flush()
	return nil
}

// leave lets what is queued leave: now, unless it is a reply to one message of
// a batch of which others wait to be delivered.
func (c *Conn) leave() {
	if c.batch.Load() {
		c.collect()
	} else {
		c.flush()
	}
}

// collect holds what is queued for the end of the batch, 64 KiB, or 1 ms.
func (c *Conn) collect() {
	if c.writing {
		return
	}
	if c.ep.Buffered() >= scratchSize {
		c.flush()
		return
	}
	c.hold()
}

// hold lets what is queued, or will be, leave in 1 ms.
func (c *Conn) hold() {
	if c.held.Load() {
		return
	}
	c.held.Store(true)
	if c.timer == nil {
		c.timer = time.AfterFunc(holdFor, c.letGo)
	} else {
		c.timer.Reset(holdFor)
	}
}

// letGo lets held replies leave. The timer calls it.
func (c *Conn) letGo() {
	c.mu.Lock()
	c.held.Store(false)
	c.ep.EndBatch()
	c.flush()
	c.mu.Unlock()
}

// admits reports whether n more bytes of data fit the output now.
func (c *Conn) admits(n int) bool {
	if c.writer != nil || len(c.room) > 0 {
		return !c.ep.MaySend()
	}
	return c.fits(n)
}

func (c *Conn) fits(n int) bool {
	buffered := c.ep.Buffered()
	return buffered == 0 || c.opts.MaxOutput < 0 || buffered+n <= c.opts.MaxOutput || !c.ep.MaySend()
}

// admit waits until n more bytes fit, after those who wait already. c.mu is
// held, and released while it waits.
func (c *Conn) admit(ctx context.Context, n int) error {
	if c.admits(n) {
		return nil
	}
	return c.queueUp(ctx, n)
}

func (c *Conn) queueUp(ctx context.Context, n int) error {
	turn := make(chan struct{}, 1)
	c.room = append(c.room, turn)
	defer func() {
		for i, w := range c.room {
			if w == turn {
				c.room = append(c.room[:i], c.room[i+1:]...)
				break
			}
		}
		c.wakeWriter() // the next may fit too
	}()
	for {
		if c.room[0] == turn && c.writer == nil && c.fits(n) || !c.ep.MaySend() {
			return nil // and if nothing may be sent any more, sending says why
		}
		c.flush()
		c.mu.Unlock()
		var err error
		select {
		case <-turn:
		case <-c.ended:
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		if err != nil {
			return err
		}
	}
}

// wakeWriter lets the writer that has waited longest look again.
func (c *Conn) wakeWriter() {
	if len(c.room) > 0 {
		select {
		case c.room[0] <- struct{}{}:
		default:
		}
	}
}

// flushWaiter waits until the transport has taken a number of bytes.
type flushWaiter struct {
	until uint64
	done  chan struct{}
}

// Flush waits until all that was written before is handed to the kernel, or
// with TLS to the connection below.
func (c *Conn) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	return c.awaitSent(ctx, c.ep.Queued())
}

// awaitSent waits until the transport has taken that many bytes of data. c.mu
// is held, and released while it waits.
func (c *Conn) awaitSent(ctx context.Context, until uint64) error {
	if c.ep.Aborted() || c.ep.Sent() >= until && (until < c.ep.Queued() || !c.ep.Pending()) {
		return c.lost()
	}
	w := flushWaiter{until: until, done: make(chan struct{})}
	c.flushes = append(c.flushes, w)
	c.mu.Unlock()
	var err error
	select {
	case <-w.done:
	case <-c.released:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	for i := range c.flushes {
		if c.flushes[i].done == w.done {
			c.flushes = append(c.flushes[:i], c.flushes[i+1:]...)
			if err == nil {
				err = c.lost()
			}
			return err
		}
	}
	return nil
}

// lost returns how the connection ended if output was lost with it. c.mu is
// held.
func (c *Conn) lost() error {
	if c.ep.Aborted() {
		return c.ep.Err()
	}
	return nil
}

// flush writes what is queued, as far as the transport takes it at once; a
// flusher goes on with the rest. c.mu is held, and released during the system
// call: meanwhile others only queue, and this writer takes along what they do.
func (c *Conn) flush() {
	c.ep.RestCompressor() // what leaves now ends a batch
	if c.writing || !c.ep.Pending() {
		return
	}
	c.writing = true
	if c.held.Load() {
		c.held.Store(false)
	}
	if c.raw == nil {
		c.block()
		go c.flusher()
		return
	}
	// Others may queue as fast as this writes; it has its own work to do.
	for range 4 {
		c.vec = c.ep.Output(c.vec[:0])
		if len(c.vec) == 0 {
			c.writing = false
			return
		}
		began := c.now()
		c.mu.Unlock()
		n, blocked, err := c.raw.write(c.vec, false)
		c.mu.Lock()
		if !c.wrote(began, n, err) {
			return
		}
		if blocked {
			break
		}
	}
	if !c.ep.Pending() {
		c.writing = false
		return
	}
	c.ep.Keep()
	c.block()
	go c.flusher()
}

// flusher writes what the transport did not take at once. It is the only
// goroutine that a connection ever waits for its peer in, and ends when all is
// written.
func (c *Conn) flusher() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.vec = c.ep.Output(c.vec[:0])
		if len(c.vec) == 0 {
			c.writing = false
			c.blocked = blockedOutput{}
			return
		}
		began := c.now()
		c.mu.Unlock()
		var n int
		var err error
		if c.raw != nil {
			n, _, err = c.raw.write(c.vec, true)
		} else {
			// A write that cannot be taken back is kept short, so that a pong
			// waits behind little.
			n, err = c.nc.Write(c.vec[0][:min(len(c.vec[0]), streamWrite)])
		}
		c.mu.Lock()
		if !c.wrote(began, n, err) {
			return
		}
		if n > 0 {
			c.block()
		}
	}
}

// streamWrite is the most that goes into one blocking write: a TLS record.
const streamWrite = 16 << 10

// wrote takes what was written off the queue, in a call that began at a time
// when it could not have been answered yet. It returns false when the transport
// failed, and with it the connection.
func (c *Conn) wrote(began time.Time, n int, err error) bool {
	clear(c.vec)
	c.ep.Written(began, n)
	if !c.probe.left {
		c.noteProbe()
	}
	if err != nil {
		c.writing = false
		c.ep.Abort(err)
		go c.abort(err)
		return false
	}
	if n > 0 && (len(c.room) > 0 || len(c.flushes) > 0) {
		c.progress()
	}
	return true
}

// progress wakes those who wait for bytes to leave.
func (c *Conn) progress() {
	c.wakeWriter()
	sent := c.ep.Sent()
	kept := c.flushes[:0]
	for _, w := range c.flushes {
		if sent >= w.until || !c.ep.Pending() {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(c.flushes[len(kept):])
	c.flushes = kept
}
