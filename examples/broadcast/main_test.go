package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

// start runs the program, which publishes a tick for each time that is sent.
func start(t *testing.T) (ctx context.Context, addr string, times chan<- time.Time) {
	t.Helper()
	clock := make(chan time.Time)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- run(ctx, smallBuffers{ln}, clock) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return ctx, ln.Addr().String(), clock
}

// smallBuffers is a listener whose connections take little that is not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if tc, ok := nc.(*net.TCPConn); ok {
		err = errors.Join(err, tc.SetWriteBuffer(16<<10))
	}
	return nc, err
}

func getStats(t *testing.T, addr string) (s stats) {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/stats")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&s))
	return s
}

// subscriber is a client that checks that nothing is missing but what it was
// told of.
type subscriber struct {
	*conn.Conn
	seq    uint64 // of the last tick
	missed int
}

func subscribe(t *testing.T, ctx context.Context, addr string) *subscriber {
	t.Helper()
	c, _, err := client.Dial(ctx, "ws://"+addr+"/", nil)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	s := &subscriber{Conn: c}
	s.next(t, ctx) // the state of things
	return s
}

func (s *subscriber) next(t *testing.T, ctx context.Context) {
	t.Helper()
	typ, data, err := s.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, conn.Text, typ)
	var got struct {
		tick
		notice
	}
	require.NoError(t, json.Unmarshal(data, &got))
	if got.Missed > 0 {
		s.missed += got.Missed
		s.seq += uint64(got.Missed)
		return
	}
	if s.seq > 0 {
		require.Equal(t, s.seq+1, got.Seq)
	}
	require.Positive(t, got.Price)
	s.seq = got.Seq
}

func TestAllGetTheSameTicks(t *testing.T) {
	ctx, addr, times := start(t)
	a, b := subscribe(t, ctx, addr), subscribe(t, ctx, addr)
	for range 10 {
		times <- time.Now()
		a.next(t, ctx)
		b.next(t, ctx)
	}
	require.Equal(t, stats{Peers: 2, Sent: 20}, getStats(t, addr))
}

func TestASlowClientMissesTicksAndIsToldHowMany(t *testing.T) {
	ctx, addr, times := start(t)
	slow, fast := subscribe(t, ctx, addr), subscribe(t, ctx, addr)
	for getStats(t, addr).Dropped == 0 {
		for range 500 {
			times <- time.Now()
			fast.next(t, ctx)
		}
	}
	for slow.missed == 0 {
		slow.next(t, ctx)
	}
	require.EqualValues(t, getStats(t, addr).Dropped, slow.missed)
	require.Equal(t, fast.seq, slow.seq)
	require.Zero(t, fast.missed)
	times <- time.Now() // and it goes on
	slow.next(t, ctx)
	fast.next(t, ctx)
}

func TestShutdownEndsTheFeedNormally(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, ln, time.Tick(time.Millisecond)) }()
	s := subscribe(t, t.Context(), ln.Addr().String())
	s.next(t, t.Context())
	stop()
	for _, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
	}
	require.True(t, conn.NormalEnd(s.Err()), s.Err())
	require.NoError(t, <-done)
}

func TestAListenerThatFailsEndsTheProgram(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	require.ErrorIs(t, run(t.Context(), ln, nil), net.ErrClosed)
}
