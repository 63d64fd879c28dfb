package handshake

import (
	"bytes"
	"errors"
)

// Limits of a header block. The first line is not counted as one.
const (
	MaxBlock = 16 << 10
	MaxLines = 128
)

// Errors of Block.Add.
var (
	ErrBlockTooLarge = errors.New("header too large")
	ErrTooManyLines  = errors.New("too many header lines")
)

// Block collects the header block of a request or a response, whose parsing is
// an HTTP library's work, and finds its end. The zero value is ready.
type Block struct {
	b     []byte
	line  int // start of the current line
	lines int // how many there were
}

// Space returns where to read the next bytes into. It is never empty before
// Add returns true or an error.
func (h *Block) Space() []byte {
	if cap(h.b) == 0 {
		h.b = make([]byte, 0, 1<<10)
	}
	if len(h.b) == cap(h.b) {
		h.b = append(h.b, 0)[:len(h.b)]
	}
	return h.b[len(h.b):min(cap(h.b), MaxBlock+1)]
}

// Add takes n bytes that were read into Space. It returns true when the block
// is complete.
func (h *Block) Add(n int) (complete bool, err error) {
	seen := len(h.b)
	h.b = h.b[:seen+n]
	for {
		from := max(seen, h.line)
		i := bytes.IndexByte(h.b[from:], '\n')
		if i < 0 {
			break
		}
		text := bytes.TrimSuffix(h.b[h.line:from+i], []byte("\r"))
		h.line = from + i + 1
		if len(text) == 0 {
			if h.line > MaxBlock {
				return false, ErrBlockTooLarge
			}
			return true, nil
		}
		if h.lines++; h.lines > MaxLines+1 {
			return false, ErrTooManyLines
		}
	}
	if len(h.b) > MaxBlock {
		return false, ErrBlockTooLarge
	}
	return false, nil
}

// Started reports whether anything has been added.
func (h *Block) Started() bool { return len(h.b) > 0 }

// Bytes returns the complete block, its empty line included.
func (h *Block) Bytes() []byte { return h.b[:h.line:h.line] }

// Rest returns what came behind the complete block.
func (h *Block) Rest() []byte { return h.b[h.line:] }
