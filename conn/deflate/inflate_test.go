package deflate_test

import (
	"errors"
	"math/bits"
)

// This is RFC 1951 once more, slow and plain: what the tests compare with, and
// how they look into a stream.

var errOracle = errors.New("not DEFLATE")

// maxFinals is how many last blocks a message may have.
const maxFinals = 1024

// stream is what inflating has found.
type stream struct {
	in       []byte
	pos      int    // in bits
	text     []byte // what was before, and the text
	before   int    // how much was before
	furthest int    // the largest distance
	earliest int    // how far a distance went back behind the text's begin
	blocks   []block
	limit    int  // of the text
	codeless bool // a block has a code without symbols
}

// block is one of the stream; from is its first bit, text where its text begins.
type block struct {
	final bool
	kind  uint
	from  int
	text  int
}

// inspect inflates a message as RFC 7692 §7.2.2 says. It is whole only if the
// four octets that are appended are the length of an empty block.
func inspect(message, before []byte, limit int) (*stream, error) {
	s := &stream{
		in:     append(append([]byte(nil), message...), 0, 0, 0xff, 0xff),
		text:   append([]byte(nil), before...),
		before: len(before),
		limit:  limit,
	}
	finals := 0
	for s.pos < 8*len(s.in) {
		b, err := s.block()
		if err != nil {
			return s, err
		}
		s.blocks = append(s.blocks, b)
		if b.final {
			s.pos = (s.pos + 7) &^ 7
			if finals++; finals > maxFinals {
				return s, errOracle
			}
		}
	}
	last := s.blocks[len(s.blocks)-1]
	if headerEnd := (last.from + 3 + 7) / 8; last.kind != 0 || headerEnd != len(message) {
		return s, errOracle
	}
	return s, nil
}

func (s *stream) message() []byte { return s.text[s.before:] }

// take reads n bits.
func (s *stream) take(n int) (v uint, err error) {
	if s.pos+n > 8*len(s.in) {
		return 0, errOracle
	}
	for i := range n {
		v |= uint(s.in[s.pos/8]>>(s.pos%8)&1) << i
		s.pos++
	}
	return v, nil
}

func (s *stream) block() (b block, err error) {
	b.from, b.text = s.pos, len(s.text)-s.before
	header, err := s.take(3)
	if err != nil {
		return b, err
	}
	b.final, b.kind = header&1 != 0, header>>1
	switch b.kind {
	case 0:
		return b, s.stored()
	case 1:
		return b, s.codes(fixedLiterals, fixedDistances)
	case 2:
		literals, distances, err := s.tables()
		if err != nil {
			return b, err
		}
		return b, s.codes(literals, distances)
	}
	return b, errOracle
}

func (s *stream) stored() error {
	s.pos = (s.pos + 7) &^ 7
	length, err := s.take(32)
	if err != nil || length&0xffff != ^length>>16&0xffff {
		return errOracle
	}
	from, n := s.pos/8, int(length&0xffff)
	if from+n > len(s.in) {
		return errOracle
	}
	s.text = append(s.text, s.in[from:from+n]...)
	s.pos += 8 * n
	return s.bounded()
}

func (s *stream) bounded() error {
	if len(s.text)-s.before > s.limit {
		return errLimit
	}
	return nil
}

// code is a canonical Huffman code.
type code struct {
	count   [16]int
	symbols []int
}

// newCode refuses codes that are not complete, but for a single one of one bit,
// and for none.
func newCode(lengths []int) (c code, err error) {
	used := 0
	for _, n := range lengths {
		c.count[n]++
	}
	c.count[0] = 0
	left := 1
	for _, n := range c.count[1:] {
		left = 2*left - n
		if left < 0 {
			return c, errOracle
		}
		used += n
	}
	if left > 0 && used > 1 || used == 1 && c.count[1] != 1 {
		return c, errOracle
	}
	for n := 1; n < 16; n++ {
		for symbol, length := range lengths {
			if length == n {
				c.symbols = append(c.symbols, symbol)
			}
		}
	}
	return c, nil
}

func mustCode(lengths []int) code {
	c, _ := newCode(lengths)
	return c
}

