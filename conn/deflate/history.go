package deflate

// slack is by how much a history may exceed what it has to have, so that it is
// not moved for each message.
const slack = 1 << 10

// history is the end of all plain text so far.
type history struct {
	b     []byte
	size  int // of what may be referred to
	least int // what is kept when the rest has to go
	most  int // what there is room for
}

// newHistory returns a history for a window. There is never room for more than
// 32 KiB, since an allocator gives out 40 where a little more is wanted; so for
// the largest window the slack is a part of it, which a sender can do without,
// but not who has to know whatever the other end refers to: all.
func newHistory(bits int, all bool) history {
	size := 1 << bits
	h := history{size: size, least: size, most: min(size+slack, window)}
	if !all {
		h.least = min(size, h.most-slack)
	}
	return h
}

// add appends p.
func (h *history) add(p []byte) {
	switch {
	case len(p) >= h.most:
		h.b, p = h.b[:0], p[len(p)-h.most:]
	case len(h.b)+len(p) > h.most:
		keep := max(0, h.least-len(p))
		h.b = h.b[:copy(h.b, h.b[len(h.b)-keep:])]
	}
	if need := len(h.b) + len(p); need > cap(h.b) {
		h.b = append(make([]byte, 0, min(2*need, h.most)), h.b...)
	}
	h.b = append(h.b, p...)
}

// last returns what may be referred to.
func (h *history) last() []byte { return h.b[max(0, len(h.b)-h.size):] }
