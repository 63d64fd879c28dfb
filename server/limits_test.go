package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

func onRaw(t *testing.T, test func(t *testing.T, e entry)) {
	onEach(t, func(t *testing.T, e entry) {
		if !e.raw {
			t.Skip("net/http has limits of its own")
		}
		test(t, e)
	})
}

// padded is a handshake whose header block has this size.
func padded(size int) string {
	r := valid.with("X-Padding: ")
	return valid.with("X-Padding: " + strings.Repeat("x", size-len(r.String()))).String()
}

// lined is a handshake with this many header lines, the request line not
// counted.
func lined(n int) string {
	r := valid
	for i := len(valid) - 1; i < n; i++ {
		r = r.with(fmt.Sprintf("X-%d: y", i))
	}
	return r.String()
}

func TestAHeaderOf16KiBOr128LinesIsAcceptedAndOneMoreIsNot(t *testing.T) {
	require.Len(t, padded(16<<10), 16<<10)
	tests := []struct {
		name, bytes string
		ok          bool
	}{
		{"16 KiB", padded(16 << 10), true},
		{"16 KiB and a byte", padded(16<<10 + 1), false},
		{"16 KiB and two bytes", padded(16<<10 + 2), false},
		{"64 KiB", padded(64 << 10), false},
		{"16 KiB without an end", padded(16 << 10)[:16<<10-2] + "xxx", false},
		{"128 lines", lined(128), true},
		{"129 lines", lined(129), false},
		{"one long line", "GET /" + strings.Repeat("a", 20<<10), false},
		{"many short lines", strings.Repeat("a\r\n", 300), false},
		{"one long line of NUL", strings.Repeat("\x00", 20<<10), false},
	}
	onRaw(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				c := dial(t, addr)
				c.send(test.bytes)
				if !test.ok {
					c.refused(431)
					return
				}
				c.send(text("x"))
				c.accepted()
				c.expect(frame.Text, "x")

				c = dial(t, addr)
				c.send(test.bytes, text("behind"))
				c.accepted()
				c.expect(frame.Text, "behind")
			})
		}
	})
}

func TestAHandshakeThatDripsEndsAtTheTimeout(t *testing.T) {
	const timeout = 150 * time.Millisecond
	onRaw(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{HandshakeTimeout: timeout})
		before := runtime.NumGoroutine()
		start := time.Now()
		each(t, 16, func(t tb, i int) {
			c := dial(t, addr)
			defer c.nc.Close()
			all := valid.String()
			over := make(chan struct{})
			go func() {
				defer close(over)
				for at := 0; at < len(all) && c.trySend(all[at:at+1]); at++ {
					time.Sleep(10 * time.Millisecond)
				}
			}()
			c.refused(408)
			c.nc.Close()
			<-over
		})
		require.GreaterOrEqual(t, time.Since(start), timeout)
		require.Less(t, time.Since(start), timeout+3*time.Second)
		gone := func() bool { return runtime.NumGoroutine() <= before+1 } // Eventually has one itself
		if !gone() {
			require.Eventually(t, gone, patience, 5*time.Millisecond)
		}
	})
}

func TestAConnectionOnWhichNothingComesEndsAtTheTimeout(t *testing.T) {
	onRaw(t, func(t *testing.T, e entry) {
		c := dial(t, e.serve(t, server.Options{HandshakeTimeout: 50 * time.Millisecond}))
		c.over()
	})
}

func TestTheTimeoutOfTheHandshakeIsOverWithTheHandshake(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := connect(t, e.serve(t, server.Options{HandshakeTimeout: 50 * time.Millisecond}))
		c.silent(150 * time.Millisecond)
		c.send(text("still there"))
		c.expect(frame.Text, "still there")
	})
}

func TestARequestThatBreaksOffEndsTheConnection(t *testing.T) {
	all := valid.String()
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		each(t, len(all), func(t tb, i int) {
			c := dial(t, addr)
			defer c.nc.Close()
			c.send(all[:i])
			require.NoError(t, c.nc.(*net.TCPConn).CloseWrite())
			rest, err := io.ReadAll(c.r)
			require.NoError(t, err)
			require.NotContains(t, string(rest), "101")
		})
	})
}

var cancellations = map[string]func(c *client){
	"before it began":     nil,
	"while it reads":      func(*client) {},
	"in half of a header": func(c *client) { c.send("GET / HTTP/1.1\r\n") },
}

// cancelled returns the error of an Upgrade whose context ends.
func cancelled(t *testing.T, during func(c *client)) error {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	c := dial(t, ln.Addr().String())
	defer c.nc.Close()
	nc, err := ln.Accept()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if during == nil {
		cancel()
	} else {
		during(c)
		time.AfterFunc(time.Millisecond, cancel)
	}
	result := make(chan error, 1)
	go func() {
		_, _, err := server.Upgrade(ctx, nc, nil)
		result <- err
	}()
	go io.Copy(io.Discard, c.nc) // which ends when nc is closed
	select {
	case err = <-result:
	case <-time.After(5 * time.Second):
		require.FailNow(t, "the end of the context was missed")
	}
	_, writeErr := nc.Write([]byte("x"))
	require.ErrorIs(t, writeErr, net.ErrClosed)
	return err
}

