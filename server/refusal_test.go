package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/server"
)

var refusals = []struct {
	name   string
	bytes  string
	status int
}{
	{"the method is POST", valid.set("POST /chat HTTP/1.1").String(), 405},
	{"the method is lower case", valid.set("get /chat HTTP/1.1").String(), 405},
	{"the method is HEAD with a body of nothing", valid.set("PUT / HTTP/1.1").with("Content-Length: 0").String(), 405},
	{"the version is HTTP/1.0", valid.set("GET /chat HTTP/1.0").String(), 505},
	{"no Host", valid.without("Host").String(), 400},
	{"several Hosts", valid.with("Host: example.com").String(), 400},
	{"an empty Host", valid.set("Host: ").String(), 400},
	{"Host is no host", valid.set("Host: a b").String(), 400},
	{"Host has a user", valid.set("Host: a@example.com").String(), 400},
	{"no Upgrade", valid.without("Upgrade").String(), 400},
	{"Upgrade has websocket inside a word", valid.set("Upgrade: websockets").String(), 400},
	{"Upgrade has a version", valid.set("Upgrade: websocket/13").String(), 400},
	{"Upgrade is empty", valid.set("Upgrade: ").String(), 400},
	{"no Connection", valid.without("Connection").String(), 400},
	{"Connection has upgrade inside a word", valid.set("Connection: no-upgrade").String(), 400},
	{"Connection has upgrade before a word", valid.set("Connection: upgraded, keep-alive").String(), 400},
	{"Connection is keep-alive", valid.set("Connection: keep-alive").String(), 400},
	{"Connection is quoted", valid.set(`Connection: "Upgrade"`).String(), 400},
	{"no key", valid.without("Sec-WebSocket-Key").String(), 400},
	{"two keys", valid.with("Sec-WebSocket-Key: " + sampleKey).String(), 400},
	{"two keys in a list", valid.set("Sec-WebSocket-Key: " + sampleKey + "," + sampleKey).String(), 400},
	{"an empty key", valid.set("Sec-WebSocket-Key: ").String(), 400},
	{"a short key", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j").String(), 400},
	{"a long key", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl").String(), 400},
	{"a longer key", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==AAAA").String(), 400},
	{"a key without padding", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ").String(), 400},
	{"a key in the URL alphabet", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBsZS-ub25_ZQ==").String(), 400},
	{"a key with a space in it", valid.set("Sec-WebSocket-Key: dGhlIHNhbXBs SBub25jZQ==").String(), 400},
	{"no version", valid.without("Sec-WebSocket-Version").String(), 426},
	{"version 12", valid.set("Sec-WebSocket-Version: 12").String(), 426},
	{"version 8", valid.set("Sec-WebSocket-Version: 8").String(), 426},
	{"version 013", valid.set("Sec-WebSocket-Version: 013").String(), 426},
	{"versions in a list", valid.set("Sec-WebSocket-Version: 13, 13").String(), 426},
	{"versions in two lines", valid.with("Sec-WebSocket-Version: 13").String(), 426},
	{"a body by its length", valid.with("Content-Length: 5").String() + "hello", 400},
	{"a body in chunks", valid.with("Transfer-Encoding: chunked").String() + "5\r\nhello\r\n0\r\n\r\n", 400},
	{"a body in no chunks", valid.with("Transfer-Encoding: chunked").String() + "0\r\n\r\n", 400},
	{"the target is an asterisk", valid.set("GET * HTTP/1.1").String(), 400},
	{"the target has a fragment", valid.set("GET /#a HTTP/1.1").String(), 400},
	{"a protocol that is no token", valid.with("Sec-WebSocket-Protocol: a b").String(), 400},
	{"a protocol twice", valid.with("Sec-WebSocket-Protocol: a, a").String(), 400},
	{"extensions outside the grammar", valid.with("Sec-WebSocket-Extensions: a;;b").String(), 400},
}

func TestARefusalHasAReasonAndNothingBehindTheRequestIsServed(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for _, test := range refusals {
			t.Run(test.name, func(t *testing.T) {
				for _, behind := range []string{"", valid.String() + text("smuggled")} {
					c := dial(t, addr)
					c.send(test.bytes, behind)
					r, _ := c.refused(test.status)
					switch test.status {
					case 426:
						require.Equal(t, []string{"13"}, r.Header["Sec-Websocket-Version"])
						require.Equal(t, "websocket", r.Header.Get("Upgrade"))
					case 405:
						require.Equal(t, "GET", r.Header.Get("Allow"))
					}
				}
			})
		}
	})
}

func TestARefusalDoesNotDependOnHowTheRequestWasCut(t *testing.T) {
	all := valid.set("Sec-WebSocket-Version: 12").String() + valid.String()
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		each(t, len(all)-1, func(t tb, i int) {
			c := dial(t, addr)
			defer c.nc.Close()
			c.sendCut(all, i+1)
			c.response()
			c.over()
		})
	})
}

// What a client puts into its request must not come back in a page that a
// browser would show.
func TestARefusalRepeatsNothingTheClientSent(t *testing.T) {
	const mark = "evil<script>"
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for _, r := range []request{
			valid.set("Host: " + mark), valid.set("Upgrade: " + mark), valid.set("Connection: " + mark),
			valid.set("Sec-WebSocket-Key: " + mark), valid.set("Sec-WebSocket-Version: " + mark),
			valid.with("Sec-WebSocket-Protocol: " + mark), valid.with("Sec-WebSocket-Extensions: " + mark),
			valid.with("Origin: http://" + mark),
		} {
			c := dial(t, addr)
			c.send(r.String())
			r, body := c.response()
			require.GreaterOrEqual(t, r.StatusCode, 400)
			require.NotContains(t, body, "evil")
			for _, values := range r.Header {
				require.NotContains(t, strings.Join(values, ""), "evil")
			}
		}
	})
}

