package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/server"
)

const (
	pageA = "0123456789abcdef0123456789abcdef"
	pageB = "fedcba9876543210fedcba9876543210"
)

// pagePatience is how long a test waits for what must come.
const pagePatience = 20 * time.Second

func pageContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), pagePatience)
	t.Cleanup(cancel)
	return ctx
}

// servePage serves s on a loopback listener.
func servePage(t *testing.T, s *server.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), pagePatience)
		defer cancel()
		s.Shutdown(ctx)
		<-served
	})
	return ln.Addr().String()
}

func pageEcho(t *testing.T) (addr string) {
	return servePage(t, newEcho(server.Options{}, slog.New(slog.DiscardHandler)))
}

// visit connects as the page with the query does.
func visit(t *testing.T, addr, query string) *conn.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	_, err = io.WriteString(nc, "GET /some/path?"+query+" HTTP/1.1\r\nHost: "+addr+"\r\nOrigin: http://"+addr+
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	early, err := br.Peek(br.Buffered())
	require.NoError(t, err)
	c, err := conn.New(nc, conn.Start{Role: endpoint.Client, Received: early}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	// Once an echo is back, the server has called opened.
	require.NoError(t, c.Write(pageContext(t), conn.Text, []byte("here")))
	_, p, err := c.ReadMessage(pageContext(t))
	require.NoError(t, err)
	require.Equal(t, "here", string(p))
	return c
}

// reads reads until the connection ends, and returns how it did.
func reads(t *testing.T, c *conn.Conn) <-chan error {
	end := make(chan error, 1)
	go func() {
		_, _, err := c.ReadMessage(context.Background())
		end <- err
	}()
	return end
}

type apiAnswer struct {
	Status int
	Header http.Header
	Body   string

	Error       string     `json:"error"`
	RTT         *int64     `json:"rtt_us"`
	Exact       bool       `json:"exact"`
	State       string     `json:"state"`
	LastInbound *time.Time `json:"last_inbound"`
	Silent      *int64     `json:"silent_ms"`
	Coalesced   *int64     `json:"coalesced"`
	Code        int        `json:"code"`
	Reason      string     `json:"reason"`
}

// askPage makes a request; header is a list of names and values.
func askPage(t *testing.T, method, addr, target string, header ...string) (a apiAnswer) {
	t.Helper()
	r, err := http.NewRequestWithContext(pageContext(t), method, "http://"+addr+target, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.Header.Get("Content-Type") == "application/json" && len(body) > 0 {
		require.NoError(t, json.Unmarshal(body, &a), "%s", body)
	}
	a.Status, a.Header, a.Body = resp.StatusCode, resp.Header, string(body)
	return a
}

func TestPageFiles(t *testing.T) {
	addr := pageEcho(t)
	for path, contentType := range map[string]string{
		"/":         "text/html; charset=utf-8",
		"/page.css": "text/css; charset=utf-8",
		"/page.js":  "text/javascript; charset=utf-8",
		"/icon.svg": "image/svg+xml",
	} {
		t.Run(path, func(t *testing.T) {
			got := askPage(t, "GET", addr, path)
			require.Equal(t, http.StatusOK, got.Status)
			require.Equal(t, contentType, got.Header.Get("Content-Type"))
			require.NotEmpty(t, got.Body)
			head := askPage(t, "HEAD", addr, path)
			require.Equal(t, http.StatusOK, head.Status)
			require.Empty(t, head.Body)
			require.Equal(t, strconv.Itoa(len(got.Body)), head.Header.Get("Content-Length"))
		})
	}
}

// What the page refers to exists, and what is embedded is served.
func TestPageIsComplete(t *testing.T) {
	addr := pageEcho(t)
	entries, err := pageFiles.ReadDir("page")
	require.NoError(t, err)
	require.Len(t, pageRoutes, len(entries))
	for _, e := range entries {
		data, err := pageFiles.ReadFile("page/" + e.Name())
		require.NoError(t, err)
		if path, ok := strings.CutSuffix(e.Name(), ".html"); !ok {
			require.Equal(t, http.StatusOK, askPage(t, "GET", addr, "/"+e.Name()).Status, path)
		} else {
			require.NotRegexp(t, `(?i)\sstyle=|\son[a-z]+=|<style|<script>`, string(data), "the policy forbids it")
		}
		if e.Name() != "icon.svg" { // which names a namespace
			require.NotRegexp(t, `(src|href|from|import|url)\W*["'(]+https?:`, string(data), "the page works offline")
		}
		require.NotContains(t, string(data), "innerHTML")
	}
}

func TestPageHeaders(t *testing.T) {
	addr := pageEcho(t)
	for _, target := range []string{"/", "/page.js", "/nowhere", "/api/peer?page=" + pageA} {
		t.Run(target, func(t *testing.T) {
			h := askPage(t, "GET", addr, target).Header
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			csp := h.Get("Content-Security-Policy")
			for _, rule := range []string{"default-src 'none';", "script-src 'self';", "style-src 'self';", "connect-src 'self' ws: wss:;", "frame-ancestors 'none'"} {
				require.Contains(t, csp, rule)
			}
			require.NotContains(t, csp, "unsafe")
		})
	}
}

func TestPageMethods(t *testing.T) {
	addr := pageEcho(t)
	visit(t, addr, "page="+pageA)
	query := "?page=" + pageA
	for _, test := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"POST", "/", 405, "GET, HEAD"},
		{"DELETE", "/page.css", 405, "GET, HEAD"},
		{"GET", "/api/ping" + query, 405, "POST"},
		{"HEAD", "/api/ping" + query, 405, "POST"},
		{"PUT", "/api/ping" + query, 405, "POST"},
		{"GET", "/api/close" + query + "&code=1000", 405, "POST"},
		{"POST", "/api/peer" + query, 405, "GET, HEAD"},
		{"GET", "/api/peer" + query, 200, ""},
		{"HEAD", "/api/peer" + query, 200, ""},
		{"GET", "/api", 404, ""},
		{"GET", "/api/", 404, ""},
		{"POST", "/api/peers", 405, "GET, HEAD"},
		{"GET", "/api/demo", 405, "POST"},
		{"GET", "/api/stall?peer=1", 405, "POST"},
		{"GET", "/api/cut?peer=1", 405, "POST"},
		{"GET", "/page.go", 404, ""},
		{"GET", "/index.html", 404, ""},
		{"GET", "/page/index.html", 404, ""},
		{"HEAD", "/favicon.ico", 404, ""},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			got := askPage(t, test.method, addr, test.target)
			require.Equal(t, test.status, got.Status)
			require.Equal(t, test.allow, got.Header.Get("Allow"))
		})
	}
}

