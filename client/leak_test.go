package client_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
)

func TestAThousandFailedDialsLeaveNothingBehind(t *testing.T) {
	leavesNothing(t)
	says := func(text string) func(net.Conn) {
		return func(nc net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
				io.WriteString(nc, text)
				io.Copy(io.Discard, nc)
			}
		}
	}
	ways := []func(net.Conn){
		says(accepted.set("Sec-WebSocket-Accept: wrong").String()),
		says("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nNever"),
		says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
		says(strings.Repeat("x", 20<<10)),
		says("\r\n\r\n"),
		func(net.Conn) {},
		func(nc net.Conn) { nc.(*net.TCPConn).SetLinger(0) },
		func(nc net.Conn) { io.Copy(io.Discard, nc) },
	}
	var n atomic.Int64
	addr := listen(t, func(nc net.Conn) { ways[int(n.Add(1))%len(ways)](nc) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	urls := []string{"ws://" + addr, "wss://" + addr, "ws://" + closed.Addr().String(), "ws://server.test", "ws://bücher.test", "wss://server.test"}
	proxies := []string{"http://", "https://", "socks5://u:p@"}
	for i := range 1000 {
		opts := &client.Options{HandshakeTimeout: 5 * time.Millisecond, MaxRedirects: i % 3}
		url := urls[i%len(urls)]
		if strings.Contains(url, ".test") {
			opts.Proxy = through(proxies[i/len(urls)%len(proxies)] + addr)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if i%7 == 0 {
			time.AfterFunc(time.Millisecond, cancel)
		}
		c, _, err := client.Dial(ctx, url, opts)
		cancel()
		require.Error(t, err)
		require.Nil(t, c)
	}
}

func TestDialsAtTheSameTimeMayShareTheirOptions(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	plain, secure := serve(t, echo()), serveTLS(t, a.certify("127.0.0.1"), nil)
	opts := &client.Options{
		TLS: a.trusted(), Jar: newJar(t), Subprotocols: []string{"a", "b"}, MaxRedirects: 1,
		Header: http.Header{"Cookie": {"a=b", "c=d"}, "X-A": {"b"}, "Host": {"server.test"}},
	}
	failed := make(chan error, 8)
	for i := range cap(failed) {
		go func() {
			url := []string{"ws://u:p@" + plain, "wss://" + secure}[i%2]
			for range 5 {
				c, _, err := client.Dial(within(t), url, opts)
				if err == nil {
					err = c.Close(within(t), 1000, "")
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		require.NoError(t, await(t, failed, "the end of the dials"))
	}
	require.Equal(t, http.Header{"Cookie": {"a=b", "c=d"}, "X-A": {"b"}, "Host": {"server.test"}}, opts.Header)
}
