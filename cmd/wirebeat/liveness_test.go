package main

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

func TestServeFindsAPeerThatAnswersNoPing(t *testing.T) {
	s := start(t, "--ping-interval", "50ms", "--ping-timeout", "200ms", "-v")
	nc, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	_, err = nc.Write([]byte(opening + "\r\n"))
	require.NoError(t, err)
	r := bufio.NewReader(nc)
	for line := ""; line != "\r\n"; {
		line, err = r.ReadString('\n')
		require.NoError(t, err)
	}
	head := make([]byte, 2)
	_, err = r.Read(head)
	require.NoError(t, err)
	require.Equal(t, byte(0x80|frame.Ping), head[0])
	for err == nil { // until the connection is cut off
		_, err = r.ReadByte()
	}
	require.False(t, isTimeout(err), "%v", err)
	require.Zero(t, s.end(t))
	require.Contains(t, s.stderr.String(), "peer is suspect")
	require.Contains(t, s.stderr.String(), "peer is dead")
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

func TestServeAnswersATextHeartbeatIfAskedTo(t *testing.T) {
	for _, args := range [][]string{nil, {"--text-heartbeat"}} {
		c := join(t, start(t, args...).addr)
		c.send(text("ping"), text("pong"), text("end"))
		if args == nil {
			c.expect(frame.Text, "ping")
			c.expect(frame.Text, "pong")
		} else {
			c.expect(frame.Text, "pong")
		}
		c.expect(frame.Text, "end")
	}
}

func TestServeAndConnectCompressIfAskedTo(t *testing.T) {
	s := start(t, "-v")
	long := strings.Repeat("a long line that compresses well ", 100)
	p := launch(t, strings.NewReader(long+"\nshort\n"), "connect", "ws://"+s.addr, "--compression")
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	require.Equal(t, long+"\nshort\n", p.stdout.String())

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, resp, err := client.Dial(ctx, "ws://"+s.addr, &client.Options{Conn: conn.Options{Compression: &conn.Compression{}}})
	require.NoError(t, err)
	defer c.CloseNow()
	require.Contains(t, resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
}
