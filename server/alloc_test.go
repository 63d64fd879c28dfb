package server_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/server"
)

func TestAnEchoByEventsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const messages = 10_000
	tests := map[string]struct{ batch, size int }{
		"one by one":     {1, 125},
		"in batches":     {50, 125},
		"larger ones":    {1, 4000},
		"empty ones":     {1, 0},
		"with a 16 KiB ": {1, 16 << 10},
	}
	onEvents(t, func(*testing.T) *server.Server { return echoServer(server.Options{}) }, func(t *testing.T, addr string) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				c := connect(t, addr)
				nc := c.nc.(*net.TCPConn)
				one := text(pattern(test.size))
				out := []byte(strings.Repeat(one, test.batch))
				in := make([]byte, test.batch*(len(one)-4)) // without the key
				round := func() {
					if _, err := nc.Write(out); err != nil {
						panic(err)
					}
					if _, err := io.ReadFull(nc, in); err != nil {
						panic(err)
					}
				}
				for range 200 {
					round()
				}
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range messages / test.batch {
					round()
				}
				runtime.ReadMemStats(&after)
				a := float64(after.Mallocs-before.Mallocs) / messages
				require.Less(t, a, 0.01, "allocations a message")
			})
		}
	})
}
