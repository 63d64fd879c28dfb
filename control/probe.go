package control

import (
	"encoding/binary"
	"time"

	"github.com/wirebeat/wirebeat/frame"
)

// MaxProbes is how many pings of our own may be outstanding at once.
const MaxProbes = 16

// MinPing and MaxPing are how small and how large the payload of a ping of ours
// may be: what it needs, and what a control frame holds.
const (
	MinPing = 8
	MaxPing = frame.MaxControl
)

// Pong is the answer to a ping of ours.
type Pong struct {
	// RTT is the time from handing the ping to the kernel to its pong. When
	// Exact is false it is an upper bound: the pong that came answered a later
	// ping, or did not say which.
	RTT   time.Duration
	Exact bool
	Empty bool // the peer sent back no payload, against RFC 6455 §5.5.3
}

// Probes keeps the pings of our own that have not been answered.
type Probes struct {
	Nonce uint32 // tells our pings from those of a connection before
	Size  int    // bytes of a payload, MinPing to MaxPing; beyond that the nearest

	seq uint32
	out []probe // oldest first
}

type probe struct {
	seq  uint32
	sent time.Time // when it was queued, then when the kernel had it
	left bool      // the kernel has it
}

// Append adds a new probe and appends its payload: sequence number, nonce, and
// what fills it up to Size. ok is false when MaxProbes are outstanding.
func (p *Probes) Append(dst []byte, now time.Time) (payload []byte, seq uint32, ok bool) {
	if len(p.out) >= MaxProbes {
		return dst, 0, false
	}
	p.seq++
	p.out = append(p.out, probe{seq: p.seq, sent: now})
	dst = binary.BigEndian.AppendUint32(dst, p.seq)
	dst = binary.BigEndian.AppendUint32(dst, p.Nonce)
	for i := MinPing; i < p.size(); i++ {
		dst = append(dst, byte(i))
	}
	return dst, p.seq, true
}

func (p *Probes) size() int { return min(max(p.Size, MinPing), MaxPing) }

// padded reports whether what follows the nonce is what Append fills up with,
// where each octet is its own index.
func padded(payload []byte) bool {
	for i := MinPing; i < len(payload); i++ {
		if payload[i] != byte(i) {
			return false
		}
	}
	return true
}

// Sent starts the clock of every probe up to seq that had not left yet.
func (p *Probes) Sent(seq uint32, now time.Time) {
	for i := range p.out {
		if o := &p.out[i]; !o.left && int32(o.seq-seq) <= 0 {
			o.sent, o.left = now, true
		}
	}
}

// Left returns when a probe that has no answer left.
func (p *Probes) Left(seq uint32) (at time.Time, ok bool) {
	for _, o := range p.out {
		if o.seq == seq {
			return o.sent, o.left
		}
	}
	return at, false
}

// Forget gives a probe up: its pong will be an unsolicited one.
func (p *Probes) Forget(seq uint32) {
	for i := range p.out {
		if p.out[i].seq == seq {
			p.out = append(p.out[:i], p.out[i+1:]...)
			return
		}
	}
}

// Outstanding returns how many probes have no answer.
func (p *Probes) Outstanding() int { return len(p.out) }

// Pong takes the payload of a pong and calls answered for each probe it
// answers, oldest first: "…a Pong frame in response to the most recent Ping"
// speaks for all before it. An unknown payload is an unsolicited pong and
// answers nothing; an empty one is accepted when a single probe is out.
func (p *Probes) Pong(payload []byte, now time.Time, answered func(seq uint32, pong Pong)) {
	last, empty := -1, false
	switch {
	// "A Pong frame sent in response to a Ping frame must have identical
	// "Application data"" RFC 6455 §5.5.3
	case len(payload) == p.size() && binary.BigEndian.Uint32(payload[4:]) == p.Nonce && padded(payload):
		seq := binary.BigEndian.Uint32(payload)
		for i := range p.out {
			if p.out[i].seq == seq {
				last = i
			}
		}
	case len(payload) == 0 && len(p.out) == 1:
		last, empty = 0, true
	}
	for i, o := range p.out[:last+1] {
		answered(o.seq, Pong{RTT: now.Sub(o.sent), Exact: i == last && !empty, Empty: empty})
	}
	p.out = append(p.out[:0], p.out[last+1:]...)
}
