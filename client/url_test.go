package client_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
)

// asked is what a server was asked.
type asked struct {
	*http.Request
	address string // that was dialled
	tls     bool
}

// ask dials a server that accepts whatever it is asked, wherever it is.
func ask(t *testing.T, url string, opts *client.Options) (*asked, error) {
	t.Helper()
	o := client.Options{Proxy: client.NoProxy}
	if opts != nil {
		o = *opts
	}
	got := &asked{}
	done := make(chan struct{})
	o.DialContext = func(_ context.Context, network, address string) (net.Conn, error) {
		require.Equal(t, "tcp", network)
		got.address = address
		ours, theirs := net.Pipe()
		go func() {
			defer close(done)
			defer theirs.Close()
			if got.tls = strings.HasPrefix(strings.ToLower(url), "wss") || strings.HasPrefix(url, "https"); got.tls {
				theirs = tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{newAuthority(t).certify("server.test")}})
			}
			got.Request = reply(theirs, accepted.String())
		}()
		return ours, nil
	}
	o.TLS = &tls.Config{InsecureSkipVerify: true}
	c, _, err := client.Dial(within(t), url, &o)
	if c != nil {
		c.CloseNow()
	}
	if got.address != "" {
		await(t, done, "the end of the server")
	}
	return got, err
}

func TestWhatAURLAsksFor(t *testing.T) {
	leavesNothing(t)
	long := "/" + strings.Repeat("a", 8<<10-len("ws://a/"))
	tests := []struct {
		url, address, host, target string
		tls                        bool
	}{
		{"ws://a.test", "a.test:80", "a.test", "/", false},
		{"ws://a.test/", "a.test:80", "a.test", "/", false},
		{"wss://a.test/", "a.test:443", "a.test", "/", true},
		{"http://a.test/", "a.test:80", "a.test", "/", false},
		{"https://a.test/", "a.test:443", "a.test", "/", true},
		{"WS://a.test/", "a.test:80", "a.test", "/", false},
		{"WsS://A.test/", "A.test:443", "A.test", "/", true},
		{"ws://a.test:9001/chat", "a.test:9001", "a.test:9001", "/chat", false},
		{"wss://a.test:9001/chat", "a.test:9001", "a.test:9001", "/chat", true},
		{"ws://a.test:80/", "a.test:80", "a.test", "/", false},
		{"wss://a.test:443/", "a.test:443", "a.test", "/", true},
		{"ws://a.test:443/", "a.test:443", "a.test:443", "/", false},
		{"wss://a.test:80/", "a.test:80", "a.test:80", "/", true},
		{"ws://a.test:/", "a.test:80", "a.test", "/", false},
		{"ws://127.0.0.1/", "127.0.0.1:80", "127.0.0.1", "/", false},
		{"ws://[::1]/", "[::1]:80", "[::1]", "/", false},
		{"ws://[::1]:80/", "[::1]:80", "[::1]", "/", false},
		{"ws://[::1]:/", "[::1]:80", "[::1]", "/", false},
		{"wss://[2001:db8::1]:8443/", "[2001:db8::1]:8443", "[2001:db8::1]:8443", "/", true},
		{"ws://a.test?b=c", "a.test:80", "a.test", "/?b=c", false},
		{"ws://a.test/?", "a.test:80", "a.test", "/?", false},
		{"ws://a.test/b?c=d&e=%20/?:@", "a.test:80", "a.test", "/b?c=d&e=%20/?:@", false},
		{"ws://a.test//b//c", "a.test:80", "a.test", "//b//c", false},
		{"ws://a.test/b/../c", "a.test:80", "a.test", "/b/../c", false},
		{"ws://a.test/b%2fc%2Fd%23e%3f", "a.test:80", "a.test", "/b%2fc%2Fd%23e%3f", false},
		{"ws://a.test/b c", "a.test:80", "a.test", "/b%20c", false},
		{"ws://a.test/%0d%0aX:%20y", "a.test:80", "a.test", "/%0d%0aX:%20y", false},
		{"ws://a.test/é/日本", "a.test:80", "a.test", "/%C3%A9/%E6%97%A5%E6%9C%AC", false},
		{"ws://a.test/\xff", "a.test:80", "a.test", "/%FF", false},
		{"ws://xn--bcher-kva.test/", "xn--bcher-kva.test:80", "xn--bcher-kva.test", "/", false},
		{"ws://a_b.test./", "a_b.test.:80", "a_b.test.", "/", false},
		{"ws://a" + long, "a:80", "a", long, false},
	}
	for _, test := range tests {
		t.Run(test.url[:min(len(test.url), 40)], func(t *testing.T) {
			got, err := ask(t, test.url, nil)
			require.NoError(t, err)
			require.Equal(t, test.address, got.address)
			require.Equal(t, test.tls, got.tls)
			require.Equal(t, test.host, got.Host)
			require.Equal(t, test.target, got.RequestURI)
			require.Equal(t, "GET", got.Method)
			require.Equal(t, "HTTP/1.1", got.Proto)
			require.Empty(t, got.Header["Authorization"])
			require.Empty(t, got.Header["Origin"])
		})
	}
}

