package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// A driver may pass coarse times, and precise ones while a probe is
// outstanding, so a time may be a little before the one that was passed last.
func TestLimitTakesNothingForAStepBackInTime(t *testing.T) {
	l := control.NewLimit(1000)
	for range 950 {
		within, _ := l.Take(start)
		require.True(t, within)
	}
	for range 20 {
		within, _ := l.Take(start.Add(-100 * time.Millisecond))
		require.True(t, within, "50 tokens are left")
	}
}