func TestPagePingMeasuresTheRoundTrip(t *testing.T) {
	addr := pageEcho(t)
	end := reads(t, visit(t, addr, "page="+pageA))
	for range 3 {
		got := askPage(t, "POST", addr, "/api/ping?page="+pageA, "Sec-Fetch-Site", "same-origin", "Origin", "http://"+addr)
		require.Equal(t, http.StatusOK, got.Status, got.Body)
		require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		require.NotNil(t, got.RTT)
		require.Less(t, *got.RTT, pagePingTimeout.Microseconds())
		require.True(t, got.Exact)
	}
	require.Empty(t, end)
}

func TestPageTellsHealth(t *testing.T) {
	addr := pageEcho(t)
	reads(t, visit(t, addr, "page="+pageA))
	before := askPage(t, "GET", addr, "/api/peer?page="+pageA)
	require.Equal(t, http.StatusOK, before.Status)
	require.Equal(t, "alive", before.State)
	require.NotNil(t, before.LastInbound)
	require.WithinDuration(t, time.Now(), *before.LastInbound, pagePatience)
	require.NotNil(t, before.Silent)
	require.NotNil(t, before.Coalesced)
	require.Nil(t, before.RTT, "nothing was measured yet")

	require.Equal(t, http.StatusOK, askPage(t, "POST", addr, "/api/ping?page="+pageA).Status)
	require.Equal(t, "alive", askPage(t, "GET", addr, "/api/peer?page="+pageA).State)
}

