package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// padded is an accepted response whose header block has this size once the
// answer to the key is in it.
func padded(size int) string {
	const field = "X-Padding: "
	text := accepted.with(field).String()
	return accepted.with(field + strings.Repeat("x", size-len(text)-28+len("$accept"))).String()
}

// filled is a response with n lines beside the first.
func filled(n int) string {
	a := accepted
	for range n - 3 {
		a = a.with("X: y")
	}
	return a.String()
}

func TestAResponseThatIsWrongFailsTheHandshake(t *testing.T) {
	tests := []struct {
		name, text string
		status     int // 0: there is no response at all
		want       string
	}{
		{"status 200", accepted.set("HTTP/1.1 200 OK").with("Content-Length: 0").String(), 200, "status 200"},
		{"status 204", "HTTP/1.1 204 No Content\r\n\r\n", 204, "status 204"},
		{"status 304", "HTTP/1.1 304 Not Modified\r\n\r\n", 304, "status 304"},
		{"status 407", "HTTP/1.1 407\r\nContent-Length: 0\r\n\r\n", 407, "status 407"},
		{"status 999", "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", 999, "status 999"},
		{"status 000", "HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n", 0, "status 0"},
		{"HTTP/1.0", accepted.set("HTTP/1.0 101 Switching Protocols").String(), 101, "HTTP/1.1"},
		{"HTTP/2.0", accepted.set("HTTP/2.0 101 Switching Protocols").String(), 101, "HTTP/1.1"},
		{"no Upgrade", accepted.without("Upgrade").String(), 101, "Upgrade"},
		{"a space behind the name of Upgrade", accepted.without("Upgrade").with("Upgrade : websocket").String(), 101, "Upgrade"},
		{"another Upgrade", accepted.set("Upgrade: h2c").String(), 101, "Upgrade"},
		{"a list in Upgrade", accepted.set("Upgrade: websocket, h2c").String(), 101, "Upgrade"},
		{"no Connection", accepted.without("Connection").String(), 101, "Connection"},
		{"another Connection", accepted.set("Connection: close").String(), 101, "Connection"},
		{"no Accept", accepted.without("Sec-WebSocket-Accept").String(), 101, "Accept"},
		{"a wrong Accept", accepted.set("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").String(), 101, "Accept"},
		{"Accept twice", accepted.with("Sec-WebSocket-Accept: $accept").String(), 101, "Accept"},
		{"Accept over two lines", accepted.set("Sec-WebSocket-Accept:\r\n $accept\r\n x").String(), 101, "Accept"},
		{"a subprotocol", accepted.with("Sec-WebSocket-Protocol: chat").String(), 101, "subprotocol"},
		{"an empty subprotocol", accepted.with("Sec-WebSocket-Protocol:").String(), 101, "subprotocol"},
		{"an extension", accepted.with("Sec-WebSocket-Extensions: permessage-deflate").String(), 101, "extension"},
		{"an empty extension", accepted.with("Sec-WebSocket-Extensions:").String(), 101, "Extensions"},
		{"malformed extensions", accepted.with("Sec-WebSocket-Extensions: a;;").String(), 101, "Extensions"},

		{"an empty line", "\r\n" + accepted.String(), 0, "not answer in HTTP"},
		{"a greeting", "SSH-2.0-OpenSSH_9.9\r\n\r\n", 0, "not answer in HTTP"},
		{"ICY", accepted.set("ICY 101 OK").String(), 0, "not answer in HTTP"},
		{"no version", accepted.set("HTTP 101 OK").String(), 0, "not answer in HTTP"},
		{"a status of two digits", accepted.set("HTTP/1.1 10 OK").String(), 0, "not answer in HTTP"},
		{"a status of four digits", accepted.set("HTTP/1.1 1010 OK").String(), 0, "not answer in HTTP"},
		{"a status of letters", accepted.set("HTTP/1.1 abc OK").String(), 0, "not answer in HTTP"},
		{"a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "not answer in HTTP"},
		{"a line without a colon", accepted.with("nonsense").String(), 0, "not answer in HTTP"},
		{"a field without a name", accepted.with(": x").String(), 0, "not answer in HTTP"},
		{"a continuation of nothing", "HTTP/1.1 101 x\r\n Upgrade: websocket\r\n\r\n", 0, "not answer in HTTP"},
		{"NUL in a value", accepted.with("X: \x00").String(), 0, "not answer in HTTP"},
		{"a carriage return in a value", accepted.with("X: a\rb").String(), 0, "not answer in HTTP"},
		{"an unknown coding", accepted.with("Transfer-Encoding: gzip").String(), 0, "not answer in HTTP"},

		{"16 KiB of header and a byte", padded(16<<10 + 1), 0, "header too large"},
		{"a line without an end", "HTTP/1.1 101 " + strings.Repeat("x", 20<<10), 0, "header too large"},
		{"129 lines", filled(129), 0, "too many header lines"},
		{"lines of nothing", "HTTP/1.1 101 x" + strings.Repeat("\r\n ", 200), 0, "too many header lines"},
		{"interim responses without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), 0, "interim"},
		{"interim responses of 1 KiB without end", strings.Repeat("HTTP/1.1 103 x\r\nA: "+strings.Repeat("x", 1000)+"\r\n\r\n", 1000), 0, "interim"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leavesNothing(t)
			resp, err := refused(t, "ws://"+answering(t, test.text), nil)
			require.ErrorContains(t, err, test.want)
			var found *client.HandshakeError
			if strings.HasPrefix(test.want, "status") || test.status != 0 {
				require.NotNil(t, resp)
				require.Equal(t, test.status, resp.StatusCode)
				require.ErrorAs(t, err, &found)
				require.Equal(t, test.status, found.Status)
				_, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return
			}
			require.Nil(t, resp)
			require.False(t, errors.As(err, &found))
		})
	}
}

func TestAResponseThatIsUnusualIsAccepted(t *testing.T) {
	leavesNothing(t)
	require.Len(t, strings.ReplaceAll(padded(16<<10), "$accept", strings.Repeat("x", 28)), 16<<10)
	for name, text := range map[string]string{
		"no reason":                      accepted.set("HTTP/1.1 101").String(),
		"a reason of words":              accepted.set("HTTP/1.1 101 Web Socket Protocol Handshake").String(),
		"a later minor version":          accepted.set("HTTP/1.2 101 Switching Protocols").String(),
		"line feeds only":                strings.ReplaceAll(accepted.String(), "\r\n", "\n"),
		"small letters":                  "HTTP/1.1 101 x\r\nupgrade: WEBSOCKET\r\nconnection: upgrade\r\nsec-websocket-accept: $accept\r\n\r\n",
		"white space":                    "HTTP/1.1 101 x\r\nUpgrade:\twebsocket \r\nConnection:Upgrade\r\nSec-WebSocket-Accept:   $accept\t\r\n\r\n",
		"a list over two lines":          accepted.set("Connection: keep-alive").with("Connection: a, Upgrade").String(),
		"a length":                       accepted.with("Content-Length: 0").String(),
		"a coding":                       accepted.with("Transfer-Encoding: chunked").String(),
		"16 KiB of header":               padded(16 << 10),
		"128 lines":                      filled(128),
		"an interim response":            "HTTP/1.1 100 Continue\r\n\r\n" + accepted.String(),
		"early hints":                    "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + accepted.String(),
		"five interim responses":         strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 5) + accepted.String(),
		"interim responses and the most": strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 5) + padded(16<<10),
	} {
		t.Run(name, func(t *testing.T) {
			c, resp := dialled(t, "ws://"+answering(t, text), nil)
			require.Equal(t, 101, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Empty(t, body)
			require.NoError(t, c.Err())
		})
	}
}

