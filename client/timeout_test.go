package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
)

// stall is where a server or a proxy stops to answer.
type stall struct {
	name, url string
	proxy     string
	serve     func(nc net.Conn)
}

func read(nc net.Conn) { nc.Read(make([]byte, 4<<10)) }

var stalls = []stall{
	{"before it answers", "ws://", "", read},
	{"in the status line", "ws://", "", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 10") }},
	{"before the empty line", "ws://", "", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 101 x\r\n") }},
	{"after an interim response", "ws://", "", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 100 x\r\n\r\n") }},
	{"after the greeting of another protocol", "ws://", "", func(nc net.Conn) { io.WriteString(nc, "220 mail.test ESMTP\r\n"); read(nc) }},
	{"before its TLS handshake", "wss://", "", read},
	{"in its TLS handshake", "wss://", "", func(nc net.Conn) { read(nc); io.WriteString(nc, "\x16\x03\x03\x01") }},
	{"as a proxy", "ws://", "http", read},
	{"as a proxy, in its answer", "ws://", "http", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 200 OK\r\n") }},
	{"as a proxy, after its answer", "ws://", "http", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n"); read(nc) }},
	{"as a proxy, after its answer, before TLS", "wss://", "http", func(nc net.Conn) { read(nc); io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n"); read(nc) }},
	{"as a proxy, before its TLS handshake", "ws://", "https", read},
	{"as a SOCKS proxy", "ws://", "socks5", read},
	{"as a SOCKS proxy, in its answer", "ws://", "socks5", func(nc net.Conn) {
		read(nc)
		io.WriteString(nc, "\x05\x00")
		read(nc)
		io.WriteString(nc, "\x05\x00\x00")
	}},
}

// listen returns what to dial to meet the stall, which is told to stalled.
func (s stall) listen(t *testing.T, stalled chan<- struct{}) (url string, opts *client.Options) {
	addr := listen(t, func(nc net.Conn) {
		s.serve(nc)
		stalled <- struct{}{}
		io.Copy(io.Discard, nc)
	})
	if s.proxy == "" {
		return s.url + addr, &client.Options{}
	}
	return s.url + "server.test", &client.Options{Proxy: through(s.proxy + "://" + addr)}
}

// through is a proxy for everything.
func through(proxy string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
}

func TestAServerThatStallsIsGivenUpInTime(t *testing.T) {
	leavesNothing(t)
	for _, test := range stalls {
		t.Run(test.name, func(t *testing.T) {
			url, opts := test.listen(t, make(chan struct{}, 1))
			opts.HandshakeTimeout = 50 * time.Millisecond
			began := time.Now()
			resp, err := refused(t, url, opts)
			require.Nil(t, resp)
			require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
			require.Less(t, time.Since(began), patience/2)
			requireTimeout(t, err)
			require.EqualError(t, err, "websocket: the handshake took too long")
		})
	}
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}

func TestAContextThatExpiresEndsTheDialling(t *testing.T) {
	leavesNothing(t)
	for _, test := range stalls {
		t.Run(test.name, func(t *testing.T) {
			url, opts := test.listen(t, make(chan struct{}, 1))
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			_, _, err := client.Dial(ctx, url, opts)
			requireTimeout(t, err)
		})
	}
}

func TestAContextThatIsCancelledEndsTheDialling(t *testing.T) {
	leavesNothing(t)
	for _, test := range stalls {
		t.Run(test.name, func(t *testing.T) {
			stalled := make(chan struct{}, 1)
			url, opts := test.listen(t, stalled)
			opts.HandshakeTimeout = -1
			ctx, cancel := context.WithCancel(context.Background())
			failed := make(chan error, 1)
			go func() {
				_, _, err := client.Dial(ctx, url, opts)
				failed <- err
			}()
			await(t, stalled, "the stall")
			began := time.Now()
			cancel()
			err := await(t, failed, "the end of Dial")
			require.Less(t, time.Since(began), 2*time.Second)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestADiallerMayTakeItsTimeOnlyUntilTheEndOfTheContext(t *testing.T) {
	leavesNothing(t)
	began := make(chan struct{}, 1)
	opts := &client.Options{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		began <- struct{}{}
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	}}
	for _, proxy := range []string{"", "http://proxy.test", "https://proxy.test", "socks5://proxy.test"} {
		if proxy != "" {
			opts.Proxy = through(proxy)
		}
		opts.HandshakeTimeout = time.Millisecond
		_, err := refused(t, "ws://server.test", opts)
		requireTimeout(t, err)
		<-began

		opts.HandshakeTimeout = 0
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-began
			cancel()
		}()
		_, _, err = client.Dial(ctx, "ws://server.test", opts)
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestNothingIsDialledWhenTheContextIsOver(t *testing.T) {
	leavesNothing(t)
	addr := answering(t, accepted.String())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, opts := range []*client.Options{nil, {DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", addr) // does not look
	}}} {
		c, _, err := client.Dial(ctx, "ws://"+addr, opts)
		require.Nil(t, c)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// cause is why a caller gives up.
type cause struct{ error }

func TestTheCallersOwnCauseIsToldBesideTheEndOfTheContext(t *testing.T) {
	leavesNothing(t)
	why := &cause{errors.New("we are going home")}
	addr := listen(t, read)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	_, _, err := client.Dial(ctx, "ws://"+addr, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, why)

	late, stop := context.WithTimeoutCause(context.Background(), time.Millisecond, why)
	defer stop()
	_, _, err = client.Dial(late, "ws://"+listen(t, func(nc net.Conn) { io.Copy(io.Discard, nc) }), nil)
	requireTimeout(t, err)
	require.ErrorIs(t, err, why)
}

func TestADripOfAHeaderIsGivenUpInTime(t *testing.T) {
	leavesNothing(t)
	addr := listen(t, func(nc net.Conn) {
		http.ReadRequest(bufio.NewReader(nc))
		drip := bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 101 x\r\nX: "), repeated('x')))
		for tick := time.Tick(5 * time.Millisecond); ; <-tick {
			b, _ := drip.ReadByte()
			if _, err := nc.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	_, err := refused(t, "ws://"+addr, &client.Options{HandshakeTimeout: 100 * time.Millisecond})
	requireTimeout(t, err)
}

func TestTheTimeToDialIsNotThatOfTheConnection(t *testing.T) {
	leavesNothing(t)
	ctx, cancel := context.WithCancel(within(t))
	addr := serve(t, echo())
	for _, opts := range []*client.Options{
		{HandshakeTimeout: patience}, {HandshakeTimeout: -1},
		{Proxy: client.NoProxy, DialContext: choppy(to(addr), 3)},
	} {
		c, _, err := client.Dial(ctx, "ws://"+addr, opts)
		require.NoError(t, err)
		defer c.CloseNow()
		defer requireEcho(t, c)
	}
	short := &client.Options{HandshakeTimeout: 500 * time.Millisecond}
	c, _, err := client.Dial(ctx, "ws://"+addr, short)
	require.NoError(t, err)
	defer c.CloseNow()
	cancel()
	over, stop := context.WithTimeout(context.Background(), 600*time.Millisecond)
	defer stop()
	_, _, err = c.ReadMessage(over)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireEcho(t, c)
}
