package client_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

func TestFieldsAreSentAsTheyAreGiven(t *testing.T) {
	got, err := ask(t, "ws://a.test:9001/", &client.Options{Header: http.Header{
		"Origin": {"https://b.test"}, "User-Agent": {"test"}, "X-Twice": {"2", "1"}, "X-Empty": {""}, "x-small": {"\xff\t"},
	}})
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"Origin": {"https://b.test"}, "User-Agent": {"test"}, "X-Twice": {"2", "1"}, "X-Empty": {""}, "X-Small": {"\xff"},
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Protocol": nil, "Sec-Websocket-Extensions": nil, "Cookie": nil,
	} {
		require.Equal(t, want, got.Header[name], name)
	}
	require.Regexp(t, `^[A-Za-z0-9+/]{22}==$`, got.Header.Get("Sec-WebSocket-Key"))
	require.Zero(t, got.ContentLength)

	again, err := ask(t, "ws://a.test:9001/", nil)
	require.NoError(t, err)
	require.NotEqual(t, got.Header.Get("Sec-WebSocket-Key"), again.Header.Get("Sec-WebSocket-Key"), "a key is used once")
}

func TestHostCanBeReplaced(t *testing.T) {
	for _, name := range []string{"Host", "host", "HOST"} {
		header := http.Header{name: {"b.test:1"}}
		got, err := ask(t, "ws://a.test/", &client.Options{Header: header})
		require.NoError(t, err)
		require.Equal(t, "b.test:1", got.Host)
		require.Equal(t, "a.test:80", got.address)
		require.Equal(t, http.Header{name: {"b.test:1"}}, header)
	}
	for _, lines := range [][]string{{""}, {"a b"}, {"a\r\nX: y"}, {"a", "b"}, {"bücher.test"}, {}} {
		got, err := ask(t, "ws://a.test/", &client.Options{Header: http.Header{"Host": lines}})
		require.Error(t, err, "%q", lines)
		require.Empty(t, got.address)
	}
}

func TestAFieldThatMustNotBeSentIsAnError(t *testing.T) {
	tests := []struct {
		name, value, want string
	}{
		{"Upgrade", "h2c", "handshake itself"},
		{"connection", "close", "handshake itself"},
		{"Content-Length", "0", "handshake itself"},
		{"transfer-encoding", "chunked", "handshake itself"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "handshake itself"},
		{"sec-websocket-version", "13", "handshake itself"},
		{"Sec-Websocket-Protocol", "chat", "handshake itself"},
		{"SEC-WEBSOCKET-EXTENSIONS", "permessage-deflate", "handshake itself"},
		{"Sec-WebSocket-Accept", "x", "handshake itself"},
		{"Origin", "a\r\nX: y", "control character"},
		{"X", "a\nb", "control character"},
		{"X", "a\r", "control character"},
		{"X", "\x00", "control character"},
		{"Cookie", "a=b\r\nX: y", "control character"},
		{"X\r\nY", "a", "token"},
		{"X Y", "a", "token"},
		{"X:", "a", "token"},
		{"", "a", "token"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			got, err := ask(t, "ws://a.test/", &client.Options{Header: http.Header{test.name: {test.value}}})
			require.ErrorContains(t, err, test.want)
			require.Empty(t, got.address, "nothing is dialled")
		})
	}
}

func newJar(t *testing.T) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return jar
}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

func TestCookiesOfTheHeaderAndTheJarAreOneLine(t *testing.T) {
	jar := newJar(t)
	jar.SetCookies(parse(t, "http://a.test/chat"), []*http.Cookie{{Name: "jar", Value: "1"}, {Name: "quoted", Value: "a, b", Quoted: true}})
	jar.SetCookies(parse(t, "https://a.test/"), []*http.Cookie{{Name: "secret", Value: "2", Secure: true}})
	jar.SetCookies(parse(t, "http://b.test/"), []*http.Cookie{{Name: "other", Value: "3"}})
	const quoted = `jar=1; quoted="a, b"`
	tests := []struct {
		name, url string
		header    http.Header
		jar       http.CookieJar
		want      []string
	}{
		{"none", "ws://a.test/chat", nil, nil, nil},
		{"of the header", "ws://a.test/chat", http.Header{"Cookie": {"h=1"}}, nil, []string{"h=1"}},
		{"of lines of the header", "ws://a.test/chat", http.Header{"Cookie": {"h=1; i=2", "j=3"}}, nil, []string{"h=1; i=2; j=3"}},
		{"of the jar", "ws://a.test/chat", nil, jar, []string{quoted}},
		{"of the jar, for wss", "wss://a.test/chat", nil, jar, []string{quoted + "; secret=2"}},
		{"of the jar, for another path", "ws://a.test/other", nil, jar, []string{quoted}},
		{"of the jar, for another host", "wss://b.test/", nil, jar, []string{"other=3"}},
		{"of the jar, for nobody", "wss://c.test/", nil, jar, nil},
		{"of both", "ws://a.test/chat", http.Header{"Cookie": {"h=1"}}, jar, []string{"h=1; " + quoted}},
		{"of both, in lines", "ws://a.test/chat", http.Header{"Cookie": {"h=1", "i=2"}}, jar, []string{"h=1; i=2; " + quoted}},
		{"of both, in small letters", "ws://a.test/chat", http.Header{"cookie": {"h=1"}}, jar, []string{"h=1; " + quoted}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := test.header.Clone()
			got, err := ask(t, test.url, &client.Options{Header: test.header, Jar: test.jar})
			require.NoError(t, err)
			require.Equal(t, test.want, got.Header["Cookie"])
			require.Equal(t, before, test.header, "the header is the caller's")
		})
	}
}

