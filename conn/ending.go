package conn

import (
	"context"
	"net"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

// discardLimit is how much a peer may send after the end of the connection
// before its transport is closed under it. There is room for the rest of a
// message that was too big, whose sender would otherwise see a reset instead of
// the Close frame that says so.
const discardLimit = 16 << 20

// Close ends the connection: what was written before leaves first, then a
// Close frame; then the peer's Close frame is waited for. All of it is over
// within CloseTimeout, after which the transport is closed anyway. ctx bounds
// only how long Close waits for that. Messages that arrive meanwhile are
// delivered to whoever reads; what nobody reads in time is discarded. See
// CloseWrite for a peer that is to be heard out.
//
// The code must be one that may be sent (see [CloseCode.OnWire]), or 1005 for a
// Close frame without one; the reason at most 123 bytes of UTF-8. The error is
// nil when the peer answered, or had closed the connection before.
func (c *Conn) Close(ctx context.Context, code CloseCode, reason string) error {
	if err := c.startClose(code, reason); err != nil {
		return err
	}
	select {
	case <-c.released:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	err, _ := c.ep.Err().(*CloseError)
	c.mu.Unlock()
	if err != nil && err.Err != nil {
		return err
	}
	return nil
}

// CloseWrite sends a Close frame behind what was written before, as Close does,
// and leaves the rest to the application, which goes on reading: whatever the
// peer sends up to its own Close is delivered, however late it is read within
// CloseTimeout. Nothing more can be written.
func (c *Conn) CloseWrite(code CloseCode, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendClose(code, reason)
}

// startClose sends a Close frame and has somebody read the answer.
func (c *Conn) startClose(code CloseCode, reason string) error {
	c.mu.Lock()
	before := c.closing.Swap(true) // the peer must not know sooner
	err := c.sendClose(code, reason)
	if err != nil {
		c.closing.Store(before)
	}
	c.mu.Unlock()
	if err == nil && !before && !c.over.Load() {
		c.need()
	}
	return err
}

// sendClose sends a Close frame. c.mu is held.
func (c *Conn) sendClose(code CloseCode, reason string) error {
	if err := c.ep.Close(time.Now(), code, reason); err != nil {
		return err
	}
	c.setDeadline()
	c.flush()
	c.wakeWriter() // to tell it that it is too late
	return nil
}

// CloseNow ends the connection at once, without a Close frame. What was not
// yet handed to the kernel is lost.
func (c *Conn) CloseNow() error {
	c.abort(net.ErrClosed)
	return nil
}

// setDeadline has the endpoint's deadline kept. c.mu is held.
func (c *Conn) setDeadline() {
	if t, ok := c.ep.Deadline(); ok && c.deadline == nil && !c.freed {
		c.deadline = time.AfterFunc(time.Until(t), func() { c.abort(endpoint.ErrCloseTimeout) })
	}
}

// abort ends the connection and closes the transport.
func (c *Conn) abort(err error) {
	c.mu.Lock()
	c.ep.Abort(err)
	c.mu.Unlock()
	c.finish()
	c.release()
}

// abortHard is abort for a peer that is not there: the kernel need not go on
// sending to it, and TLS need not say goodbye.
func (c *Conn) abortHard(err error) {
	c.mu.Lock()
	c.ep.Abort(err)
	c.mu.Unlock()
	c.finish()
	reset(c.nc) // which is no cause of anything any more
	c.release()
}

// reset closes a TCP connection, or the one below TLS, with a reset.
func reset(nc net.Conn) {
	for nc != nil {
		switch t := nc.(type) {
		case interface{ SetLinger(int) error }:
			t.SetLinger(0)
			nc.Close()
			return
		case interface{ NetConn() net.Conn }:
			nc = t.NetConn()
		default:
			return
		}
	}
}

// finish makes the end of the connection known. c.ep.Err says how.
func (c *Conn) finish() {
	c.mu.Lock()
	if c.over.Swap(true) { // under mu: whoever sees it there may wait for ended
		c.mu.Unlock()
		return
	}
	c.err = c.ep.Err()
	c.setDeadline()
	c.mu.Unlock()
	close(c.ended)
	if c.opts.OnEnd != nil {
		c.opts.OnEnd(c, c.err)
	}
}

// linger closes the transport so that the peer gets all that was sent, our
// Close frame last: a socket that is closed with unread input resets the
// connection, and what the peer had not read is lost to it. The deadline cuts
// it short.
func (c *Conn) linger() {
	if c.Flush(context.Background()) == nil && c.endWrites() {
		c.discard()
	}
	c.release()
}

// endWrites says to the peer that nothing more will come, and reports whether
// it is worth waiting for the peer to do the same.
func (c *Conn) endWrites() bool {
	half, ok := c.nc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// discard reads until the peer is done as well.
func (c *Conn) discard() {
	b := make([]byte, smallSize)
	for left := discardLimit; left > 0; {
		n, err := c.nc.Read(b)
		left -= n
		if err == nil {
			continue
		}
		if !isTimeout(err) {
			return
		}
		c.nc.SetReadDeadline(time.Time{}) // meant for somebody who read before
		left -= smallSize
	}
}

// release closes the transport and gives back everything else.
func (c *Conn) release() {
	c.mu.Lock()
	if c.freed {
		c.mu.Unlock()
		return
	}
	c.freed = true
	for _, t := range []*time.Timer{c.timer, c.deadline} {
		if t != nil {
			t.Stop()
		}
	}
	c.mu.Unlock()
	c.nc.Close()
	c.role.mu.Lock()
	if c.unwatch != nil {
		c.unwatch()
	}
	c.role.mu.Unlock()
	c.driver.remove(c)
	close(c.released)
	if c.opts.OnRelease != nil {
		c.opts.OnRelease(c)
	}
}
