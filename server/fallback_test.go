package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// describe answers with what it was asked.
var describe = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %q %v tls=%t", r.Method, r.URL, r.Host, body, err, r.TLS != nil)
})

func onBoth(t *testing.T, s func() *server.Server, test func(t *testing.T, addr string)) {
	t.Run("Serve", func(t *testing.T) { test(t, serve(t, s())) })
	t.Run("ServeHTTP", func(t *testing.T) { test(t, serveHTTP(t, s())) })
}

func withFallback() *server.Server { return &server.Server{Handle: echo, Fallback: describe} }

const page = "GET /page?a=b HTTP/1.1\r\nHost: example.com\r\n\r\n"

func (c *client) page(want string) {
	c.t.Helper()
	r, body := c.response()
	require.Equal(c.t, 200, r.StatusCode)
	require.False(c.t, r.Close)
	require.Equal(c.t, want, body)
}

func TestOtherRequestsGoToTheFallback(t *testing.T) {
	const got = `GET /page?a=b example.com "" <nil> tls=false`
	onBoth(t, withFallback, func(t *testing.T, addr string) {
		t.Run("one after the other, then a WebSocket, on the same connection", func(t *testing.T) {
			c := dial(t, addr)
			for range 3 {
				c.send(page)
				c.page(got)
			}
			c.send(valid.String(), text("x"))
			c.accepted()
			c.expect(frame.Text, "x")
			c.send(closing(1000, ""))
			c.expectClose(1000, "")
		})
		t.Run("all at once", func(t *testing.T) {
			c := dial(t, addr)
			c.send(page, page, valid.String(), text("x"), closing(1000, ""))
			c.page(got)
			c.page(got)
			c.accepted()
			c.expect(frame.Text, "x")
			c.expectClose(1000, "")
		})
		t.Run("wherever the stream is cut", func(t *testing.T) {
			all := page + valid.String() + text("x")
			each(t, len(all)-1, func(t tb, i int) {
				c := dial(t, addr)
				defer c.nc.Close()
				c.sendCut(all, i+1)
				c.page(got)
				c.accepted()
				c.expect(frame.Text, "x")
			})
		})
		t.Run("with their bodies", func(t *testing.T) {
			big := pattern(100_000)
			c := dial(t, addr)
			c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", page)
			c.page(`POST / a "hello" <nil> tls=false`)
			c.page(got)
			c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(big), big))
			c.page(fmt.Sprintf("POST / a %q <nil> tls=false", big))
			c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
			c.page(`POST / a "hello" <nil> tls=false`)

			c = dial(t, addr)
			c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
			line, err := c.r.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
			c.r.ReadString('\n')
			c.send("hi")
			c.page(`POST / a "hi" <nil> tls=false`)
		})
		t.Run("another upgrade is none of ours", func(t *testing.T) {
			c := dial(t, addr)
			c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
			c.page(`GET / a "" <nil> tls=false`)
		})
		t.Run("but what asks for a WebSocket wrongly is refused", func(t *testing.T) {
			for _, r := range []request{
				valid.without("Upgrade"), valid.without("Connection"), valid.set("Upgrade: websockets"),
				valid.without("Sec-WebSocket-Key"),
			} {
				c := dial(t, addr)
				c.send(r.String(), page)
				c.refused(400)
			}
		})
		t.Run("also after a page", func(t *testing.T) {
			c := dial(t, addr)
			c.send(page, valid.with("Origin: http://evil").String(), page)
			c.page(got)
			c.refused(403)
		})
	})
}

// A connection that served a page before is like any other.
func TestAfterAPageAViolationIsAnsweredWithoutAReset(t *testing.T) {
	flood := strings.Repeat(text(pattern(1000)), 256)
	onBoth(t, withFallback, func(t *testing.T, addr string) {
		for range 10 {
			c := dial(t, addr)
			c.send(page, valid.String())
			c.response()
			c.accepted()
			sent := make(chan struct{})
			go func() {
				c.trySend(before + masked(0x83, "") + flood)
				close(sent)
			}()
			c.answered()
			c.expectCode(1002)
			<-sent
			c.nc.Close()
		}
	})
}

func TestAfterAPageOverTLSTheOriginMustStillBeHTTPS(t *testing.T) {
	addr := serveTLS(t, withFallback(), selfSigned(t))
	for origin, status := range map[string]int{"https://example.com": 101, "http://example.com": 403} {
		t.Run(origin, func(t *testing.T) {
			c := dialTLS(t, addr)
			c.send(page, valid.with("Origin: "+origin).String())
			c.response()
			r, _ := c.response()
			require.Equal(t, status, r.StatusCode)
		})
	}
	t.Run("and the page knows of TLS", func(t *testing.T) {
		c := dialTLS(t, addr)
		c.send(page)
		c.page(`GET /page?a=b example.com "" <nil> tls=true`)
	})
}
