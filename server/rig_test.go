package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// tb is what the helpers need of a test, or of a goroutine of one.
type tb interface {
	require.TestingT
	Helper()
	Cleanup(func())
}

// goroutineT lets require be used on a goroutine that is not the test's.
type goroutineT struct{ *testing.T }

func (t goroutineT) FailNow() {
	t.Fail()
	runtime.Goexit()
}

// each runs f for 0 to n-1, some at a time.
func each(t *testing.T, n int, f func(t tb, i int)) {
	t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		if t.Failed() {
			break
		}
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			f(goroutineT{t}, i)
		}()
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// entry is one of the ways into the package; all of them echo.
type entry struct {
	name string
	// raw says that the handshake is read by the package, not by net/http.
	raw   bool
	serve func(t *testing.T, opts server.Options) (addr string)
}

var entries = []entry{
	{"Server.Serve", true, func(t *testing.T, opts server.Options) string {
		return serve(t, &server.Server{Options: opts, Handle: echo})
	}},
	{"Server.ServeHTTP", false, func(t *testing.T, opts server.Options) string {
		return serveHTTP(t, &server.Server{Options: opts, Handle: echo})
	}},
	{"Accept", false, func(t *testing.T, opts server.Options) string {
		return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := server.Accept(w, r, &opts); err == nil {
				go echoAndClose(c)
			}
		}))
	}},
	{"Upgrade", true, func(t *testing.T, opts server.Options) string {
		ln := listen(t)
		go func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					if c, _, err := server.Upgrade(context.Background(), nc, &opts); err == nil {
						echoAndClose(c)
					}
				}()
			}
		}()
		return ln.Addr().String()
	}},
	{"Events", true, func(t *testing.T, opts server.Options) string {
		return serve(t, echoServer(opts))
	}},
}

