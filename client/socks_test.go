package client_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// socks is the proxy as one of SOCKS 5 (RFC 1928, RFC 1929). It wants a user
// if one is offered.
func (p *tunnels) socks(nc net.Conn) {
	take := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(nc, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	methods := take(int(take(2)[1]))
	user := ""
	if strings.Contains(string(methods), "\x02") {
		nc.Write([]byte{5, 2})
		user = string(take(int(take(2)[1])))
		user += ":" + string(take(int(take(1)[0])))
		status := byte(0)
		if strings.HasSuffix(user, ":wrong") {
			status = 1
		}
		if nc.Write([]byte{1, status}); status != 0 {
			return
		}
	} else {
		nc.Write([]byte{5, 0})
	}
	head := take(4)
	var host string
	switch head[3] {
	case 1:
		host = net.IP(take(4)).String()
	case 3:
		host = string(take(int(take(1)[0])))
	case 4:
		host = net.IP(take(16)).String()
	}
	port := int(binary.BigEndian.Uint16(take(2)))
	p.note(net.JoinHostPort(host, strconv.Itoa(port)), strconv.Itoa(int(head[3])), user)
	if p.answer != "" {
		io.WriteString(nc, p.answer)
		return
	}
	io.WriteString(nc, "\x05\x00\x00\x03\x04name\x00\x50")
	p.join(nc)
}

func TestAProxyOfSOCKSIsAskedForAName(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	plain, secure := serve(t, echo()), serveTLS(t, a.certify("server.test"), nil)
	p := &tunnels{}
	addr := listen(t, p.socks)
	tests := []struct{ name, url, proxy, want string }{
		{"ws", "ws://server.test", "socks5://" + addr, "server.test:80 3"},
		{"wss", "wss://server.test", "socks5://" + addr, "server.test:443 3"},
		{"socks5h", "ws://server.test:9001", "socks5h://" + addr, "server.test:9001 3"},
		{"IPv4", "ws://192.0.2.1", "socks5://" + addr, "192.0.2.1:80 1"},
		{"IPv6", "ws://[2001:db8::1]:99", "socks5://" + addr, "[2001:db8::1]:99 4"},
		{"a user", "ws://server.test", "socks5://u:p%40@" + addr, "server.test:80 3 u:p@"},
		{"a user without a password", "wss://server.test", "socks5h://u@" + addr, "server.test:443 3 u:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.to(map[bool]string{false: plain, true: secure}[strings.HasPrefix(test.url, "wss")])
			c, _ := dialled(t, test.url, &client.Options{TLS: a.trusted(), Proxy: through(test.proxy)})
			requireEcho(t, c)
			require.Equal(t, []string{test.want}, trimmed(p.was()))
			require.NoError(t, c.Close(within(t), 1000, ""))
		})
	}
}

func TestAProxyOfSOCKSThatGivesNoTunnelIsAnError(t *testing.T) {
	leavesNothing(t)
	for _, test := range []struct{ name, user, answer, want string }{
		{"a wrong password", "u:wrong@", "", "authentication failed"},
		{"a rule against it", "", "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "not allowed"},
		{"nobody there", "", "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", "unreachable"},
		{"another version", "", "\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00", "version"},
		{"an unknown sort of address", "", "\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00", "address type"},
		{"the end", "", "\x05\x00\x00\x03\xffname", "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &tunnels{answer: test.answer}
			addr := listen(t, p.socks)
			resp, err := refused(t, "ws://server.test", &client.Options{Proxy: through("socks5://" + test.user + addr)})
			require.Nil(t, resp)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "proxy")
			require.ErrorContains(t, err, "server.test:80")
			require.NotContains(t, err.Error(), "wrong", "the password is not told")
		})
	}
	for name, test := range map[string]struct{ greeting, want string }{
		"no method in common": {"\x05\xff", "authentication methods"},
		"HTTP":                {"HTTP/1.1 400 Bad Request\r\n\r\n", "version"},
		"nothing":             {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, func(nc net.Conn) {
				read(nc)
				io.WriteString(nc, test.greeting)
			})
			_, err := refused(t, "ws://server.test", &client.Options{Proxy: through("socks5://" + addr)})
			require.ErrorContains(t, err, test.want)
		})
	}
}

// What comes behind a proxy is as good a connection as any other: when the
// client ends it, with input unread, the peer sees an end and not a reset.
func TestAConnectionThroughAProxyEndsInOrder(t *testing.T) {
	leavesNothing(t)
	for scheme, tunnel := range map[string][]string{
		"http": {"HTTP/1.1 200 OK\r\n\r\n"}, "socks5": {"\x05\x00", "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"},
	} {
		t.Run(scheme, func(t *testing.T) {
			ended := make(chan error, 1)
			addr := listen(t, func(nc net.Conn) {
				for _, answer := range tunnel {
					read(nc)
					io.WriteString(nc, answer)
				}
				r, err := http.ReadRequest(bufio.NewReader(nc))
				if err != nil {
					return
				}
				accept := handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))
				_, err = io.WriteString(nc, strings.ReplaceAll(accepted.String(), "$accept", accept)+strings.Repeat("\xff", 1<<20))
				if err == nil && closeCode(nc) != 1002 {
					err = errors.New("no Close frame")
				}
				if err == nil {
					_, err = io.Copy(io.Discard, nc)
				}
				ended <- err
			})
			c, _ := dialled(t, "ws://server.test", &client.Options{Proxy: through(scheme + "://" + addr)})
			_, _, err := c.ReadMessage(within(t))
			var violation *conn.CloseError
			require.ErrorAs(t, err, &violation)
			require.Equal(t, conn.CloseCode(1002), violation.Code)
			require.NoError(t, await(t, ended, "the end"))
		})
	}
}
