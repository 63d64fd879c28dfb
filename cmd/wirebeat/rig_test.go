package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
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
	code = run(ctx, args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// program is a command line that runs.
type program struct {
	stdout, stderr output
	stop           context.CancelFunc // is what SIGINT and SIGTERM do
	code           chan int
}

// launch runs a command line until the test ends at the latest.
func launch(t *testing.T, stdin io.Reader, args ...string) *program {
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{stop: cancel, code: make(chan int, 1)}
	go func() { p.code <- run(ctx, args, stdin, &p.stdout, &p.stderr) }()
	t.Cleanup(func() {
		cancel()
		<-p.code
	})
	return p
}

// wait waits for its end and returns its exit code.
func (p *program) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.code:
		p.code <- code // for the cleanup
		return code
	case <-time.After(patience):
		require.FailNow(t, "it does not end", "stdout: %s\nstderr: %s", &p.stdout, &p.stderr)
	}
	return -1
}

// end ends it and returns its exit code.
func (p *program) end(t *testing.T) int {
	t.Helper()
	p.stop()
	return p.wait(t)
}

// says waits until stdout has a text.
func (p *program) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.stdout.String(), text) || len(p.code) > 0 }, patience, time.Millisecond)
	require.Contains(t, p.stdout.String(), text, "stderr: %s", &p.stderr)
}

// fails asserts that it ends with a failure that one line on stderr tells of.
func (p *program) fails(t *testing.T, says string) {
	t.Helper()
	require.Equal(t, 1, p.wait(t), "%s", &p.stderr)
	requireLine(t, p.stderr.String(), says)
}

// requireLine asserts that stderr is one line, which says something.
func requireLine(t *testing.T, stderr, says string) {
	t.Helper()
	require.Regexp(t, `^wirebeat: \PC+\n$`, stderr)
	require.Contains(t, stderr, says)
}

// served is a "wirebeat serve" that runs.
type served struct {
	*program
	addr string
	line string // what it printed
}

// start starts one on a free port.
func start(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{program: launch(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.says(t, "\n")
	s.line = s.stdout.String()
	_, rest, ok := strings.Cut(s.line, "://")
	require.True(t, ok, s.line)
	s.addr = strings.TrimSuffix(rest, "/\n")
	return s
}

const opening = "GET /some/path HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// peer speaks raw bytes.
type peer struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return talk(t, nc)
}

func dialTLS(t *testing.T, addr string) *peer {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	return talk(t, nc)
}

func talk(t *testing.T, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &peer{t, nc, bufio.NewReader(nc)}
}

// join dials and shakes hands.
func join(t *testing.T, addr string) *peer {
	t.Helper()
	c := dial(t, addr)
	c.send(opening, "\r\n")
	require.Equal(t, 101, c.response().StatusCode)
	return c
}

func (c *peer) send(parts ...string) {
	c.t.Helper()
	_, err := io.WriteString(c.nc, strings.Join(parts, ""))
	require.NoError(c.t, err)
}

func (c *peer) response() *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	require.NoError(c.t, err)
	return r
}

// frame reads the next frame that is no ping, as those come when they like; ok
// is false at the end.
func (c *peer) frame() (h frame.Header, payload string, ok bool) {
	c.t.Helper()
	h, payload, err := c.read()
	for err == nil && h.Opcode == frame.Ping {
		h, payload, err = c.read()
	}
	if err == io.EOF {
		return h, "", false
	}
	require.NoError(c.t, err)
	return h, payload, true
}

// read reads the next frame. The error is io.EOF at the end.
func (c *peer) read() (h frame.Header, payload string, err error) {
	for n := 2; ; n++ {
		head, err := c.r.Peek(n)
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return h, "", err
		}
		size := 0
		if h, size, err = frame.ParseHeader(head); err != nil {
			return h, "", err
		}
		if size > 0 {
			c.r.Discard(size)
			break
		}
	}
	b := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return h, "", io.ErrUnexpectedEOF
	}
	if h.Masked {
		frame.Mask(b, h.Key, 0)
	}
	return h, string(b), nil
}

func (c *peer) expect(op frame.Opcode, payload string) {
	c.t.Helper()
	h, got, ok := c.frame()
	require.True(c.t, ok, "the end came")
	require.Equal(c.t, op, h.Opcode)
	require.Equal(c.t, payload, got)
}

// expectClose reads a Close frame, answers it, and closes.
func (c *peer) expectClose(code frame.CloseCode, reason string) {
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

func text(s string) string      { return masked(0x81, s) }
func pingFrame(s string) string { return masked(0x89, s) }
