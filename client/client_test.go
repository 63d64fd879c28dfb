package client_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

// within is a context for one test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// serve starts a server and returns its address.
func serve(t *testing.T, srv *server.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Shutdown(within(t)))
		<-served
	})
	return ln.Addr().String()
}

// echo is a server that sends every message back.
func echo() *server.Server {
	return &server.Server{Events: server.Events{
		Message: func(p *server.Peer, typ conn.Type, data []byte) { p.Send(typ, data) },
	}}
}

func TestMessagesGoBothWays(t *testing.T) {
	ctx := within(t)
	c, resp, err := client.Dial(ctx, "ws://"+serve(t, echo()), nil)
	require.NoError(t, err)
	require.Equal(t, 101, resp.StatusCode)
	require.NoError(t, c.Write(ctx, conn.Text, []byte("hello")))
	typ, got, err := c.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, conn.Text, typ)
	require.Equal(t, "hello", string(got))
	_, err = c.Ping(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Close(ctx, 1000, "done"))
	require.NoError(t, ctx.Err())
}
