package wheel

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// This test is inside the package because entries are seen from nowhere else.
func TestEntriesHoldNoPointers(t *testing.T) {
	typ := reflect.TypeFor[entry]()
	for f := range typ.Fields() {
		require.Contains(t, []reflect.Kind{reflect.Int32, reflect.Uint32}, f.Type.Kind(), f.Name)
	}
	require.LessOrEqual(t, typ.Size(), uintptr(16))
}
