package client_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/deflate"
)

func TestCompressedMessagesGoBothWays(t *testing.T) {
	directions := []deflate.Direction{{}, {NoTakeover: true}, {Bits: 9}, {Bits: 8, NoTakeover: true}}
	for _, there := range directions {
		for _, back := range directions {
			srv := echo()
			srv.Options.Conn.Compression = &conn.Compression{Policy: deflate.Policy{Server: back}}
			addr := serve(t, srv)
			ctx := within(t)
			c, resp, err := client.Dial(ctx, "ws://"+addr, &client.Options{Conn: conn.Options{
				Compression: &conn.Compression{Policy: deflate.Policy{Client: there}},
			}})
			require.NoError(t, err)
			require.Contains(t, resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
			for i := range 100 {
				p := bytes.Repeat([]byte("wirebeat compresses this. "), i*i)
				require.NoError(t, c.Write(ctx, conn.Text, p))
				_, got, err := c.ReadMessage(ctx)
				require.NoError(t, err)
				require.True(t, bytes.Equal(p, got), i)
			}
			w, err := c.Writer(ctx, conn.Binary)
			require.NoError(t, err)
			all := bytes.Repeat([]byte("0123456789"), 40000)
			for rest := all; len(rest) > 0; {
				n := min(len(rest), 7777)
				_, err := w.Write(rest[:n])
				require.NoError(t, err)
				rest = rest[n:]
			}
			require.NoError(t, w.Close())
			_, got, err := c.ReadMessage(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(all, got))
			require.NoError(t, c.Close(ctx, 1000, ""))
		}
	}
}
