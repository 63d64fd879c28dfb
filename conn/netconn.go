package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// NetConn returns the connection as a stream: Write sends messages of the given
// type, of 64 KiB at most, and Read gives the bytes of all messages of that type
// one after the other, so that an empty one is nothing. A message of the other
// type closes the connection with 1003. A normal end of the connection is
// io.EOF; there is no half-close. The end of ctx closes it at once, unless it is
// closing already; deadlines interrupt single calls and leave the connection
// usable. Close sends 1000 behind what was written, which a peer that reads
// slowly has CloseTimeout to take.
func (c *Conn) NetConn(ctx context.Context, typ Type) net.Conn {
	return &stream{c: c, typ: typ, stop: context.AfterFunc(ctx, func() {
		if !c.closing.Load() && !c.over.Load() {
			c.CloseNow()
		}
	})}
}

type stream struct {
	c    *Conn
	typ  Type
	stop func() bool

	reads, writes deadline

	mu     sync.Mutex // one Read at a time
	reader *messageReader
	closed atomic.Bool
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := s.reads.context()
	for {
		if s.reader == nil {
			typ, r, err := s.c.Reader(ctx)
			if err != nil {
				return 0, s.explain(err)
			}
			if typ != s.typ {
				s.c.startClose(1003, "message of the wrong type")
				return 0, errors.New("websocket: message of type " + typ.String() + " on a stream of " + s.typ.String())
			}
			s.reader = r.(*messageReader)
		}
		s.reader.ctx = ctx
		n, err := s.reader.Read(p)
		if err == io.EOF {
			s.reader = nil
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, s.explain(err)
	}
}

func (s *stream) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+streamMessage)]
		if err := s.c.Write(s.writes.context(), s.typ, piece); err != nil {
			if err = s.explain(err); err == io.EOF {
				err = net.ErrClosed
			}
			return n, err
		}
		if n += len(piece); n == len(p) {
			return n, nil
		}
	}
}

// streamMessage is the largest message of a stream.
const streamMessage = 64 << 10

// explain turns the errors of a connection into those of a stream.
func (s *stream) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case err == ErrClosed, s.closed.Load() && s.c.over.Load():
		return net.ErrClosed
	case NormalEnd(err):
		return io.EOF
	case err == context.DeadlineExceeded:
		return os.ErrDeadlineExceeded
	}
	return err
}

func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	return s.c.Close(context.Background(), 1000, "")
}

func (s *stream) LocalAddr() net.Addr  { return s.c.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr { return s.c.RemoteAddr() }

func (s *stream) SetDeadline(t time.Time) error {
	s.reads.set(t)
	s.writes.set(t)
	return nil
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.reads.set(t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.writes.set(t)
	return nil
}
