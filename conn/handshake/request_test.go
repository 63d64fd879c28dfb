package handshake_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// request returns a correct handshake, changed by edits.
func request(edits ...func(*handshake.Request)) *handshake.Request {
	r := &handshake.Request{
		Method: "GET", Target: "/chat", Major: 1, Minor: 1,
		Host: []string{"server.example.com"},
		Header: http.Header{
			"Upgrade":               {"websocket"},
			"Connection":            {"Upgrade"},
			"Sec-Websocket-Key":     {sampleKey},
			"Sec-Websocket-Version": {"13"},
		},
	}
	for _, edit := range edits {
		edit(r)
	}
	return r
}

// with replaces the lines of a field; without lines it removes the field.
func with(name string, lines ...string) func(*handshake.Request) {
	return func(r *handshake.Request) {
		name := http.CanonicalHeaderKey(name)
		if len(lines) == 0 {
			delete(r.Header, name)
			return
		}
		r.Header[name] = lines
	}
}

func host(lines ...string) func(*handshake.Request) {
	return func(r *handshake.Request) { r.Host = lines }
}

func target(s string) func(*handshake.Request) {
	return func(r *handshake.Request) { r.Target = s }
}

func requireAccepted(t *testing.T, r *handshake.Request, p *handshake.Policy) *handshake.Accepted {
	t.Helper()
	a, refusal := handshake.Check(r, p)
	if refusal != nil {
		require.Fail(t, refusal.Error())
	}
	require.NotNil(t, a)
	return a
}

func requireRefused(t *testing.T, status int, r *handshake.Request, p *handshake.Policy) *handshake.Refusal {
	t.Helper()
	a, refusal := handshake.Check(r, p)
	require.Nil(t, a)
	require.NotNil(t, refusal)
	require.Equal(t, status, refusal.Status, refusal.Reason)
	return refusal
}

func TestTheSampleOfTheRFCIsAccepted(t *testing.T) {
	require.Equal(t, sampleAccept, handshake.AcceptKey(sampleKey))
	r := request(
		with("Origin", "http://example.com"),
		with("Sec-WebSocket-Protocol", "chat, superchat"))
	a := requireAccepted(t, r, &handshake.Policy{
		Subprotocols: []string{"chat"}, Origins: []string{"http://example.com"}})
	require.Equal(t, &handshake.Accepted{
		Accept: sampleAccept, Subprotocol: "chat", Offered: []string{"chat", "superchat"}}, a)
}

func TestCorrectRequestsAreAccepted(t *testing.T) {
	tests := []struct {
		name string
		edit func(*handshake.Request)
	}{
		{"nothing but the required fields", func(*handshake.Request) {}},
		{"a later minor version", func(r *handshake.Request) { r.Minor = 2 }},
		{"a body length of -1 means unknown", func(r *handshake.Request) { r.ContentLength = -1 }},
		{"an empty list of transfer codings", func(r *handshake.Request) { r.TransferEncoding = []string{} }},
		{"a TLS connection without Origin", func(r *handshake.Request) { r.TLS = true }},
		{"an unknown field", with("X-Anything", "\x00\r\n")},

		{"a target that is not known", target("")},
		{"a target with a query", target("/a?b=c://d")},
		{"a target that begins with two slashes", target("//a")},
		{"an absolute http target", target("http://server.example.com/chat")},
		{"an absolute https target in capitals", target("HTTPS://SERVER.EXAMPLE.COM:443?x")},

		{"a host with a port", host("a:9001")},
		{"a host with an empty port", host("a:")},
		{"a host with a last dot", host("a.example.")},
		{"a host with an underscore", host("web_1:80")},
		{"a host in IPv4", host("127.0.0.1:9001")},
		{"a host in IPv6", host("[::1]:9001")},
		{"a host in IPv6 with an empty port", host("[2001:db8::1]:")},
		{"a host in whitespace", host(" a:1\t")},

		{"upgrade in capitals", with("Upgrade", "WEBSOCKET")},
		{"upgrade in mixed case and whitespace", with("Upgrade", "\t WebSocket ")},
		{"upgrade in a list", with("Upgrade", "h2c , websocket")},
		{"upgrade in a list with empty elements", with("Upgrade", ",, ,websocket,")},
		{"upgrade behind a token with a version", with("Upgrade", "HTTP/2.0,websocket")},
		{"upgrade on the second line", with("Upgrade", "h2c", "websocket")},
		{"upgrade behind an empty line", with("Upgrade", "", "websocket")},
		{"upgrade named twice", with("Upgrade", "websocket, websocket")},
		{"connection in capitals", with("Connection", "UPGRADE")},
		{"connection as Firefox sends it", with("Connection", "keep-alive, Upgrade")},
		{"connection without a space in the list", with("Connection", "keep-alive,upgrade")},
		{"connection with tabs in the list", with("Connection", "keep-alive\t,\tupgrade\t")},
		{"connection with empty elements", with("Connection", ",,upgrade , ,")},
		{"connection on the second line", with("Connection", "keep-alive", "Upgrade")},
		{"connection with close beside it", with("Connection", "close, upgrade")},
		{"connection beside rubbish", with("Connection", "\"a, upgrade")},

		{"version in whitespace", with("Sec-WebSocket-Version", " 13\t")},
		{"key in whitespace", with("Sec-WebSocket-Key", "\t"+sampleKey+" ")},
		{"key with trailing bits", with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAB==")},
		{"key with plus and slash", with("Sec-WebSocket-Key", "++++++++++//////////zZ==")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := requireAccepted(t, request(test.edit), nil)
			require.Empty(t, a.Subprotocol)
			require.Empty(t, a.Offered)
			require.Empty(t, a.Extensions)
			require.Empty(t, a.Negotiated)
		})
	}
}

