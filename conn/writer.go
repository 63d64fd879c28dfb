package conn

import (
	"context"

	"github.com/wirebeat/wirebeat/frame"
)

// MessageWriter sends a message of any size in fragments. One goroutine may
// use it at a time. Until Close or Abort other writers of the connection wait.
type MessageWriter struct {
	c    *Conn
	ctx  context.Context
	typ  Type
	buf  []byte
	sent bool // a fragment has left the buffer
	done bool
}

// fragmentSize is how much a MessageWriter collects.
const fragmentSize = 16 << 10

// Writer begins a message that is written piece by piece. ctx is for all of it.
func (c *Conn) Writer(ctx context.Context, typ Type) (*MessageWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(ctx, 0); err != nil {
		return nil, err
	}
	if !c.ep.MaySend() {
		return nil, c.explain(ErrClosed)
	}
	c.writer = &MessageWriter{c: c, ctx: ctx, typ: typ}
	return c.writer, nil
}

// Write appends to the message, and sends a fragment when 16 KiB are
// collected. At the output limit it waits, until the context of Writer ends.
func (w *MessageWriter) Write(p []byte) (n int, err error) {
	if w.done {
		return 0, ErrClosed
	}
	for len(p) > 0 {
		if w.buf == nil {
			w.buf = make([]byte, 0, fragmentSize)
		}
		if len(w.buf) == cap(w.buf) {
			if err := w.send(false); err != nil {
				return n, err
			}
		}
		k := copy(w.buf[len(w.buf):cap(w.buf)], p)
		w.buf = w.buf[:len(w.buf)+k]
		n += k
		p = p[k:]
	}
	return n, nil
}

// Close sends the last fragment. Without it, or Abort, nobody else can write.
func (w *MessageWriter) Close() error {
	if w.done {
		return nil
	}
	err := w.send(true)
	if err == nil || w.c.over.Load() {
		w.end()
	}
	return err
}

// Abort gives the message up. If fragments of it are on their way, the message
// cannot be taken back, and the connection is closed with 1011.
func (w *MessageWriter) Abort() {
	if w.done {
		return
	}
	if w.sent {
		w.c.startClose(frame.CloseInternalError, "message aborted")
	}
	w.end()
}

func (w *MessageWriter) end() {
	w.done, w.buf = true, nil
	c := w.c
	c.mu.Lock()
	if c.writer == w {
		c.writer = nil
	}
	c.wakeWriter()
	c.mu.Unlock()
}

// send queues what is collected as a fragment.
func (w *MessageWriter) send(fin bool) error {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.fits(len(w.buf)) {
		c.flush()
		room := max(c.opts.MaxOutput-len(w.buf), 0)
		if err := c.awaitSent(w.ctx, c.ep.Queued()-uint64(min(room, c.ep.Buffered()))); err != nil {
			return err
		}
	}
	if err := c.ep.Queue(w.typ, w.buf, fin); err != nil {
		return c.explain(err)
	}
	w.sent = true
	w.buf = w.buf[:0]
	c.leave()
	return nil
}
