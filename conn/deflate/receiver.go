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
const tail = flushMark + "\x01" + flushMark

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
	history   history
}

// NewReceiver returns a Receiver for what was agreed on.
func NewReceiver(d Direction, pool Pool) *Receiver {
	d.Bits = orMax(d.Bits)
	return &Receiver{direction: d, pool: pool, history: newHistory(d.Bits, true)}
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
	rd.start(message, tail, r.history.last())
	if err := r.inflate(rd, to); err != nil {
		return err
	}
	text := to.Bytes()
	if bytes.HasSuffix(text, []byte(flushMark)) && !r.closed(rd, message, text) {
		return ErrCorrupt
	}
	if !r.direction.NoTakeover {
		r.history.add(text)
	}
	return nil
}

func (r *Receiver) inflate(rd *Reader, to Output) error {
	for finals := 0; ; {
		b, err := to.Room()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return io.ErrShortBuffer
		}
		n, err := rd.flate.Read(b[:min(len(b), window)])
		if n > 0 {
			if err := to.Add(n); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return ErrCorrupt
		case rd.src.Len() == 0:
			return nil
		}
		// A block that says it is the last is not the end of the message: "an
		// endpoint may send a message that has a block with the BFINAL bit set".
		// RFC 7692 §7.2.3.4
		if finals++; finals > maxFinals {
			return ErrCorrupt
		}
		rd.resume(r.before(rd, to.Bytes()))
	}
}

// otherTail makes the block that ends a message one of one octet, which no block
// can begin with.
const otherTail = "\x01\x00\xfe\xff\x06"

// closed tells whether a message that inflates is whole. If it ends within a
// stored block that lacks four octets, the tail takes their place, and the text
// ends as nobody has said. Before another tail it has another length.
func (r *Receiver) closed(rd *Reader, message, text []byte) bool {
	c := counter{text: text}
	rd.start(message, otherTail, r.history.last())
	_ = r.inflate(rd, &c) // ends in an error if the tail is not the end
	return c.n == len(text)+1
}

// counter is an Output for a text that is known, and may become longer.
type counter struct {
	text []byte
	n    int
	room [512]byte
}

func (c *counter) Room() ([]byte, error) { return c.room[:], nil }
func (c *counter) Bytes() []byte         { return c.text[:min(c.n, len(c.text))] }

func (c *counter) Add(n int) error {
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
