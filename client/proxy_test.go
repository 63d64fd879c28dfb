package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
)

// tunnels is a proxy: it connects everybody to one server, whatever it is
// asked for.
type tunnels struct {
	answer string // to who asks, if it is not yes

	mu     sync.Mutex
	server string
	asked  []string // host, and user with password
}

// to has the proxy connect to another server.
func (p *tunnels) to(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

func (p *tunnels) note(asked ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, strings.Join(asked, " "))
}

func (p *tunnels) was() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// http is the proxy as one of HTTP.
func (p *tunnels) http(nc net.Conn) {
	r, err := http.ReadRequest(bufio.NewReaderSize(nc, 16)) // too small for what is behind
	if err != nil {
		return
	}
	user, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic "))
	p.note(r.Method, r.RequestURI, r.Host, string(user))
	if p.answer != "" {
		io.WriteString(nc, p.answer)
		io.Copy(io.Discard, nc)
		return
	}
	io.WriteString(nc, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.join(nc)
}

// join connects both ends until one of them hangs up.
func (p *tunnels) join(nc net.Conn) {
	p.mu.Lock()
	address := p.server
	p.mu.Unlock()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		pass(server, nc)
		server.(*net.TCPConn).CloseWrite()
	}()
	pass(nc, server)
}

// pass copies without splice, whose pipes stay open until they are collected.
func pass(to io.Writer, from io.Reader) {
	io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
}

func TestAProxyOfHTTPIsAskedForATunnel(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	certificate := a.certify("server.test", "127.0.0.1")
	plain, secure := serve(t, echo()), serveTLS(t, certificate, nil)
	p := &tunnels{}
	clear := listen(t, p.http)
	ln := tlsListener(t, certificate)
	serveRaw(t, ln, p.http)
	encrypted := ln.Addr().String()
	tests := []struct {
		name, url, proxy, want string
	}{
		{"ws", "ws://server.test/", "http://" + clear, "CONNECT server.test:80 server.test:80"},
		{"ws with a port", "ws://server.test:9001/", "http://" + clear, "CONNECT server.test:9001 server.test:9001"},
		{"ws in IPv6", "ws://[::1]/", "http://" + clear, "CONNECT [::1]:80 [::1]:80"},
		{"wss", "wss://server.test/", "http://" + clear, "CONNECT server.test:443 server.test:443"},
		{"wss with a port", "wss://server.test:8443/", "http://" + clear, "CONNECT server.test:8443 server.test:8443"},
		{"a user", "ws://server.test/", "http://u:p%40@" + clear, "CONNECT server.test:80 server.test:80 u:p@"},
		{"a user without a password", "wss://server.test/", "http://u@" + clear, "CONNECT server.test:443 server.test:443 u:"},
		{"ws by a proxy of HTTPS", "ws://server.test/", "https://" + encrypted, "CONNECT server.test:80 server.test:80"},
		{"wss by a proxy of HTTPS", "wss://server.test/", "https://u:p@" + encrypted, "CONNECT server.test:443 server.test:443 u:p"},
		{"a user of the server, which is no business of the proxy", "ws://u:p@server.test/", "http://" + clear, "CONNECT server.test:80 server.test:80"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.to(map[bool]string{false: plain, true: secure}[strings.HasPrefix(test.url, "wss")])
			var asked *url.URL
			c, _ := dialled(t, test.url, &client.Options{
				TLS: a.trusted(),
				Proxy: func(r *http.Request) (*url.URL, error) {
					asked = r.URL
					require.NotNil(t, r.Header)
					return url.Parse(test.proxy)
				},
			})
			requireEcho(t, c)
			require.Equal(t, []string{test.want}, trimmed(p.was()))
			require.Equal(t, map[string]string{"ws": "http", "wss": "https"}[parse(t, test.url).Scheme], asked.Scheme)
			require.Equal(t, parse(t, test.url).Host, asked.Host)
			require.NoError(t, c.Close(within(t), 1000, ""))
		})
	}
}

func trimmed(list []string) (got []string) {
	for _, s := range list {
		got = append(got, strings.TrimRight(s, " "))
	}
	return got
}

func TestAProxyHasToBeWhoItIs(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	p := &tunnels{server: serveTLS(t, a.certify("server.test"), nil)}
	ln := tlsListener(t, a.certify("proxy.test"))
	serveRaw(t, ln, p.http)
	opts := &client.Options{
		TLS: &tls.Config{RootCAs: a.pool, ServerName: "server.test"}, Proxy: through("https://proxy.test"), DialContext: to(ln.Addr().String()),
	}
	c, _ := dialled(t, "wss://a.test", opts)
	requireEcho(t, c)
	opts.Proxy = through("https://other.test")
	_, err := refused(t, "wss://a.test", opts)
	require.ErrorContains(t, err, "other.test")
	require.ErrorContains(t, err, "proxy")
	require.Len(t, p.was(), 1)
}