func TestUpgradeReturnsWhenItsContextEnds(t *testing.T) {
	for name, during := range cancellations {
		t.Run(name, func(t *testing.T) {
			tries := 300
			if during != nil {
				tries = 3
			}
			for range tries {
				require.Error(t, cancelled(t, during))
			}
		})
	}
}

// lateDeadline sets a deadline that is to come a little late, as if the
// goroutine had lost its turn.
type lateDeadline struct{ net.Conn }

func (l lateDeadline) SetDeadline(at time.Time) error {
	if time.Until(at) > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	return l.Conn.SetDeadline(at)
}

func TestTheDeadlineOfTheHandshakeDoesNotUndoTheEndOfTheContext(t *testing.T) {
	ln := listen(t)
	c := dial(t, ln.Addr().String())
	nc, err := ln.Accept()
	require.NoError(t, err)
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result := make(chan error, 1)
	go func() {
		_, _, err := server.Upgrade(ctx, lateDeadline{nc}, nil)
		result <- err
	}()
	select {
	case err = <-result:
		require.Error(t, err)
	case <-time.After(3 * time.Second):
		require.FailNow(t, "it waits for the request of a context that has ended")
	}
	c.over()
}

func TestUpgradeSaysThatItsContextEnded(t *testing.T) {
	for name, during := range cancellations {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, cancelled(t, during), context.Canceled)
		})
	}
}

func TestUpgradeReturnsTheRequest(t *testing.T) {
	for name, bytes := range map[string]string{"accepted": valid.String(), "refused": valid.without("Upgrade").String()} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			c := dial(t, ln.Addr().String())
			c.send(bytes)
			c.nc.(*net.TCPConn).CloseWrite()
			nc, err := ln.Accept()
			require.NoError(t, err)
			ws, r, err := server.Upgrade(t.Context(), nc, nil)
			require.Equal(t, name == "accepted", err == nil)
			require.Equal(t, name == "accepted", ws != nil)
			require.Equal(t, "/chat", r.URL.Path)
			require.Equal(t, "example.com", r.Host)
			require.Equal(t, c.nc.LocalAddr().String(), r.RemoteAddr)
			if ws != nil {
				ws.CloseNow()
			}
		})
	}
}

func TestUpgradeSaysWhatWasWrong(t *testing.T) {
	tests := map[string]struct {
		bytes string
		check func(error) bool
	}{
		"nothing came":     {"", func(err error) bool { return err == io.EOF }},
		"half came":        {"GET", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"not HTTP":         {"x\r\n\r\n", func(err error) bool { return strings.Contains(err.Error(), "400") }},
		"no key":           {valid.without("Sec-WebSocket-Key").String(), func(err error) bool { return strings.Contains(err.Error(), "Sec-WebSocket-Key") }},
		"not a WebSocket":  {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(err error) bool { return strings.Contains(err.Error(), "426") }},
		"too large a head": {padded(20 << 10), func(err error) bool { return strings.Contains(err.Error(), "431") }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			c := dial(t, ln.Addr().String())
			c.send(test.bytes)
			c.nc.(*net.TCPConn).CloseWrite()
			nc, err := ln.Accept()
			require.NoError(t, err)
			_, _, err = server.Upgrade(t.Context(), nc, nil)
			require.Error(t, err)
			require.True(t, test.check(err), "%v", err)
			_, err = nc.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestAListenerOfTLSIsServed(t *testing.T) {
	certificate := selfSigned(t)
	addr := serveTLS(t, &server.Server{Handle: echo}, certificate)

	t.Run("frames are echoed", func(t *testing.T) {
		c := dialTLS(t, addr)
		c.send(valid.String(), text("with the request"))
		c.accepted()
		c.expect(frame.Text, "with the request")
		big := pattern(300_000)
		go c.trySend(bin(big))
		c.expect(frame.Binary, big)
		c.send(closing(1000, ""))
		c.expectClose(1000, "")
	})
	t.Run("a violation is answered", func(t *testing.T) {
		c := dialTLS(t, addr)
		c.send(valid.String(), text("a"), "\x81\x01x", strings.Repeat(text("more"), 1000))
		c.accepted()
		c.expect(frame.Text, "a")
		c.expectCode(1002)
	})
	t.Run("the origin must be https", func(t *testing.T) {
		for origin, status := range map[string]int{"https://example.com": 101, "http://example.com": 403} {
			c := dialTLS(t, addr)
			c.send(valid.with("Origin: " + origin).String())
			r, _ := c.response()
			require.Equal(t, status, r.StatusCode, origin)
		}
	})
	t.Run("who does not speak it is cut off", func(t *testing.T) {
		c := dial(t, addr)
		c.send(valid.String())
		c.over()
	})
}

func dialTLS(t tb, addr string) *client {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	return talk(t, nc)
}

func serveTLS(t tb, s *server.Server, certificate tls.Certificate) (addr string) {
	ln := listen(t)
	serveOn(t, s, tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	return ln.Addr().String()
}