func TestAServerThatHangsUpFailsTheHandshake(t *testing.T) {
	half := func(text string) func(net.Conn) {
		return func(nc net.Conn) {
			http.ReadRequest(bufio.NewReader(nc))
			io.WriteString(nc, text)
		}
	}
	tests := []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"before the request", func(net.Conn) {}, ""},
		{"before it answers", half(""), "hung up"},
		{"after a byte", half("H"), "hung up"},
		{"in the status line", half("HTTP/1.1 10"), "hung up"},
		{"in the header", half("HTTP/1.1 101 x\r\nUpgrade: webs"), "hung up"},
		{"before the empty line", half(strings.TrimSuffix(accepted.String(), "\r\n")), "hung up"},
		{"after an interim response", half("HTTP/1.1 100 Continue\r\n\r\n"), "hung up"},
		{"with a reset", func(nc net.Conn) {
			http.ReadRequest(bufio.NewReader(nc))
			nc.(*net.TCPConn).SetLinger(0)
		}, "reset"},
		{"with a reset in the status line", func(nc net.Conn) {
			half("HTTP/1.1 101")(nc)
			nc.(*net.TCPConn).SetLinger(0)
		}, ""},
		{"after the preface of HTTP/2", half("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80"), "hung up"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leavesNothing(t)
			resp, err := refused(t, "ws://"+listen(t, test.serve), nil)
			require.Nil(t, resp)
			require.ErrorContains(t, err, test.want)
			if test.want == "hung up" {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
		})
	}
}

