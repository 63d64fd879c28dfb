//go:build !race

package conn_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
)

func TestWatchingThePeerAllocatesNothingOnTheWayOfAFrame(t *testing.T) {
	for name, times := range map[string]struct{ interval, timeout time.Duration }{
		"defaults":                       {25 * time.Second, 20 * time.Second},
		"the peer is pinged incessantly": {10 * time.Millisecond, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{T: t, driver: &conn.Driver{}}
			opts := watched(times.interval, times.timeout, conn.Hooks{})
			opts.WriteTimeout = time.Second
			c, p := r.server(opts)
			request := p.frame(true, conn.Binary, pattern(125))
			reply := make([]byte, 127)
			buf := make([]byte, 0, 256)
			ctx := context.Background()
			var failed error
			echo := func() {
				p.nc.Write(request)
				typ, b, err := c.AppendMessage(ctx, buf[:0])
				if err == nil {
					err = c.Write(ctx, typ, b)
				}
				for err == nil { // pings come between the replies
					if _, err = io.ReadFull(p.nc, reply[:2]); err == nil {
						_, err = io.ReadFull(p.nc, reply[2:2+reply[1]])
					}
					if reply[0] == 0x82 {
						break
					}
				}
				if err != nil {
					failed = err
				}
			}
			for range 100 {
				echo()
			}
			require.Zero(t, testing.AllocsPerRun(3000, echo))
			require.NoError(t, failed)
			require.NoError(t, c.Err())
		})
	}
}
