package conn

import (
	"context"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

const (
	// unreadAfter is how long the application may leave a connection unread
	// before the pump reads it.
	unreadAfter = time.Second
	// inboxSize is how much data the pump keeps for the application, unless a
	// single message is larger.
	inboxSize = 64 << 10
	// pieceCost is what a piece counts for beside its data.
	pieceCost = 64
)

// inbox is data that was read before the application asked for it. It belongs
// to the holder of the read role.
type inbox struct {
	pieces []piece
	size   int
	whole  int // how many pieces end a message
}

// piece is a message, or a part of one.
type piece struct {
	typ  Type
	fin  bool
	data []byte
}

func (b *inbox) add(p piece) {
	b.pieces = append(b.pieces, p)
	b.count(p, 1)
}

// unread puts back what was taken out last.
func (b *inbox) unread(p piece) {
	b.pieces = append([]piece{p}, b.pieces...)
	b.count(p, 1)
}

func (b *inbox) next() (p piece, ok bool) {
	if len(b.pieces) == 0 {
		return piece{}, false
	}
	p = b.pieces[0]
	b.pieces[0] = piece{}
	if b.pieces = b.pieces[1:]; len(b.pieces) == 0 {
		b.pieces = nil
	}
	b.count(p, -1)
	return p, true
}

func (b *inbox) count(p piece, sign int) {
	b.size += sign * (len(p.data) + pieceCost)
	if p.fin {
		b.whole += sign
	}
}

// inboxFull reports whether the pump must stop: at 64 KiB, or with one message
// up to the limit for messages. Its caller holds the read role.
func (c *Conn) inboxFull() bool {
	return c.inbox.size >= inboxSize && (c.inbox.whole > 0 || c.opts.MaxMessage < 0)
}

// pump reads while nobody else does: it answers control frames and keeps data
// for the application. It holds the read role from the start and gives it up
// when a caller wants it, when the inbox is full, or when the connection ends.
func (c *Conn) pump() {
	c.ep.Stream(true)
	for !c.role.wanted() {
		full := c.inboxFull()
		if full && !c.closing.Load() {
			c.settle()
			break
		}
		ev, ok := c.ep.Poll()
		switch {
		case !ok:
			if c.ep.Ended() || c.fill(context.Background()) != nil {
				full = true
			} else {
				continue
			}
		case !ev.Kind.IsData():
			c.react(ev)
			continue
		case full:
			continue // closing, and nobody reads: what comes now is discarded
		default:
			c.inbox.add(piece{ev.Type, ev.Kind == endpoint.Message, append([]byte(nil), ev.Data...)})
			continue
		}
		break
	}
	c.ep.Stream(false)
	c.pass()
}
