package wheel

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// This test is inside the package because entries are seen from nowhere else.
func TestEntriesHoldNoPointers(t *testing.T) {
	typ := reflect.TypeFor[entry]()
	for f := range typ.Fields() {
		require.Contains(t, []reflect.Kind{reflect.Int32, reflect.Uint32}, f.Type.Kind(), f.Name)
	}
	// "≤ 56 bytes a connection always present": this, and its monitor.
	require.LessOrEqual(t, typ.Size()+unsafe.Sizeof(control.Monitor{}), uintptr(56))
}
