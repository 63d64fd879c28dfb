package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// item is what a parser gave, without regard to where the input was cut: a
// control frame, or the pieces of a message between two control frames.
type item struct {
	op         frame.Opcode
	first, fin bool
	compressed bool
	data       string
}

func (i item) String() string {
	s := fmt.Sprintf("%v %q", i.op, i.data)
	if !i.first {
		s = "+" + s
	}
	if !i.fin {
		s += "…"
	}
	if i.compressed {
		s += " compressed"
	}
	return s
}

type trace []item

func (t trace) String() string {
	var s []string
	for _, i := range t {
		s = append(s, i.String())
	}
	return strings.Join(s, "; ")
}

func (t *trace) add(i item) {
	if n := len(*t); n > 0 && !i.op.IsControl() && !i.first {
		if last := &(*t)[n-1]; !last.op.IsControl() && !last.fin {
			last.data += i.data
			last.fin = i.fin
			return
		}
	}
	*t = append(*t, i)
}

// begins reports whether t is what u begins with, the last item of t possibly
// with less of its data.
func (t trace) begins(u trace) bool {
	if len(t) == 0 {
		return true
	}
	if len(t) > len(u) {
		return false
	}
	n := len(t) - 1
	for i := range t[:n] {
		if t[i] != u[i] {
			return false
		}
	}
	a, b := t[n], u[n]
	if a.fin {
		return a == b
	}
	return a.op == b.op && a.first == b.first && a.compressed == b.compressed && strings.HasPrefix(b.data, a.data)
}

// outcome is all a parser had to say about an input.
type outcome struct {
	trace trace
	code  frame.CloseCode // 0 if nothing was wrong
	at    int             // bytes given before the error, the one that made it included
}

// feed gives the parser the pieces of in that end at cuts, and overwrites each
// piece once it is used up.
func feed(t testing.TB, p *frame.Parser, in []byte, cuts ...int) outcome {
	t.Helper()
	var out outcome
	pos := 0
	for _, cut := range append(cuts, len(in)) {
		piece := bytes.Clone(in[pos:cut])
		rest := piece
		pos = cut
		for len(rest) > 0 {
			part, n, err := p.Next(rest)
			if err != nil {
				var pe *frame.ProtocolError
				require.True(t, errors.As(err, &pe))
				require.Zero(t, n)
				require.True(t, part.None())
				out.code, out.at = pe.Code, pos
				return out
			}
			rest = rest[n:]
			if part.None() {
				require.Empty(t, rest, "without a part all bytes are taken")
				break
			}
			require.Equal(t, len(part.Payload), cap(part.Payload), "appending to a payload must not reach the bytes behind it")
			out.trace.add(item{part.Opcode, part.First(), part.Fin(), part.Compressed(), string(part.Payload)})
		}
		for i := range piece {
			piece[i] = 0xa5
		}
	}
	return out
}

