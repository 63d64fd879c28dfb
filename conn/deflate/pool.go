package deflate

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/flate"
)

// Pool lends what is too large for each connection to keep. Get methods may
// return nil, and what is put back may be dropped.
type Pool interface {
	GetWriter(bits, level int) *Writer
	PutWriter(w *Writer)
	GetReader() *Reader
	PutReader(r *Reader)
}

// DefaultLevel is the level of compression if none is chosen.
const DefaultLevel = 1

// Writer is a compressor for one window size and level.
type Writer struct {
	bits, level int
	flate       *flate.Writer
	out         appender
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// Bits and Level say what a Writer is for.
func (w *Writer) Bits() int { return w.bits }

// Level is described at Bits.
func (w *Writer) Level() int { return w.level }

func newWriter(bits, level int) *Writer {
	w := &Writer{bits: bits, level: level}
	var err error
	if bits < maxBits {
		w.flate, err = flate.NewWriterWindow(&w.out, 1<<bits)
	} else {
		w.flate, err = flate.NewWriter(&w.out, level)
	}
	if err != nil { // for a level that CheckLevel refuses
		w.flate, _ = flate.NewWriter(&w.out, DefaultLevel)
	}
	return w
}

// Reader is a decompressor.
type Reader struct {
	in    []byte
	src   bytes.Reader
	flate io.ReadCloser
	dict  []byte
	whose *mark // messages it has inflated last
	at    int   // how much text it has had, with what was before
}

// mark tells one Receiver from another, and keeps none from being freed.
type mark struct{ _ byte }

func newReader() *Reader {
	r := &Reader{}
	r.flate = flate.NewReader(&r.src)
	return r
}

// maxKept is the largest input buffer that a Reader keeps.
const maxKept = 64 << 10

// prime is a block that says nothing, with codes for the end and for one distance
// only, and an empty one up to the next octet. An inflater keeps its codes when it
// is reset, and reads with them a block that has none where it needs some. They
// must not be those of another connection, which would show.
const prime = "\x04\xdd\x81\x00\x00\x00\x00\x00\x90\xffk%\x00" + flushMark

// start makes the reader read a message, as if more had been said before.
func (r *Reader) start(whose *mark, message []byte, tail string, before []byte) {
	lead := ""
	if r.whose != nil && r.whose != whose {
		lead = prime
	}
	r.whose = whose
	if need := len(lead) + len(message) + len(tail); need > cap(r.in) {
		r.in = make([]byte, 0, need)
	}
	r.in = append(append(append(r.in[:0], lead...), message...), tail...)
	r.src.Reset(r.in)
	r.resume(before)
}

// resume makes the reader go on with the next block of its input.
func (r *Reader) resume(before []byte) {
	r.flate.(flate.Resetter).Reset(&r.src, before) // does not fail
	r.at = len(before)
}

func (r *Reader) rest() {
	r.src.Reset(nil)
	if cap(r.in) > maxKept {
		r.in = nil
	}
}
