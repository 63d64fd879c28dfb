package client_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
)

// site has servers under several names and ports, none of them real. A path
// answers with what is said for its URL, and with a 101 if nothing is.
type site struct {
	t       *testing.T
	answers map[string]string // not changed during a dial
	cert    tls.Certificate

	mu       sync.Mutex
	requests []string // "host target authorization cookie"
	wg       sync.WaitGroup
}

func newSite(t *testing.T) (*site, *client.Options) {
	s := &site{t: t, answers: map[string]string{}, cert: newAuthority(t).certify("a.test")}
	t.Cleanup(s.wg.Wait)
	return s, &client.Options{DialContext: s.dial, TLS: &tls.Config{InsecureSkipVerify: true}, Proxy: client.NoProxy, MaxRedirects: 1}
}

// redirect has a URL answered with a redirect.
func (s *site) redirect(from string, status int, to string) {
	s.answers[from] = fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, to)
}

// dial serves ports that end in 3 with TLS.
func (s *site) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	require.NoError(s.t, err)
	ours, theirs := net.Pipe()
	scheme := "ws"
	if strings.HasSuffix(port, "3") {
		scheme = "wss"
		theirs = tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	if port != map[string]string{"ws": "80", "wss": "443"}[scheme] {
		host += ":" + port
	}
	s.wg.Go(func() {
		defer theirs.Close()
		replyWith(theirs, func(r *http.Request) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests = append(s.requests, strings.TrimRight(scheme+"://"+r.Host+r.RequestURI+
				" "+r.Header.Get("Authorization")+" "+r.Header.Get("Cookie"), " "))
			if text, ok := s.answers[scheme+"://"+host+r.RequestURI]; ok {
				return text
			}
			return accepted.String()
		})
	})
	return ours, nil
}

func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

func TestARedirectIsNotFollowedUnlessAllowed(t *testing.T) {
	leavesNothing(t)
	s, opts := newSite(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s.redirect("ws://a.test/", status, "/there")
		for _, most := range []int{0, -1} {
			opts.MaxRedirects = most
			resp, err := refused(t, "ws://a.test", opts)
			require.Equal(t, status, resp.StatusCode)
			require.Equal(t, "/there", resp.Header.Get("Location"))
			var found *client.HandshakeError
			require.ErrorAs(t, err, &found)
			require.Equal(t, status, found.Status)
			require.Equal(t, []string{"ws://a.test/"}, s.asked())
		}
		opts.MaxRedirects = 1
		c, resp := dialled(t, "ws://a.test", opts)
		require.Equal(t, 101, resp.StatusCode)
		require.NoError(t, c.CloseNow())
		require.Equal(t, []string{"ws://a.test/", "ws://a.test/there"}, s.asked())
	}
}

func TestOtherStatusesAreNoRedirects(t *testing.T) {
	leavesNothing(t)
	s, opts := newSite(t)
	for _, status := range []int{200, 201, 300, 304, 305, 306, 309, 401, 503} {
		s.redirect("ws://a.test/", status, "/there")
		resp, err := refused(t, "ws://a.test", opts)
		require.Equal(t, status, resp.StatusCode)
		require.ErrorContains(t, err, fmt.Sprint(status))
		require.Len(t, s.asked(), 1)
	}
	s.answers["ws://a.test/"] = accepted.without("Upgrade").with("Location: /there").String()
	resp, _ := refused(t, "ws://a.test", opts)
	require.Equal(t, 101, resp.StatusCode)
	require.Len(t, s.asked(), 1)
}

