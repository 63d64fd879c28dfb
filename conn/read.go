package conn

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

// Message is one turn of Messages.
type Message struct {
	Type Type
	Data []byte // lent until the next turn
}

// errSuperseded is what a reader of Reader gets once a later message was asked
// for: the rest of its own was skipped.
var errSuperseded = errors.New("websocket: a later message is being read")

// ReadMessage waits for the next message and returns it in a slice of its own,
// which the caller owns. When ctx ends first nothing is lost and the connection
// goes on. The error is that of ctx, or a [*CloseError]; what came before the
// connection ended is returned first.
func (c *Conn) ReadMessage(ctx context.Context) (Type, []byte, error) {
	if err := c.begin(ctx); err != nil {
		return 0, nil, err
	}
	defer c.give()
	p, own, err := c.whole(ctx)
	if err != nil {
		return 0, nil, err
	}
	if own {
		return p.typ, p.data, nil
	}
	// A buffer that is much larger than the message goes back to its pool.
	if cap(p.data)-len(p.data) <= len(p.data)/4 && c.ep.Take() {
		return p.typ, p.data, nil
	}
	return p.typ, append(make([]byte, 0, len(p.data)), p.data...), nil
}

// AppendMessage waits for the next message and appends it to dst, which costs
// no allocation if dst has room. Otherwise it is like ReadMessage.
func (c *Conn) AppendMessage(ctx context.Context, dst []byte) (Type, []byte, error) {
	if err := c.begin(ctx); err != nil {
		return 0, dst, err
	}
	start := len(dst)
	for {
		p, _, err := c.piece(ctx)
		if err != nil {
			if len(dst) > start {
				c.unread(piece{c.typ, false, append([]byte(nil), dst[start:]...)})
			}
			c.give()
			return 0, dst[:start], err
		}
		dst = append(dst, p.data...)
		if p.fin {
			c.give()
			return p.typ, dst, nil
		}
		c.typ = p.typ
	}
}

// Messages ranges over the messages to come, each lent until the next turn of
// the loop, without an allocation. A normal end of the connection (1000, 1001,
// or a Close without a code) ends the loop without an error; any other is its
// last turn. So is the end of ctx, after which the connection goes on.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		err := c.begin(ctx)
		if err != nil {
			if !NormalEnd(err) {
				yield(Message{}, err)
			}
			return
		}
		for {
			var p piece
			if p, _, err = c.whole(ctx); err != nil {
				break
			}
			loan := c.lend(p)
			c.give()
			more := yield(Message{p.typ, p.data}, nil)
			c.take(context.Background()) // which does not end, so this does not fail
			c.takeBack(loan)
			if !more {
				c.give()
				return
			}
			if err = ctx.Err(); err != nil {
				break
			}
			if c.reader != nil {
				if err = c.skip(ctx); err != nil {
					break
				}
			}
		}
		c.give()
		if !NormalEnd(err) {
			yield(Message{}, err)
		}
	}
}

// NormalEnd reports whether err is the end of a connection that is no failure:
// a Close with 1000 or 1001, or without a code, as a browser's close() sends.
func NormalEnd(err error) bool {
	var end *CloseError
	return errors.As(err, &end) && end.Err == nil && end.Code.Normal()
}

// Reader waits for the next message and returns its type as soon as its first
// bytes are there. The reader gives the rest as it arrives, whatever its size,
// and io.EOF at its end. It works until the next call of a read method, which
// skips what was not read. ctx is for all of the message.
func (c *Conn) Reader(ctx context.Context) (Type, io.Reader, error) {
	if err := c.begin(ctx); err != nil {
		return 0, nil, err
	}
	defer c.give()
	c.ep.Stream(true)
	p, _, err := c.piece(ctx)
	c.ep.Stream(false)
	if err != nil {
		return 0, nil, err
	}
	c.reader = &messageReader{c: c, ctx: ctx, rest: p.data, fin: p.fin, loan: c.lend(p)}
	return p.typ, c.reader, nil
}

