package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A memoryConn is the wire of an engine in memory: it yields the frames of a
// batch over and over, and takes the answers.
type memoryConn struct {
	batch   *batch
	turns   int  // how often the batch is yielded
	readMax int  // bytes a Read yields at most; 0 = no limit
	compare bool // compare every byte of the answers; else count them

	begin, end func() // called at the first Read, and when everything was read

	turn, pos     int   // of what is read
	answered      int64 // bytes of answers
	at            int   // where the next answer begins in batch.exp
	reading, over bool
	err           error // the first wrong byte
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if !c.reading {
		c.reading = true
		c.begin()
	}
	if c.turn == c.turns {
		if !c.over {
			c.over = true
			c.end()
		}
		return 0, io.EOF
	}
	if c.readMax > 0 && len(p) > c.readMax {
		p = p[:c.readMax]
	}
	n := copy(p, c.batch.out[c.pos:])
	if c.pos += n; c.pos == len(c.batch.out) {
		c.pos = 0
		c.turn++
	}
	return n, nil
}

// Write looks at what comes between the first Read and the end.
func (c *memoryConn) Write(p []byte) (int, error) {
	if !c.reading || c.over {
		return len(p), nil
	}
	c.answered += int64(len(p))
	if c.compare && c.err == nil {
		c.check(p)
	}
	return len(p), nil
}

func (c *memoryConn) check(p []byte) {
	at := c.answered - int64(len(p))
	for len(p) > 0 {
		n := min(len(p), len(c.batch.exp)-c.at)
		if !bytes.Equal(p[:n], c.batch.exp[c.at:c.at+n]) {
			c.err = fmt.Errorf("byte %d of the answers is wrong", at+int64(firstDifference(p, c.batch.exp[c.at:])))
			return
		}
		at += int64(n)
		p = p[n:]
		c.at = (c.at + n) % len(c.batch.exp)
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// verdict is to be asked when the engine has returned, with what it returned.
func (c *memoryConn) verdict(returned error) error {
	want := int64(c.turns) * int64(len(c.batch.exp))
	switch {
	case c.err != nil:
		return c.err
	case !c.over:
		return errors.Join(errors.New("the engine stopped before the end of its input"), returned)
	case c.answered != want:
		return fmt.Errorf("%d bytes of answers instead of %d", c.answered, want)
	}
	return nil
}

func (*memoryConn) Close() error                     { return nil }
func (*memoryConn) LocalAddr() net.Addr              { return memoryAddr{} }
func (*memoryConn) RemoteAddr() net.Addr             { return memoryAddr{} }
func (*memoryConn) SetDeadline(time.Time) error      { return nil }
func (*memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (*memoryConn) SetWriteDeadline(time.Time) error { return nil }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
