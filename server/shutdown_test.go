package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// onServer runs a server with a function and with events, and tells whether its
// handlers are all done.
func onServer(t *testing.T, test func(t *testing.T, s *server.Server, addr string, running *atomic.Int32)) {
	handle := func(running *atomic.Int32) *server.Server {
		return &server.Server{Handle: func(ctx context.Context, c *conn.Conn) error {
			running.Add(1)
			defer running.Add(-1)
			return echo(ctx, c)
		}}
	}
	t.Run("Handle over Serve", func(t *testing.T) {
		var running atomic.Int32
		s := handle(&running)
		test(t, s, serve(t, s), &running)
	})
	t.Run("Handle over ServeHTTP", func(t *testing.T) {
		var running atomic.Int32
		s := handle(&running)
		test(t, s, serveHTTP(t, s), &running)
	})
	t.Run("Events", func(t *testing.T) {
		var running atomic.Int32
		s := echoServer(server.Options{})
		s.Events.Open = func(*server.Peer) { running.Add(1) }
		s.Events.Close = func(*server.Peer, error) { running.Add(-1) }
		test(t, s, serve(t, s), &running)
	})
}

// during runs Shutdown.
func during(s *server.Server, ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	return done
}

func TestShutdownClosesEveryConnectionAndWaitsForAll(t *testing.T) {
	onServer(t, func(t *testing.T, s *server.Server, addr string, running *atomic.Int32) {
		var clients []*client
		for range 20 {
			c := connect(t, addr)
			c.send(text("x"))
			c.expect(frame.Text, "x")
			clients = append(clients, c)
		}
		require.EqualValues(t, 20, running.Load())
		done := during(s, t.Context())
		for _, c := range clients {
			c.expect(frame.Close, "\x03\xe9")
		}
		select {
		case <-done:
			require.FailNow(t, "it did not wait")
		case <-time.After(50 * time.Millisecond):
		}
		for _, c := range clients {
			c.send(closing(1001, ""))
			c.ended()
			c.nc.Close()
		}
		require.NoError(t, await(t, done, "the end of Shutdown"))
		require.Zero(t, running.Load())
		require.NoError(t, s.Shutdown(t.Context()), "again")
	})
}

func TestShutdownHurriesWhenItsContextEnds(t *testing.T) {
	onServer(t, func(t *testing.T, s *server.Server, addr string, running *atomic.Int32) {
		c := connect(t, addr)
		c.send(text("x"))
		c.expect(frame.Text, "x")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
		require.Less(t, time.Since(start), 2*time.Second)
		c.expect(frame.Close, "\x03\xe9")
		c.over()
		require.Eventually(t, func() bool { return running.Load() == 0 }, patience, time.Millisecond)
	})
}

func TestTheContextOfAHandlerEndsWhenShutdownBegins(t *testing.T) {
	entered, over := make(chan struct{}), make(chan struct{})
	s := &server.Server{Handle: func(ctx context.Context, c *conn.Conn) error {
		close(entered)
		<-ctx.Done()
		close(over)
		return nil
	}}
	c := connect(t, serve(t, s))
	await(t, entered, "the call")
	done := during(s, t.Context())
	c.expect(frame.Close, "\x03\xe9")
	select { // the peer has not answered and does not need to
	case <-over:
	case <-time.After(time.Second):
		require.Fail(t, "the context did not end when Shutdown began")
	}
	c.send(closing(1001, ""))
	c.ended()
	c.nc.Close()
	require.NoError(t, await(t, done, "the end of Shutdown"))
}