func TestWhereARedirectGoes(t *testing.T) {
	leavesNothing(t)
	tests := []struct{ from, location, want string }{
		{"ws://a.test/b/c?d", "/e", "ws://a.test/e"},
		{"ws://a.test/b/c?d", "e", "ws://a.test/b/e"},
		{"ws://a.test/b/c?d", "../e?f=g", "ws://a.test/e?f=g"},
		{"ws://a.test/b/c?d", "?e", "ws://a.test/b/c?e"},
		{"ws://a.test/b", "//c.test/d", "ws://c.test/d"},
		{"ws://a.test/b", "ws://c.test", "ws://c.test/"},
		{"ws://a.test/b", "http://c.test/d", "ws://c.test/d"},
		{"ws://a.test/b", "https://c.test/d", "wss://c.test/d"},
		{"ws://a.test/b", "WSS://c.test:9003/d", "wss://c.test:9003/d"},
		{"wss://a.test/b", "/d", "wss://a.test/d"},
		{"wss://a.test/b", "https://c.test/d", "wss://c.test/d"},
		{"http://a.test/b", "/d", "ws://a.test/d"},
		{"ws://a.test/b", "/d#fragment", "ws://a.test/d"},
		{"ws://a.test/b", "/d%2fe%23", "ws://a.test/d%2fe%23"},
		{"ws://a.test/b", "/é", "ws://a.test/%C3%A9"},
		{"ws://a.test/b", "ws://[::1]:8000/", "ws://[::1]:8000/"},
	}
	for _, test := range tests {
		t.Run(test.from+" to "+test.location, func(t *testing.T) {
			s, opts := newSite(t)
			s.redirect(strings.Replace(test.from, "http:", "ws:", 1), 302, test.location)
			c, _, err := client.Dial(within(t), test.from, opts)
			require.NoError(t, err)
			c.CloseNow()
			got := s.asked()
			require.Len(t, got, 2)
			require.Equal(t, test.want, got[1])
		})
	}
}

func TestARedirectToNowhereIsAnError(t *testing.T) {
	leavesNothing(t)
	tests := []struct{ name, url, fields, want string }{
		{"no Location", "ws://a.test", "", "nowhere"},
		{"two Locations", "ws://a.test", "Location: /b\r\nLocation: /b\r\n", "nowhere"},
		{"a long Location", "ws://a.test", "Location: /" + strings.Repeat("b", 8<<10) + "\r\n", "nowhere"},
		{"a Location that is no URL", "ws://a.test", "Location: /%zz\r\n", "no URL"},
		{"a port that is none", "ws://a.test", "Location: ws://b.test:x/\r\n", "no URL"},
		{"another scheme", "ws://a.test", "Location: ftp://b.test/\r\n", "no URL"},
		{"a script", "ws://a.test", "Location: javascript:alert(1)\r\n", "no URL"},
		{"no host", "ws://a.test", "Location: ws:///b\r\n", "no URL"},
		{"from wss to ws", "wss://a.test", "Location: ws://a.test/\r\n", "from wss to ws"},
		{"from wss to http", "wss://a.test", "Location: http://a.test:443/\r\n", "from wss to ws"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, opts := newSite(t)
			s.answers[test.url+"/"] = "HTTP/1.1 302 Found\r\nContent-Length: 2\r\n" + test.fields + "\r\nhi"
			resp, err := refused(t, test.url, opts)
			require.ErrorContains(t, err, test.want)
			var found *client.HandshakeError
			require.ErrorAs(t, err, &found)
			require.Equal(t, 302, found.Status)
			require.Equal(t, 302, resp.StatusCode)
			require.Len(t, s.asked(), 1)
		})
	}
	s, opts := newSite(t)
	for location, want := range map[string]string{"ws://bücher.test/": "ASCII", "/?b c": "escaped"} {
		s.redirect("ws://a.test/", 302, location)
		_, err := refused(t, "ws://a.test", opts)
		require.ErrorContains(t, err, want)
	}
}

func TestRedirectsEndSomewhere(t *testing.T) {
	leavesNothing(t)
	s, opts := newSite(t)
	s.redirect("ws://a.test/", 302, "/")
	s.redirect("ws://a.test/ping", 302, "http://b.test/pong")
	s.redirect("ws://b.test/pong", 307, "http://a.test/ping")
	s.redirect("ws://a.test/3", 302, "2")
	s.redirect("ws://a.test/2", 302, "1")
	s.redirect("ws://a.test/1", 302, "0")
	for _, most := range []int{0, 1, 2, 10} {
		for _, url := range []string{"ws://a.test/", "ws://a.test/ping"} {
			opts.MaxRedirects = most
			resp, err := refused(t, url, opts)
			require.Contains(t, []int{302, 307}, resp.StatusCode)
			require.ErrorContains(t, err, fmt.Sprint(resp.StatusCode))
			require.Len(t, s.asked(), most+1)
		}
	}
	opts.MaxRedirects = 2
	resp, _ := refused(t, "ws://a.test/3", opts)
	require.Equal(t, "0", resp.Header.Get("Location"))
	opts.MaxRedirects = 3
	c, _ := dialled(t, "ws://a.test/3", opts)
	require.NoError(t, c.CloseNow())
}

