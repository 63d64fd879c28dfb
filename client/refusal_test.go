package client_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/server"
)

func TestTheBodyOfARefusalIsKeptUpTo1KiB(t *testing.T) {
	const kib = 1 << 10
	long := strings.Repeat("0123456789abcdef", kib/8)
	chunks := func(size int, body string) string {
		var b strings.Builder
		for ; body != ""; body = body[min(size, len(body)):] {
			part := body[:min(size, len(body))]
			b.WriteString(strings.ToLower(string("0123456789ABCDEF"[len(part)>>4&15])+string("0123456789ABCDEF"[len(part)&15])) + ";ext=\"a\"\r\n" + part + "\r\n")
		}
		return b.String() + "0\r\nX-Trailer: a\r\n\r\n"
	}
	tests := []struct {
		name, text, want string
		hangUp           bool
	}{
		{"none", "Content-Length: 0\r\n\r\n", "", false},
		{"some", "Content-Length: 5\r\n\r\nNever", "Never", false},
		{"some, and something behind it", "Content-Length: 5\r\n\r\nNever mind", "Never", false},
		{"some until the end", "\r\nNever", "Never", true},
		{"less than announced", "Content-Length: 50\r\n\r\nNever", "Never", true},
		{"one KiB", "Content-Length: 1024\r\n\r\n" + long[:kib], long[:kib], false},
		{"one KiB and a byte", "Content-Length: 1025\r\n\r\n" + long[:kib+1], long[:kib], false},
		{"two KiB until the end", "\r\n" + long, long[:kib], false},
		{"an announced terabyte", "Content-Length: 1099511627776\r\n\r\n" + long, long[:kib], false},
		{"a megabyte", "Content-Length: 1048576\r\n\r\n" + strings.Repeat(long, 1<<9), long[:kib], false},
		{"in chunks", "Transfer-Encoding: chunked\r\n\r\n" + chunks(16, "Never and never again"), "Never and never again", false},
		{"in chunks of a byte", "Transfer-Encoding: chunked\r\n\r\n" + chunks(1, long[:100]), long[:100], false},
		{"two KiB in chunks", "Transfer-Encoding: chunked\r\n\r\n" + chunks(200, long), long[:kib], false},
		{"chunks that are malformed", "Transfer-Encoding: chunked\r\n\r\n5\r\nNever\r\nxyz\r\n", "Never", false},
		{"a chunk that is cut short", "Transfer-Encoding: chunked\r\n\r\n50\r\nNever", "Never", true},
	}
	for _, status := range []string{"401 Unauthorized", "403 Forbidden", "503 Service Unavailable"} {
		for _, test := range tests {
			t.Run(status[:3]+" with "+test.name, func(t *testing.T) {
				leavesNothing(t)
				addr := listen(t, func(nc net.Conn) {
					http.ReadRequest(bufio.NewReader(nc))
					io.WriteString(nc, "HTTP/1.1 "+status+"\r\nWWW-Authenticate: Basic\r\nRetry-After: 7\r\n"+test.text)
					if !test.hangUp {
						io.Copy(io.Discard, nc)
					}
				})
				began := time.Now()
				resp, err := refused(t, "ws://"+addr, nil)
				require.Less(t, time.Since(began), 900*time.Millisecond, "nothing more is waited for")
				var found *client.HandshakeError
				require.ErrorAs(t, err, &found)
				require.Equal(t, status, resp.Status)
				require.Equal(t, resp.StatusCode, found.Status)
				require.Contains(t, err.Error(), status[:3])
				require.Equal(t, "7", resp.Header.Get("Retry-After"))
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, test.want, string(body))
				require.NoError(t, resp.Body.Close())
			})
		}
	}
}

func TestABodyThatDripsForEverIsWaitedForASecond(t *testing.T) {
	leavesNothing(t)
	t.Run("all", func(t *testing.T) {
		for name, text := range map[string]string{
			"of a length": "Content-Length: 1000\r\n\r\nNever", "in chunks": "Transfer-Encoding: chunked\r\n\r\n100\r\nNever",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				resp, err := refused(t, "ws://"+dripping(t, text), nil)
				require.ErrorContains(t, err, "403")
				require.Less(t, time.Since(began), 3*time.Second)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(body), "Never"), string(body))
			})
		}
	})
}

// dripping is a server that refuses with a body that has no end.
func dripping(t *testing.T, text string) (addr string) {
	return listen(t, func(nc net.Conn) {
		http.ReadRequest(bufio.NewReader(nc))
		io.WriteString(nc, "HTTP/1.1 403 Forbidden\r\n"+text)
		for tick := time.Tick(50 * time.Millisecond); ; <-tick {
			if _, err := io.WriteString(nc, "."); err != nil {
				return
			}
		}
	})
}

func TestARefusalIsReportedAlsoWhenTheTimeIsUpDuringItsBody(t *testing.T) {
	requireRefusal := func(t *testing.T, resp *http.Response, err error) {
		var found *client.HandshakeError
		require.ErrorAs(t, err, &found)
		require.Equal(t, 403, found.Status)
		require.Equal(t, 403, resp.StatusCode)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(body), "Never"), string(body))
	}
	t.Run("by the handshake timeout", func(t *testing.T) {
		leavesNothing(t)
		resp, err := refused(t, "ws://"+dripping(t, "\r\nNever"), &client.Options{HandshakeTimeout: 100 * time.Millisecond})
		requireRefusal(t, resp, err)
	})
	t.Run("by the caller's context", func(t *testing.T) {
		leavesNothing(t)
		ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
		defer cancel()
		_, resp, err := client.Dial(ctx, "ws://"+dripping(t, "\r\nNever"), nil)
		requireRefusal(t, resp, err)
	})
	t.Run("by the caller", func(t *testing.T) {
		leavesNothing(t)
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		addr := dripping(t, "\r\nNever")
		_, resp, err := client.Dial(ctx, "ws://server.test", &client.Options{
			HandshakeTimeout: -1,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				nc, err := net.Dial(network, addr)
				return &cancelling{Conn: nc, cancel: cancel, cancelled: make(chan struct{})}, err
			},
		})
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		var found *client.HandshakeError
		require.ErrorAs(t, err, &found)
		require.Equal(t, 403, resp.StatusCode)
	})
}

// cancelling cancels a dial when the body is about to be read, at the worst
// moment: just before the time for it is set. It fails if the body is read
// nevertheless.
type cancelling struct {
	net.Conn
	cancel    func()
	cancelled chan struct{}
	hopeless  bool
}

func (c *cancelling) SetDeadline(at time.Time) error {
	err := c.Conn.SetDeadline(at)
	close(c.cancelled)
	return err
}

func (c *cancelling) SetReadDeadline(at time.Time) error {
	if c.hopeless {
		return c.Conn.SetReadDeadline(at)
	}
	c.hopeless = true
	c.cancel()
	<-c.cancelled
	return c.Conn.SetReadDeadline(at)
}

func TestOurOwnServerGivesItsReason(t *testing.T) {
	leavesNothing(t)
	srv := echo()
	srv.Options.Authorize = func(r *http.Request) error {
		return &server.Reject{Status: 401, Reason: "Who are you?", Header: http.Header{"Www-Authenticate": {"Basic"}}}
	}
	resp, err := refused(t, "ws://"+serve(t, srv), nil)
	var found *client.HandshakeError
	require.ErrorAs(t, err, &found)
	require.Equal(t, 401, found.Status)
	require.Equal(t, "Basic", resp.Header.Get("WWW-Authenticate"))
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "Who are you?\n", string(body))
}