func TestTheKeyIsHashedWithoutItsWhitespace(t *testing.T) {
	a := requireAccepted(t, request(with("Sec-WebSocket-Key", " "+sampleKey+"\t ")), nil)
	require.Equal(t, sampleAccept, a.Accept)
}

func TestWrongRequestsAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		status int
		edit   func(*handshake.Request)
	}{
		{"HTTP/1.0", 505, func(r *handshake.Request) { r.Minor = 0 }},
		{"HTTP/0.9", 505, func(r *handshake.Request) { r.Major, r.Minor = 0, 9 }},
		{"HTTP/2", 505, func(r *handshake.Request) { r.Major, r.Minor = 2, 0 }},
		{"HTTP/3.1", 505, func(r *handshake.Request) { r.Major = 3 }},

		{"POST", 405, func(r *handshake.Request) { r.Method = "POST" }},
		{"HEAD", 405, func(r *handshake.Request) { r.Method = "HEAD" }},
		{"CONNECT", 405, func(r *handshake.Request) { r.Method = "CONNECT" }},
		{"get in small letters", 405, func(r *handshake.Request) { r.Method = "get" }},
		{"no method", 405, func(r *handshake.Request) { r.Method = "" }},

		{"no host", 400, host()},
		{"two hosts", 400, host("a", "b")},
		{"the same host twice", 400, host("a", "a")},
		{"an empty host", 400, host("")},
		{"a blank host", 400, host(" \t")},
		{"an empty host with a port", 400, host(":80")},
		{"a list of hosts", 400, host("a, b")},
		{"a list of hosts without a space", 400, host("a,b")},
		{"a host with a user", 400, host("u@a")},
		{"a host with a path", 400, host("a/")},
		{"a host with a scheme", 400, host("http://a")},
		{"a host with a percent form", 400, host("%61")},
		{"a host beyond ASCII", 400, host("b\xc3\xbccher")},
		{"a host with an empty label", 400, host("a..b")},
		{"a host that begins with a dot", 400, host(".a")},
		{"a host with a word as its port", 400, host("a:http")},
		{"a host with a port too large", 400, host("a:65536")},
		{"a host with a signed port", 400, host("a:+80")},
		{"a host with two ports", 400, host("a:1:2")},
		{"a host with two empty ports", 400, host("a::")},
		{"a host in IPv6 without brackets", 400, host("::1")},
		{"a host in IPv6 that does not end", 400, host("[::1")},
		{"a host in IPv6 that does not begin", 400, host("::1]")},
		{"a host in IPv6 with a zone", 400, host("[fe80::1%eth0]")},
		{"a host in IPv6 with something behind it", 400, host("[::1]a")},
		{"a host of empty brackets", 400, host("[]")},
		{"a host of IPv4 in brackets", 400, host("[1.2.3.4]")},

		{"a target with a fragment", 400, target("/a#b")},
		{"a target that is a star", 400, target("*")},
		{"a target that is an authority", 400, target("a:80")},
		{"a target with another scheme", 400, target("ftp://a/")},
		{"an absolute target without a host", 400, target("http:///a")},
		{"an absolute target with a user", 400, target("http://u@a/")},

		{"a body", 400, func(r *handshake.Request) { r.ContentLength = 1 }},
		{"a transfer coding", 400, func(r *handshake.Request) { r.TransferEncoding = []string{"chunked"} }},
		{"a transfer coding still in the header", 400, with("Transfer-Encoding", "identity")},

		{"no Upgrade", 400, with("Upgrade")},
		{"an empty Upgrade", 400, with("Upgrade", "")},
		{"another protocol in Upgrade", 400, with("Upgrade", "h2c")},
		{"a longer word in Upgrade", 400, with("Upgrade", "websocketx")},
		{"a longer word with a hyphen in Upgrade", 400, with("Upgrade", "x-websocket")},
		{"a shorter word in Upgrade", 400, with("Upgrade", "websocke")},
		{"a version in Upgrade", 400, with("Upgrade", "websocket/13")},
		{"a space within Upgrade", 400, with("Upgrade", "web socket")},
		{"a space in place of a comma in Upgrade", 400, with("Upgrade", "h2c websocket")},
		{"a semicolon in Upgrade", 400, with("Upgrade", "h2c;websocket")},
		{"quotes in Upgrade", 400, with("Upgrade", `"websocket"`)},
		{"a word split over two lines of Upgrade", 400, with("Upgrade", "web", "socket")},
		{"a Kelvin sign in Upgrade", 400, with("Upgrade", "websoc\u212aet")},
		{"a no-break space in Upgrade", 400, with("Upgrade", "\u00a0websocket")},
		{"a line feed in Upgrade", 400, with("Upgrade", "websocket\n")},

		{"no Connection", 400, with("Connection")},
		{"an empty Connection", 400, with("Connection", "")},
		{"only keep-alive in Connection", 400, with("Connection", "keep-alive")},
		{"a longer word in Connection", 400, with("Connection", "upgrades")},
		{"a longer word with a hyphen in Connection", 400, with("Connection", "keep-upgrade")},
		{"quotes in Connection", 400, with("Connection", `"upgrade"`)},
		{"a space in place of a comma in Connection", 400, with("Connection", "keep-alive upgrade")},

		{"no version", 426, with("Sec-WebSocket-Version")},
		{"an empty version", 426, with("Sec-WebSocket-Version", "")},
		{"version 8", 426, with("Sec-WebSocket-Version", "8")},
		{"version 14", 426, with("Sec-WebSocket-Version", "14")},
		{"version 013", 426, with("Sec-WebSocket-Version", "013")},
		{"version 13.0", 426, with("Sec-WebSocket-Version", "13.0")},
		{"two versions in a list", 426, with("Sec-WebSocket-Version", "13, 8")},
		{"version 13 twice in a list", 426, with("Sec-WebSocket-Version", "13, 13")},
		{"two versions on two lines", 426, with("Sec-WebSocket-Version", "8", "13")},
		{"version 13 on two lines", 426, with("Sec-WebSocket-Version", "13", "13")},
		{"an old version and no key", 426, func(r *handshake.Request) {
			with("Sec-WebSocket-Version", "0")(r)
			with("Sec-WebSocket-Key")(r)
		}},

		{"no key", 400, with("Sec-WebSocket-Key")},
		{"an empty key", 400, with("Sec-WebSocket-Key", "")},
		{"the same key on two lines", 400, with("Sec-WebSocket-Key", sampleKey, sampleKey)},
		{"two keys in a list", 400, with("Sec-WebSocket-Key", sampleKey+","+sampleKey)},
		{"a key of 15 bytes", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA")},
		{"a key of 17 bytes", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA=")},
		{"a key of 18 bytes", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA")},
		{"a key without padding", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA")},
		{"a key with half its padding", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=")},
		{"a key with too much padding", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAA===")},
		{"a key with padding and a letter", 400, with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAA=A=")},
		{"a key of the URL alphabet", 400, with("Sec-WebSocket-Key", "____________________-A==")},
		{"a key with a space in it", 400, with("Sec-WebSocket-Key", "AAAAAAAAAA AAAAAAAAAAA==")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			refusal := requireRefused(t, test.status, request(test.edit), nil)
			require.Contains(t, refusal.Error(), fmt.Sprint(test.status))
			require.Contains(t, refusal.Error(), refusal.Reason)
			require.Regexp(t, `^[A-Z][ -~]+\.$`, refusal.Reason)
			want := http.Header{}
			switch test.status {
			case 405:
				want.Set("Allow", "GET")
			case 426:
				want.Set("Sec-WebSocket-Version", "13")
				want.Set("Upgrade", "websocket")
			}
			require.Equal(t, want, http.Header(refusal.Header))
		})
	}
}

func TestARefusalIsAnErrorThatCanBeFound(t *testing.T) {
	_, refusal := handshake.Check(&handshake.Request{}, nil)
	var found *handshake.Refusal
	require.True(t, errors.As(fmt.Errorf("upgrade: %w", refusal), &found))
	require.Same(t, refusal, found)
}

func TestRefusalsDoNotShareTheirHeader(t *testing.T) {
	r := request(with("Sec-WebSocket-Version"))
	first := requireRefused(t, 426, r, nil)
	first.Header["Upgrade"][0] = "changed"
	clear(first.Header)
	second := requireRefused(t, 426, r, nil)
	require.Equal(t, []string{"websocket"}, second.Header["Upgrade"])
}

func TestCheckLeavesTheRequestAndThePolicyAlone(t *testing.T) {
	make := func() (*handshake.Request, *handshake.Policy) {
		return request(with("Sec-WebSocket-Protocol", "z, a", "m"), with("Sec-WebSocket-Extensions", "b, a"),
				with("Origin", "https://b.a")),
			&handshake.Policy{Subprotocols: []string{"m", "a"}, Origins: []string{"x", "*.a"}}
	}
	r, p := make()
	a := requireAccepted(t, r, p)
	require.Equal(t, []string{"z", "a", "m"}, a.Offered)
	sameR, sameP := make()
	require.Equal(t, sameR, r)
	require.Equal(t, sameP, p)
}

func TestARequestThatAsksForAWebSocketIsAHandshake(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   bool
	}{
		{"no header", nil, false},
		{"an ordinary request", http.Header{"Accept": {"*/*"}, "Connection": {"keep-alive"}}, false},
		{"Connection alone", http.Header{"Connection": {"Upgrade"}}, false},
		{"another upgrade", http.Header{"Upgrade": {"h2c"}}, false},
		{"an empty upgrade", http.Header{"Upgrade": {""}}, false},
		{"a word that is cut short", http.Header{"Upgrade": {"websocke"}}, false},
		{"a word over two lines", http.Header{"Upgrade": {"web", "socket"}}, false},
		{"a Kelvin sign", http.Header{"Upgrade": {"websoc\u212aet"}}, false},
		{"websocket in another field", http.Header{"X-Upgrade": {"websocket"}}, false},
		{"a field that begins alike", http.Header{"Sec-Websocket": {"13"}, "Sec-Fetch-Mode": {"websocket"}}, false},
		{"upgrade", http.Header{"Upgrade": {"websocket"}}, true},
		{"upgrade in capitals", http.Header{"Upgrade": {"WEBSOCKET"}}, true},
		{"upgrade in mixed case on the second line", http.Header{"Upgrade": {"h2c", "a, WebSocket"}}, true},
		{"upgrade that will be refused", http.Header{"Upgrade": {"xwebsocket/13"}}, true},
		{"a key alone", http.Header{"Sec-Websocket-Key": {"x"}}, true},
		{"a version alone", http.Header{"Sec-Websocket-Version": {"8"}}, true},
		{"an unknown field of the family", http.Header{"Sec-Websocket-Key1": {"x"}}, true},
		{"a field in another spelling", http.Header{"sec-WebSocket-protocol": {"x"}}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, handshake.IsHandshake(&handshake.Request{Header: test.header}))
		})
	}
	require.True(t, handshake.IsHandshake(request(func(r *handshake.Request) { r.Method = "POST" })))
}

func TestNoReasonRepeatsTheRequest(t *testing.T) {
	const mark = "Zq9"
	fields := []string{"Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
		"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Origin"}
	edits := []func(*handshake.Request){host(mark + " " + mark), target(mark), func(r *handshake.Request) { r.Method = mark }}
	for _, name := range fields {
		edits = append(edits, with(name, mark+"\r\n: "+mark))
	}
	for _, edit := range edits {
		_, refusal := handshake.Check(request(edit), nil)
		require.NotNil(t, refusal)
		require.NotContains(t, refusal.Reason, mark)
		require.NotContains(t, fmt.Sprint(refusal.Header), mark)
	}
}
