package main

import (
	"bytes"
	"context"
	encoding "encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A client is one connection of the generator.
type client struct {
	fd            int
	batch         *batch
	busy          bool // a batch is under way
	watchOut      bool
	written, read int // bytes of it
	began         time.Duration

	// In a ping scenario: the pong that is arriving, and the lowest number it may carry.
	pong     [127]byte
	pongSize int
	next     int
	pongs    uint64 // of this batch
}

// dial connects, upgrades unless raw, and takes the descriptor out of the runtime's hands.
func dial(ctx context.Context, addr string, raw bool) (int, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return -1, err
	}
	defer nc.Close()
	if !raw {
		deadline, _ := ctx.Deadline()
		if err := upgrade(nc, addr, deadline); err != nil {
			return -1, err
		}
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if cerr := rc.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return -1, cerr
	}
	if err != nil {
		return -1, fmt.Errorf("dup: %w", err)
	}
	return fd, nil // non-blocking, as Go's sockets are
}

func (g *generator) serve(i int, events uint32) error {
	c := &g.conns[i]
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		if err := g.receive(c, i); err != nil {
			return err
		}
	}
	if events&unix.EPOLLOUT != 0 {
		return g.send(c, i)
	}
	return nil
}

func (g *generator) begin(c *client, i int) error {
	c.busy, c.written, c.read, c.next, c.pongs = true, 0, 0, 0, 0
	c.began = g.now
	return g.send(c, i)
}

func (g *generator) send(c *client, i int) error {
	for c.written < len(c.batch.out) {
		n, e := rawWrite(c.fd, c.batch.out[c.written:])
		switch e {
		case 0:
			c.written += n
		case unix.EINTR:
		case unix.EAGAIN:
			return g.watch(c, i, true)
		default:
			return fmt.Errorf("write: %w", e)
		}
	}
	return g.watch(c, i, false)
}

func (g *generator) watch(c *client, i int, out bool) error {
	if c.watchOut == out {
		return nil
	}
	c.watchOut = out
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	if out {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(g.epfd, unix.EPOLL_CTL_MOD, c.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// receive reads until a read comes back short: then nothing more is waiting.
func (g *generator) receive(c *client, i int) error {
	for {
		n, e := rawRead(c.fd, g.buf)
		switch {
		case e == unix.EAGAIN:
			return nil
		case e == unix.EINTR:
			continue
		case e != 0:
			return fmt.Errorf("read: %w", e)
		case n == 0:
			return errors.New("the server closed the connection")
		case !c.busy:
			return fmt.Errorf("%d bytes that nobody asked for", n)
		}
		done, err := g.check(c, g.buf[:n])
		if err != nil {
			return err
		}
		if done {
			if err := g.answered(c, i); err != nil {
				return err
			}
		}
		if n < len(g.buf) {
			return nil
		}
	}
}

func (g *generator) answered(c *client, i int) error {
	if c.written < len(c.batch.out) {
		return errors.New("the answer came before the question")
	}
	g.batches++
	g.pongs += c.pongs
	g.lastProgress = g.now
	g.rtt.add(g.now - c.began)
	if g.stopping {
		c.busy = false
		g.busy--
		return nil
	}
	return g.begin(c, i)
}

// check compares p with what must come next, and reports whether it completes the batch.
func (g *generator) check(c *client, p []byte) (done bool, err error) {
	if g.kind == ping && !g.raw {
		return g.checkPongs(c, p)
	}
	rest := c.batch.exp[c.read:]
	if len(p) > len(rest) {
		return false, fmt.Errorf("%d bytes beyond the last answer", len(p)-len(rest))
	}
	if !bytes.Equal(p, rest[:len(p)]) {
		return false, fmt.Errorf("byte %d of the answer is wrong", c.read+firstDifference(p, rest))
	}
	c.read += len(p)
	return len(p) == len(rest), nil
}

// checkPongs takes some of the pongs, in order and with the last of the batch:
// "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
// response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame
// for only the most recently processed Ping frame." RFC 6455 §5.5.3
func (g *generator) checkPongs(c *client, p []byte) (done bool, err error) {
	size := 2 + g.size
	for len(p) > 0 {
		if done {
			return false, fmt.Errorf("%d bytes beyond the last pong", len(p))
		}
		frame := p
		if c.pongSize > 0 || len(p) < size {
			n := copy(c.pong[c.pongSize:size], p)
			c.pongSize += n
			p = p[n:]
			if c.pongSize < size {
				return false, nil
			}
			c.pongSize = 0
			frame = c.pong[:size]
		} else {
			frame, p = p[:size], p[size:]
		}
		k := int(encoding.BigEndian.Uint16(frame[2:]))
		if k < c.next || k >= g.depth {
			return false, fmt.Errorf("pong %d where %d to %d may follow", k, c.next, g.depth-1)
		}
		if !bytes.Equal(frame, c.batch.exp[k*size:(k+1)*size]) {
			return false, fmt.Errorf("pong %d is wrong", k)
		}
		c.pongs++
		c.next = k + 1
		done = c.next == g.depth
	}
	return done, nil
}
