package conn_test

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// memoryConn is one end of a connection in memory, as strict as TCP: writers
// wait for room, and an end that is closed with unread input, or gets more
// afterwards, resets the connection, whereby the other end loses what it has
// not read.
type memoryConn struct {
	in, out     *stretch
	read, write limit
	closed      atomic.Bool
	writes      atomic.Int64 // calls of Write
	reads       atomic.Int64 // calls of Read that gave bytes
}

// stretch is one direction.
type stretch struct {
	mu      sync.Mutex
	change  *sync.Cond
	pieces  []parcel
	size    int
	room    int           // bytes that fit
	delay   time.Duration // from Write to Read
	stalled bool          // nothing goes in
	ended   bool          // the writer is done
	deaf    bool          // the reader is gone
	reset   bool
}

type parcel struct {
	b  []byte
	at time.Time
}

// limit is a deadline.
type limit struct {
	at    time.Time
	timer *time.Timer
}

// newMemoryPair returns two ends with room for that many bytes each way.
func newMemoryPair(room int) (a, b *memoryConn) {
	there, back := &stretch{room: room}, &stretch{room: room}
	there.change, back.change = sync.NewCond(&there.mu), sync.NewCond(&back.mu)
	return &memoryConn{in: back, out: there}, &memoryConn{in: there, out: back}
}

// slow delays all that this end writes from now on.
func (c *memoryConn) slow(d time.Duration) {
	c.out.mu.Lock()
	c.out.delay = d
	c.out.mu.Unlock()
}

// block makes what the other end writes wait, or go on.
func (c *memoryConn) block(on bool) {
	c.in.mu.Lock()
	c.in.stalled = on
	c.in.change.Broadcast()
	c.in.mu.Unlock()
}

// Abort ends the connection with a reset.
func (c *memoryConn) Abort() {
	c.out.fail()
	c.in.fail()
	c.Close()
}

func (s *stretch) fail() {
	s.mu.Lock()
	s.reset, s.pieces, s.size = true, nil, 0
	s.change.Broadcast()
	s.mu.Unlock()
}

func (l *limit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

func (l *limit) set(t time.Time, s *stretch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.at, l.timer = t, nil
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		l.timer = time.AfterFunc(wait, s.wake)
	}
	s.change.Broadcast()
}

func (s *stretch) wake() {
	s.mu.Lock()
	s.change.Broadcast()
	s.mu.Unlock()
}

func (c *memoryConn) Read(p []byte) (n int, err error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case c.closed.Load():
			return 0, net.ErrClosed
		case c.read.passed():
			return 0, os.ErrDeadlineExceeded
		case s.reset:
			return 0, syscall.ECONNRESET
		}
		for len(s.pieces) > 0 && n < len(p) && !time.Now().Before(s.pieces[0].at) {
			k := copy(p[n:], s.pieces[0].b)
			n += k
			if s.pieces[0].b = s.pieces[0].b[k:]; len(s.pieces[0].b) == 0 {
				s.pieces = s.pieces[1:]
			}
		}
		if n > 0 {
			c.reads.Add(1)
			s.size -= n
			s.change.Broadcast()
			return n, nil
		}
		if s.ended && len(s.pieces) == 0 {
			return 0, io.EOF
		}
		s.change.Wait()
	}
}

func (c *memoryConn) Write(p []byte) (n int, err error) {
	c.writes.Add(1)
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case c.closed.Load():
			return n, net.ErrClosed
		case c.write.passed():
			return n, os.ErrDeadlineExceeded
		case s.reset:
			return n, syscall.ECONNRESET
		case s.ended:
			return n, syscall.EPIPE
		case s.deaf:
			go c.in.fail()
			return n + len(p), nil
		}
		if k := min(s.room-s.size, len(p)); k > 0 && !s.stalled {
			s.pieces = append(s.pieces, parcel{append([]byte(nil), p[:k]...), time.Now().Add(s.delay)})
			s.size += k
			n, p = n+k, p[k:]
			if s.delay > 0 {
				time.AfterFunc(s.delay, s.wake)
			}
			s.change.Broadcast()
		}
		if len(p) == 0 {
			return n, nil
		}
		s.change.Wait()
	}
}

func (c *memoryConn) CloseWrite() error {
	c.out.mu.Lock()
	c.out.ended = true
	c.out.change.Broadcast()
	c.out.mu.Unlock()
	return nil
}

func (c *memoryConn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	c.in.mu.Lock()
	unread := c.in.size > 0
	c.in.deaf = true
	c.in.change.Broadcast()
	c.in.mu.Unlock()
	c.CloseWrite()
	if unread {
		c.out.fail()
		c.in.fail()
	}
	return nil
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.read.set(t, c.in)
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.write.set(t, c.out)
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
