package handshake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func TestOriginsOfTheRequestsOwnHost(t *testing.T) {
	const plain, tls = false, true
	tests := []struct {
		name   string
		origin string
		host   string
		tls    bool
		want   bool
	}{
		{"the same host", "http://a", "a", plain, true},
		{"the same host and port", "http://127.0.0.1:9001", "127.0.0.1:9001", plain, true},
		{"another host", "http://b", "a", plain, false},
		{"a longer host", "http://a.example", "a", plain, false},
		{"a shorter host", "http://a", "a.example", plain, false},
		{"a host with the same end", "http://evil-a.example", "a.example", plain, false},
		{"a subdomain", "http://b.a.example", "a.example", plain, false},
		{"a last dot on one side", "http://a.", "a", plain, false},
		{"a last dot on both sides", "http://a.", "a.", plain, true},
		{"another port", "http://a:8080", "a:8081", plain, false},
		{"a port on the origin only", "http://a:8080", "a", plain, false},
		{"a port on the host only", "http://a", "a:8080", plain, false},
		{"letter case of the host", "http://EXAMPLE.com", "example.COM", plain, true},
		{"letter case of the scheme", "HTTP://a", "a", plain, true},
		{"a Kelvin sign for a k", "http://\u212a", "k", plain, false},
		{"an underscore", "http://web_1", "web_1", plain, true},
		{"whitespace around it", " http://a\t", "a", plain, true},

		{"default port of http on the origin", "http://a:80", "a", plain, true},
		{"default port of http on the host", "http://a", "a:80", plain, true},
		{"default port of http on both", "http://a:80", "a:80", plain, true},
		{"port of https on an http origin", "http://a:443", "a", plain, false},
		{"port of https on the host of an http origin", "http://a", "a:443", plain, false},
		{"an empty port of the host", "http://a", "a:", plain, true},

		{"https behind a proxy that terminates TLS", "https://a", "a", plain, true},
		{"https behind a proxy that adds the port", "https://a", "a:443", plain, true},
		{"https with its port behind a proxy", "https://a:443", "a", plain, true},
		{"https behind a proxy and port 80", "https://a", "a:80", plain, false},
		{"https behind a proxy and another port", "https://a:8443", "a:8443", plain, true},

		{"https on TLS", "https://a", "a", tls, true},
		{"https on TLS with the default port", "https://a", "a:443", tls, true},
		{"https on TLS with another port", "https://a:8443", "a:8443", tls, true},
		{"https on TLS in capitals", "HTTPS://A", "a", tls, true},
		{"http on TLS", "http://a", "a", tls, false},
		{"http on TLS and port 443", "http://a:443", "a:443", tls, false},
		{"https on TLS and another host", "https://b", "a", tls, false},

		{"IPv6", "http://[::1]", "[::1]", plain, true},
		{"IPv6 with a port", "http://[::1]:9001", "[::1]:9001", plain, true},
		{"IPv6 with the default port", "http://[::1]:80", "[::1]", plain, true},
		{"IPv6 in another letter case", "http://[2001:DB8::A]", "[2001:db8::a]", plain, true},
		{"IPv6 with another port", "http://[::1]:9001", "[::1]:9002", plain, false},
		{"another IPv6", "http://[::2]", "[::1]", plain, false},
		{"IPv6 without brackets", "http://::1", "[::1]", plain, false},
		{"IPv6 without its end", "http://[::1", "[::1]", plain, false},
		{"IPv6 with a zone", "http://[fe80::1%25eth0]", "[fe80::1]", plain, false},
		{"IPv6 with a word behind it", "http://[::1]x", "[::1]", plain, false},
		{"IPv6 with an empty port", "http://[::1]:", "[::1]", plain, false},
		{"a name in brackets", "http://[a]", "a", plain, false},
		{"brackets behind a name", "http://a[::1]", "a", plain, false},

		{"ws", "ws://a", "a", plain, false},
		{"wss", "wss://a", "a", tls, false},
		{"ftp", "ftp://a", "a", plain, false},
		{"file", "file://", "a", plain, false},
		{"file with the host", "file://a", "a", plain, false},
		{"an extension of a browser", "chrome-extension://a", "a", plain, false},
		{"javascript", "javascript:alert(1)", "a", plain, false},
		{"null", "null", "null", plain, false},
		{"null in capitals", "NULL", "a", plain, false},
		{"empty", "", "a", plain, false},
		{"blank", " ", "a", plain, false},
		{"no scheme", "a", "a", plain, false},
		{"an empty scheme", "://a", "a", plain, false},
		{"a relative reference", "//a", "a", plain, false},
		{"one slash", "http:/a", "a", plain, false},
		{"three slashes", "http:///a", "a", plain, false},
		{"no slash", "http:a", "a", plain, false},
		{"no host", "http://", "a", plain, false},
		{"no host but a port", "http://:80", "a", plain, false},
		{"a scheme that begins with a digit", "1http://a", "a", plain, false},
		{"a scheme with a space", "ht tp://a", "a", plain, false},

		{"a user", "http://u@a", "a", plain, false},
		{"a user and password", "http://u:p@a", "a", plain, false},
		{"the host as user of another", "http://a@b", "a", plain, false},
		{"the host and port as user of another", "http://a:80@b", "a", plain, false},
		{"an empty user", "http://@a", "a", plain, false},
		{"a last slash", "http://a/", "a", plain, false},
		{"a path", "http://a/b", "a", plain, false},
		{"a backslash", `http://a\b`, "a", plain, false},
		{"a query", "http://a?b", "a", plain, false},
		{"an empty query", "http://a?", "a", plain, false},
		{"a fragment", "http://a#b", "a", plain, false},
		{"an empty fragment", "http://a#", "a", plain, false},
		{"a list by spaces", "http://a http://a", "a", plain, false},
		{"a list by commas", "http://a,http://a", "a", plain, false},
		{"a list by commas and spaces", "http://a, http://b", "a", plain, false},
		{"a percent form", "http://%61", "a", plain, false},
		{"a percent form that hides a slash", "http://a%2f", "a", plain, false},
		{"a zero byte", "http://a\x00", "a", plain, false},
		{"a tab", "http://a\tb", "a", plain, false},
		{"a line feed", "http://a\n", "a", plain, false},
		{"letters beyond ASCII", "http://\xc3\xa4", "a", plain, false},
		{"a star", "*", "a", plain, false},
		{"a star for the host", "http://*", "a", plain, false},
		{"an empty label", "http://a..b", "a.b", plain, false},
		{"a dot for a host", "http://.", "a", plain, false},

		{"an empty port", "http://a:", "a", plain, false},
		{"a port of letters", "http://a:http", "a", plain, false},
		{"a port with a sign", "http://a:+80", "a", plain, false},
		{"a port below zero", "http://a:-1", "a", plain, false},
		{"a port with a leading zero", "http://a:080", "a", plain, false},
		{"a port in hexadecimal", "http://a:0x50", "a", plain, false},
		{"a port with an underscore", "http://a:8_0", "a", plain, false},
		{"the largest port", "http://a:65535", "a:65535", plain, true},
		{"a port too large", "http://a:65536", "a", plain, false},
		{"a port that would overflow to 80", "http://a:65616", "a", plain, false},
		{"a port of many digits", "http://a:99999999999999999999", "a", plain, false},
		{"two ports", "http://a:80:80", "a", plain, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(host(test.host), with("Origin", test.origin))
			r.TLS = test.tls
			if test.want {
				requireAccepted(t, r, nil)
			} else {
				requireRefused(t, 403, r, nil)
				requireAccepted(t, r, &handshake.Policy{Origins: []string{"*"}})
			}
		})
	}
}

