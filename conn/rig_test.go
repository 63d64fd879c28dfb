package conn_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// rig makes connections over one kind of transport.
type rig struct {
	*testing.T
	memory bool // in a bubble, where time is not real
	driver *conn.Driver
	room   int // bytes between the ends, where that can be chosen; 0 means plenty
}

// onEach runs a test over memory, in a bubble of synctest, and over TCP, which
// on Linux takes the way past package net.
func onEach(t *testing.T, test func(t *rig)) {
	inMemory(t, test)
	onTCP(t, test)
}

func inMemory(t *testing.T, test func(t *rig)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// A driver ends with the tick after its last connection, and time stops
			// with the end of the test.
			t.Cleanup(func() { time.Sleep(time.Second) })
			test(&rig{T: t, memory: true, driver: &conn.Driver{}})
		})
	})
}

func onTCP(t *testing.T, test func(t *rig)) {
	t.Run("TCP", func(t *testing.T) {
		test(&rig{T: t, driver: &conn.Driver{}})
	})
}

// inRealTime is for tests of what the kernel says within fractions of a second,
// which the race detector stretches. What they run is tested over memory too.
func inRealTime(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector is too slow for real time")
	}
}

// must is for what cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pair returns the two ends of a transport.
func (t *rig) pair() (a, b net.Conn) {
	t.Helper()
	if t.memory {
		room := 256 << 10
		if t.room > 0 {
			room = t.room
		}
		x, y := newMemoryPair(room)
		a, b = x, y
	} else {
		a, b = tcpPair(t)
		if t.room > 0 {
			for _, nc := range []net.Conn{a, b} {
				nc.(*net.TCPConn).SetReadBuffer(t.room)
				nc.(*net.TCPConn).SetWriteBuffer(t.room)
			}
		}
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

func tcpPair(t require.TestingT) (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	a, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	b, err = ln.Accept()
	require.NoError(t, err)
	return a, b
}

func (t *rig) new(nc net.Conn, role endpoint.Role, opts conn.Options) *conn.Conn {
	opts.Driver = t.driver
	if opts.PingInterval == 0 {
		opts.PingInterval = -1 // what is not about liveness sees no pings
	}
	c := must(conn.New(nc, conn.Start{Role: role}, &opts))
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// both returns a client and a server that are connected.
func (t *rig) both(opts conn.Options) (client, server *conn.Conn) {
	t.Helper()
	a, b := t.pair()
	return t.new(a, endpoint.Client, opts), t.new(b, endpoint.Server, opts)
}

// server returns a connection that is a server, and its peer, which says what
// a test has it say.
func (t *rig) server(opts conn.Options) (*conn.Conn, *peer) {
	t.Helper()
	return t.against(endpoint.Server, opts)
}

func (t *rig) against(role endpoint.Role, opts conn.Options) (*conn.Conn, *peer) {
	t.Helper()
	a, b := t.pair()
	return t.new(a, role, opts), &peer{t, b, bufio.NewReaderSize(b, 128<<10), role == endpoint.Server}
}

// ctx ends with the test, or after a time in which everything must be done.
func (t *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// within returns a context for what takes no longer than d.
func (t *rig) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// calm lets every other goroutine go on until it waits. Over TCP that cannot be
// known; there it only makes the interesting order likely.
func (t *rig) calm() {
	if t.memory {
		synctest.Wait()
	} else {
		time.Sleep(20 * time.Millisecond)
	}
}

// await waits for a channel.
func await[T any](t *rig, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.FailNow(t, "this never came: "+what)
	}
	return v
}

// later runs f on a goroutine of its own.
func later[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// peer is the other end, frame by frame.
type peer struct {
	t      *rig
	nc     net.Conn
	r      *bufio.Reader
	client bool
}

// frame returns the bytes of a frame as this end sends them.
func (p *peer) frame(fin bool, opcode frame.Opcode, payload []byte) []byte {
	h := frame.Header{Fin: fin, Opcode: opcode, Masked: p.client, Length: uint64(len(payload))}
	if h.Masked {
		h.Key = [4]byte{1, 2, 3, 4}
	}
	b := frame.AppendHeader(nil, h)
	n := len(b)
	b = append(b, payload...)
	if h.Masked {
		frame.Mask(b[n:], h.Key, 0)
	}
	return b
}

func (p *peer) text(s string) []byte { return p.frame(true, frame.Text, []byte(s)) }
func (p *peer) ping(s string) []byte { return p.frame(true, frame.Ping, []byte(s)) }
func (p *peer) close(code frame.CloseCode, reason string) []byte {
	return p.frame(true, frame.Close, frame.AppendClose(nil, code, reason))
}

// send writes everything at once.
func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	var b []byte
	for _, f := range frames {
		b = append(b, f...)
	}
	p.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := p.nc.Write(b)
	require.NoError(p.t, err)
}

// read returns the next frame, unmasked.
func (p *peer) read() (h frame.Header, payload []byte, err error) {
	p.nc.SetReadDeadline(time.Now().Add(patience))
	var head []byte
	for n := 2; ; n++ {
		if head, err = p.r.Peek(n); err != nil {
			return h, nil, err
		}
		size := 0
		if h, size, err = frame.ParseHeader(head); err != nil {
			return h, nil, err
		}
		if size > 0 {
			p.r.Discard(size)
			break
		}
	}
	require.Equal(p.t, !p.client, h.Masked, "a client masks and a server does not")
	payload = make([]byte, h.Length)
	if _, err = io.ReadFull(p.r, payload); err == nil && h.Masked {
		frame.Mask(payload, h.Key, 0)
	}
	return h, payload, err
}

// block makes what the connection writes wait, or go on. It is for memory only.
func (p *peer) block(on bool) { p.nc.(*memoryConn).block(on) }

// endWrites is a half-close.
func (p *peer) endWrites() { p.nc.(interface{ CloseWrite() error }).CloseWrite() }

// expect reads one frame, which must be this one.
func (p *peer) expect(opcode frame.Opcode, payload string) {
	p.t.Helper()
	h, got, err := p.read()
	require.NoError(p.t, err)
	require.Equal(p.t, opcode, h.Opcode)
	require.Equal(p.t, payload, string(got))
	require.True(p.t, h.Fin)
}

// expectClose reads up to a Close frame, which must be followed by the end.
func (p *peer) expectClose(code frame.CloseCode, reason string) {
	p.t.Helper()
	p.expect(frame.Close, string(frame.AppendClose(nil, code, reason)))
	p.expectEnd()
}

func (p *peer) expectEnd() {
	p.t.Helper()
	_, _, err := p.read()
	require.ErrorIs(p.t, err, io.EOF)
}

// quiet asserts that nothing comes for a while.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(d))
	b, err := p.r.Peek(1)
	require.ErrorIs(p.t, err, os.ErrDeadlineExceeded, "% x", b)
}

// pattern returns n bytes that are text and differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i+i/26+i/4096)%26)
	}
	return b
}

func closeErrorOf(t require.TestingT, err error) *conn.CloseError {
	var end *conn.CloseError
	require.True(t, errors.As(err, &end), "%v", err)
	return end
}