func TestPageCloses(t *testing.T) {
	long := strings.Repeat("é", 61) + "x" // 123 bytes
	for _, test := range []struct {
		name, code, reason string
		want               conn.CloseCode
	}{
		{"normally", "1000", "", 1000},
		{"with a reason", "1012", "back soon", 1012},
		{"with a private code", "4999", "&code=1000#?%", 4999},
		{"with the longest reason", "3000", long, 3000},
		{"without a code", "1005", "", 1005},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := pageEcho(t)
			end := reads(t, visit(t, addr, "page="+pageA))
			query := url.Values{"page": {pageA}, "code": {test.code}, "reason": {test.reason}}.Encode()
			got := askPage(t, "POST", addr, "/api/close?"+query)
			require.Equal(t, http.StatusOK, got.Status, got.Body)
			require.Equal(t, test.code, strconv.Itoa(got.Code))
			require.Equal(t, test.reason, got.Reason)
			var closed *conn.CloseError
			require.ErrorAs(t, <-end, &closed)
			require.Equal(t, test.want, closed.Code)
			require.Equal(t, test.reason, closed.Reason)
			require.True(t, closed.Remote)
		})
	}
}

func TestPageRefusesToClose(t *testing.T) {
	addr := pageEcho(t)
	end := reads(t, visit(t, addr, "page="+pageA))
	for _, test := range []struct{ name, code, reason string }{
		{"no code", "", ""},
		{"words for a code", "normal", ""},
		{"too large a number", "66536", ""}, // 1000 more than 16 bits hold
		{"negative", "-1000", ""},
		{"0", "0", ""},
		{"unassigned", "999", ""},
		{"never on the wire", "1006", ""},
		{"for TLS", "1015", ""},
		{"2999", "2999", ""},
		{"5000", "5000", ""},
		{"too long a reason", "1000", strings.Repeat("é", 62)},
		{"a reason that is no UTF-8", "1000", "\xff"},
		{"a reason without a code", "1005", "because"},
	} {
		t.Run(test.name, func(t *testing.T) {
			query := url.Values{"page": {pageA}, "code": {test.code}, "reason": {test.reason}}.Encode()
			got := askPage(t, "POST", addr, "/api/close?"+query)
			require.Equal(t, http.StatusBadRequest, got.Status)
			require.Contains(t, got.Error, "code must be")
		})
	}
	require.Equal(t, http.StatusOK, askPage(t, "POST", addr, "/api/ping?page="+pageA).Status, "the connection is as it was")
	require.Empty(t, end)
}

func TestPageIDs(t *testing.T) {
	addr := pageEcho(t)
	reads(t, visit(t, addr, "page="+pageA))
	reads(t, visit(t, addr, "page="+strings.ToUpper(pageB)))
	reads(t, visit(t, addr, "page="+pageB+"&page="+pageB))
	for _, test := range []struct {
		name, query string
		status      int
	}{
		{"known", "page=" + pageA, 200},
		{"unknown", "page=" + pageB, 404},
		{"none", "", 400},
		{"empty", "page=", 400},
		{"too short", "page=" + pageA[1:], 400},
		{"too long", "page=" + pageA + "0", 400},
		{"uppercase", "page=" + strings.ToUpper(pageB), 400},
		{"not hex", "page=g" + pageA[1:], 400},
		{"twice", "page=" + pageA + "&page=" + pageA, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, api := range []string{"GET /api/peer", "POST /api/ping", "POST /api/close"} {
				method, path, _ := strings.Cut(api, " ")
				if path == "/api/close" && test.status == 200 {
					continue
				}
				got := askPage(t, method, addr, path+"?code=1000&"+test.query)
				require.Equal(t, test.status, got.Status, api)
				require.Equal(t, test.status != 200, got.Error != "", api)
				require.Equal(t, "application/json", got.Header.Get("Content-Type"))
			}
		})
	}
}

