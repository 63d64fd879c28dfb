package control_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// FuzzResponder plays any order of pings, blocked writes, ends of batches and
// writes: each answer is the exact payload of a ping, in their order, the last
// ping is always answered, and little ever waits.
func FuzzResponder(f *testing.F) {
	f.Add(byte(0), []byte{0, 0, 0, 1, 1, 2, 0, 3, 2, 3})
	f.Add(byte(1), []byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 3, 3})
	f.Add(byte(2), []byte{0, 0, 0, 0, 2, 3, 0, 4, 0, 2})
	f.Fuzz(func(t *testing.T, mode byte, events []byte) {
		r := control.Responder{Mode: control.PongMode(mode % 3)}
		var pings, answers [][]byte // since the last Drop
		forgotten := uint64(0)      // what was coalesced before it
		waiting := func() int { return len(pings) - len(answers) - int(r.Coalesced()-forgotten) }
		next := func() bool {
			can := r.Waiting()
			p, ok := r.Next()
			require.Equal(t, can, ok)
			if ok {
				answers = append(answers, bytes.Clone(p))
			}
			return ok
		}
		for i, event := range events {
			switch event % 5 {
			case 0, 1:
				none := waiting() == 0
				payload := fmt.Appendf(nil, "%d%s", i, bytes.Repeat([]byte("x"), int(event)%120))
				pings = append(pings, bytes.Clone(payload))
				if r.Ping(payload, event%5 == 1) {
					require.True(t, none, "none overtakes another")
					answers = append(answers, bytes.Clone(payload))
				}
				clear(payload)
			case 2:
				r.EndBatch()
			case 3:
				next()
			case 4:
				r.Drop()
				require.False(t, r.Waiting())
				pings, answers, forgotten = nil, nil, r.Coalesced()
			}
			require.GreaterOrEqual(t, waiting(), 0)
			require.LessOrEqual(t, waiting(), control.PongBudget)
		}
		r.EndBatch()
		for next() {
		}
		require.Zero(t, waiting())
		if len(pings) > 0 {
			require.Equal(t, string(pings[len(pings)-1]), string(answers[len(answers)-1]), "the last ping is always answered")
		}
		rest := pings
		for _, a := range answers {
			for len(rest) > 0 && !bytes.Equal(rest[0], a) {
				rest = rest[1:]
			}
			require.NotEmpty(t, rest, "an answer is the payload of a ping, in their order")
			rest = rest[1:]
		}
	})
}

// FuzzProbes answers pings of ours with anything: a round trip comes from the
// pong with the payload of the ping alone, and from when that had left.
func FuzzProbes(f *testing.F) {
	f.Add(0, []byte{0, 0, 1, 0, 2, 0})
	f.Add(125, []byte{0, 0, 0, 0, 1, 1, 3, 9, 4, 0, 5, 3, 6, 0, 7, 1, 2, 1})
	f.Add(20, []byte{0, 0, 6, 0, 0, 0, 0, 0, 6, 0, 2, 1, 2, 1})
	f.Fuzz(func(t *testing.T, size int, events []byte) {
		type ping struct {
			seq     uint32
			payload []byte
			sent    time.Time
			left    bool
		}
		p := control.Probes{Nonce: nonce, Size: size}
		now := start
		var out []ping
		var old [][]byte
		for i := 0; i+1 < len(events); i += 2 {
			arg := int(events[i+1])
			now = now.Add(time.Duration(arg) * time.Millisecond)
			var answer []byte
			answered := -1 // the pong of which of those that are out
			switch events[i] % 9 {
			case 0:
				b, seq, ok := p.Append(nil, now)
				require.Equal(t, len(out) < control.MaxProbes, ok)
				if ok {
					out = append(out, ping{seq: seq, payload: b, sent: now})
					require.Len(t, b, min(max(size, control.MinPing), control.MaxPing))
				}
				continue
			case 1:
				for k := range out {
					if o := &out[k]; k <= arg%control.MaxProbes && !o.left {
						o.left, o.sent = true, now
					}
				}
				if len(out) > 0 {
					p.Sent(out[min(arg%control.MaxProbes, len(out)-1)].seq, now)
				}
				continue
			case 2:
				if len(out) > 0 {
					answered = arg % len(out)
					answer = out[answered].payload
				}
			case 3: // with one bit changed
				if len(out) > 0 {
					answer = bytes.Clone(out[arg%len(out)].payload)
					answer[arg%len(answer)] ^= 1 << (arg % 8)
					for k, o := range out { // which may be another number
						if bytes.Equal(o.payload, answer) {
							answered = k
						}
					}
				}
			case 4: // cut, but not to nothing
				if len(out) > 0 {
					b := out[arg%len(out)].payload
					answer = b[:1+arg%(len(b)-1)]
				}
			case 5: // with more behind it
				if len(out) > 0 {
					answer = append(bytes.Clone(out[arg%len(out)].payload), byte(arg))
				}
			case 6:
			case 7:
				if len(old) > 0 {
					answer = old[arg%len(old)]
				}
			case 8:
				p.Forget(1 << 30) // which is none
				if len(out) > 0 {
					k := arg % len(out)
					p.Forget(out[k].seq)
					old = append(old, out[k].payload)
					out = slices.Delete(out, k, k+1)
				}
				require.Equal(t, len(out), p.Outstanding())
				continue
			}
			empty := len(answer) == 0 && len(out) == 1
			if empty {
				answered = 0
			}
			got := 0
			p.Pong(answer, now, func(seq uint32, pong control.Pong) {
				require.Less(t, got, len(out))
				o := out[got]
				require.Equal(t, o.seq, seq, "oldest first")
				require.Equal(t, control.Pong{RTT: now.Sub(o.sent), Exact: got == answered && !empty, Empty: empty}, pong)
				got++
			})
			require.Equal(t, answered+1, got)
			for _, o := range out[:got] {
				old = append(old, o.payload)
			}
			out = out[got:]
			require.Equal(t, len(out), p.Outstanding())
			for _, o := range out {
				at, left := p.Left(o.seq)
				require.Equal(t, o.left, left)
				require.Equal(t, o.sent, at)
			}
			_, left := p.Left(1 << 30)
			require.False(t, left)
		}
	})
}
