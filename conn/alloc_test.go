//go:build !race

package conn_test

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
)

func TestAnEchoAllocatesNothing(t *testing.T) {
	for _, role := range []endpoint.Role{endpoint.Server, endpoint.Client} {
		t.Run(role.String(), func(t *testing.T) {
			r := &rig{T: t, driver: &conn.Driver{}}
			c, p := r.against(role, conn.Options{})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			request := p.frame(true, conn.Binary, pattern(125))
			reply := make([]byte, 131)
			if role == endpoint.Server {
				reply = reply[:127] // without a key
			}
			buf := make([]byte, 0, 256)
			var failed error
			echo := func() {
				if _, err := p.nc.Write(request); err != nil {
					failed = err
				}
				typ, b, err := c.AppendMessage(ctx, buf[:0])
				if err == nil {
					err = c.Write(ctx, typ, b)
				}
				if err == nil {
					_, err = io.ReadFull(p.nc, reply)
				}
				if err != nil {
					failed = err
				}
			}
			for range 100 {
				echo()
			}
			require.Zero(t, testing.AllocsPerRun(2000, echo))
			require.NoError(t, failed)
		})
	}
}

func TestReadMessageAllocatesTheMessageAndNothingElse(t *testing.T) {
	r := &rig{T: t, driver: &conn.Driver{}}
	c, p := r.server(conn.Options{})
	request := p.frame(true, conn.Binary, pattern(125))
	require.Equal(t, 1.0, testing.AllocsPerRun(1000, func() {
		p.nc.Write(request)
		c.ReadMessage(context.Background())
	}))
}
