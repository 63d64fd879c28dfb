package wheel_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control/wheel"
)

// Connections that end together end each other: a callback may take away,
// clear or postpone an entry that is due in the same tick.
func TestACallbackMayCallOffAnotherThatIsDue(t *testing.T) {
	for name, callOff := range map[string]func(w *wheel.Wheel, id int32){
		"by clearing it":   func(w *wheel.Wheel, id int32) { w.Clear(id) },
		"by removing it":   func(w *wheel.Wheel, id int32) { w.Remove(id) },
		"by postponing it": func(w *wheel.Wheel, id int32) { w.Set(id, 100) },
		"by reusing it": func(w *wheel.Wheel, id int32) {
			w.Remove(id)
			w.Set(w.Add(), 100)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wheel.New(0)
			a, b := w.Add(), w.Add()
			w.Set(a, 5)
			w.Set(b, 5)
			var got []int32
			w.Advance(5, func(id int32) {
				got = append(got, id)
				callOff(w, a+b-id)
			})
			require.Len(t, got, 1)
		})
	}
}