func TestCookiesOfAResponseGoIntoTheJar(t *testing.T) {
	leavesNothing(t)
	for name, text := range map[string]string{
		"of a 101":        accepted.with("Set-Cookie: a=1; HttpOnly", "Set-Cookie: b=2; Path=/other").String(),
		"of a wrong 101":  accepted.with("Set-Cookie: a=1", "Set-Cookie: b=2; Path=/other", "Sec-WebSocket-Protocol: x").String(),
		"of a refusal":    "HTTP/1.1 401 Unauthorized\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/other\r\nContent-Length: 0\r\n\r\n",
		"of a redirect":   "HTTP/1.1 302 Found\r\nLocation: ws://a.test/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/other\r\nContent-Length: 0\r\n\r\n",
		"behind a cookie": accepted.with("Set-Cookie: ;", "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/other").String(),
	} {
		t.Run(name, func(t *testing.T) {
			jar := newJar(t)
			opts := &client.Options{Jar: jar, DialContext: to(answering(t, text))}
			if c, _, err := client.Dial(within(t), "ws://a.test/chat", opts); err == nil {
				c.CloseNow()
			}
			cookies := jar.Cookies(parse(t, "http://a.test/chat"))
			require.Len(t, cookies, 1)
			require.Equal(t, "a=1", cookies[0].String())
			require.Len(t, jar.Cookies(parse(t, "http://a.test/other")), 2)
			require.Empty(t, jar.Cookies(parse(t, "http://b.test/")))
		})
	}
}

func TestTheSubprotocolIsNegotiated(t *testing.T) {
	leavesNothing(t)
	srv := echo()
	srv.Options.Subprotocols = []string{"v2", "v1"}
	addr := serve(t, srv)
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, ""}, {[]string{"v1"}, "v1"}, {[]string{"v1", "v2"}, "v2"}, {[]string{"v3", "v1"}, "v1"}, {[]string{"v3"}, ""}, {[]string{"V1"}, ""},
	} {
		c, resp := dialled(t, "ws://"+addr, &client.Options{Subprotocols: test.offered})
		require.Equal(t, test.want, c.Subprotocol())
		require.Equal(t, test.want, resp.Header.Get("Sec-WebSocket-Protocol"))
		requireEcho(t, c)
		c.CloseNow()
	}
	for _, wrong := range [][]string{{""}, {"a b"}, {"a", "a"}, {"a,b"}, {"a\r\nX: y"}} {
		got, err := ask(t, "ws://a.test", &client.Options{Subprotocols: wrong})
		require.ErrorContains(t, err, "subprotocol")
		require.Empty(t, got.address)
	}
	_, err := refused(t, "ws://"+answering(t, accepted.with("Sec-WebSocket-Protocol: v1, v2").String()),
		&client.Options{Subprotocols: []string{"v1", "v2"}})
	require.ErrorContains(t, err, "subprotocol")
}

func TestTheHeaderOfTheResponseIsReturned(t *testing.T) {
	leavesNothing(t)
	srv := &server.Server{Handle: echo().Handle, Events: echo().Events, Options: server.Options{Header: http.Header{"X-A": {"b", "c"}}}}
	c, resp := dialled(t, "ws://"+serve(t, srv), nil)
	require.Equal(t, []string{"b", "c"}, resp.Header["X-A"])
	require.Equal(t, "101 Switching Protocols", resp.Status)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	c.CloseNow()
}

func TestTheOptionsOfTheConnectionAreUsedAndCopied(t *testing.T) {
	leavesNothing(t)
	addr := serve(t, echo())
	ended := make(chan error, 2)
	opts := &client.Options{Conn: conn.Options{MaxMessage: 10, OnEnd: func(_ *conn.Conn, err error) { ended <- err }}}
	c, _ := dialled(t, "ws://"+addr, opts)
	opts.Conn.MaxMessage, opts.Conn.OnEnd = 1<<20, nil
	requireEcho(t, c)
	require.NoError(t, c.Write(within(t), conn.Binary, make([]byte, 11)))
	_, _, err := c.ReadMessage(within(t))
	var end *conn.CloseError
	require.ErrorAs(t, err, &end)
	require.Equal(t, conn.CloseCode(1009), end.Code)
	require.Equal(t, err, await(t, ended, "OnEnd"))
}

func TestOptionsOfTheConnectionThatAreWrongAreAnErrorBeforeAnythingIsDialled(t *testing.T) {
	got, err := ask(t, "ws://a.test", &client.Options{Conn: conn.Options{PingSize: 1000}})
	require.ErrorContains(t, err, "ping")
	require.Empty(t, got.address)
}