func TestAProxyThatGivesNoTunnelIsAnError(t *testing.T) {
	leavesNothing(t)
	tests := []struct{ name, answer, want string }{
		{"407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nWho?", "407"},
		{"502", "HTTP/1.0 502 Bad Gateway\r\n\r\n", "502"},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n\r\n", "302"},
		{"a handshake", accepted.String(), "101"},
		{"garbage", "\x05\x00garbage\r\n\r\n", "not answer in HTTP"},
		{"a greeting", "220 mail.test ESMTP\r\n\r\n", "not answer in HTTP"},
		{"data ahead of the server's", "HTTP/1.1 200 OK\r\n\r\n\x81\x02hi", "ahead of the server"},
		{"a response ahead of the server's", "HTTP/1.1 200 OK\r\n\r\n" + accepted.String(), "ahead of the server"},
		{"a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "ahead of the server"},
		{"a large header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 16<<20) + "\r\n\r\n", "header too large"},
		{"many lines", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1000) + "\r\n", "too many header lines"},
		{"interim responses without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), "interim"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &tunnels{answer: test.answer}
			addr := listen(t, p.http)
			for _, url := range []string{"ws://server.test", "wss://server.test"} {
				resp, err := refused(t, url, &client.Options{Proxy: through("http://" + addr), MaxRedirects: 5})
				require.Nil(t, resp, "it is not that of the server")
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "proxy")
				var found *client.HandshakeError
				require.False(t, errors.As(err, &found))
			}
			require.Len(t, p.was(), 2)
		})
	}
	for name, serve := range map[string]func(net.Conn){
		"hangs up":               func(net.Conn) {},
		"hangs up in its answer": func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 200 OK\r\n") },
		"hangs up after it":      func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n"); read(nc) },
	} {
		for _, scheme := range []string{"http", "https", "socks5"} {
			t.Run(scheme+" that "+name, func(t *testing.T) {
				_, err := refused(t, "wss://server.test", &client.Options{Proxy: through(scheme + "://" + listen(t, serve))})
				require.NotEmpty(t, err.Error())
			})
		}
	}
}

func TestAnInterimResponseOfAProxyIsPassedOver(t *testing.T) {
	leavesNothing(t)
	addr := listen(t, func(nc net.Conn) {
		http.ReadRequest(bufio.NewReader(nc))
		io.WriteString(nc, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n")
		reply(nc, accepted.String())
	})
	c, _ := dialled(t, "ws://server.test", &client.Options{Proxy: through("http://" + addr)})
	require.NoError(t, c.Err())
}

func TestAProxyThatCannotBeUsedIsAnErrorBeforeAnythingIsDialled(t *testing.T) {
	leavesNothing(t)
	broken := errors.New("no such file: proxy.pac")
	for name, test := range map[string]struct {
		proxy func(*http.Request) (*url.URL, error)
		want  string
	}{
		"an error":         {func(*http.Request) (*url.URL, error) { return nil, broken }, broken.Error()},
		"a scheme":         {through("ftp://proxy.test"), `"ftp"`},
		"a host alone":     {through("proxy.test:80"), `"proxy.test"`},
		"SOCKS 4":          {through("socks4://proxy.test"), `"socks4"`},
		"no host":          {through("http://"), "host"},
		"no host, SOCKS":   {through("socks5://:1080"), "host"},
		"no host, a user":  {through("https://u:p@"), "host"},
		"the empty URL":    {func(*http.Request) (*url.URL, error) { return &url.URL{}, nil }, "proxy"},
		"a path, no host ": {through("http:///proxy"), "host"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := refused(t, "ws://server.test", &client.Options{Proxy: test.proxy, DialContext: nowhere(t)})
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "proxy")
		})
	}
	_, err := refused(t, "ws://server.test", &client.Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }})
	require.ErrorIs(t, err, broken)
}

func nowhere(t *testing.T) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		t.Error("nothing is to be dialled")
		return nil, errors.New("nowhere")
	}
}

func TestTheDiallerOfTheOptionsAlsoReachesTheProxy(t *testing.T) {
	leavesNothing(t)
	p := &tunnels{server: serve(t, echo())}
	addrs := map[string]string{
		"proxy.test:80": listen(t, p.http), "proxy.test:3128": listen(t, p.http), "[::1]:80": listen(t, p.http),
		"proxy.test:1080": listen(t, p.socks), "proxy.test:1081": listen(t, p.socks), "server.test:80": p.server,
	}
	var asked []string
	for proxy, want := range map[string]string{
		"http://proxy.test": "proxy.test:80", "http://proxy.test:3128": "proxy.test:3128", "http://[::1]": "[::1]:80",
		"socks5://proxy.test": "proxy.test:1080", "socks5h://proxy.test:1081": "proxy.test:1081", "": "server.test:80",
	} {
		asked = nil
		opts := &client.Options{
			Proxy: client.NoProxy,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				asked = append(asked, network+" "+address)
				return net.Dial("tcp", addrs[address])
			},
		}
		if proxy != "" {
			opts.Proxy = through(proxy)
		}
		c, _ := dialled(t, "ws://server.test", opts)
		requireEcho(t, c)
		require.NoError(t, c.CloseNow())
		require.Equal(t, []string{"tcp " + want}, asked)
	}
	gone := errors.New("the network is gone")
	for _, proxy := range []string{"http://proxy.test", "https://proxy.test", "socks5://proxy.test"} {
		_, err := refused(t, "ws://server.test", &client.Options{
			Proxy:       through(proxy),
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, gone },
		})
		require.ErrorIs(t, err, gone)
		require.ErrorContains(t, err, "proxy")
	}
}