func TestWhatARedirectLeadsToMayFail(t *testing.T) {
	leavesNothing(t)
	s, opts := newSite(t)
	s.redirect("ws://a.test/", 302, "/no")
	s.answers["ws://a.test/no"] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
	resp, err := refused(t, "ws://a.test", opts)
	require.Equal(t, 403, resp.StatusCode)
	require.ErrorContains(t, err, "403")

	s.answers["ws://a.test/no"] = "nonsense\r\n\r\n"
	resp, err = refused(t, "ws://a.test", opts)
	require.Nil(t, resp, "that of the redirect is not the last one")
	require.ErrorContains(t, err, "HTTP")
}

func TestCredentialsStayWithTheirHostAndPort(t *testing.T) {
	leavesNothing(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))
	other := "Basic " + base64.StdEncoding.EncodeToString([]byte("v:q"))
	fields := http.Header{"Authorization": {"Bearer x"}, "Cookie": {"a=b"}}
	tests := []struct {
		name, from string
		header     http.Header
		via        []string
		want       string // the last request
	}{
		{"the same host", "ws://a.test/", fields, []string{"/b"}, "ws://a.test/b Bearer x a=b"},
		{"the same host in full", "ws://a.test/", fields, []string{"http://a.test/b"}, "ws://a.test/b Bearer x a=b"},
		{"the same host in capitals, with its port", "ws://a.test/", fields, []string{"ws://A.test:80/b"}, "ws://A.test/b Bearer x a=b"},
		{"another host", "ws://a.test/", fields, []string{"ws://b.test/b"}, "ws://b.test/b"},
		{"another host, small letters", "ws://a.test/", http.Header{"authorization": {"Bearer x"}, "cookie": {"a=b"}}, []string{"ws://b.test/b"}, "ws://b.test/b"},
		{"a host below", "ws://a.test/", fields, []string{"ws://b.a.test/b"}, "ws://b.a.test/b"},
		{"another port", "ws://a.test/", fields, []string{"ws://a.test:81/b"}, "ws://a.test:81/b"},
		{"the same host, now secured", "ws://a.test/", fields, []string{"wss://a.test/b"}, "wss://a.test/b Bearer x a=b"},
		{"the same host, secured on another port", "ws://a.test/", fields, []string{"wss://a.test:8443/b"}, "wss://a.test:8443/b"},
		{"another host and back", "ws://a.test/", fields, []string{"ws://b.test/b", "ws://a.test/c"}, "ws://a.test/c"},
		{"the same host, a user", "ws://u:p@a.test/", nil, []string{"/b"}, "ws://a.test/b " + basic},
		{"the same host in full, a user", "ws://u:p@a.test/", nil, []string{"ws://a.test/b"}, "ws://a.test/b " + basic},
		{"the same host, another user", "ws://u:p@a.test/", nil, []string{"ws://v:q@a.test/b"}, "ws://a.test/b " + other},
		{"another host, a user", "ws://u:p@a.test/", nil, []string{"//b.test/b"}, "ws://b.test/b"},
		{"another host and back, a user", "ws://u:p@a.test/", nil, []string{"//b.test/b", "//a.test/c"}, "ws://a.test/c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, opts := newSite(t)
			opts.Header, opts.MaxRedirects = test.header, len(test.via)
			s.redirect("ws://a.test/", 302, test.via[0])
			if len(test.via) > 1 {
				s.redirect("ws://b.test/b", 302, test.via[1])
			}
			before := test.header.Clone()
			c, _, err := client.Dial(within(t), test.from, opts)
			require.NoError(t, err)
			c.CloseNow()
			got := s.asked()
			require.Equal(t, test.want, got[len(got)-1])
			require.Equal(t, before, test.header, "the header is the caller's")
		})
	}
}

func TestWhatARedirectTakesAlong(t *testing.T) {
	leavesNothing(t)
	s, opts := newSite(t)
	opts.Jar = newJar(t)
	opts.Header = http.Header{"Host": {"front.test"}}
	s.answers["ws://a.test/"] = "HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
	s.redirect("ws://a.test/b", 302, "//b.test/")
	s.redirect("ws://b.test/", 302, "//a.test/c")
	opts.MaxRedirects = 3
	c, _ := dialled(t, "ws://a.test", opts)
	require.NoError(t, c.CloseNow())
	require.Equal(t, []string{"ws://front.test/", "ws://front.test/b  a=1", "ws://b.test/", "ws://a.test/c  a=1"}, s.asked(),
		"Host is for the first server, cookies are for whom the jar says")
}
