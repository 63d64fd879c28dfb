package handshake_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// offer returns a correct offer, changed by edits.
func offer(edits ...func(*handshake.Offer)) *handshake.Offer {
	o := &handshake.Offer{Target: "/chat", Host: "server.example.com", Key: sampleKey}
	for _, edit := range edits {
		edit(o)
	}
	return o
}

func offeringTarget(s string) func(*handshake.Offer) {
	return func(o *handshake.Offer) { o.Target = s }
}

func offeringHost(s string) func(*handshake.Offer) { return func(o *handshake.Offer) { o.Host = s } }

func offeringKey(s string) func(*handshake.Offer) { return func(o *handshake.Offer) { o.Key = s } }

func offeringExtensions(s string) func(*handshake.Offer) {
	return func(o *handshake.Offer) { o.Extensions = s }
}

func offeringSubprotocols(names ...string) func(*handshake.Offer) {
	return func(o *handshake.Offer) { o.Subprotocols = names }
}

func offeringField(name string, lines ...string) func(*handshake.Offer) {
	return func(o *handshake.Offer) { o.Header = map[string][]string{name: lines} }
}

func TestTheRequestInItsFixedOrder(t *testing.T) {
	o := offer(
		offeringTarget("/chat?room=1%202&empty"),
		offeringHost("server.example.com:8080"),
		offeringSubprotocols("chat", "superchat"),
		offeringExtensions(`foo; bar="baz", x`))
	o.Header = http.Header{
		"Origin": {"http://example.com"}, "X-B": {"2", "1"}, "Cookie": {"a=b; c=d"},
		"X-A": {"\xc3\xa4\t b"}, "X-Empty": {""}, "X-None": {}, "x-small": {"kept"},
	}
	for range 20 {
		got, err := handshake.AppendRequest([]byte("before|"), o)
		require.NoError(t, err)
		require.Equal(t, "before|GET /chat?room=1%202&empty HTTP/1.1\r\n"+
			"Host: server.example.com:8080\r\n"+
			"Upgrade: websocket\r\n"+
			"Connection: Upgrade\r\n"+
			"Sec-WebSocket-Key: "+sampleKey+"\r\n"+
			"Sec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Protocol: chat, superchat\r\n"+
			"Sec-WebSocket-Extensions: foo; bar=\"baz\", x\r\n"+
			"Cookie: a=b; c=d\r\n"+
			"Origin: http://example.com\r\n"+
			"X-A: \xc3\xa4\t b\r\n"+
			"X-B: 2\r\n"+
			"X-B: 1\r\n"+
			"X-Empty: \r\n"+
			"x-small: kept\r\n"+
			"\r\n", string(got))
	}
}

func TestAnOfferOfNothingHasNoFieldForIt(t *testing.T) {
	got, err := handshake.AppendRequest(nil, offer())
	require.NoError(t, err)
	require.Equal(t, "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: "+sampleKey+"\r\nSec-WebSocket-Version: 13\r\n\r\n", string(got))
}

func TestTheRequestIsAcceptedByOurOwnServer(t *testing.T) {
	o := offer(offeringTarget("//a?b=c://d"), offeringHost("[::1]:9001"), offeringSubprotocols("b", "a"),
		offeringExtensions("x;y=1"), offeringField("Origin", "https://[::1]:9001"))
	sent, err := handshake.AppendRequest(nil, o)
	require.NoError(t, err)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
	require.NoError(t, err)
	accepted := requireAccepted(t, &handshake.Request{
		Method: r.Method, Target: r.RequestURI, Major: r.ProtoMajor, Minor: r.ProtoMinor,
		Host: []string{r.Host}, Header: r.Header, ContentLength: r.ContentLength, TLS: true,
	}, &handshake.Policy{Subprotocols: []string{"a", "b"}})
	require.Equal(t, []string{"b", "a"}, accepted.Offered)
	require.Equal(t, []string{"x;y=1"}, accepted.Extensions)
	accepted.Negotiated = "x"

	answer, err := handshake.AppendResponse(nil, accepted, nil)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	require.NoError(t, err)
	agreed, err := handshake.Verify(&handshake.Response{
		Status: resp.StatusCode, Major: resp.ProtoMajor, Minor: resp.ProtoMinor, Header: resp.Header,
	}, o)
	require.NoError(t, err)
	require.Equal(t, &handshake.Agreed{Subprotocol: "a", Extensions: []string{"x"}}, agreed)
}