func onEach(t *testing.T, test func(t *testing.T, e entry)) {
	for _, e := range entries {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

func echo(ctx context.Context, c *conn.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}

func echoAndClose(c *conn.Conn) {
	echo(context.Background(), c)
	c.Close(context.Background(), 1000, "")
}

// echoServer sends every message back by events.
func echoServer(opts server.Options) *server.Server {
	return &server.Server{Options: opts, Events: server.Events{
		Message: func(p *server.Peer, typ conn.Type, data []byte) {
			if p.Send(typ, data) == conn.ErrBackpressure {
				p.SetValue(kept{typ, bytes.Clone(data)})
			}
		},
		Drained: func(p *server.Peer) {
			if m, ok := p.Value().(kept); ok {
				p.SetValue(nil)
				p.Send(m.typ, m.data)
			}
		},
	}}
}

type kept struct {
	typ  conn.Type
	data []byte
}

func listen(t tb) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve serves a fresh listener until the end of the test.
func serve(t tb, s *server.Server) (addr string) {
	t.Helper()
	ln := listen(t)
	serveOn(t, s, ln)
	return ln.Addr().String()
}

func serveOn(t tb, s *server.Server, ln net.Listener) (served <-chan error) {
	t.Helper()
	if s.Options.Conn.PingInterval == 0 {
		s.Options.Conn.PingInterval = -1 // what is not about liveness sees no pings
	}
	if s.Options.Log == nil {
		s.Options.Log = quiet
	}
	require.NoError(t, s.Check())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() { shutdown(s) })
	return done
}

var quiet = slog.New(slog.DiscardHandler)

// shutdown leaves nothing behind.
func shutdown(s *server.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Shutdown(ctx)
}

func serveHTTP(t tb, h http.Handler) (addr string) {
	t.Helper()
	ln := listen(t)
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	if ours, ok := h.(*server.Server); ok {
		if ours.Options.Conn.PingInterval == 0 {
			ours.Options.Conn.PingInterval = -1
		}
		if ours.Options.Log == nil {
			ours.Options.Log = quiet
		}
		t.Cleanup(func() { shutdown(ours) })
	}
	return ln.Addr().String()
}

// sampleKey and sampleAccept are those of RFC 6455 §1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// request is an HTTP request, line by line.
type request []string

var valid = request{
	"GET /chat HTTP/1.1",
	"Host: example.com",
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Key: " + sampleKey,
	"Sec-WebSocket-Version: 13",
}

// with appends lines.
func (r request) with(lines ...string) request { return append(slices.Clone(r), lines...) }

// set replaces the line of the same field, or the request line.
func (r request) set(line string) request {
	r = slices.Clone(r)
	name, _, isField := strings.Cut(line, ": ")
	for i := range r {
		if i == 0 && !isField || i > 0 && isField && strings.HasPrefix(r[i], name+":") {
			r[i] = line
		}
	}
	return r
}

// without removes a field.
func (r request) without(name string) request {
	return slices.DeleteFunc(slices.Clone(r), func(line string) bool { return strings.HasPrefix(line, name+":") })
}

func (r request) String() string { return strings.Join(r, "\r\n") + "\r\n\r\n" }

// client is the other end, byte by byte.
type client struct {
	t  tb
	nc net.Conn
	r  *bufio.Reader
}

func dial(t tb, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return talk(t, nc)
}

func talk(t tb, nc net.Conn) *client {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &client{t, nc, bufio.NewReaderSize(nc, 64<<10)}
}

// connect dials and shakes hands.
func connect(t tb, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.send(valid.String())
	c.accepted()
	return c
}

// send writes everything at once.
func (c *client) send(parts ...string) {
	c.t.Helper()
	_, err := io.WriteString(c.nc, strings.Join(parts, ""))
	require.NoError(c.t, err)
}

// sendCut writes b in two pieces that most likely are read one by one.
func (c *client) sendCut(b string, at int) {
	c.t.Helper()
	c.send(b[:at])
	time.Sleep(time.Millisecond)
	c.trySend(b[at:])
}

// sendBytes writes every byte on its own.
func (c *client) sendBytes(b string) {
	for i := range len(b) {
		if !c.trySend(b[i : i+1]) {
			return
		}
		if i%8 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// trySend is for what the other end need not wait for.
func (c *client) trySend(b string) bool {
	_, err := io.WriteString(c.nc, b)
	return err == nil
}

// response reads a response and its body.
func (c *client) response() (*http.Response, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	require.NoError(c.t, err)
	if r.StatusCode == http.StatusSwitchingProtocols {
		return r, ""
	}
	body, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	return r, string(body)
}

func (c *client) accepted() *http.Response {
	c.t.Helper()
	r, body := c.response()
	require.Equal(c.t, http.StatusSwitchingProtocols, r.StatusCode, "%s", body)
	return r
}

// refused reads a refusal as all of them are, which the end must follow.
func (c *client) refused(status int) (*http.Response, string) {
	c.t.Helper()
	r, body := c.response()
	require.Equal(c.t, status, r.StatusCode, "%s", body)
	require.True(c.t, r.Close, "Connection: close")
	require.Contains(c.t, r.Header.Get("Content-Type"), "text/plain")
	require.NotEmpty(c.t, strings.TrimSpace(body), "a reason")
	c.ended()
	return r, body
}

// ended asserts that nothing comes any more, and that the end is no reset.
func (c *client) ended() {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	require.NoError(c.t, err)
	require.Empty(c.t, rest, "nothing comes before the end")
}

// over waits for the end, whatever it is.
func (c *client) over() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.r)
	if err != nil {
		require.True(c.t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	}
}

// frame reads the next frame.
func (c *client) frame() (h frame.Header, payload string) {
	c.t.Helper()
	for n := 2; ; n++ {
		head, err := c.r.Peek(n)
		require.NoError(c.t, err, "a frame must come")
		size := 0
		h, size, err = frame.ParseHeader(head)
		require.NoError(c.t, err)
		if size > 0 {
			c.r.Discard(size)
			break
		}
	}
	require.False(c.t, h.Masked, "a server does not mask")
	require.Zero(c.t, h.RSV)
	b := make([]byte, h.Length)
	_, err := io.ReadFull(c.r, b)
	require.NoError(c.t, err)
	return h, string(b)
}

// expect reads one frame, which must be this one.
func (c *client) expect(op frame.Opcode, payload string) {
	c.t.Helper()
	h, got := c.frame()
	require.Equal(c.t, op, h.Opcode, "%q", got)
	require.True(c.t, h.Fin)
	if payload != got { // which may be long
		require.Equal(c.t, payload, got)
	}
}

// expectClose reads a Close frame, which the end must follow.
func (c *client) expectClose(code frame.CloseCode, reason string) {
	c.t.Helper()
	c.expect(frame.Close, string(frame.AppendClose(nil, code, reason)))
	c.ended()
}

// expectCode is expectClose with any reason.
func (c *client) expectCode(code frame.CloseCode) (reason string) {
	c.t.Helper()
	h, payload := c.frame()
	require.Equal(c.t, frame.Close, h.Opcode)
	got, reason, err := frame.ParseClose([]byte(payload))
	require.NoError(c.t, err)
	require.Equal(c.t, code, got, "%s", reason)
	c.ended()
	return reason
}

// silent asserts that nothing comes for a while.
func (c *client) silent(d time.Duration) {
	c.t.Helper()
	c.nc.SetReadDeadline(time.Now().Add(d))
	b, err := c.r.Peek(1)
	require.ErrorIs(c.t, err, os.ErrDeadlineExceeded, "% x", b)
	c.nc.SetReadDeadline(time.Now().Add(patience))
}

// masked is a frame as a client sends it.
func masked(b0 byte, payload string) string {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b := frame.AppendHeader(nil, frame.Header{
		Fin: b0&0x80 != 0, RSV: b0 & 0x70, Opcode: frame.Opcode(b0 & 0x0f),
		Masked: true, Key: key, Length: uint64(len(payload)),
	})
	n := len(b)
	b = append(b, payload...)
	frame.Mask(b[n:], key, 0)
	return string(b)
}

func text(s string) string { return masked(0x81, s) }

func ping(s string) string { return masked(0x89, s) }

func closing(code frame.CloseCode, reason string) string {
	return masked(0x88, string(frame.AppendClose(nil, code, reason)))
}

// await waits for a channel.
func await[T any](t tb, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.FailNow(t, "this never came: "+what)
	}
	return v
}

// pattern returns n bytes that differ from place to place.
func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i+i/26+i/4096)%26)
	}
	return string(b)
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