func TestTheUserOfAURLIsAuthorized(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"ws://user:secret@a.test/", "user:secret"},
		{"wss://user:secret@a.test:8443/", "user:secret"},
		{"ws://user@a.test/", "user:"},
		{"ws://user:@a.test/", "user:"},
		{"ws://:secret@a.test/", ":secret"},
		{"ws://a%40b:%3a%2F%0d%0a@a.test/", "a@b::/\r\n"},
	} {
		t.Run(test.url, func(t *testing.T) {
			got, err := ask(t, test.url, nil)
			require.NoError(t, err)
			require.Equal(t, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(test.want))}, got.Header["Authorization"])
			require.NotContains(t, got.Host, "@")
			require.Equal(t, "/", got.RequestURI)
		})
	}
	for _, name := range []string{"Authorization", "authorization"} {
		got, err := ask(t, "ws://user:secret@a.test/", &client.Options{Header: http.Header{name: {"Bearer x"}}})
		require.NoError(t, err)
		require.Equal(t, []string{"Bearer x"}, got.Header["Authorization"], "what is said in so many words counts")
	}
}

func TestAURLThatCannotBeDialledSaysWhy(t *testing.T) {
	leavesNothing(t)
	tests := []struct{ url, want string }{
		{"", "ws:// or wss://"},
		{"a.test", "ws:// or wss://"},
		{"a.test:80/chat", "ws:// or wss://"},
		{"localhost:80/chat", "ws:// or wss://"},
		{"/chat", "ws:// or wss://"},
		{"//a.test/chat", "ws:// or wss://"},
		{"ftp://a.test/", `"ftp"`},
		{"wsss://a.test/", `"wsss"`},
		{"w\u017f://a.test/", "bad URL"},
		{"ws:", "no host"},
		{"ws:a.test", "no host"},
		{"ws:/chat", "no host"},
		{"ws://", "no host"},
		{"ws:///chat", "no host"},
		{"ws://:80/", "no host"},
		{"ws://user@/", "no host"},
		{"ws://a.test/#top", "fragment"},
		{"ws://a.test/#", "fragment"},
		{"ws://a.test#", "fragment"},
		{"ws://a.test/?b#c", "fragment"},
		{"ws://a.test:99999/", "host and port"},
		{"ws://a.test:080/", "host and port"},
		{"ws://a.test:x/", "bad URL"},
		{"ws://a.test:-1/", "bad URL"},
		{"ws://a b/", "bad URL"},
		{"ws://a..test/", "host and port"},
		{"ws://::1/", "host and port"},
		{"ws://[::1/", "bad URL"},
		{"ws://[fe80::1%25eth0]/", "host and port"},
		{"ws://[1.2.3.4]/", "bad URL"},
		{"ws://bücher.test/", "ASCII"},
		{"ws://b\u212a.test/", "ASCII"},
		{"ws://b%C3%BCcher.test/", "ASCII"},
		{"ws://a.test/%zz", "bad URL"},
		{"ws://a.test/\r\nX: y", "bad URL"},
		{"ws://a.test/\x00", "bad URL"},
		{"ws://a.test/?b c", "escaped"},
		{"ws://a.test/?é", "escaped"},
		{"ws://a" + strings.Repeat("/", 8<<10), "8 KiB"},
		{strings.Repeat("w", 1<<20), "8 KiB"},
	}
	for _, test := range tests {
		t.Run(test.url[:min(len(test.url), 40)], func(t *testing.T) {
			got, err := ask(t, test.url, nil)
			require.ErrorContains(t, err, test.want)
			require.True(t, strings.HasPrefix(err.Error(), "websocket: "), err.Error())
			require.Empty(t, got.address, "nothing is dialled")
		})
	}
}

func TestTheErrorOfAURLDoesNotTellItsPassword(t *testing.T) {
	for _, url := range []string{
		"ws://user:secret@a.test:x/", "ws://user:secret@a.test/%zz", "ws://user:secret@a.test/#top", "ws://user:secret@a..test/",
		"ftp://user:secret@a.test/", "ws://user:secret@/", "ws://user:secret@a.test/?b c", "ws://user:secret^@a.test/",
	} {
		_, err := ask(t, url, nil)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	}
}
