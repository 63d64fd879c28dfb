package endpoint_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// writer does what a driver and its users may do, at random, and remembers
// what has to come out.
type writer struct {
	*side
	rng      *rand.Rand
	messages []string // as they were sent
	open     []byte   // of the unfinished one
	typ      frame.Opcode
	within   bool
	pings    []string
	pongs    int
	lent     int // bytes that Output lent
	borrowed []loan
	keeps    bool
}

// loan is what the endpoint may look at until it is written or kept.
type loan struct {
	b     []byte
	until uint64
}

func (w *writer) payload() []byte {
	sizes := []int{0, 1, 125, 126, 1000, 4095, 4096, 5000, 70_000}
	n := sizes[w.rng.IntN(len(sizes))]
	b := []byte(text(n))
	if n > 8 {
		copy(b, fmt.Sprintf("%08d", w.rng.IntN(1e8)))
	}
	return b
}

func (w *writer) send() {
	p := w.payload()
	fin := w.rng.IntN(3) > 0
	typ := frame.Text
	if w.rng.IntN(2) == 0 {
		typ = frame.Binary
	}
	if !w.within {
		w.typ, w.open = typ, nil
	}
	w.open = append(w.open, p...)
	if w.rng.IntN(2) == 0 {
		require.NoError(w.t, w.Queue(typ, p, fin))
		clear(p)
	} else {
		require.NoError(w.t, w.Send(typ, p, fin))
		w.borrowed = append(w.borrowed, loan{p, w.Queued()})
	}
	w.within = !fin
	if fin {
		w.messages = append(w.messages, fmt.Sprintf("%v %q", w.typ, w.open))
	}
}

// repay overwrites what is the caller's again.
func (w *writer) repay(all bool) {
	w.borrowed = slices.DeleteFunc(w.borrowed, func(l loan) bool {
		if all || w.Sent() >= l.until {
			for i := range l.b {
				l.b[i] = 0x21
			}
			return true
		}
		return false
	})
}

func (w *writer) step() {
	switch k := w.rng.IntN(20); {
	case k < 6:
		w.send()
	case k < 7 && !w.within:
		p := w.payload()
		require.NoError(w.t, w.SendPrepared(endpoint.NewPrepared(frame.Binary, p)))
		w.messages = append(w.messages, fmt.Sprintf("binary %q", p))
	case k < 8 && len(w.pings) < 40:
		p := fmt.Sprintf("mine %d", len(w.pings))
		require.NoError(w.t, w.Ping([]byte(p)))
		w.pings = append(w.pings, p)
	case k < 10:
		w.pongs++
		w.receive(w.in(0x89, fmt.Sprint(w.pongs)))
	case k < 12 && w.lent == 0 && w.keeps:
		w.Keep()
		w.repay(true)
	case k < 16 && w.lent == 0:
		w.lent = 0
		var lent []byte
		for _, b := range w.Output(nil) {
			lent = append(lent, b...)
		}
		w.lent = len(lent)
		w.out = append(w.out, lent...)
	case w.lent > 0:
		n := w.lent
		switch w.rng.IntN(4) {
		case 0:
			n = w.rng.IntN(w.lent + 1)
		case 1:
			n = w.rng.IntN(min(w.lent, 20) + 1)
		}
		w.out = w.out[:len(w.out)-w.lent+n]
		w.Written(w.now, n)
		w.lent = 0
		w.repay(false)
	}
}

func (w *writer) finish() {
	if w.lent > 0 {
		w.Written(w.now, w.lent)
		w.lent = 0
	}
	if w.within {
		require.NoError(w.t, w.Send(frame.Text, nil, true))
		w.messages = append(w.messages, fmt.Sprintf("%v %q", w.typ, w.open))
	}
	w.flush()
	w.repay(false)
	require.Empty(w.t, w.borrowed, "all loans end")
	require.Empty(w.t, w.pool.lent, "all buffers came back")
	require.Zero(w.t, w.Buffered())
	require.Equal(w.t, w.Queued(), w.Sent())
}

// check compares what came out with what went in.
func (w *writer) check(mode control.PongMode) {
	var messages, pings, pongs []string
	var open string
	var typ frame.Opcode
	dataBytes := 0
	frames := w.sent()
	for i, f := range frames {
		switch f.Opcode {
		case frame.Ping:
			pings = append(pings, f.payload)
			continue
		case frame.Pong:
			pongs = append(pongs, f.payload)
			continue
		case frame.Text, frame.Binary:
			typ, open = f.Opcode, ""
		}
		open += f.payload
		if f.Fin {
			messages = append(messages, fmt.Sprintf("%v %q", typ, open))
		}
		end := len(w.out)
		if i+1 < len(frames) {
			end = frames[i+1].at
		}
		dataBytes += end - f.at
	}
	require.Equal(w.t, len(w.messages), len(messages))
	for i := range messages {
		require.Equal(w.t, w.messages[i], messages[i], "message %d", i)
	}
	require.ElementsMatch(w.t, w.pings, pings)
	require.EqualValues(w.t, dataBytes, w.Queued())
	if w.pongs > 0 {
		require.Contains(w.t, pongs, fmt.Sprint(w.pongs), "the newest ping is always answered")
	}
	require.EqualValues(w.t, w.pongs-len(pongs), w.Health().Coalesced, "mode %v", mode)
	slices.Sort(pongs)
	require.Len(w.t, slices.Compact(pongs), len(pongs), "nothing is answered twice")
}

// outputModel plays many lives of a writing half.
func outputModel(t *testing.T, keeps bool) {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		for _, maxFrame := range []int{0, 1000, 4096} {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				for seed := range uint64(8) {
					s := newSide(t, role, endpoint.Config{Pong: mode, MaxFrame: maxFrame})
					w := &writer{side: s, rng: rand.New(rand.NewPCG(seed, uint64(maxFrame))), keeps: keeps}
					for range 120 {
						w.step()
					}
					w.finish()
					w.check(mode)
				}
			})
		}
	}
}

func TestOutputIsWhatWasSentHoweverItIsWritten(t *testing.T) { outputModel(t, false) }
