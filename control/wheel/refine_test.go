package wheel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control/wheel"
)

var origins = []uint32{0, 1, 1000, 1<<31 - 5, 1<<31 + 1, 1<<32 - 5}

func TestDueTellsWhenAnEntryIsDue(t *testing.T) {
	for _, now := range origins {
		w := wheel.New(now)
		a, b := w.Add(), w.Add()
		_, ok := w.Due(a)
		require.False(t, ok, "a new entry is not set")
		for _, after := range []uint32{1, 1023, 1024, 5000, 1<<31 - 1} {
			w.Set(a, now+after)
			due, ok := w.Due(a)
			require.True(t, ok)
			require.Equal(t, now+after, due)
		}
		w.Set(a, now)
		due, _ := w.Due(a)
		require.Equal(t, now+1, due, "a tick that has passed is due with the next one")
		w.Set(b, now+1)
		w.Clear(b)
		_, ok = w.Due(b)
		require.False(t, ok)

		w.Advance(now+1, func(id int32) {
			_, ok := w.Due(id)
			require.False(t, ok, "it is called because it is not due any more")
		})
		w.Set(a, now+9)
		w.Remove(a)
		require.Equal(t, a, w.Add())
		_, ok = w.Due(a)
		require.False(t, ok, "an identifier that is used again")
	}
}

func TestRefineKeepsWhenEntriesAreDue(t *testing.T) {
	for _, now := range origins {
		for _, k := range []uint32{1, 2, 10, 100} {
			t.Run(fmt.Sprintf("%d from tick %d", k, now), func(t *testing.T) {
				w := wheel.New(now)
				afters := []uint32{1, 2, 7, 1023, 1024, 1025, 3000, 100_000}
				var ids []int32
				for _, after := range afters {
					id := w.Add()
					w.Set(id, now+after)
					ids = append(ids, id)
				}
				unset := w.Add()
				w.Refine(k)
				require.Equal(t, now*k, w.Now())
				require.Equal(t, len(afters), w.Len())
				_, ok := w.Due(unset)
				require.False(t, ok)
				for i, after := range afters {
					due, ok := w.Due(ids[i])
					require.True(t, ok)
					require.Equal(t, (now+after)*k, due)
					require.Empty(t, fired(w, due-1))
					require.Equal(t, ids[i:i+1], fired(w, due))
				}
				require.Zero(t, w.Len())
			})
		}
	}
}

func TestRefineOfWhatIsDueLongAfterIsNotDueAtOnce(t *testing.T) {
	for _, now := range origins {
		w := wheel.New(now)
		a, b := w.Add(), w.Add()
		w.Set(a, now+1<<31-1)
		w.Set(b, now+1<<24)
		w.Refine(100)
		due, _ := w.Due(a)
		require.Equal(t, w.Now()+1<<31-1, due, "as late as can be told")
		due, _ = w.Due(b)
		require.Equal(t, w.Now()+1<<24*100, due)
	}
}

func TestRefineAllocatesNothing(t *testing.T) {
	w := wheel.New(0)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		w.Set(w.Add(), 1+rng.Uint32N(5000))
	}
	require.Zero(t, testing.AllocsPerRun(3, func() { w.Refine(2) }))
}
