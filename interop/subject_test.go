package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/interop/catalogue"
	"github.com/wirebeat/wirebeat/server"
)

// subject is our server as a foreign client finds it: behind one of the two
// ways into it, on a port of its own and on one that is tapped.
type subject struct {
	entry string
	plain string // host and port
	wired string // those of the tap
	tap   *tap
	page  http.Handler // what requests get that ask for no WebSocket

	mu    sync.Mutex
	views map[string]*view
}

// view is what the server saw of a case.
type view struct {
	opened      int
	subprotocol string
	messages    []digest
	pongs       []control.Pong
	pongErr     error
	sendErr     error
	end         error
	ended       time.Time
	done        chan struct{} // closed with the end
}

// digest stands for a message.
type digest struct {
	typ  conn.Type
	size int
	sum  [sha256.Size]byte
}

func digestOf(typ conn.Type, p []byte) digest { return digest{typ, len(p), sha256.Sum256(p)} }

// line is how a foreign server tells it.
func (d digest) line() string { return fmt.Sprintf("%v %d %x", d.typ, d.size, d.sum) }

func (d digest) String() string {
	return fmt.Sprintf("%v of %d bytes (%x…)", d.typ, d.size, d.sum[:4])
}

// patience is how long is waited for what must come.
const patience = 10 * time.Second

// maxFrame cuts what is to be sent in fragments, within a character.
const maxFrame = 16 << 10

// serveSubject serves until the test ends.
func serveSubject(t *testing.T, entry string, page http.Handler) *subject {
	t.Helper()
	s := &subject{entry: entry, page: page, views: make(map[string]*view)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.plain = ln.Addr().String()
	serve, shutdown := s.overServe()
	if entry == overNetHTTP {
		serve, shutdown = s.overNetHTTP()
	}
	served := make(chan error, 1)
	go func() { served <- serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, shutdown(ctx))
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	s.tap = openTap(t, s.plain)
	s.wired = s.tap.Addr().String()
	return s
}

func options() server.Options {
	return server.Options{Subprotocols: catalogue.Subprotocols, Log: slog.New(slog.DiscardHandler)}
}

// origin is that of the server's own pages.
func (s *subject) origin(c *catalogue.Case) string { return "http://" + s.host(c) }

// host is where a case connects to.
func (s *subject) host(c *catalogue.Case) string {
	switch c.Verb {
	case catalogue.Fragments, catalogue.Reassemble, catalogue.Ping, catalogue.Refused:
		return s.wired
	}
	return s.plain
}

// cases returns the catalogue with URLs of this server.
func (s *subject) cases() []catalogue.Case {
	cases := catalogue.Cases("http://" + s.plain)
	for i := range cases {
		cases[i].URL = "ws://" + s.host(&cases[i]) + cases[i].Target()
	}
	return cases
}

// view returns what is known of a case, which may be nothing yet.
func (s *subject) view(name string) *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[name]
	if v == nil {
		v = &view{done: make(chan struct{})}
		s.views[name] = v
	}
	return v
}

// see changes a view.
func (s *subject) see(v *view, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *subject) opened(u *url.URL, subprotocol string) *view {
	v := s.view(u.Query().Get("case"))
	s.see(v, func() { v.opened, v.subprotocol = v.opened+1, subprotocol })
	return v
}

func (s *subject) received(v *view, typ conn.Type, p []byte) {
	d := digestOf(typ, p)
	s.see(v, func() { v.messages = append(v.messages, d) })
}

func (s *subject) sent(v *view, err error) {
	if err != nil {
		s.see(v, func() { v.sendErr = errors.Join(v.sendErr, err) })
	}
}

func (s *subject) ponged(v *view, pong control.Pong, err error) {
	s.see(v, func() { v.pongs, v.pongErr = append(v.pongs, pong), errors.Join(v.pongErr, err) })
}

func (s *subject) ended(v *view, err error) {
	s.see(v, func() {
		if v.ended.IsZero() {
			v.end, v.ended = err, time.Now()
			close(v.done)
		}
	})
}

// closeOf is how a case wants to be closed.
func closeOf(u *url.URL) (conn.CloseCode, string, error) {
	code, err := strconv.ParseUint(u.Query().Get("code"), 10, 16)
	return conn.CloseCode(code), u.Query().Get("reason"), err
}

// countOf is how often a case wants to be pinged.
func countOf(u *url.URL) (int, error) { return strconv.Atoi(u.Query().Get("count")) }
