package wheel_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control/wheel"
)

// model is a wheel as it is described: a map from entries to ticks.
type model struct {
	now uint32
	due map[int32]uint32
}

func (m *model) set(id int32, due uint32) {
	if int32(due-m.now) <= 0 {
		due = m.now + 1
	}
	m.due[id] = due
}

func (m *model) refine(k uint32) {
	for id, due := range m.due {
		m.due[id] = due * k // modulo 2³², as all ticks
	}
	m.now *= k
}

func (m *model) advance(now uint32) (ids []int32) {
	m.now = now
	for id, due := range m.due {
		if int32(due-now) <= 0 {
			ids = append(ids, id)
			delete(m.due, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestWheelIsAMapFromEntriesToTicks(t *testing.T) {
	for seed := range uint64(15) {
		for _, origin := range []uint32{0, 1<<31 - 20_000, 1<<32 - 20_000} {
			t.Run(fmt.Sprintf("seed %d from tick %d", seed, origin), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(origin)))
				w, m := wheel.New(origin), &model{now: origin, due: map[int32]uint32{}}
				var live []int32
				refined := uint32(1)
				any := func() int32 { return live[rng.IntN(len(live))] }
				when := func() uint32 {
					return m.now + uint32(rng.IntN(1+rng.IntN(5000))) - uint32(rng.IntN(3))
				}
				for range 600 {
					switch k := rng.IntN(13); {
					case k < 2 || len(live) == 0:
						id := w.Add()
						if slices.Contains(live, id) {
							t.Fatalf("entry %d is in use", id)
						}
						live = append(live, id)
					case k < 7:
						id, due := any(), when()
						w.Set(id, due)
						m.set(id, due)
					case k < 8:
						id := any()
						w.Clear(id)
						delete(m.due, id)
					case k < 9:
						id := any()
						w.Remove(id)
						delete(m.due, id)
						live = slices.DeleteFunc(live, func(l int32) bool { return l == id })
					case k < 10 && refined < 8:
						by := 1 + rng.Uint32N(4)
						refined *= by
						w.Refine(by)
						m.refine(by)
					default:
						step := uint32(rng.IntN(1 + rng.IntN(5000)))
						now := m.now + step
						want := m.advance(now)
						var got []int32
						w.Advance(now, func(id int32) {
							got = append(got, id)
							switch rng.IntN(4) {
							case 0: // itself again
								due := when()
								w.Set(id, due)
								m.set(id, due)
							case 1: // a new one
								id := w.Add()
								live = append(live, id)
								due := when()
								w.Set(id, due)
								m.set(id, due)
							case 2: // itself never more
								if len(live) > 1 {
									w.Remove(id)
									live = slices.DeleteFunc(live, func(l int32) bool { return l == id })
								}
							}
						})
						slices.Sort(got)
						require.Equal(t, want, got)
						require.Equal(t, now, w.Now())
					}
					if len(m.due) != w.Len() {
						t.Fatalf("%d entries are set, not %d", w.Len(), len(m.due))
					}
					for _, id := range live {
						want, set := m.due[id]
						if due, ok := w.Due(id); ok != set || set && due != want {
							t.Fatalf("entry %d is due at %d (%v), not at %d (%v)", id, due, ok, want, set)
						}
					}
				}
			})
		}
	}
}
