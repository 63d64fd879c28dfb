package deflate

import (
	"bytes"
	"errors"
	"io"
)

// tail is what follows a message before it is inflated: what did not travel,
// "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the
// message" (RFC 7692 §7.2.2), and an empty last block, which is how the end is
// known to be one.
const (
	tail = flushMark + end
	end  = "\x01" + flushMark
)

// maxFinals is how many blocks of a message may say that they are the last. Each
// is paid for with a new start.
const maxFinals = 1024

// window is the most that a message may refer back to.
const window = 1 << maxBits

// ErrCorrupt is for a message that is not DEFLATE as RFC 7692 §7.2 wants it.
var ErrCorrupt = errors.New("deflate: the message does not inflate")

// Output takes what is inflated. An error of its own ends the inflating.
type Output interface {
	// Room returns where the next bytes are to be put, one at least and at most
	// 32 KiB.
	Room() ([]byte, error)
	// Add says that so many were put there.
	Add(n int) error
	// Bytes returns all of the message so far.
	Bytes() []byte
}

// Receiver inflates the messages of the other end.
type Receiver struct {
	direction Direction
	pool      Pool
	mark      *mark
	history   history
}

// NewReceiver returns a Receiver for what was agreed on.
func NewReceiver(d Direction, pool Pool) *Receiver {
	d.Bits = orMax(d.Bits)
	return &Receiver{direction: d, pool: pool, mark: new(mark), history: newHistory(d.Bits, true)}
}

// Inflate inflates one message, which is whole. The error is ErrCorrupt or one
// of the Output; after either the connection is not to go on.
func (r *Receiver) Inflate(message []byte, to Output) error {
	rd := r.pool.GetReader()
	if rd == nil {
		rd = newReader()
	}
	defer func() {
		rd.rest()
		r.pool.PutReader(rd)
	}()
	rd.start(r.mark, message, tail, r.history.last())
	doubtful, err := r.inflate(rd, to)
	if err != nil {
		return err
	}
	text := to.Bytes()
	if doubtful && !r.closed(rd, message, text) {
		return ErrCorrupt
	}
	if !r.direction.NoTakeover {
		r.history.add(text)
	}
	return nil
}

// inflate inflates what the reader has. It is doubtful that the message was whole
// if the tail may have been read as a part of its last block. Text comes out at an
// empty block, when the window is full and at the end; so what the message says is
// out when the tail's empty block has been read, and only what the tail seems to
// say comes later, or then because it has filled the window.
func (r *Receiver) inflate(rd *Reader, to Output) (doubtful bool, err error) {
	unread := len(tail) // when text last came out
	for finals := 0; ; {
		b, err := to.Room()
		if err != nil {
			return false, err
		}
		if len(b) == 0 {
			return false, io.ErrShortBuffer
		}
		n, err := rd.flate.Read(b[:min(len(b), window)])
		if n > 0 {
			rd.at += n
			unread = rd.src.Len()
			if err := to.Add(n); err != nil {
				return false, err
			}
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return false, ErrCorrupt
		case rd.src.Len() == 0:
			return doubtful || unread < len(end) || unread == len(end) && rd.at%window == 0, nil
		}
		// A block that says it is the last is not the end of the message: "an
		// endpoint may send a message that has a block with the BFINAL bit set".
		// RFC 7692 §7.2.3.4
		if finals++; finals > maxFinals {
			return false, ErrCorrupt
		}
		doubtful = doubtful || rd.src.Len() < len(tail)
		rd.resume(r.before(rd, to.Bytes()))
	}
}

// otherTail makes the block that ends a message one of one octet, which no block
// can begin with.
const otherTail = "\x01\x00\xfe\xff\x06"

// closed tells whether a message that inflates is whole. If its end is missing,
// the tail takes its place, and the text ends as nobody has said. With another
// tail it ends otherwise.
func (r *Receiver) closed(rd *Reader, message, text []byte) bool {
	c := comparison{text: text}
	rd.start(r.mark, message, otherTail, r.history.last())
	_, _ = r.inflate(rd, &c) // ends in an error if the tail is not the end
	return c.n == len(text)+1 && !c.differs
}

// comparison is an Output for a text that is known, and one octet more.
type comparison struct {
	text    []byte
	n       int
	differs bool
	room    [512]byte
}

func (c *comparison) Room() ([]byte, error) { return c.room[:], nil }
func (c *comparison) Bytes() []byte         { return c.text[:min(c.n, len(c.text))] }

func (c *comparison) Add(n int) error {
	known := c.text[min(c.n, len(c.text)):]
	same := min(n, len(known))
	c.differs = c.differs || !bytes.Equal(c.room[:same], known[:same])
	c.n += n
	return nil
}

// before returns what may be referred to in the middle of a message.
func (r *Receiver) before(rd *Reader, message []byte) []byte {
	if len(message) >= window {
		return message[len(message)-window:]
	}
	last := r.history.last()
	last = last[max(0, len(last)+len(message)-window):]
	rd.dict = append(append(rd.dict[:0], last...), message...)
	return rd.dict
}
