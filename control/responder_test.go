package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// play runs a script on a responder and returns what was answered, in order:
// the payload of an answer given at once, and in parentheses that of one which
// had to wait.
//
//	1     a ping "1" while the write side is free
//	!1    a ping "1" while a write is blocked
//	.     the end of a batch of input
//	>     the write side takes everything that is due
//	x     Drop
func play(r *control.Responder, script string) (answers string) {
	var out []string
	for _, word := range strings.Fields(script) {
		switch word {
		case ".":
			r.EndBatch()
		case ">":
			for {
				waiting := r.Waiting()
				p, ok := r.Next()
				if ok != waiting {
					return "Waiting and Next disagree"
				}
				if !ok {
					break
				}
				out = append(out, "("+string(p)+")")
			}
		case "x":
			r.Drop()
		default:
			p, blocked := strings.CutPrefix(word, "!")
			payload := []byte(p)
			if r.Ping(payload, blocked) {
				out = append(out, p)
			}
			clear(payload)
		}
	}
	return strings.Join(out, " ")
}

// numbers is from … to, each behind prefix.
func numbers(prefix string, from, to int) string {
	var s []string
	for i := from; i <= to; i++ {
		s = append(s, fmt.Sprintf("%s%d", prefix, i))
	}
	return strings.Join(s, " ")
}

func waited(from, to int) string {
	var s []string
	for i := from; i <= to; i++ {
		s = append(s, fmt.Sprintf("(%d)", i))
	}
	return strings.Join(s, " ")
}

func TestResponder(t *testing.T) {
	for _, c := range []struct {
		mode      control.PongMode
		name      string
		script    string
		want      string
		coalesced int
	}{
		{control.Auto, "answers a ping at once", "1 . >", "1", 0},
		{control.Auto, "answers ten pings of a batch", numbers("", 1, 10) + " . >", numbers("", 1, 10), 0},
		{control.Auto, "answers sixteen pings of a batch", numbers("", 1, 16) + " . >", numbers("", 1, 16), 0},
		{control.Auto, "answers the newest beyond the budget", numbers("", 1, 20) + " . >", numbers("", 1, 16) + " (20)", 3},
		{control.Auto, "answers a single ping beyond the budget", numbers("", 1, 17) + " . >", numbers("", 1, 16) + " (17)", 0},
		{control.Auto, "holds the newest until its batch ends", numbers("", 1, 17) + " > . >", numbers("", 1, 16) + " (17)", 0},
		{control.Auto, "grants each batch the budget", numbers("", 1, 16) + " . " + numbers("", 17, 32) + " . >", numbers("", 1, 32), 0},
		{control.Auto, "keeps the newest while blocked", "!1 !2 !3 . >", "(3)", 2},
		{control.Auto, "answers while still in the batch once the write side is free", "!1 > 2 .", "(1) 2", 0},
		{control.Auto, "does not overtake what waits", "!1 2 >", "(2)", 1},
		{control.Auto, "keeps one slot over many batches", "!1 . !2 . !3 . >", "(3)", 2},
		{control.Auto, "answers nothing that was dropped", "!1 x . >", "", 0},
		{control.Auto, "goes on after a drop", "!1 x 2 . >", "2", 0},
		{control.Auto, "has nothing without a ping", "> . >", "", 0},

		{control.Strict, "answers every ping of a batch", numbers("", 1, 40) + " . >", numbers("", 1, 40), 0},
		{control.Strict, "keeps sixteen while blocked", numbers("!", 1, 16) + " . >", waited(1, 16), 0},
		{control.Strict, "coalesces the seventeenth", numbers("!", 1, 17) + " . >", waited(1, 15) + " (17)", 1},
		{control.Strict, "coalesces into the newest beyond sixteen", numbers("!", 1, 20) + " . >", waited(1, 15) + " (20)", 4},
		{control.Strict, "keeps the order over several batches", "!1 . !2 . !3 > . 4", "(1) (2) (3) 4", 0},
		{control.Strict, "does not overtake what waits", "!1 2 3 >", "(1) (2) (3)", 0},
		{control.Strict, "starts anew once its queue is empty", numbers("!", 1, 16) + " > " + numbers("!", 17, 32) + " >", waited(1, 32), 0},
		{control.Strict, "answers nothing that was dropped", "!1 !2 x . >", "", 0},

		{control.Coalesce, "answers the newest of a batch", numbers("", 1, 10) + " . >", "(10)", 9},
		{control.Coalesce, "answers nothing before the batch ends", "1 2 > 3 > . >", "(3)", 2},
		{control.Coalesce, "answers once for each batch", "1 2 . > 3 . > . >", "(2) (3)", 1},
		{control.Coalesce, "keeps the newest over batches while blocked", "!1 . !2 . >", "(2)", 1},
		{control.Coalesce, "answers the newest when the write side was blocked first", "!1 2 >", "(2)", 1},
	} {
		t.Run(fmt.Sprintf("%v %s", c.mode, c.name), func(t *testing.T) {
			r := &control.Responder{Mode: c.mode}
			require.Equal(t, c.want, play(r, c.script))
			require.EqualValues(t, c.coalesced, r.Coalesced())
			require.False(t, r.Waiting())
		})
	}
}

func TestResponderKeepsPayloadsOfEverySize(t *testing.T) {
	for n := range 126 {
		for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
			r := &control.Responder{Mode: mode}
			want := strings.Repeat("p", n)
			require.False(t, r.Ping([]byte("an older and longer one"), true))
			require.False(t, r.Ping([]byte(want), true))
			r.EndBatch()
			var got string
			for p, ok := r.Next(); ok; p, ok = r.Next() {
				got = string(p)
			}
			require.Equal(t, want, got)
		}
	}
}

func TestResponderMemoryIsBoundedHoweverManyPingsCome(t *testing.T) {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		t.Run(mode.String(), func(t *testing.T) {
			r := &control.Responder{Mode: mode}
			payload := make([]byte, 125)
			for range 100 {
				r.Ping(payload, true)
			}
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				r.Ping(payload, true)
				r.EndBatch()
			}))
			n := 0
			for _, ok := r.Next(); ok; _, ok = r.Next() {
				n++
			}
			require.LessOrEqual(t, n, control.PongBudget)
			require.EqualValues(t, 1101-n, r.Coalesced())
		})
	}
}

func TestResponderNeedsNoMemoryWhileTheWriteSideIsFree(t *testing.T) {
	payload := make([]byte, 125)
	for _, mode := range []control.PongMode{control.Auto, control.Strict} {
		r := &control.Responder{Mode: mode}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			for range control.PongBudget {
				if !r.Ping(payload, false) {
					panic("not answered")
				}
			}
			r.EndBatch()
		}))
	}
}

func TestPongModesHaveNames(t *testing.T) {
	require.Equal(t, "auto", control.Auto.String())
	require.Equal(t, "strict", control.Strict.String())
	require.Equal(t, "coalesce", control.Coalesce.String())
	require.Equal(t, "unknown pong mode", control.PongMode(9).String())
	require.Equal(t, control.Auto, control.Responder{}.Mode, "the zero value is Auto")
}