func TestShutdownWaitsForAHandlerWhoseConnectionIsOver(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := &server.Server{Handle: func(ctx context.Context, c *conn.Conn) error {
		close(entered)
		<-release
		return nil
	}}
	c := connect(t, serve(t, s))
	await(t, entered, "the call")
	c.nc.Close()
	done := during(s, t.Context())
	select {
	case <-done:
		require.FailNow(t, "it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	require.NoError(t, await(t, done, "the end of Shutdown"))
}

func TestShutdownMayBeCalledSeveralTimesAtOnce(t *testing.T) {
	s := echoServer(server.Options{})
	c := connect(t, serve(t, s))
	c.send(text("x"))
	c.expect(frame.Text, "x")
	var calls []<-chan error
	for range 4 {
		calls = append(calls, during(s, t.Context()))
	}
	c.expect(frame.Close, "\x03\xe9")
	time.Sleep(20 * time.Millisecond) // all of them wait most likely
	c.send(closing(1001, ""))
	c.ended()
	c.nc.Close()
	for _, done := range calls {
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(2 * time.Second):
			require.FailNow(t, "one call never returned")
		}
	}
}

func TestServeReturnsWhenShutDown(t *testing.T) {
	t.Run("while it accepts", func(t *testing.T) {
		s := &server.Server{Handle: echo}
		a, b := listen(t), listen(t)
		first, second := serveOn(t, s, a), serveOn(t, s, b)
		connect(t, a.Addr().String()).nc.Close()
		connect(t, b.Addr().String()).nc.Close()
		require.NoError(t, s.Shutdown(t.Context()))
		require.Equal(t, server.ErrServerClosed, await(t, first, "the end of Serve"))
		require.Equal(t, server.ErrServerClosed, await(t, second, "the end of Serve"))
		_, err := net.Dial("tcp", a.Addr().String())
		require.Error(t, err)
	})
	t.Run("before it was called", func(t *testing.T) {
		s := &server.Server{Handle: echo}
		require.NoError(t, s.Shutdown(t.Context()))
		ln := listen(t)
		require.Equal(t, server.ErrServerClosed, s.Serve(ln))
		_, err := ln.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
	t.Run("a listener that failed is another error", func(t *testing.T) {
		s := &server.Server{Handle: echo}
		ln := listen(t)
		served := serveOn(t, s, ln)
		ln.Close()
		require.ErrorIs(t, await(t, served, "the end of Serve"), net.ErrClosed)
	})
}

func TestShutdownCutsHandshakesOff(t *testing.T) {
	for name, fallback := range map[string]http.Handler{"alone": nil, "with a fallback": describe} {
		t.Run(name, func(t *testing.T) {
			s := &server.Server{Handle: echo, Fallback: fallback}
			addr := serve(t, s)
			var clients []*client
			for _, begun := range []string{"", "GET / HT", valid[0] + "\r\n" + valid[1] + "\r\n"} {
				c := dial(t, addr)
				c.send(begun)
				clients = append(clients, c)
			}
			connect(t, addr).nc.Close()       // the others were accepted before
			time.Sleep(20 * time.Millisecond) // and are being read most likely
			start := time.Now()
			require.NoError(t, s.Shutdown(t.Context()))
			require.Less(t, time.Since(start), 2*time.Second)
			for _, c := range clients {
				c.over()
			}
		})
	}
}

func TestShutdownEndsThePagesToo(t *testing.T) {
	s := withFallback()
	addr := serve(t, s)
	idle := dial(t, addr)
	idle.send(page)
	idle.response()
	require.NoError(t, s.Shutdown(t.Context()))
	idle.over()
}

func TestAfterShutdownAnHTTPServerIsToldSo(t *testing.T) {
	s := &server.Server{Handle: echo}
	addr := serveHTTP(t, s)
	require.NoError(t, s.Shutdown(t.Context()))
	c := dial(t, addr)
	c.send(valid.String())
	c.refused(http.StatusServiceUnavailable)
}

// flaky is a listener that fails now and then.
type flaky struct {
	net.Listener
	errs []error
}

func (f *flaky) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	return f.Listener.Accept()
}

func TestAListenerOutOfDescriptorsIsAskedAgain(t *testing.T) {
	s := &server.Server{Handle: echo}
	ln := &flaky{listen(t), []error{syscall.EMFILE, syscall.ENFILE, syscall.EMFILE}}
	serveOn(t, s, ln)
	c := connect(t, ln.Addr().String())
	c.send(text("x"))
	c.expect(frame.Text, "x")
}

func TestALingeringErrorOfTheListenerDoesNotHoldShutdownUp(t *testing.T) {
	s := &server.Server{Handle: echo}
	ln := &flaky{Listener: listen(t)}
	for range 1000 {
		ln.errs = append(ln.errs, syscall.EMFILE)
	}
	served := serveOn(t, s, ln)
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, s.Shutdown(t.Context()))
	err := await(t, served, "the end of Serve")
	require.True(t, errors.Is(err, server.ErrServerClosed) || errors.Is(err, io.EOF), "%v", err)
}

// A handshake that was accepted is never cut: whoever has read the 101 gets a
// Close as well, however close the two moments are.
func TestWhoeverIsAcceptedWhileShutdownBeginsGetsItsClose(t *testing.T) {
	for round := range 30 {
		s := echoServer(server.Options{})
		addr := serve(t, s)
		first := connect(t, addr)
		began := make(chan struct{})
		go func() {
			<-began
			s.Shutdown(context.Background())
		}()
		clients := make([]*client, 8)
		for i := range clients {
			clients[i] = dial(t, addr)
		}
		for i, c := range clients {
			c.trySend(valid.String())
			if i == round%len(clients) {
				close(began)
			}
		}
		first.expect(frame.Close, "\x03\xe9")
		first.nc.Close()
		for _, c := range clients {
			head, err := http.ReadResponse(c.r, nil)
			if err == nil && head.StatusCode == http.StatusSwitchingProtocols {
				c.expect(frame.Close, "\x03\xe9")
			}
			c.nc.Close()
		}
	}
}
