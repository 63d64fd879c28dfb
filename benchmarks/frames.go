package main

import (
	encoding "encoding/binary"
	"math/rand/v2"
)

// A batch is what a connection writes at once, and what must come back.
type batch struct {
	out []byte // depth masked frames
	exp []byte // their answers: unmasked, unfragmented, minimal headers; for a floor, out itself
}

// The frames are written out here by hand, and not by wirebeat/frame, so that
// no library under test lays out or checks its own measurement.
const (
	opText   = 1
	opBinary = 2
	opPing   = 9
	opPong   = 10
)

var askOp = [...]byte{binary: opBinary, text: opText, ping: opPing}
var answerOp = [...]byte{binary: opBinary, text: opText, ping: opPong}

func appendHeader(dst []byte, op byte, size int, masked bool) []byte {
	var mask byte
	if masked {
		mask = 0x80
	}
	dst = append(dst, 0x80|op)
	switch {
	case size < 126:
		return append(dst, mask|byte(size))
	case size < 1<<16:
		return encoding.BigEndian.AppendUint16(append(dst, mask|126), uint16(size))
	default:
		return encoding.BigEndian.AppendUint64(append(dst, mask|127), uint64(size))
	}
}

// newBatch lays out s.depth frames with random payloads and random mask keys.
// A binary payload or a ping of two bytes or more begins with its number in the
// batch, so that no two answers are alike.
func newBatch(s scenario, raw bool, rng *rand.ChaCha8) batch {
	frame := s.size + 14
	b := batch{out: make([]byte, 0, frame*s.depth)}
	if !raw {
		b.exp = make([]byte, 0, frame*s.depth)
	}
	payload := make([]byte, s.size)
	for i := range s.depth {
		_, _ = rng.Read(payload) // "Read always returns len(p) and a nil error"
		if s.kind == text {
			for j := range payload {
				payload[j] = ' ' + payload[j]%95
			}
		} else if s.size >= 2 {
			encoding.BigEndian.PutUint16(payload, uint16(i))
		}
		var key [4]byte
		encoding.LittleEndian.PutUint32(key[:], uint32(rng.Uint64()))

		b.out = append(appendHeader(b.out, askOp[s.kind], s.size, true), key[:]...)
		for j, v := range payload {
			b.out = append(b.out, v^key[j&3])
		}
		if !raw {
			b.exp = append(appendHeader(b.exp, answerOp[s.kind], s.size, false), payload...)
		}
	}
	if raw {
		b.exp = b.out
	}
	return b
}

// newBatches makes a few different batches, so that neighbouring connections
// do not carry the same bytes; one when they are large.
func newBatches(s scenario, raw bool, rng *rand.ChaCha8) []batch {
	n := 1
	if s.depth*s.size <= 64<<10 {
		n = 4
	}
	all := make([]batch, n)
	for i := range all {
		all[i] = newBatch(s, raw, rng)
	}
	return all
}