func TestAHeaderOfSixteenMebibytesIsNotRead(t *testing.T) {
	leavesNothing(t)
	sent := make(chan int64, 1)
	addr := listen(t, func(nc net.Conn) {
		http.ReadRequest(bufio.NewReader(nc))
		endless := io.MultiReader(strings.NewReader("HTTP/1.1 101 x\r\nX: "), repeated('x'))
		n, _ := io.CopyN(nc, endless, 64<<20)
		sent <- n
	})
	_, err := refused(t, "ws://"+addr, nil)
	require.ErrorIs(t, err, handshake.ErrBlockTooLarge)
	require.Less(t, await(t, sent, "the end of the server"), int64(64<<20))
}

// repeated is a source of one byte.
type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestHowTheResponseIsCutMakesNoDifference(t *testing.T) {
	leavesNothing(t)
	text := "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + accepted.String()
	addr := answering(t, text)
	for cut := 1; cut < len(text)+28-len("$accept"); cut++ {
		c, _, err := client.Dial(within(t), "ws://server.test", &client.Options{DialContext: choppy(to(addr), cut)})
		require.NoError(t, err, "cut at %d", cut)
		c.CloseNow()
	}
	addr = answering(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nNever")
	for cut := range 40 {
		resp, err := refused(t, "ws://server.test", &client.Options{DialContext: choppy(to(addr), cut+1)})
		require.ErrorContains(t, err, "403")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "Never", string(body))
	}
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// choppy makes connections of which one read ends at the byte cut, however
// much there is; with 0 every read is of one byte.
func choppy(dial dialFunc, cut int) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		return &chopped{Conn: nc, left: cut, always: cut == 0}, err
	}
}

type chopped struct {
	net.Conn
	left   int
	always bool
}

func (c *chopped) Read(p []byte) (int, error) {
	switch {
	case c.always:
		p = p[:min(len(p), 1)]
	case c.left > 0:
		p = p[:min(len(p), c.left)]
	}
	n, err := c.Conn.Read(p)
	c.left -= n
	return n, err
}

func TestTheWrongSortOfServerIsNoReasonToHang(t *testing.T) {
	a := newAuthority(t)
	t.Run("TLS at ws", func(t *testing.T) {
		leavesNothing(t)
		_, err := refused(t, "ws://"+serveTLS(t, a.certify("127.0.0.1"), nil), nil)
		require.ErrorContains(t, err, "hung up")
	})
	t.Run("HTTPS at ws", func(t *testing.T) {
		addr := answering(t, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		resp, err := refused(t, "ws://"+addr, &client.Options{HandshakeTimeout: 200 * time.Millisecond})
		require.ErrorContains(t, err, "400")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Contains(t, string(body), "HTTPS server")
	})
	for name, text := range map[string]string{
		"HTTP at wss": "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "SSH at wss": "SSH-2.0-OpenSSH_9.9\r\n", "nothing at wss": "",
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			addr := listen(t, func(nc net.Conn) {
				nc.Read(make([]byte, 1<<10))
				io.WriteString(nc, text)
			})
			resp, err := refused(t, "wss://"+addr, nil)
			require.Nil(t, resp)
			if text != "" {
				require.ErrorContains(t, err, "tls: ")
			}
		})
	}
}

// broken is a transport of which something fails.
type broken struct {
	net.Conn
	write, deadline error
}

func (b broken) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.Conn.Write(p)
}

func (b broken) SetDeadline(at time.Time) error {
	if b.deadline != nil {
		return b.deadline
	}
	return b.Conn.SetDeadline(at)
}

func TestATransportThatFailsFailsTheHandshake(t *testing.T) {
	leavesNothing(t)
	cut := errors.New("the cable is cut")
	over := func(addr string, how broken) *client.Options {
		return &client.Options{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			nc, err := to(addr)(ctx, network, "")
			how.Conn = nc
			return how, err
		}}
	}
	addr := answering(t, accepted.String())
	for _, proxy := range []string{"", "http://proxy.test", "socks5://proxy.test"} {
		opts := over(addr, broken{write: cut})
		if proxy != "" {
			opts.Proxy = through(proxy)
		}
		_, err := refused(t, "ws://server.test", opts)
		require.ErrorIs(t, err, cut)
	}
	_, err := refused(t, "ws://server.test", over(addr, broken{deadline: cut}))
	require.ErrorIs(t, err, cut, "a connection without deadlines is none")

	silent := listen(t, func(nc net.Conn) { io.Copy(io.Discard, nc) })
	for _, proxy := range []string{"", "http://proxy.test", "https://proxy.test", "socks5://proxy.test"} {
		opts := over(silent, broken{deadline: cut})
		if proxy != "" {
			opts.Proxy = through(proxy)
		}
		opts.HandshakeTimeout = 20 * time.Millisecond
		_, err := refused(t, "ws://server.test", opts)
		requireTimeout(t, err)
	}
}