func TestARequestWithoutOriginIsAllowed(t *testing.T) {
	r := request(with("Origin"))
	requireAccepted(t, r, nil)
	requireAccepted(t, r, &handshake.Policy{Origins: []string{"https://a"}})
}

func TestTwoOriginsAreRefusedWhateverIsAllowed(t *testing.T) {
	r := request(host("a"), with("Origin", "http://a", "http://a"))
	requireRefused(t, 403, r, nil)
	requireRefused(t, 403, r, &handshake.Policy{Origins: []string{"*", "http://a"}})
}

func TestTheHostOfAnAbsoluteTargetReplacesHost(t *testing.T) {
	origin := with("Origin", "http://a:8080")
	requireAccepted(t, request(host("b"), target("http://a:8080/chat"), origin), nil)
	requireRefused(t, 403, request(host("a:8080"), target("http://b/chat"), origin), nil)
	requireAccepted(t, request(host("a:8080"), target("/http://b/"), origin), nil)
}

func TestOriginPatterns(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		origin  string
		want    bool
	}{
		{"a star allows anything", "*", "https://x.example:1", true},
		{"a star allows null", "*", "null", true},
		{"a star allows a file", "*", "file://", true},
		{"a star allows rubbish", "*", "a b\xff", true},
		{"a star allows an empty origin", "*", "", true},

		{"a full pattern", "https://a.example", "https://a.example", true},
		{"a full pattern in another letter case", "HTTPS://A.Example", "https://a.eXAMPLE", true},
		{"a full pattern and another scheme", "https://a.example", "http://a.example", false},
		{"a full pattern and another host", "https://a.example", "https://b.example", false},
		{"a full pattern and a subdomain", "https://a.example", "https://x.a.example", false},
		{"a full pattern and another port", "https://a.example", "https://a.example:8443", false},
		{"a full pattern and the default port", "https://a.example", "https://a.example:443", true},
		{"a full pattern with the default port", "https://a.example:443", "https://a.example", true},
		{"a full pattern with a port", "http://localhost:3000", "http://localhost:3000", true},
		{"a full pattern with a port and another", "http://localhost:3000", "http://localhost:3001", false},
		{"a full pattern with a port and none", "http://localhost:3000", "http://localhost", false},
		{"a full pattern and an origin with a path", "https://a.example", "https://a.example/", false},
		{"a full pattern and null", "https://a.example", "null", false},

		{"a host and http", "a.example", "http://a.example", true},
		{"a host and https", "a.example", "https://a.example", true},
		{"a host and the default port", "a.example", "https://a.example:443", true},
		{"a host and the default port of the other scheme", "a.example", "https://a.example:80", false},
		{"a host and another port", "a.example", "http://a.example:8080", false},
		{"a host and another scheme", "a.example", "ftp://a.example", false},
		{"a host and an extension of a browser", "a", "chrome-extension://a", false},
		{"a host with a port", "localhost:3000", "http://localhost:3000", true},
		{"a host with a port and https", "localhost:3000", "https://localhost:3000", true},
		{"a host with port 443 and https", "a:443", "https://a", true},
		{"a host with port 443 and http", "a:443", "http://a", false},
		{"a host in IPv6", "[::1]:3000", "http://[::1]:3000", true},
		{"a host in another IPv6", "[::1]:3000", "http://[::2]:3000", false},

		{"any subdomain", "*.a.example", "https://x.a.example", true},
		{"any subdomain of two labels", "*.a.example", "https://y.x.a.example", true},
		{"any subdomain in another letter case", "*.A.example", "https://X.a.EXAMPLE", true},
		{"any subdomain and the domain itself", "*.a.example", "https://a.example", false},
		{"any subdomain and a host with the same end", "*.a.example", "https://xa.example", false},
		{"any subdomain and a host that goes on", "*.a.example", "https://x.a.example.evil", false},
		{"any subdomain and an empty label", "*.a.example", "https://.a.example", false},
		{"any subdomain and two dots", "*.a.example", "https://x..a.example", false},
		{"any subdomain and a user", "*.a.example", "https://evil@x.a.example", false},
		{"any subdomain and another port", "*.a.example", "https://x.a.example:1", false},
		{"any subdomain with a port", "*.a.example:1", "https://x.a.example:1", true},
		{"any subdomain with a scheme", "https://*.a.example", "https://x.a.example", true},
		{"any subdomain with another scheme", "https://*.a.example", "http://x.a.example", false},
		{"any subdomain with scheme and port", "https://*.a.example:8443", "https://x.a.example:8443", true},

		{"an extension of a browser", "chrome-extension://abcdef", "chrome-extension://abcdef", true},
		{"another extension of a browser", "chrome-extension://abcdef", "chrome-extension://abcdeg", false},
		{"another scheme without its port", "capacitor://localhost", "capacitor://localhost:80", false},
		{"another scheme with its port", "app.x+y-z://localhost:80", "app.x+y-z://localhost:80", true},

		{"a bad pattern matches nothing", "https://a.example/", "https://a.example/", false},
		{"a bad star matches nothing", "http://*", "http://a", false},
		{"an empty pattern matches nothing", "", "", false},
		{"null matches nothing", "null", "null", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, origins := range [][]string{{test.pattern}, {"first.invalid", "bad/", test.pattern, "last.invalid"}} {
				r, p := request(with("Origin", test.origin)), &handshake.Policy{Origins: origins}
				for _, r.TLS = range []bool{false, true} {
					if test.want {
						requireAccepted(t, r, p)
					} else {
						requireRefused(t, 403, r, p)
					}
				}
			}
		})
	}
}