func TestOffersThatCanBeSent(t *testing.T) {
	tests := []struct {
		name string
		edit func(*handshake.Offer)
		want string
	}{
		{"a target that is a slash", offeringTarget("/"), "GET / HTTP/1.1\r\n"},
		{"a target of two slashes", offeringTarget("//"), "GET // HTTP/1.1\r\n"},
		{"a target with a query and no path", offeringTarget("/?"), "GET /? HTTP/1.1\r\n"},
		{"a target that is escaped", offeringTarget("/%23%20%0d%0A"), "GET /%23%20%0d%0A HTTP/1.1\r\n"},
		{"a target with all there is in ASCII", offeringTarget("/!\"$%&'()*+,-.:;<=>?@[\\]^_`{|}~"), "GET /!\"$%&'()*+,-.:;<=>?@[\\]^_`{|}~ HTTP/1.1\r\n"},
		{"a host in IPv4", offeringHost("127.0.0.1:1"), "\r\nHost: 127.0.0.1:1\r\n"},
		{"a host in IPv6", offeringHost("[2001:db8::1]"), "\r\nHost: [2001:db8::1]\r\n"},
		{"a host in Punycode", offeringHost("xn--bcher-kva.example"), "\r\nHost: xn--bcher-kva.example\r\n"},
		{"a host with a last dot", offeringHost("a.:65535"), "\r\nHost: a.:65535\r\n"},
		{"one subprotocol", offeringSubprotocols("v1.chat"), "\r\nSec-WebSocket-Protocol: v1.chat\r\n"},
		{"subprotocols that differ in case", offeringSubprotocols("a", "A"), "\r\nSec-WebSocket-Protocol: a, A\r\n"},
		{"a field of the same prefix but one letter", offeringField("Sec-WebSocke", "x"), "\r\nSec-WebSocke: x\r\n"},
		{"a value beyond ASCII", offeringField("X", "\xff\x80"), "\r\nX: \xff\x80\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := handshake.AppendRequest(nil, offer(test.edit))
			require.NoError(t, err)
			require.Contains(t, string(got), test.want)
		})
	}
}