func everyByte(n int) (cuts []int) {
	for i := 1; i < n; i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

func randomCuts(rng *rand.Rand, n int) (cuts []int) {
	for pos := 0; n > 0; {
		pos += 1 + rng.IntN(1+rng.IntN(40))
		if pos >= n {
			break
		}
		cuts = append(cuts, pos)
	}
	return cuts
}

// firstBad returns the index of the first byte of p that cannot be part of
// UTF-8 whatever follows, or -1, and whether p ends with a whole character.
func firstBad(p []byte) (bad int, complete bool) {
	for i := 0; i < len(p); {
		_, size := utf8.DecodeRune(p[i:])
		if size > 1 || p[i] < 0x80 {
			i += size
			continue
		}
		if !utf8.FullRune(p[i:]) {
			return -1, false
		}
		for k := 1; ; k++ {
			if utf8.FullRune(p[i : i+k]) {
				return i + k - 1, false
			}
		}
	}
	return -1, true
}

// model is RFC 6455 said once more, slowly: it has the whole input, keeps all
// of a message, and knows at which byte each error has to be seen.
func model(r frame.Rules, in []byte) outcome {
	pick := func(v, def int64) uint64 {
		switch {
		case v == 0:
			return uint64(def)
		case v < 0:
			return 1<<63 - 1
		}
		return uint64(v)
	}
	maxMessage := pick(r.MaxMessage, 1<<20)
	maxFragments, maxEmpty := pick(r.MaxFragments, 131072), pick(r.MaxEmpty, 1024)

	var out outcome
	var text []byte
	var size, fragments, empty uint64
	message, compressed := frame.Continuation, false
	fail := func(code frame.CloseCode, at int) outcome {
		out.code, out.at = code, at
		return out
	}
	for pos := 0; pos < len(in); {
		b := in[pos:]
		fin, rsv, op := b[0]&0x80 != 0, b[0]&0x70, frame.Opcode(b[0]&0x0f)
		switch op {
		case frame.Text, frame.Binary:
			if message != frame.Continuation || rsv&^0x40 != 0 || rsv != 0 && !r.Compression {
				return fail(1002, pos+1)
			}
		case frame.Continuation:
			if message == frame.Continuation || rsv != 0 {
				return fail(1002, pos+1)
			}
		case frame.Close, frame.Ping, frame.Pong:
			if !fin || rsv != 0 {
				return fail(1002, pos+1)
			}
		default:
			return fail(1002, pos+1)
		}
		if len(b) < 2 {
			break
		}
		length := uint64(b[1] & 0x7f)
		if b[1]&0x80 != 0 != r.Masked || op.IsControl() && length > 125 {
			return fail(1002, pos+2)
		}
		extra := map[uint64]int{126: 2, 127: 8}[length]
		n := 2 + extra
		if r.Masked {
			n += 4
		}
		if len(b) < n {
			break
		}
		if extra > 0 {
			var wide [8]byte
			copy(wide[8-extra:], b[2:2+extra])
			length = binary.BigEndian.Uint64(wide[:])
			if length >= 1<<63 || extra == 2 && length < 126 || extra == 8 && length < 65536 {
				return fail(1002, pos+n)
			}
		}
		if !op.IsControl() {
			if op != frame.Continuation {
				message, compressed = op, rsv != 0
				size, fragments, empty, text = 0, 0, 0, nil
			}
			size += length
			fragments++
			if length == 0 {
				empty++
			}
			most := maxMessage
			if compressed {
				most += maxMessage/64 + 1024
			}
			if size > most || fragments > maxFragments || empty > maxEmpty {
				return fail(1009, pos+n)
			}
		}
		whole := uint64(len(b)-n) >= length
		payload := b[n:]
		if whole {
			payload = payload[:length]
		}
		payload = bytes.Clone(payload)
		if r.Masked {
			for i := range payload {
				payload[i] ^= b[n-4+i%4]
			}
		}
		if op.IsControl() {
			if !whole {
				break
			}
			out.trace.add(item{op: op, first: true, fin: true, data: string(payload)})
			pos += n + int(length)
			continue
		}
		if len(payload) == 0 && length > 0 {
			break
		}
		it := item{message, op != frame.Continuation, fin && whole, compressed, string(payload)}
		if message == frame.Text && !compressed {
			from := len(text)
			text = append(text, payload...)
			bad, complete := firstBad(text)
			if bad < 0 && it.fin && !complete {
				bad = max(len(text)-1, from-1)
				if len(payload) == 0 {
					return fail(1007, pos+n)
				}
			}
			if bad >= 0 {
				it.data, it.fin = string(payload[:bad-from]), false
				if it.data != "" {
					out.trace.add(it)
				}
				return fail(1007, pos+n+bad-from+1)
			}
		}
		out.trace.add(it)
		if it.fin {
			message = frame.Continuation
		}
		pos += n + len(payload)
	}
	return out
}

// requireModel checks a run of the parser in pieces against the model. Pieces
// let some bytes after an error be seen, and in text some before it be held
// back; one byte at a time everything is exact.
func requireModel(t testing.TB, r frame.Rules, in []byte, want outcome, cuts []int) {
	t.Helper()
	p := frame.NewParser(r)
	got := feed(t, &p, in, cuts...)
	require.Equal(t, want.code, got.code, "%v", cuts)
	if want.code == 0 {
		require.Equal(t, want.trace, got.trace, "%v", cuts)
		return
	}
	require.True(t, got.trace.begins(want.trace), "%v is not what %v begins with; cuts %v", got.trace, want.trace, cuts)
	at := len(in)
	for _, cut := range cuts {
		if cut >= want.at {
			at = cut
			break
		}
	}
	require.Equal(t, at, got.at, "the error appears with its byte; cuts %v", cuts)
	if len(cuts) == len(in)-1 || want.code != frame.CloseInvalidPayload {
		require.Equal(t, want.trace, got.trace, "%v", cuts)
	}
	_, n, err := p.Next([]byte{0x81, 0x00})
	require.Error(t, err, "errors stay")
	require.Zero(t, n)
}

// encode builds a frame from its first octet. The key is used when masked.
func encode(b0 byte, payload string, masked bool) []byte {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b := []byte{b0}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 65536:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, key[:]...)
	}
	for i := range len(payload) {
		c := payload[i]
		if masked {
			c ^= key[i%4]
		}
		b = append(b, c)
	}
	return b
}

// frames joins unmasked frames, each a first octet and a payload.
func frames(parts ...any) (b []byte) {
	for i := 0; i < len(parts); i += 2 {
		b = append(b, encode(byte(parts[i].(int)), parts[i+1].(string), false)...)
	}
	return b
}

// masked joins masked frames.
func masked(parts ...any) (b []byte) {
	for i := 0; i < len(parts); i += 2 {
		b = append(b, encode(byte(parts[i].(int)), parts[i+1].(string), true)...)
	}
	return b
}
