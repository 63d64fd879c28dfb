package deflate

// slack is by how much a history may exceed its size, so that it is not moved
// for each message.
const slack = 1 << 10

// history is the end of all plain text so far.
type history struct {
	b    []byte
	size int
}

// add appends p.
func (h *history) add(p []byte) {
	if len(p) >= h.size {
		h.b = append(h.b[:0], p[len(p)-h.size:]...)
		return
	}
	if len(h.b)+len(p) > h.size+slack {
		keep := h.size - len(p)
		n := copy(h.b, h.b[len(h.b)-keep:])
		h.b = h.b[:n]
	}
	if need := len(h.b) + len(p); need > cap(h.b) {
		h.b = append(make([]byte, 0, min(2*need, h.size+slack)), h.b...)
	}
	h.b = append(h.b, p...)
}

// last returns what may be referred to.
func (h *history) last() []byte { return h.b[max(0, len(h.b)-h.size):] }