func TestAnOfferThatCannotBeSentSaysWhichPartOfIt(t *testing.T) {
	tests := []struct {
		name string
		edit func(*handshake.Offer)
		want string
	}{
		{"no target", offeringTarget(""), "target"},
		{"a target without a slash", offeringTarget("chat"), "slash"},
		{"a target that is a query", offeringTarget("?a"), "slash"},
		{"a target that is a star", offeringTarget("*"), "slash"},
		{"an absolute target", offeringTarget("http://server.example.com/"), "slash"},
		{"a target with a space", offeringTarget("/a b"), "escaped"},
		{"a target with a tab", offeringTarget("/a\tb"), "escaped"},
		{"a target that ends its line", offeringTarget("/ HTTP/1.1\r\nX: y"), "escaped"},
		{"a target with NUL", offeringTarget("/\x00"), "escaped"},
		{"a target with DEL", offeringTarget("/\x7f"), "escaped"},
		{"a target beyond ASCII", offeringTarget("/\xc3\xa9"), "escaped"},
		{"a target with a fragment", offeringTarget("/a#b"), "escaped"},

		{"no host", offeringHost(""), "host"},
		{"a host that is a port", offeringHost(":80"), "host"},
		{"a host with a space", offeringHost("a b"), "host"},
		{"a host in whitespace", offeringHost(" a"), "host"},
		{"a host that ends its line", offeringHost("a\r\nX: y"), "host"},
		{"a host beyond ASCII", offeringHost("b\xc3\xbccher.example"), "ASCII"},
		{"a host with a user", offeringHost("u@a"), "host"},
		{"a host with a path", offeringHost("a/"), "host"},
		{"a host with a port too large", offeringHost("a:65536"), "host"},
		{"a host in IPv6 without brackets", offeringHost("::1"), "host"},
		{"a host in IPv6 with a zone", offeringHost("[fe80::1%25eth0]"), "host"},

		{"no key", offeringKey(""), "key"},
		{"a key of 15 bytes", offeringKey("AAAAAAAAAAAAAAAAAAAA"), "key"},
		{"a key of the URL alphabet", offeringKey("____________________-A=="), "key"},
		{"a key in whitespace", offeringKey(" " + sampleKey), "key"},
		{"a key that ends its line", offeringKey(sampleKey + "\r\n"), "key"},

		{"an empty subprotocol", offeringSubprotocols(""), "subprotocol"},
		{"a subprotocol with a space", offeringSubprotocols("a b"), `"a b"`},
		{"two subprotocols in one", offeringSubprotocols("a,b"), `"a,b"`},
		{"a subprotocol that ends its line", offeringSubprotocols("a", "b\r\nX: y"), `"b\r\nX: y"`},
		{"a subprotocol twice", offeringSubprotocols("a", "b", "a"), "twice"},

		{"malformed extensions", offeringExtensions("a;;b"), "9.1"},
		{"blank extensions", offeringExtensions(" "), "9.1"},
		{"extensions that are a comma", offeringExtensions(","), "9.1"},
		{"extensions that end their line", offeringExtensions("a\r\nX: y"), "9.1"},
		{"extensions with a string that does not end", offeringExtensions(`a;b="c`), "9.1"},

		{"a field name with a space", offeringField("X Y", "a"), "token"},
		{"a field name with a colon", offeringField("X:", "a"), "token"},
		{"an empty field name", offeringField("", "a"), "token"},
		{"a field name that ends its line", offeringField("X\r\nY", "a"), "token"},
		{"a value that ends its line", offeringField("X", "good", "a\r\nY: b"), "control"},
		{"a value with a line feed", offeringField("X", "a\nb"), "control"},
		{"a value with a carriage return", offeringField("X", "a\r"), "control"},
		{"a value with NUL", offeringField("X", "\x00"), "control"},
	}
	for _, name := range []string{
		"Host", "host", "Upgrade", "CONNECTION", "Content-Length", "Transfer-Encoding", "transfer-encoding",
		"Sec-Websocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
		"sec-websocket-accept", "Sec-WebSocket-",
	} {
		tests = append(tests, struct {
			name string
			edit func(*handshake.Offer)
			want string
		}{"the handshake's own " + name, offeringField(name, "x"), "by the handshake itself"})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dst := []byte("before")
			got, err := handshake.AppendRequest(dst, offer(test.edit))
			require.ErrorContains(t, err, test.want)
			require.True(t, strings.HasPrefix(err.Error(), "handshake: "))
			require.NotRegexp(t, `[\x00-\x1f\x7f]`, err.Error(), "what is wrong is quoted")
			require.Equal(t, "before", string(got))
			require.Equal(t, []byte("before"), dst)
		})
	}
}

func TestAppendRequestLeavesTheOfferAlone(t *testing.T) {
	make := func() *handshake.Offer {
		return offer(offeringSubprotocols("z", "a"), offeringField("x-b", "2", "1"), offeringExtensions("b, a"))
	}
	o := make()
	_, err := handshake.AppendRequest(nil, o)
	require.NoError(t, err)
	require.Equal(t, make(), o)
}

func TestAKeyIsBase64OfSixteenRandomBytes(t *testing.T) {
	key, err := handshake.NewKey(strings.NewReader("the sample nonce and more"))
	require.NoError(t, err)
	require.Equal(t, sampleKey, key)

	key, err = handshake.NewKey(iotest.OneByteReader(strings.NewReader("the sample nonce")))
	require.NoError(t, err, "a source may be slow")
	require.Equal(t, sampleKey, key)
}

func TestThereIsNoKeyWithoutEnoughRandom(t *testing.T) {
	for name, source := range map[string]io.Reader{
		"nothing":          strings.NewReader(""),
		"fifteen bytes":    strings.NewReader("fifteen bytes.."),
		"a broken source":  iotest.ErrReader(errors.New("no entropy")),
		"one that breaks ": io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("no entropy"))),
	} {
		t.Run(name, func(t *testing.T) {
			key, err := handshake.NewKey(source)
			require.Error(t, err)
			require.Empty(t, key)
		})
	}
}
