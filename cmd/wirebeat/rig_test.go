package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// output is what a command prints, which a test may read meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// command runs a command line to its end.
func command(args ...string) (code int, stdout, stderr string) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // whatever starts ends at once
	var out, err output
	code = run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// served is a "wirebeat serve" that runs.
type served struct {
	addr   string
	line   string // what it printed
	stdout *output
	stderr *output
	stop   context.CancelFunc
	code   chan int
}

// start starts one on a free port.
func start(t *testing.T, args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{stdout: &output{}, stderr: &output{}, stop: cancel, code: make(chan int, 1)}
	go func() {
		s.code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), s.stdout, s.stderr)
	}()
	require.Eventually(t, func() bool { return strings.HasSuffix(s.stdout.String(), "\n") || len(s.code) > 0 }, patience, time.Millisecond)
	require.Empty(t, s.code, "%s", s.stderr)
	t.Cleanup(func() {
		cancel()
		<-s.code
	})
	s.line = s.stdout.String()
	_, rest, ok := strings.Cut(s.line, "://")
	require.True(t, ok, s.line)
	s.addr = strings.TrimSuffix(rest, "/\n")
	return s
}

// end ends it and returns its exit code.
func (s *served) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		s.code <- code // for the cleanup
		return code
	case <-time.After(patience):
		require.FailNow(t, "it does not end")
	}
	return -1
}

const handshake = "GET /some/path HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// client is a peer of raw bytes.
type client struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return talk(t, nc)
}

func dialTLS(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	return talk(t, nc)
}

func talk(t *testing.T, nc net.Conn) *client {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &client{t, nc, bufio.NewReader(nc)}
}

// connect dials and shakes hands.
func connect(t *testing.T, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.send(handshake, "\r\n")
	require.Equal(t, 101, c.response().StatusCode)
	return c
}

func (c *client) send(parts ...string) {
	c.t.Helper()
	_, err := io.WriteString(c.nc, strings.Join(parts, ""))
	require.NoError(c.t, err)
}

func (c *client) response() *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	require.NoError(c.t, err)
	return r
}

// frame reads the next frame; ok is false at the end.
func (c *client) frame() (h frame.Header, payload string, ok bool) {
	c.t.Helper()
	for n := 2; ; n++ {
		head, err := c.r.Peek(n)
		if errors.Is(err, io.EOF) && len(head) == 0 {
			return h, "", false
		}
		require.NoError(c.t, err)
		size := 0
		h, size, err = frame.ParseHeader(head)
		require.NoError(c.t, err)
		if size > 0 {
			c.r.Discard(size)
			break
		}
	}
	b := make([]byte, h.Length)
	_, err := io.ReadFull(c.r, b)
	require.NoError(c.t, err)
	return h, string(b), true
}

func (c *client) expect(op frame.Opcode, payload string) {
	c.t.Helper()
	h, got, ok := c.frame()
	require.True(c.t, ok, "the end came")
	require.Equal(c.t, op, h.Opcode)
	require.Equal(c.t, payload, got)
}

// expectClose reads a Close frame, answers it, and closes.
func (c *client) expectClose(code frame.CloseCode, reason string) {
	c.t.Helper()
	want := string(frame.AppendClose(nil, code, reason))
	c.expect(frame.Close, want)
	io.WriteString(c.nc, masked(0x88, want)) // who broke the protocol need not answer
	_, _, ok := c.frame()
	require.False(c.t, ok)
	c.nc.Close()
}

// masked is a frame as a client sends it.
func masked(b0 byte, payload string) string {
	key := [4]byte{9, 8, 7, 6}
	b := frame.AppendHeader(nil, frame.Header{
		Fin: b0&0x80 != 0, Opcode: frame.Opcode(b0 & 0x0f), Masked: true, Key: key, Length: uint64(len(payload)),
	})
	n := len(b)
	b = append(b, payload...)
	frame.Mask(b[n:], key, 0)
	return string(b)
}

func text(s string) string { return masked(0x81, s) }
func ping(s string) string { return masked(0x89, s) }
