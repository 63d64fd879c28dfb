package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

type handle func(ctx context.Context, c *conn.Conn) error

// onHandler serves a function both ways.
func onHandler(t *testing.T, opts *server.Options, f handle, test func(t *testing.T, addr string)) {
	t.Run("Handler", func(t *testing.T) { test(t, serveHTTP(t, server.Handler(opts, f))) })
	t.Run("Serve", func(t *testing.T) {
		s := &server.Server{Handle: f}
		if opts != nil {
			s.Options = *opts
		}
		test(t, serve(t, s))
	})
}

// lines is a log that a test may look at.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWhatAHandlerReturnsIsHowTheConnectionEnds(t *testing.T) {
	detail := errors.New("secret detail")
	tests := []struct {
		name   string
		f      func() error
		close  []byte
		logged string
	}{
		{"nil is 1000", func() error { return nil }, frame.AppendClose(nil, 1000, ""), ""},
		{"a CloseError has its code and reason", func() error { return &conn.CloseError{Code: 4001, Reason: "because"} }, frame.AppendClose(nil, 4001, "because"), ""},
		{"also when it is wrapped", func() error { return fmt.Errorf("%w: %w", detail, &conn.CloseError{Code: 1013}) }, frame.AppendClose(nil, 1013, ""), ""},
		{"1005 is a Close without a code", func() error { return &conn.CloseError{Code: 1005} }, nil, ""},
		{"a code that must not be sent is 1011", func() error { return &conn.CloseError{Code: 1006} }, frame.AppendClose(nil, 1011, ""), "1006"},
		{"a reason that is too long is 1011", func() error { return &conn.CloseError{Code: 4000, Reason: pattern(124)} }, frame.AppendClose(nil, 1011, ""), ""},
		{"any other error is 1011 without its text", func() error { return detail }, frame.AppendClose(nil, 1011, ""), "secret detail"},
		{"a panic is 1011 without its text", func() error { panic("secret detail") }, frame.AppendClose(nil, 1011, ""), "secret detail"},
		{"a panic with nil as well", func() error { panic(nil) }, frame.AppendClose(nil, 1011, ""), "panic"},
		{"and one with an error", func() error { panic(detail) }, frame.AppendClose(nil, 1011, ""), "secret detail"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := &lines{}
			opts := &server.Options{Log: slog.New(slog.NewTextHandler(log, nil))}
			f := func(ctx context.Context, c *conn.Conn) error {
				if err := c.Write(ctx, conn.Text, []byte("last words")); err != nil {
					return err
				}
				return test.f()
			}
			onHandler(t, opts, f, func(t *testing.T, addr string) {
				c := connect(t, addr)
				c.expect(frame.Text, "last words")
				c.expect(frame.Close, string(test.close))
				c.send(masked(0x88, string(test.close)))
				c.ended()
				if test.logged == "" {
					require.Empty(t, log.String())
				} else {
					require.Contains(t, log.String(), test.logged)
				}
			})
		})
	}
}

type valueKey struct{}

func TestTheContextOfAHandler(t *testing.T) {
	got := make(chan context.Context, 1)
	opts := &server.Options{Log: quiet}
	f := func(ctx context.Context, c *conn.Conn) error {
		got <- ctx
		<-ctx.Done()
		return nil
	}
	ends := map[string]func(c *client){
		"a Close":      func(c *client) { c.send(closing(1000, "")) },
		"a violation":  func(c *client) { c.send(masked(0x83, "")) },
		"a lost peer":  func(c *client) { c.nc.Close() },
		"a half-close": func(c *client) { c.nc.(interface{ CloseWrite() error }).CloseWrite() },
	}
	onHandler(t, opts, f, func(t *testing.T, addr string) {
		for name, end := range ends {
			t.Run("ends with the connection, by "+name, func(t *testing.T) {
				c := connect(t, addr)
				ctx := await(t, got, "the call")
				require.NoError(t, ctx.Err())
				end(c)
				await(t, ctx.Done(), "the end of the context")
			})
		}
	})
	t.Run("has the values of the request's and not its end", func(t *testing.T) {
		h := server.Handler(opts, f)
		returned := make(chan struct{})
		c := connect(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), valueKey{}, "kept")))
			close(returned)
		})))
		ctx := await(t, got, "the call")
		await(t, returned, "the return of ServeHTTP while the function runs")
		require.Equal(t, "kept", ctx.Value(valueKey{}))
		time.Sleep(20 * time.Millisecond) // net/http cancels the request's own
		require.NoError(t, ctx.Err())
		c.nc.Close()
		await(t, ctx.Done(), "the end of the context")
	})
}

func TestAServerOfNetHTTPThatEndsLeavesOurConnectionsAlone(t *testing.T) {
	ln := listen(t)
	s := &http.Server{Handler: server.Handler(nil, echo)}
	go s.Serve(ln)
	a, b := connect(t, ln.Addr().String()), connect(t, ln.Addr().String())
	require.NoError(t, s.Shutdown(t.Context()))
	a.send(text("after Shutdown"))
	a.expect(frame.Text, "after Shutdown")
	require.NoError(t, s.Close())
	b.send(text("after Close"))
	b.expect(frame.Text, "after Close")
}

func TestAWriterThatCannotBeHijackedIsRefused(t *testing.T) {
	c := dial(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := server.Accept(struct{ http.ResponseWriter }{w}, r, nil)
		require.Error(goroutineT{t}, err)
	})))
	c.send(valid.String())
	c.refused(500)
}