func TestWhatIsNotHTTPIsRefusedAsSuch(t *testing.T) {
	rest := strings.TrimPrefix(valid.String(), valid[0])
	tests := map[string]string{
		"no words":                        "\r\n" + valid.String(),
		"one word":                        "GET" + rest,
		"two words":                       "GET /" + rest,
		"four words":                      "GET / a HTTP/1.1" + rest,
		"no version":                      "GET / HTTP" + rest,
		"a version of letters":            "GET / HTTP/x.y" + rest,
		"another protocol":                "GET / ICY/1.1" + rest,
		"a method that is no token":       "G(T / HTTP/1.1" + rest,
		"bytes":                           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"a line without a colon":          valid.with("nonsense").String(),
		"a name that is empty":            valid.with(": x").String(),
		"a continuation before any field": "GET / HTTP/1.1\r\n Host: a" + rest,
		"lengths that differ":             valid.with("Content-Length: 0", "Content-Length: 1").String(),
		"a negative length":               valid.with("Content-Length: -1").String(),
		"a coding that nobody knows":      valid.with("Transfer-Encoding: gzip").String(),
		"a space before the colon":        valid.with("X-Custom : a").String(),
		"NUL in a value":                  valid.with("X-Custom: a\x00b").String(),
		"a bare CR in a value":            valid.with("X-Custom: a\rb").String(),
	}
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for name, bytes := range tests {
			t.Run(name, func(t *testing.T) {
				c := dial(t, addr)
				c.send(bytes, valid.String())
				r, body := c.response()
				require.GreaterOrEqual(t, r.StatusCode, 400)
				require.True(t, r.Close)
				require.NotEmpty(t, body)
				c.ended()
			})
		}
	})
}

func TestThePrefaceOfHTTP2IsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := dial(t, e.serve(t, server.Options{}))
		c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		r, body := c.response()
		require.GreaterOrEqual(t, r.StatusCode, 400)
		require.NotEmpty(t, body)
		require.True(t, r.Close)
		c.ended()
	})
}

func TestAPlainRequestIsToldToUpgradeIfThereIsNoFallback(t *testing.T) {
	plain := "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
	onEach(t, func(t *testing.T, e entry) {
		if e.name == "Accept" {
			t.Skip("has no Fallback")
		}
		c := dial(t, e.serve(t, server.Options{}))
		c.send(plain, valid.String())
		r, _ := c.refused(http.StatusUpgradeRequired)
		require.Equal(t, "websocket", r.Header.Get("Upgrade"))
	})
}

// A Reject is the application's own, and may name any field.
func TestAMisconfiguredServerSaysSo(t *testing.T) {
	for name, opts := range map[string]server.Options{
		"an origin with a path":       {Origins: []string{"https://example.com/"}},
		"an origin of ws":             {Origins: []string{"wss://example.com"}},
		"a wildcard inside":           {Origins: []string{"https://www.*.com"}},
		"a subprotocol with a space":  {Subprotocols: []string{"a b"}},
		"a subprotocol twice":         {Subprotocols: []string{"a", "a"}},
		"a field of the handshake":    {Header: http.Header{"Sec-WebSocket-Accept": {"x"}}},
		"a value that ends its line":  {Header: http.Header{"X": {"a\r\nb: c"}}},
		"a name that is not a token":  {Header: http.Header{"X Y": {"a"}}},
		"a length for the handshakes": {Header: http.Header{"Content-Length": {"0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server.Server{Options: opts, Handle: echo}
			require.Error(t, s.Check())
			require.Greater(t, len(s.Check().Error()), 20, "words")
			require.Equal(t, s.Check(), s.Serve(listen(t)))

			for _, h := range []http.Handler{s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := server.Accept(w, r, &opts)
				require.Error(goroutineT{t}, err)
			})} {
				c := dial(t, serveHTTP(t, h))
				c.send(valid.String())
				r, _ := c.response()
				require.Equal(t, 500, r.StatusCode)
			}
		})
	}
}
