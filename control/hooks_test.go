package control_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// noting returns hooks which note that they were called, and as which.
func noting(who string, putOff time.Duration, notes *[]string) control.Hooks[int] {
	note := func(format string, args ...any) {
		*notes = append(*notes, who+" "+fmt.Sprintf(format, args...))
	}
	return control.Hooks[int]{
		OnPing:      func(c int, payload []byte) { note("%d ping %s", c, payload) },
		OnPong:      func(c int, p control.PongEvent) { note("%d pong %s %v", c, p.Payload, p.RTT) },
		OnMissed:    func(c int, missed int) { note("%d missed %d", c, missed) },
		OnSuspect:   func(c int, silence time.Duration) { note("%d suspect %v", c, silence) },
		OnRecovered: func(c int, downtime time.Duration) { note("%d recovered %v", c, downtime) },
		OnDead: func(c int, err *control.DeadError) time.Duration {
			note("%d dead %v", c, err.Verdict)
			return putOff
		},
		OnMassSuspect: func(m control.Mass) { note("mass %d of %d", m.Suspects, m.Total) },
	}
}

// call calls every hook and returns by how much the verdict is put off.
func call(t *testing.T, h control.Hooks[int]) time.Duration {
	t.Helper()
	require.NotNil(t, h.OnPing)
	h.OnPing(7, []byte("p"))
	h.OnPong(7, control.PongEvent{Payload: []byte("q"), Solicited: true, Pong: control.Pong{RTT: time.Second}})
	h.OnMissed(7, 3)
	h.OnSuspect(7, time.Second)
	h.OnRecovered(7, time.Minute)
	h.OnMassSuspect(control.Mass{Suspects: 2, Total: 5})
	return h.OnDead(7, &control.DeadError{Verdict: control.PathDead})
}

func TestHooksOfBothAreCalledInTurn(t *testing.T) {
	var notes []string
	calls := []string{"7 ping p", "7 pong q 1s", "7 missed 3", "7 suspect 1s", "7 recovered 1m0s", "mass 2 of 5", "7 dead path dead"}
	for _, c := range []struct {
		name  string
		hooks control.Hooks[int]
		who   []string
		off   time.Duration
	}{
		{"both", noting("a", 0, &notes).Both(noting("b", 0, &notes)), []string{"a", "b"}, 0},
		{"the first puts off longer", noting("a", 2, &notes).Both(noting("b", 1, &notes)), []string{"a", "b"}, 2},
		{"the second puts off longer", noting("a", 1, &notes).Both(noting("b", 2, &notes)), []string{"a", "b"}, 2},
		{"only one puts off", noting("a", -1, &notes).Both(noting("b", 2, &notes)), []string{"a", "b"}, 2},
		{"the first alone", noting("a", 3, &notes).Both(control.Hooks[int]{}), []string{"a"}, 3},
		{"the second alone", control.Hooks[int]{}.Both(noting("b", 3, &notes)), []string{"b"}, 3},
		{"three", noting("a", 1, &notes).Both(noting("b", 5, &notes)).Both(noting("c", 3, &notes)), []string{"a", "b", "c"}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			notes = nil
			require.Equal(t, c.off, call(t, c.hooks))
			var want []string
			for _, line := range calls {
				for _, who := range c.who {
					want = append(want, who+" "+line)
				}
			}
			require.Equal(t, want, notes)
		})
	}
}

func TestHooksThatNeitherHasStayNil(t *testing.T) {
	var notes []string
	require.Zero(t, fmt.Sprint(control.Hooks[int]{}) != fmt.Sprint(control.Hooks[int]{}.Both(control.Hooks[int]{})))
	h := control.Hooks[int]{OnPing: noting("a", 0, &notes).OnPing}.Both(control.Hooks[int]{OnMissed: noting("b", 0, &notes).OnMissed})
	require.NotNil(t, h.OnPing)
	require.NotNil(t, h.OnMissed)
	require.Nil(t, h.OnPong)
	require.Nil(t, h.OnSuspect)
	require.Nil(t, h.OnRecovered)
	require.Nil(t, h.OnDead)
	require.Nil(t, h.OnMassSuspect)
}
