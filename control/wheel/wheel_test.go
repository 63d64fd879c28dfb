package wheel_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control/wheel"
)

// fired advances and returns what became due, in ascending order.
func fired(w *wheel.Wheel, now uint32) (ids []int32) {
	w.Advance(now, func(id int32) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

func TestEntriesFireAtTheirTick(t *testing.T) {
	for _, now := range []uint32{0, 1, 1000, 1<<31 - 5, 1<<32 - 5} {
		for _, after := range []uint32{1, 2, 1023, 1024, 1025, 2048, 5000, 1<<31 - 1} {
			w := wheel.New(now)
			require.Equal(t, now, w.Now())
			id := w.Add()
			w.Set(id, now+after)
			require.Equal(t, 1, w.Len())
			if after > 1 {
				require.Empty(t, fired(w, now+after-1))
			}
			require.Equal(t, []int32{id}, fired(w, now+after))
			require.Zero(t, w.Len())
			require.Empty(t, fired(w, now+after+1024), "once")
			require.Equal(t, now+after+1024, w.Now())
		}
	}
}

func TestATickThatHasPassedIsDueWithTheNext(t *testing.T) {
	for _, due := range []uint32{100, 99, 0, 1<<32 - 1000} {
		w := wheel.New(100)
		id := w.Add()
		w.Set(id, due)
		require.Empty(t, fired(w, 100))
		require.Equal(t, []int32{id}, fired(w, 101))
	}
}

func TestSetMovesAnEntry(t *testing.T) {
	w := wheel.New(0)
	a, b := w.Add(), w.Add()
	w.Set(a, 10)
	w.Set(b, 10)
	w.Set(a, 20)
	w.Set(a, 1034) // the slot of tick 10
	require.Equal(t, 2, w.Len())
	require.Equal(t, []int32{b}, fired(w, 1033))
	require.Equal(t, []int32{a}, fired(w, 1034))
}

func TestClearMakesAnEntryDueNever(t *testing.T) {
	w := wheel.New(0)
	var ids []int32
	for range 5 { // in one slot: first, middle and last are linked differently
		id := w.Add()
		w.Set(id, 10)
		ids = append(ids, id)
	}
	for _, i := range []int{2, 0, 4} {
		w.Clear(ids[i])
		w.Clear(ids[i])
	}
	require.Equal(t, 2, w.Len())
	require.Equal(t, []int32{ids[1], ids[3]}, fired(w, 10))
	w.Clear(ids[1])
	require.Zero(t, w.Len())
}

func TestIdentifiersAreUsedAgain(t *testing.T) {
	w := wheel.New(0)
	for i := range int32(10) {
		require.Equal(t, i, w.Add())
	}
	w.Set(4, 10)
	w.Remove(4)
	require.Zero(t, w.Len())
	require.Equal(t, int32(4), w.Add())
	require.Empty(t, fired(w, 10), "a new entry is not set")
	require.Equal(t, int32(10), w.Add())
}

func TestAdvanceByMoreThanATurnFiresEverythingDue(t *testing.T) {
	w := wheel.New(0)
	var want []int32
	for i := range uint32(5000) {
		id := w.Add()
		w.Set(id, i+1)
		if i+1 <= 4000 {
			want = append(want, id)
		}
	}
	require.Equal(t, want, fired(w, 4000))
	require.Equal(t, 1000, w.Len())
	require.Len(t, fired(w, 5000), 1000)
}

func TestManyEntriesOfOneTickAllFireOnce(t *testing.T) {
	for _, n := range []int{63, 64, 65, 128, 1000} {
		w := wheel.New(0)
		for range n {
			w.Set(w.Add(), 7)
			w.Set(w.Add(), 7+1024) // these share the slot and wait
		}
		require.Len(t, slices.Compact(fired(w, 7)), n)
		require.Equal(t, n, w.Len())
		require.Len(t, fired(w, 7+1024), n)
	}
}

func TestACallbackMaySetItsOwnEntryAgain(t *testing.T) {
	for _, again := range []uint32{0, 1, 5, 1023, 1024, 3000} {
		w := wheel.New(50)
		id := w.Add()
		w.Set(id, 60)
		n := 0
		set := func(int32) {
			n++
			w.Set(id, w.Now()+again)
		}
		w.Advance(3000, set)
		require.Equal(t, 1, n, "what is set in a callback is due after now")
		require.Equal(t, 1, w.Len())
		if again > 1 {
			w.Advance(3000+again-1, set)
			require.Equal(t, 1, n)
		}
		w.Advance(3000+max(again, 1), set)
		require.Equal(t, 2, n)
	}
}

func TestACallbackMayAddAndRemove(t *testing.T) {
	w := wheel.New(0)
	a := w.Add()
	w.Set(a, 5)
	var b int32
	w.Advance(5, func(id int32) {
		require.Equal(t, a, id)
		w.Remove(id)
		for range 100 { // the slab moves
			b = w.Add()
			w.Set(b, 6)
		}
	})
	require.Equal(t, 100, w.Len())
	require.Len(t, fired(w, 6), 100)
}

func TestAnEmptyWheelAdvancesAnyDistance(t *testing.T) {
	w := wheel.New(1<<32 - 1)
	require.Empty(t, fired(w, 1<<31))
	require.Equal(t, uint32(1<<31), w.Now())
	require.Empty(t, fired(w, 1<<31), "by nothing, too")
}

func TestSetAndAdvanceAllocateNothing(t *testing.T) {
	w := wheel.New(0)
	for i := range uint32(1000) {
		w.Set(w.Add(), 1+i*7)
	}
	again := func(id int32) { w.Set(id, w.Now()+1+uint32(id)*7) }
	require.Zero(t, testing.AllocsPerRun(3000, func() {
		w.Set(int32(w.Now()%1000), w.Now()+9)
		w.Advance(w.Now()+3, again)
		w.Remove(w.Add())
	}))
	require.Equal(t, 1000, w.Len())
}