func TestPageIsForTheSameOrigin(t *testing.T) {
	addr := pageEcho(t)
	end := reads(t, visit(t, addr, "page="+pageA))
	for _, test := range []struct {
		name   string
		header []string
		status int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"another host of the site", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another port, from an old browser", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"a sandboxed page, from an old browser", []string{"Origin", "null"}, 403},
		{"the page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + addr}, 200},
		{"the page, from an old browser", []string{"Origin", "http://" + addr}, 200},
		{"no browser", nil, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := askPage(t, "POST", addr, "/api/ping?page="+pageA, test.header...)
			require.Equal(t, test.status, got.Status)
			if test.status == http.StatusForbidden {
				require.NotEmpty(t, got.Error)
				require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
				got = askPage(t, "POST", addr, "/api/close?code=1000&page="+pageA, test.header...)
				require.Equal(t, http.StatusForbidden, got.Status)
			}
			require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
		})
	}
	require.Empty(t, end, "nobody closed it")
}

// pageServer is a server with a page, like newEcho's, that a test can look into.
func pageServer(t *testing.T) (p *page, addr string, closed chan struct{}) {
	p, closed = newPage(), make(chan struct{}, 10)
	addr = servePage(t, &server.Server{
		Options:  server.Options{KeepRequest: true},
		Fallback: p,
		Events: server.Events{
			Open:    p.opened,
			Message: echo,
			Close: func(peer *server.Peer, err error) {
				p.closed(peer, err)
				closed <- struct{}{}
			},
		},
	})
	return p, addr, closed
}

func (p *page) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.peers)
}

func TestPageIDStaysWithItsFirstOwner(t *testing.T) {
	p, addr, closed := pageServer(t)
	first := visit(t, addr, "page="+pageA)
	owner := p.find(pageA)
	require.NotNil(t, owner)
	second := visit(t, addr, "page="+pageA)
	visit(t, addr, "no=id")
	require.Same(t, owner, p.find(pageA))

	second.Close(pageContext(t), 1000, "")
	<-closed
	require.Same(t, owner, p.find(pageA), "the end of the second is not that of the first")

	first.Close(pageContext(t), 1000, "")
	<-closed
	require.Zero(t, p.size())
	got := askPage(t, "POST", addr, "/api/ping?page="+pageA)
	require.Equal(t, http.StatusNotFound, got.Status)

	reads(t, visit(t, addr, "page="+pageA))
	require.Equal(t, http.StatusOK, askPage(t, "POST", addr, "/api/ping?page="+pageA).Status, "it is free again")
}

// silent connects as a page that answers nothing.
func silent(t *testing.T, p *page, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	_, err = io.WriteString(nc, "GET /?page="+pageA+" HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.find(pageA) != nil }, pagePatience, time.Millisecond)
	return nc
}

func TestPagePingOfASilentPeerTimesOut(t *testing.T) {
	p, addr, _ := pageServer(t)
	p.pingTimeout = 20 * time.Millisecond
	silent(t, p, addr)
	got := askPage(t, "POST", addr, "/api/ping?page="+pageA)
	require.Equal(t, http.StatusGatewayTimeout, got.Status)
	require.Equal(t, "no pong came within 20ms", got.Error)
	require.Equal(t, "probing", askPage(t, "GET", addr, "/api/peer?page="+pageA).State)
}

func TestPagePingTellsThatTheConnectionEnds(t *testing.T) {
	p, addr, _ := pageServer(t)
	p.pingTimeout = pagePatience
	nc := silent(t, p, addr)
	go func() {
		br := bufio.NewReader(nc)
		http.ReadResponse(br, nil)
		br.ReadByte() // the ping is there
		nc.Close()
	}()
	got := askPage(t, "POST", addr, "/api/ping?page="+pageA)
	require.Equal(t, http.StatusConflict, got.Status)
	require.Contains(t, got.Error, "1006")
}

func TestPageOfAClosingConnection(t *testing.T) {
	p, addr, _ := pageServer(t)
	silent(t, p, addr)
	peer := p.find(pageA)
	require.NoError(t, peer.Close(1000, ""))
	for _, call := range []func() (any, error){
		func() (any, error) { return p.ping(&http.Request{}, nil, peer) },
		func() (any, error) { return p.close(nil, url.Values{"code": {"1001"}}, peer) },
	} {
		_, err := call()
		require.Error(t, err)
	}
}
