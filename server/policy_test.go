package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

func TestThePagesThatMayConnect(t *testing.T) {
	const none = "none"
	tests := []struct {
		host, origin string
		allowed      []string
		status       int
	}{
		{"example.com", none, nil, 101},
		{"example.com", "http://example.com", nil, 101},
		{"example.com", "https://example.com", nil, 101}, // a proxy terminates TLS
		{"example.com", "HTTP://EXAMPLE.com", nil, 101},
		{"example.com:80", "http://example.com", nil, 101},
		{"example.com:443", "https://example.com", nil, 101},
		{"example.com:8080", "http://example.com:8080", nil, 101},
		{"[::1]:8080", "http://[::1]:8080", nil, 101},
		{"example.com:8080", "http://example.com", nil, 403},
		{"example.com:443", "http://example.com", nil, 403},
		{"example.com", "http://example.com:8080", nil, 403},
		{"example.com", "http://example.com.evil.com", nil, 403},
		{"example.com", "http://evilexample.com", nil, 403},
		{"example.com", "http://evil.com", nil, 403},
		{"example.com", "http://evil.com/example.com", nil, 403},
		{"example.com", "http://example.com/", nil, 403},
		{"example.com", "http://example.com@evil.com", nil, 403},
		{"example.com", "http://a:b@example.com", nil, 403},
		{"example.com", "http://example.com http://evil.com", nil, 403},
		{"example.com", "http://example.com, http://evil.com", nil, 403},
		{"example.com", "http://ex%61mple.com", nil, 403},
		{"example.com", "ws://example.com", nil, 403},
		{"example.com", "file://", nil, 403},
		{"example.com", "null", nil, 403},
		{"example.com", "", nil, 403},
		{"example.com", "example.com", nil, 403},
		{"example.com", "https://pages.org", []string{"https://pages.org"}, 101},
		{"example.com", "http://pages.org", []string{"https://pages.org"}, 403},
		{"example.com", "http://pages.org", []string{"pages.org"}, 101},
		{"example.com", "https://a.pages.org", []string{"https://*.pages.org"}, 101},
		{"example.com", "https://pages.org", []string{"https://*.pages.org"}, 403},
		{"example.com", "https://evilpages.org", []string{"https://*.pages.org"}, 403},
		{"example.com", "https://pages.org:8443", []string{"https://pages.org"}, 403},
		{"example.com", "https://pages.org:8443", []string{"pages.org:8443"}, 101},
		{"example.com", "http://example.com", []string{"pages.org"}, 101},
		{"example.com", "null", []string{"*"}, 101},
		{"example.com", "http://anywhere", []string{"*"}, 101},
	}
	onEach(t, func(t *testing.T, e entry) {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s to %s, allowed %q", test.origin, test.host, test.allowed), func(t *testing.T) {
				c := dial(t, e.serve(t, server.Options{Origins: test.allowed}))
				r := valid.set("Host: " + test.host)
				if test.origin != none {
					r = r.with("Origin: " + test.origin)
				}
				c.send(r.String())
				if test.status == 101 {
					c.accepted()
				} else {
					c.refused(test.status)
				}
			})
		}
		t.Run("two Origins are refused even if both may connect", func(t *testing.T) {
			c := dial(t, e.serve(t, server.Options{}))
			c.send(valid.with("Origin: http://example.com", "Origin: http://example.com").String())
			c.refused(403)
		})
	})
}

func TestAuthorizeDecidesAboutCorrectHandshakes(t *testing.T) {
	secret := errors.New("secret detail")
	tests := []struct {
		name   string
		err    error
		status int
		body   string
		header http.Header
	}{
		{"nil accepts", nil, 101, "", nil},
		{"any error is 403 without its text", secret, 403, "Forbidden\n", nil},
		{"a Reject says what", &server.Reject{Status: 401, Reason: "who are you?", Header: http.Header{"Www-Authenticate": {"Basic"}}}, 401, "who are you?\n", http.Header{"Www-Authenticate": {"Basic"}}},
		{"also when it is wrapped", fmt.Errorf("%w: %w", secret, &server.Reject{Status: 429, Header: http.Header{"Retry-After": {"3"}}}), 429, "Too Many Requests\n", http.Header{"Retry-After": {"3"}}},
		{"a status that is no refusal is 403", &server.Reject{Status: 200, Reason: "fine"}, 403, "Forbidden\n", nil},
		{"a status of 0 is 403", &server.Reject{Reason: "hm"}, 403, "Forbidden\n", nil},
		{"599 is the last", &server.Reject{Status: 599, Reason: "x"}, 599, "x\n", nil},
	}
	onEach(t, func(t *testing.T, e entry) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				asked := make(chan string, 1)
				addr := e.serve(t, server.Options{Authorize: func(r *http.Request) error {
					asked <- r.Header.Get("Cookie") + " " + r.URL.Path + " " + r.Host
					return test.err
				}})
				c := dial(t, addr)
				c.send(valid.with("Cookie: id=7").String(), text("x"))
				require.Equal(t, "id=7 /chat example.com", await(t, asked, "the question"))
				if test.status == 101 {
					c.accepted()
					c.expect(frame.Text, "x")
					return
				}
				r, body := c.refused(test.status)
				require.Equal(t, test.body, body)
				for name, want := range test.header {
					require.Equal(t, want, r.Header[name])
				}
			})
		}
		t.Run("it is not asked about others", func(t *testing.T) {
			addr := e.serve(t, server.Options{Authorize: func(*http.Request) error { panic("asked") }})
			c := dial(t, addr)
			c.send(valid.without("Sec-WebSocket-Key").String())
			c.refused(400)
		})
		t.Run("it may block, and keeps nobody else waiting", func(t *testing.T) {
			release, asked := make(chan struct{}), make(chan struct{})
			addr := e.serve(t, server.Options{Authorize: func(r *http.Request) error {
				if r.URL.Path == "/slow" {
					close(asked)
					<-release
				}
				return nil
			}})
			slow := dial(t, addr)
			slow.send(valid.set("GET /slow HTTP/1.1").String(), text("slow"))
			await(t, asked, "the question")
			c := connect(t, addr)
			c.send(text("x"))
			c.expect(frame.Text, "x")
			close(release)
			slow.accepted()
			slow.expect(frame.Text, "slow")
		})
	})
}

// A field that only the handshake may set must not cost the client its answer.
func TestARejectWithAFieldOfTheHandshakeStillRefuses(t *testing.T) {
	for _, name := range []string{"Connection", "Content-Type", "Content-Length", "Bad Name"} {
		onEach(t, func(t *testing.T, e entry) {
			t.Run(name, func(t *testing.T) {
				c := dial(t, e.serve(t, server.Options{Log: quiet, Authorize: func(*http.Request) error {
					return &server.Reject{Status: 401, Header: http.Header{name: {"7"}}}
				}}))
				c.send(valid.String(), valid.String())
				r, _ := c.response()
				require.GreaterOrEqual(t, r.StatusCode, 400)
				require.True(t, r.Close)
				c.ended()
			})
		})
	}
}