// messageReader reads one message. Its fields belong to the holder of the read
// role.
type messageReader struct {
	c    *Conn
	ctx  context.Context
	rest []byte // of the last piece
	loan loan   // what rest is part of
	fin  bool   // it was the last piece of the message
	err  error  // the same from now on
}

func (r *messageReader) Read(p []byte) (n int, err error) {
	c := r.c
	if err := c.take(r.ctx); err != nil {
		return 0, err
	}
	defer c.give()
	if r.err != nil {
		return 0, r.err
	}
	for len(r.rest) == 0 {
		c.takeBack(r.loan)
		r.loan = loan{}
		if r.fin {
			r.err, c.reader = io.EOF, nil
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		next, _, err := c.piece(r.ctx)
		if err != nil {
			if c.over.Load() {
				r.err = err
			}
			return 0, err
		}
		r.rest, r.fin = next.data, next.fin
		r.loan = c.lend(next)
	}
	n = copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// begin takes the read role for a new message.
func (c *Conn) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.take(ctx); err != nil {
		return err
	}
	if c.reader == nil {
		return nil
	}
	err := c.skip(ctx)
	if err != nil {
		c.give()
	}
	return err
}

// skip passes over the rest of a message that Reader did not read to its end.
func (c *Conn) skip(ctx context.Context) error {
	r := c.reader
	c.takeBack(r.loan)
	r.rest, r.loan, r.err = nil, loan{}, errSuperseded
	for !r.fin {
		p, _, err := c.piece(ctx)
		if err != nil {
			return err
		}
		r.fin = p.fin
	}
	c.reader = nil
	return nil
}

// loan is memory that the application has until takeBack.
type loan struct {
	lent  bool
	taken []byte // not part of the read buffer
}

// lend notes that the application has p.
func (c *Conn) lend(p piece) loan {
	if c.ep.Take() {
		return loan{true, p.data}
	}
	c.lent++
	return loan{lent: true}
}

func (c *Conn) takeBack(l loan) {
	switch {
	case l.taken != nil:
		c.driver.pools.Put(l.taken)
	case l.lent:
		c.lent--
	}
}

// whole waits for a whole message. It is nobody's but the caller's if own is
// true, and otherwise valid until the next use of the endpoint.
func (c *Conn) whole(ctx context.Context) (p piece, own bool, err error) {
	p, own, err = c.piece(ctx)
	if err != nil || p.fin {
		return p, own, err
	}
	c.typ = p.typ
	all := append([]byte(nil), p.data...)
	for !p.fin {
		if p, _, err = c.piece(ctx); err != nil {
			c.unread(piece{c.typ, false, all})
			return piece{}, false, err
		}
		all = append(all, p.data...)
	}
	p.data = all
	return p, true, nil
}

// unread puts back the beginning of a message whose rest did not come in time.
func (c *Conn) unread(p piece) { c.inbox.unread(p) }

// piece waits for a message, or for a piece of one: after a piece that is not
// the last the message goes on in pieces.
func (c *Conn) piece(ctx context.Context) (p piece, own bool, err error) {
	if p, own = c.inbox.next(); own {
		return p, own, nil
	}
	for {
		ev, ok := c.ep.Poll()
		switch {
		case !ok:
			if c.ep.Ended() {
				return piece{}, false, c.Err()
			}
			if err := c.fill(ctx); err != nil {
				return piece{}, false, err
			}
		case !ev.Kind.IsData():
			c.react(ev)
		default:
			more := c.ep.More()
			if more != c.more {
				c.more = more
				c.batch.Store(more)
			}
			if c.reacted && !(c.announced && more) {
				c.announce()
			}
			return piece{ev.Type, ev.Kind == endpoint.Message, ev.Data}, false, nil
		}
	}
}

// react answers an event that is not data.
func (c *Conn) react(ev endpoint.Event) {
	c.mu.Lock()
	c.pong = PongEvent{}
	c.ep.React(c.now(), ev, c.answered)
	pong := c.pong
	c.mu.Unlock()
	c.reacted = true
	switch h := c.hooks(); {
	case ev.Kind == endpoint.Ping && h.OnPing != nil:
		h.OnPing(c, ev.Data)
	case ev.Kind == endpoint.Pong && h.OnPong != nil:
		pong.Payload = ev.Data
		h.OnPong(c, pong)
	}
	if c.ep.Ended() {
		c.settle()
		c.finish()
		go c.linger()
	}
}

// announce lets the answers to control frames of this batch wait for the
// replies that the application is about to write, but not for long.
func (c *Conn) announce() {
	c.announced = true
	c.mu.Lock()
	if !c.more {
		c.ep.EndBatch()
		c.reacted, c.announced = false, false
	}
	if !c.writing {
		c.hold()
	}
	c.mu.Unlock()
}

// settle ends the batch: what was read is used up, and what was held leaves.
func (c *Conn) settle() {
	if c.more {
		c.more = false
		c.batch.Store(false)
	}
	if c.reacted || c.held.Load() {
		c.reacted, c.announced = false, false
		c.mu.Lock()
		c.ep.EndBatch()
		c.flush()
		c.mu.Unlock()
	}
	if c.buf != nil {
		if c.lent == 0 {
			c.driver.pools.Put(c.buf)
		}
		c.buf = nil
	}
}

// fill settles the batch and waits for more bytes, or until it is interrupted,
// which is no error unless ctx has ended.
func (c *Conn) fill(ctx context.Context) error {
	c.settle()
	if err := ctx.Err(); err != nil {
		return err
	}
	c.heed(ctx)
	if c.paused.Load() {
		c.paused.Store(false)
	}
	for {
		b, err := c.receive()
		if len(b) > 0 {
			now := c.driver.clock.Load()
			if c.probing.Load() {
				c.heard()
			} else if c.inbound.Load() < now { // which may be more precise than now is
				c.inbound.Store(now)
			}
			c.ep.Received(c.driver.base.Add(time.Duration(now)), b)
			return nil
		}
		switch {
		case c.over.Load():
			return c.Err()
		case err == nil:
			continue
		case err == io.EOF:
			c.ep.EOF(c.driver.now())
			return nil
		case isTimeout(err):
			// Somebody interrupted: first make reading possible again, then look
			// around, so that the next interruption is not lost.
			c.nc.SetReadDeadline(time.Time{})
			return ctx.Err()
		default:
			c.abort(err)
			return c.Err()
		}
	}
}

// receive reads once, into a buffer that it takes when there is something to
// read. Where that cannot be known the buffer is a small one, unless the last
// read would have had more.
func (c *Conn) receive() ([]byte, error) {
	if c.raw != nil {
		return c.raw.read(c)
	}
	size := smallSize
	if c.filled {
		size = scratchSize
	}
	b := c.readBuffer(size)
	n, err := c.nc.Read(b)
	c.filled = n == len(b)
	if n == 0 {
		c.dropBuffer()
	}
	return b[:n], err
}

// readBuffer is where the next bytes go.
func (c *Conn) readBuffer(size int) []byte {
	if b := c.ep.ReadBuffer(nil); b != nil {
		return b
	}
	c.buf = c.driver.pools.Get(size)
	return c.buf
}

// dropBuffer takes back a buffer into which nothing was read.
func (c *Conn) dropBuffer() {
	if c.buf != nil {
		c.driver.pools.Put(c.buf)
		c.buf = nil
	}
}

// heed has the end of ctx interrupt whoever reads. It stays registered while
// the same context comes again.
func (c *Conn) heed(ctx context.Context) {
	done := ctx.Done()
	if done == nil || done == c.watching {
		return
	}
	c.watching = done
	c.role.mu.Lock()
	defer c.role.mu.Unlock()
	if c.unwatch != nil {
		c.unwatch()
		c.unwatch = nil
	}
	if c.over.Load() {
		return // a context that lives on must not keep what has ended
	}
	c.unwatch = context.AfterFunc(ctx, c.interrupt)
}

// interrupt makes the read under way, or the next one, return with a timeout.
// What it is about must be visible before.
func (c *Conn) interrupt() { c.nc.SetReadDeadline(longAgo) }

var longAgo = time.Unix(1, 0)

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
