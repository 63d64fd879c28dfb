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

func TestTheSampleHandshakeOfTheRFCIsAnsweredWithExactlyThis(t *testing.T) {
	const response = "HTTP/1.1 101 Switching Protocols\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"
	offers := valid.with(
		"Origin: http://example.com",
		"Sec-WebSocket-Protocol: chat, superchat",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
		"Cookie: secret=1",
		"User-Agent: test",
		"X-Custom: echo me",
	)
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for name, r := range map[string]request{"a bare request": valid, "a request with offers that nobody takes": offers} {
			t.Run(name, func(t *testing.T) {
				c := dial(t, addr)
				c.send(r.String())
				got := make([]byte, len(response))
				_, err := io.ReadFull(c.r, got)
				require.NoError(t, err)
				require.Equal(t, response, string(got))
				c.send(text("hello"))
				c.expect(frame.Text, "hello")
			})
		}
	})
}

func TestCorrectHandshakesAreAcceptedHoweverTheyAreWritten(t *testing.T) {
	tests := map[string]request{
		"Connection is a list":                  valid.set("Connection: keep-alive, Upgrade"),
		"Connection is a list in several lines": valid.set("Connection: keep-alive").with("Connection: foo", "Connection: Upgrade"),
		"Upgrade is a list":                     valid.set("Upgrade: h2c, websocket"),
		"Upgrade is a list in several lines":    valid.with("Upgrade: h2c"),
		"letter case does not matter":           valid.set("Connection: uPGRADE").set("Upgrade: WebSocket"),
		"nor that of the names": {
			"GET / HTTP/1.1", "hOST: example.com", "uPGRADE: websocket", "connection: upgrade",
			"SEC-WEBSOCKET-KEY: " + sampleKey, "sec-websocket-version: 13",
		},
		"without spaces":                     {"GET / HTTP/1.1", "Host:example.com", "Upgrade:websocket", "Connection:Upgrade", "Sec-WebSocket-Key:" + sampleKey, "Sec-WebSocket-Version:13"},
		"with tabs and spaces":               valid.set("Connection: \t Upgrade \t"),
		"Content-Length: 0 is no body":       valid.with("Content-Length: 0"),
		"the target has a query":             valid.set("GET /a/b?c=d&e HTTP/1.1"),
		"the target is absolute":             valid.set("GET http://example.com/chat HTTP/1.1"),
		"the trailing bits of the key count": valid.set("Sec-WebSocket-Key: " + "dGhlIHNhbXBsZSBub25jZR=="),
		"Host has a port":                    valid.set("Host: example.com:8080"),
		"Host is an IPv6 address":            valid.set("Host: [::1]:8080"),
	}
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for name, r := range tests {
			t.Run(name, func(t *testing.T) {
				c := dial(t, addr)
				c.send(r.String(), text("x"))
				c.accepted()
				c.expect(frame.Text, "x")
			})
		}
	})
}

// The first frames may come in the same segment as the end of the request.
func TestFramesBehindTheRequestAreNeverLostWhereverTheStreamIsCut(t *testing.T) {
	behind := text("first") + ping("p") + bin("second") + masked(0x01, "third, ") + masked(0x80, "in parts")
	all := valid.String() + behind
	check := func(c *client) {
		c.accepted()
		pongs := 0
		for _, want := range []string{"first", "second", "third, in parts"} {
			h, got := c.frame()
			if h.Opcode == frame.Pong { // which may overtake data
				require.Equal(c.t, "p", got)
				pongs++
				_, got = c.frame()
			}
			require.Equal(c.t, want, got)
		}
		require.Equal(c.t, 1, pongs)
	}
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		t.Run("in one piece", func(t *testing.T) {
			c := dial(t, addr)
			c.send(all)
			check(c)
		})
		t.Run("byte by byte", func(t *testing.T) {
			c := dial(t, addr)
			c.sendBytes(all)
			check(c)
		})
		t.Run("in two pieces, cut anywhere", func(t *testing.T) {
			each(t, len(all)-1, func(t tb, i int) {
				c := dial(t, addr)
				defer c.nc.Close()
				c.sendCut(all, i+1)
				check(c)
			})
		})
	})
}

// What net/http buffers is 4 KiB, and what the raw entries read at once is less
// than this.
func TestManyFramesBehindTheRequestAreEchoedInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for _, size := range []int{1, 100, 1000, 4000, 5000, 70_000} {
			var b strings.Builder
			b.WriteString(valid.String())
			n := 200_000/size%1000 + 20
			for i := range n {
				b.WriteString(text(fmt.Sprintf("%d %s", i, pattern(size))))
			}
			c := dial(t, addr)
			sent := make(chan struct{})
			go func() {
				c.trySend(b.String())
				close(sent)
			}()
			c.accepted()
			for i := range n {
				c.expect(frame.Text, fmt.Sprintf("%d %s", i, pattern(size)))
			}
			<-sent
		}
	})
}

func TestAClientThatHasNotReadTheResponseMaySendAndClose(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := dial(t, e.serve(t, server.Options{}))
		c.send(valid.String(), text("x"), closing(1000, "bye"))
		c.accepted()
		c.expect(frame.Text, "x")
		c.expectClose(1000, "")
	})
}

func TestTheResponseHasTheFieldsOfTheOptionsAndTheChosenSubprotocol(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{
			Subprotocols: []string{"v2", "v1"},
			Header:       http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Server": {"yes"}},
		})
		tests := []struct {
			name, want string
			lines      []string
		}{
			{"none offered", "", nil},
			{"one offered", "v1", []string{"Sec-WebSocket-Protocol: v1"}},
			{"the server's order decides", "v2", []string{"Sec-WebSocket-Protocol: v1, v2"}},
			{"also over several lines", "v2", []string{"Sec-WebSocket-Protocol: v0, v1", "Sec-WebSocket-Protocol: v2"}},
			{"others are passed over", "", []string{"Sec-WebSocket-Protocol: v3, V1"}},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				c := dial(t, addr)
				c.send(valid.with(test.lines...).String())
				r := c.accepted()
				want := http.Header{
					"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {sampleAccept},
					"Set-Cookie": {"a=1", "b=2"}, "X-Server": {"yes"},
				}
				if test.want != "" {
					want["Sec-Websocket-Protocol"] = []string{test.want}
				}
				require.Equal(t, want, r.Header)
			})
		}
	})
}