func TestPatternsDoNotTakeAwayTheOwnHost(t *testing.T) {
	r := request(host("a"), with("Origin", "http://a"))
	requireAccepted(t, r, &handshake.Policy{Origins: []string{"https://b"}})
}

func TestAPolicyThatCanWorkIsValid(t *testing.T) {
	require.NoError(t, (&handshake.Policy{}).Validate())
	require.NoError(t, (&handshake.Policy{
		Subprotocols: []string{"chat", "Chat", "v1.stomp", "graphql-ws"},
		Origins: []string{"*", "a", "a.b:1", "http://a", "https://a:1", "*.a", "*.a:1", "https://*.a:1",
			"[::1]", "[::1]:80", "http://[2001:db8::1]:1", "127.0.0.1:9001", "chrome-extension://abc", "localhost", "null.example"},
	}).Validate())
}

func TestAPolicyThatCanNotWorkIsExplained(t *testing.T) {
	tests := []struct {
		name   string
		policy handshake.Policy
		want   string
	}{
		{"an empty subprotocol", handshake.Policy{Subprotocols: []string{""}}, `subprotocol "" is not a token`},
		{"a subprotocol with a space", handshake.Policy{Subprotocols: []string{"a", "b c"}}, `subprotocol "b c" is not a token`},
		{"a subprotocol list in one string", handshake.Policy{Subprotocols: []string{"a,b"}}, `subprotocol "a,b" is not a token`},
		{"a subprotocol twice", handshake.Policy{Subprotocols: []string{"a", "b", "a"}}, `subprotocol "a" is listed twice`},
	}
	for _, pattern := range []struct{ pattern, want string }{
		{"", "has no host"},
		{"http://", "has no host"},
		{"*.", "has no host"},
		{"https://*.", "has no host"},
		{"://a", "no valid scheme"},
		{"1a://a", "no valid scheme"},
		{"a b://a", "no valid scheme"},
		{"ws://a", "not ws or wss"},
		{"WSS://a", "not ws or wss"},
		{"null", "opaque origins"},
		{"Null", "opaque origins"},
		{"http://*", `has a "*"`},
		{"**", `has a "*"`},
		{"*a", `has a "*"`},
		{"*:80", `has a "*"`},
		{"a.*.b", `has a "*"`},
		{"a.*", `has a "*"`},
		{"*.*.a", `has a "*"`},
		{"localhost:*", `has a "*"`},
		{"*://a", "no valid scheme"},
		{"https://a/", "without user, path"},
		{"a/b", "without user, path"},
		{"//a", "without user, path"},
		{"http://a?b", "without user, path"},
		{"http://a#b", "without user, path"},
		{"http://u@a", "without user, path"},
		{" a", "no valid host"},
		{"a b", "no valid host"},
		{"a,b", "no valid host"},
		{"a:", "no valid host"},
		{"a:x", "no valid host"},
		{"a:65536", "no valid host"},
		{"a:080", "no valid host"},
		{"::1", "no valid host"},
		{"[::1", "no valid host"},
		{"*..a", "no valid host"},
		{"b\xc3\xbccher", "no valid host"},
		{"*.[::1]", "subdomains of an address"},
	} {
		tests = append(tests, struct {
			name   string
			policy handshake.Policy
			want   string
		}{"pattern " + pattern.pattern, handshake.Policy{Origins: []string{"a", "*", pattern.pattern}}, pattern.want})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.ErrorContains(t, test.policy.Validate(), test.want)
			require.ErrorContains(t, test.policy.Validate(), "handshake: ")
		})
	}
}
