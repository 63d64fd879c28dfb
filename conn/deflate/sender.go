package deflate

import "errors"

// flushEvery is how much plain text of a message that is sent in parts may wait
// in the compressor.
const flushEvery = 64 << 10

// flushMark is how a flushed compressor ends, and what does not travel: "Remove
// 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end." RFC 7692 §7.2.1
const flushMark = "\x00\x00\xff\xff"

// CheckLevel reports a level of compression that does not exist: -2 is Huffman
// coding alone, 1 to 9 are from fast to small, 0 stands for DefaultLevel.
func CheckLevel(level int) error {
	if level < -2 || level > 9 || level == -1 {
		return errors.New("deflate: there is no such level of compression: want -2, or 1 to 9")
	}
	return nil
}

// Sender compresses the messages of one end.
type Sender struct {
	direction Direction
	level     int
	pool      Pool

	history   history
	writer    *Writer // goes on where the history ends
	unflushed int
	open      bool // a message is unfinished
}

// NewSender returns a Sender for what was agreed on. The level is for windows of
// 15 bits; smaller ones have but one.
func NewSender(d Direction, level int, pool Pool) *Sender {
	if level == 0 {
		level = DefaultLevel
	}
	d.Bits = orMax(d.Bits)
	return &Sender{direction: d, level: level, pool: pool, history: newHistory(d.Bits, false)}
}

// Append appends the compressed form of a message to dst, or of a part of one
// unless fin is true. A part may add nothing: what it says comes with a later
// one.
func (s *Sender) Append(dst, p []byte, fin bool) []byte {
	w := s.begin()
	w.out.b = dst
	w.flate.Write(p) // into memory: does not fail
	s.unflushed += len(p)
	if !s.direction.NoTakeover {
		s.history.add(p)
	}
	if fin || s.unflushed >= flushEvery {
		w.flate.Flush()
		s.unflushed = 0
	}
	dst, w.out.b = w.out.b, nil
	s.open = !fin
	if fin {
		dst = dst[:len(dst)-len(flushMark)]
	}
	return dst
}

// begin returns a compressor that knows what may be referred to.
func (s *Sender) begin() *Writer {
	if s.writer == nil {
		if s.writer = s.pool.GetWriter(s.direction.Bits, s.level); s.writer == nil {
			s.writer = newWriter(s.direction.Bits, s.level)
		}
		s.writer.flate.ResetDict(&s.writer.out, s.history.last())
	} else if !s.open && s.direction.NoTakeover {
		s.writer.flate.Reset(&s.writer.out)
	}
	return s.writer
}

// Rest gives the compressor back to the pool, between messages. Messages that
// follow each other without a rest cost less.
func (s *Sender) Rest() {
	if s.writer != nil && !s.open {
		s.writer.flate.ResetDict(nil, nil) // it must not keep the history from being freed
		s.pool.PutWriter(s.writer)
		s.writer = nil
	}
}
