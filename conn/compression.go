package conn

import (
	"sync"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// Compression is how permessage-deflate (RFC 7692) is offered, accepted and
// used. It costs memory and time, and lets who watches the length of messages
// guess secrets that stand beside text of an attacker's; so it is off unless
// asked for.
type Compression struct {
	// Policy is what is negotiated. The zero value takes over the context both
	// ways, with windows of 32 KiB: best compression, and up to 33 KiB a
	// connection and direction between messages.
	deflate.Policy
	// Level is 1 (fast) to 9 (small), or -2 for Huffman coding alone. It is for
	// windows of 15 bits; smaller ones have but one. Default 1.
	Level int
	// Threshold is the size from which on messages are compressed. Default 128
	// bytes; negative for all.
	Threshold int
}

// Check reports what cannot be.
func (c *Compression) Check() error {
	if err := c.Policy.Check(); err != nil {
		return err
	}
	return deflate.CheckLevel(c.Level)
}

// codecs are the compressors that connections share.
type codecs struct {
	writers [16][12]sync.Pool // by window bits, and level + 2
	readers sync.Pool
}

func (p *codecs) GetWriter(bits, level int) *deflate.Writer {
	w, _ := p.writers[bits][level+2].Get().(*deflate.Writer)
	return w
}

func (p *codecs) PutWriter(w *deflate.Writer) { p.writers[w.Bits()][w.Level()+2].Put(w) }

func (p *codecs) GetReader() *deflate.Reader {
	r, _ := p.readers.Get().(*deflate.Reader)
	return r
}

func (p *codecs) PutReader(r *deflate.Reader) { p.readers.Put(r) }
