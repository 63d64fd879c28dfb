package client_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/handshake"
	"github.com/wirebeat/wirebeat/frame"
)

// requireMessages reads these messages.
func requireMessages(t *testing.T, c *conn.Conn, want ...string) {
	t.Helper()
	for _, want := range want {
		_, got, err := c.ReadMessage(within(t))
		require.NoError(t, err)
		require.Equal(t, len(want), len(got))
		require.True(t, want == string(got))
	}
}

func TestFramesRightBehindTheResponseAreDelivered(t *testing.T) {
	leavesNothing(t)
	long := strings.Repeat("long", 50_000)
	tests := []struct {
		name, behind string
		want         []string
	}{
		{"one message", unmasked(0x81, "hi"), []string{"hi"}},
		{"an empty message", unmasked(0x81, ""), []string{""}},
		{"three messages", unmasked(0x81, "a") + unmasked(0x82, "b") + unmasked(0x81, "c"), []string{"a", "b", "c"}},
		{"a ping between", unmasked(0x89, "x") + unmasked(0x81, "hi"), []string{"hi"}},
		{"fragments", unmasked(0x01, "h") + unmasked(0x00, "") + unmasked(0x89, "") + unmasked(0x80, "i"), []string{"hi"}},
		{"a message that looks like a header", unmasked(0x81, "\r\n\r\nHTTP/1.1 101\r\n\r\n"), []string{"\r\n\r\nHTTP/1.1 101\r\n\r\n"}},
		{"a message larger than a header may be", unmasked(0x81, long), []string{long}},
		{"many messages", strings.Repeat(unmasked(0x81, strings.Repeat("x", 300)), 100), slicesOf(strings.Repeat("x", 300), 100)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			addr := answering(t, accepted.String()+test.behind)
			c, _ := dialled(t, "ws://"+addr, nil)
			requireMessages(t, c, test.want...)

			c, _ = dialled(t, "ws://server.test", &client.Options{DialContext: choppy(to(addr), 1)})
			requireMessages(t, c, test.want...)
		})
	}
}

func slicesOf(s string, n int) (list []string) {
	for range n {
		list = append(list, s)
	}
	return list
}

func TestFramesAreDeliveredHoweverTheyWereCut(t *testing.T) {
	leavesNothing(t)
	behind := unmasked(0x01, "h") + unmasked(0x89, "ping") + unmasked(0x80, "i") + unmasked(0x82, strings.Repeat("x", 200)) + unmasked(0x88, "\x03\xe8bye")
	all := len(accepted.String()) + 28 - len("$accept") + len(behind)
	addr := answering(t, accepted.String()+behind)
	for cut := range all { // 0 is at every byte
		c, _, err := client.Dial(within(t), "ws://server.test", &client.Options{DialContext: choppy(to(addr), cut)})
		require.NoError(t, err, "cut at %d", cut)
		requireMessages(t, c, "hi", strings.Repeat("x", 200))
		_, _, err = c.ReadMessage(within(t))
		var end *conn.CloseError
		require.ErrorAs(t, err, &end, "cut at %d", cut)
		require.Equal(t, conn.CloseCode(1000), end.Code)
		require.Equal(t, "bye", end.Reason)
		c.CloseNow()
	}
}

func TestFramesRightBehindTheResponseAreDeliveredOverTLS(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	ln := tlsListener(t, a.certify("127.0.0.1"))
	serveRaw(t, ln, func(nc net.Conn) { reply(nc, accepted.String()+unmasked(0x81, "hi")) })
	c, _ := dialled(t, "wss://"+ln.Addr().String(), &client.Options{TLS: a.trusted()})
	requireMessages(t, c, "hi")
}

func TestGarbageBehindTheResponseIsAViolation(t *testing.T) {
	leavesNothing(t)
	masked := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 2})
	tests := []struct {
		name, behind string
		code         frame.CloseCode
	}{
		{"a masked frame", string(masked) + "ab", 1002},
		{"the header of a masked frame", string(masked[:2]), 1002},
		{"another response", accepted.String(), 1002},
		{"a page", "<html>", 1002},
		{"an empty line", "\r\n", 1002},
		{"zeros", strings.Repeat("\x00", 100), 1002},
		{"TLS", "\x16\x03\x01\x02\x00\x01", 1002},
		{"a reserved bit", unmasked(0xc1, "a"), 1002},
		{"a reserved opcode", unmasked(0x83, "a"), 1002},
		{"a continuation of nothing", unmasked(0x80, "a"), 1002},
		{"a fragmented ping", unmasked(0x09, "a"), 1002},
		{"a length that is too wide", "\x81\x7e\x00\x01a", 1002},
		{"a Close of one byte", unmasked(0x88, "a"), 1002},
		{"a text that is not UTF-8", unmasked(0x81, "\xff"), 1007},
		{"a message that is too big", "\x82\x7f\x00\x00\x00\xff\xff\xff\xff\xff", 1009},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			closed := make(chan frame.CloseCode, 1)
			addr := listen(t, func(nc net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(nc))
				if err != nil {
					return
				}
				text := strings.ReplaceAll(accepted.String(), "$accept", handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
				io.WriteString(nc, text+unmasked(0x81, "before")+test.behind)
				closed <- closeCode(nc)
			})
			c, _ := dialled(t, "ws://"+addr, nil)
			requireMessages(t, c, "before")
			_, _, err := c.ReadMessage(within(t))
			var end *conn.CloseError
			require.ErrorAs(t, err, &end)
			require.Equal(t, test.code, end.Code)
			require.False(t, end.Remote)
			var violation *frame.ProtocolError
			require.ErrorAs(t, err, &violation)
			require.Equal(t, test.code, await(t, closed, "the Close frame"))
		})
	}
}

func TestAServerThatIsGoneRightBehindTheResponseEndsTheConnection(t *testing.T) {
	leavesNothing(t)
	for name, end := range map[string]func(net.Conn){
		"in order": func(net.Conn) {},
		"with a reset": func(nc net.Conn) {
			nc.Read(make([]byte, 1)) // or the response may be lost
			nc.(*net.TCPConn).SetLinger(0)
		},
		"in a frame": func(nc net.Conn) { io.WriteString(nc, "\x81\x05hel") },
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, func(nc net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(nc))
				if err == nil {
					io.WriteString(nc, strings.ReplaceAll(accepted.String(), "$accept", handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))))
					end(nc)
				}
			})
			c, _ := dialled(t, "ws://"+addr, nil)
			require.NoError(t, c.Write(within(t), conn.Text, bytes.Repeat([]byte("x"), 10)))
			_, _, err := c.ReadMessage(within(t))
			var gone *conn.CloseError
			require.ErrorAs(t, err, &gone)
			require.Equal(t, conn.CloseCode(1006), gone.Code)
			await(t, c.Done(), "the end")
		})
	}
}