var (
	fixedLiterals  = mustCode(append(append(append(repeat(8, 144), repeat(9, 112)...), repeat(7, 24)...), repeat(8, 8)...))
	fixedDistances = mustCode(repeat(5, 32))
)

func repeat(v, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func (s *stream) symbol(c *code) (int, error) {
	value, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		bit, err := s.take(1)
		if err != nil {
			return 0, err
		}
		value |= int(bit)
		if count := c.count[n]; value-first < count {
			return c.symbols[index+value-first], nil
		}
		index += c.count[n]
		first = (first + c.count[n]) << 1
		value <<= 1
	}
	return 0, errOracle
}

func (s *stream) tables() (literals, distances code, err error) {
	header, err := s.take(14)
	nLiterals, nDistances, nLengths := int(header&31)+257, int(header>>5&31)+1, int(header>>10)+4
	if err != nil || nLiterals > 286 || nDistances > 30 {
		return literals, distances, errOracle
	}
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	first := make([]int, 19)
	for _, at := range order[:nLengths] {
		n, err := s.take(3)
		if err != nil {
			return literals, distances, err
		}
		first[at] = int(n)
	}
	lengthCode, err := newCode(first)
	if err != nil {
		return literals, distances, err
	}
	s.codeless = s.codeless || len(lengthCode.symbols) == 0
	var lengths []int
	for len(lengths) < nLiterals+nDistances {
		symbol, err := s.symbol(&lengthCode)
		if err != nil {
			return literals, distances, err
		}
		if symbol < 16 {
			lengths = append(lengths, symbol)
			continue
		}
		r := []struct{ bits, base int }{{2, 3}, {3, 3}, {7, 11}}[symbol-16]
		n, err := s.take(r.bits)
		if err != nil || symbol == 16 && len(lengths) == 0 {
			return literals, distances, errOracle
		}
		v := 0
		if symbol == 16 {
			v = lengths[len(lengths)-1]
		}
		lengths = append(lengths, repeat(v, int(n)+r.base)...)
	}
	if len(lengths) > nLiterals+nDistances {
		return literals, distances, errOracle
	}
	if literals, err = newCode(lengths[:nLiterals]); err != nil {
		return literals, distances, err
	}
	distances, err = newCode(lengths[nLiterals:])
	s.codeless = s.codeless || len(literals.symbols) == 0 || len(distances.symbols) == 0
	return literals, distances, err
}

func (s *stream) codes(literals, distances code) error {
	for {
		symbol, err := s.symbol(&literals)
		switch {
		case err != nil || symbol > 285:
			return errOracle
		case symbol == 256:
			return nil
		case symbol < 256:
			s.text = append(s.text, byte(symbol))
			if err := s.bounded(); err != nil {
				return err
			}
			continue
		}
		length, err := s.extra(symbol-257, 4, 28)
		if err != nil {
			return err
		}
		length += 3
		if symbol == 285 {
			length = 258
		}
		if symbol, err = s.symbol(&distances); err != nil || symbol > 29 {
			return errOracle
		}
		distance, err := s.extra(symbol, 2, 30)
		if err != nil {
			return err
		}
		distance++
		if distance > len(s.text) || distance > 1<<15 {
			return errOracle
		}
		s.furthest = max(s.furthest, distance)
		s.earliest = max(s.earliest, distance-(len(s.text)-s.before))
		for range length {
			s.text = append(s.text, s.text[len(s.text)-distance])
		}
		if err := s.bounded(); err != nil {
			return err
		}
	}
}

// extra returns what a symbol of "3.2.5. Compressed blocks" stands for, less the
// smallest, with its extra bits: there are group symbols for each number of them.
func (s *stream) extra(symbol, group, end int) (int, error) {
	if symbol < 2*group || symbol >= end {
		return symbol, nil
	}
	n := symbol/group - 1
	more, err := s.take(n)
	return (group+symbol%group)<<n + int(more), err
}

// bitWriter makes streams that no compressor would.
type bitWriter struct {
	b []byte
	n int
}

// put appends the lowest n bits of v, the lowest first.
func (w *bitWriter) put(v uint, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// code appends a Huffman code, whose highest bit comes first.
func (w *bitWriter) code(v uint16, n int) { w.put(uint(bits.Reverse16(v)>>(16-n)), n) }
