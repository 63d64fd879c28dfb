package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// onEvents serves events over both ways in.
func onEvents(t *testing.T, make func(t *testing.T) *server.Server, test func(t *testing.T, addr string)) {
	t.Run("Serve", func(t *testing.T) { test(t, serve(t, make(t))) })
	t.Run("ServeHTTP", func(t *testing.T) { test(t, serveHTTP(t, make(t))) })
}

func TestTheCallbacksComeInOrderAndCloseOnce(t *testing.T) {
	ends := map[string]struct {
		end   func(c *client)
		check func(err *conn.CloseError) bool
	}{
		"a Close": {func(c *client) { c.send(closing(1000, "bye")) }, func(e *conn.CloseError) bool {
			return e.Code == 1000 && e.Reason == "bye" && e.Remote && conn.NormalEnd(e)
		}},
		"no code":     {func(c *client) { c.send(masked(0x88, "")) }, func(e *conn.CloseError) bool { return e.Code == 1005 && conn.NormalEnd(e) }},
		"a violation": {func(c *client) { c.send(masked(0x83, "")) }, func(e *conn.CloseError) bool { return e.Code == 1002 && !e.Remote && !conn.NormalEnd(e) }},
		"an end":      {func(c *client) { c.nc.Close() }, func(e *conn.CloseError) bool { return e.Code == 1006 && !conn.NormalEnd(e) }},
		"a reset": {func(c *client) { c.nc.(*net.TCPConn).SetLinger(0); c.nc.Close() }, func(e *conn.CloseError) bool {
			return e.Code == 1006 && !conn.NormalEnd(e)
		}},
	}
	for name, test := range ends {
		t.Run("ended by "+name, func(t *testing.T) {
			calls := make(chan string, 100)
			over := make(chan error, 2)
			var inside atomic.Int32
			enter := func(call string) func() {
				if inside.Add(1) != 1 {
					call += " (together with another)"
				}
				calls <- call
				return func() { inside.Add(-1) }
			}
			onEvents(t, func(*testing.T) *server.Server {
				return &server.Server{Events: server.Events{
					Open:    func(p *server.Peer) { defer enter("open " + p.Request().URL.Path)() },
					Message: func(p *server.Peer, typ conn.Type, data []byte) { defer enter(fmt.Sprint(typ, " ", string(data)))() },
					Close: func(p *server.Peer, err error) {
						defer enter("close")()
						over <- err
					},
				}}
			}, func(t *testing.T, addr string) {
				c := connect(t, addr)
				c.send(text("1"), bin("2"), masked(0x01, "3"), masked(0x80, ""), text("4"))
				for _, want := range []string{"open /chat", "text 1", "binary 2", "text 3", "text 4"} {
					require.Equal(t, want, await(t, calls, want))
				}
				test.end(c)
				require.Equal(t, "close", await(t, calls, "close"))
				err := await(t, over, "the error")
				var end *conn.CloseError
				require.True(t, errors.As(err, &end), "%v", err)
				require.True(t, test.check(end), "%+v", end)
				time.Sleep(5 * time.Millisecond)
				require.Empty(t, calls, "nothing comes after Close")
			})
		})
	}
}

func TestAServerWithoutCallbacksTakesEverything(t *testing.T) {
	onEvents(t, func(*testing.T) *server.Server { return &server.Server{} }, func(t *testing.T, addr string) {
		c := connect(t, addr)
		c.send(text("x"), ping("p"), closing(1000, ""))
		c.expect(frame.Pong, "p")
		c.expectClose(1000, "")
	})
}

func TestRequestIsThereDuringOpenOrAsLongAsAskedFor(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("KeepRequest ", keep), func(t *testing.T) {
			onEvents(t, func(t *testing.T) *server.Server {
				return &server.Server{
					Options: server.Options{KeepRequest: keep, Subprotocols: []string{"v1"}},
					Events: server.Events{
						Open: func(p *server.Peer) {
							require.Equal(goroutineT{t}, "q=1", p.Request().URL.RawQuery)
							require.Nil(goroutineT{t}, p.Value())
							p.SetValue("mine")
						},
						Message: func(p *server.Peer, typ conn.Type, data []byte) {
							p.Send(typ, fmt.Appendf(nil, "%v %v %v %v", p.Request() != nil, p.Value(), p.Subprotocol(), p.RemoteAddr()))
							p.SetValue(nil)
						},
					},
				}
			}, func(t *testing.T, addr string) {
				c := dial(t, addr)
				c.send(valid.set("GET /?q=1 HTTP/1.1").with("Sec-WebSocket-Protocol: v1").String(), text("x"), text("y"))
				c.accepted()
				c.expect(frame.Text, fmt.Sprintf("%v mine v1 %v", keep, c.nc.LocalAddr()))
				c.expect(frame.Text, fmt.Sprintf("%v <nil> v1 %v", keep, c.nc.LocalAddr()))
			})
		})
	}
}

func TestAPanicInACallbackEndsTheConnectionWith1011(t *testing.T) {
	for _, where := range []string{"Open", "Message", "Drained", "Close"} {
		t.Run(where, func(t *testing.T) {
			log := &lines{}
			over, full := make(chan error, 2), make(chan struct{}, 1)
			bad := func(name string) {
				if name == where {
					panic("secret detail")
				}
			}
			onEvents(t, func(*testing.T) *server.Server {
				return &server.Server{
					Options: server.Options{Log: slog.New(slog.NewTextHandler(log, nil)), Conn: conn.Options{MaxOutput: 100}},
					Events: server.Events{
						Open: func(*server.Peer) { bad("Open") },
						Message: func(p *server.Peer, typ conn.Type, data []byte) {
							bad("Message")
							if where == "Drained" {
								for p.Send(typ, data) == nil {
								}
								full <- struct{}{}
							}
						},
						Drained: func(*server.Peer) { bad("Drained") },
						Close: func(_ *server.Peer, err error) {
							over <- err
							bad("Close")
						},
					},
				}
			}, func(t *testing.T, addr string) {
				c := connect(t, addr)
				big := pattern(1000)
				c.send(text(big))
				if where == "Drained" {
					await(t, full, "ErrBackpressure") // for which the client must not read
				}
				code := frame.CloseCode(1011)
				if where == "Close" {
					code = 1000
					c.send(closing(1000, ""))
				}
				h, payload := c.frame()
				for h.Opcode == frame.Text {
					require.Equal(t, big, payload)
					h, payload = c.frame()
				}
				require.Equal(t, frame.Close, h.Opcode)
				require.Equal(t, string(frame.AppendClose(nil, code, "")), payload)
				c.send(closing(code, ""))
				c.ended()
				c.nc.Close()
				var end *conn.CloseError
				require.ErrorAs(t, await(t, over, "Close"), &end)
				require.Equal(t, code, end.Code)
				require.Eventually(t, func() bool { return strings.Contains(log.String(), "secret detail") }, patience, time.Millisecond)
			})
		})
	}
}

func TestCloseFromACallbackSendsWhatWasSentBefore(t *testing.T) {
	over := make(chan error, 1)
	onEvents(t, func(t *testing.T) *server.Server {
		return &server.Server{Events: server.Events{
			Message: func(p *server.Peer, typ conn.Type, data []byte) {
				p.Send(typ, data)
				require.ErrorIs(goroutineT{t}, p.Close(1006, ""), p.Close(999, ""))
				require.NoError(goroutineT{t}, p.Close(4000, "enough"))
				require.NoError(goroutineT{t}, p.Close(4001, "again"))
				require.Error(goroutineT{t}, p.Send(typ, data))
			},
			Close: func(_ *server.Peer, err error) { over <- err },
		}}
	}, func(t *testing.T, addr string) {
		c := connect(t, addr)
		c.send(text("x"))
		c.expect(frame.Text, "x")
		c.expect(frame.Close, "\x0f\xa0enough")
		c.send(closing(4000, ""))
		c.ended()
		var end *conn.CloseError
		require.ErrorAs(t, await(t, over, "Close"), &end)
		require.Equal(t, conn.CloseCode(4000), end.Code)
		require.False(t, end.Remote)
	})
}

func TestSixteenGoroutinesMaySend(t *testing.T) {
	const senders, each = 16, 200
	prepared := conn.Prepare(conn.Text, []byte("prepared"))
	onEvents(t, func(t *testing.T) *server.Server {
		return &server.Server{Events: server.Events{Open: func(p *server.Peer) {
			for s := range senders {
				go func() {
					for i := range each {
						require.NoError(goroutineT{t}, p.Send(conn.Text, fmt.Appendf(nil, "%d %d", s, i)))
						require.NoError(goroutineT{t}, p.SendPrepared(prepared))
					}
				}()
			}
		}}}
	}, func(t *testing.T, addr string) {
		c := connect(t, addr)
		next, broadcast := make(map[int]int), 0
		for range 2 * senders * each {
			h, payload := c.frame()
			require.Equal(t, frame.Text, h.Opcode)
			if payload == "prepared" {
				broadcast++
				continue
			}
			var s, i int
			_, err := fmt.Sscan(payload, &s, &i)
			require.NoError(t, err)
			require.Equal(t, next[s], i, "in order")
			next[s]++
		}
		require.Equal(t, senders*each, broadcast)
	})
}

func TestPingMeasuresTheRoundTripOrSaysHowItEnded(t *testing.T) {
	type result struct {
		pong control.Pong
		err  error
	}
	results := make(chan result, 2)
	onEvents(t, func(*testing.T) *server.Server {
		return &server.Server{Events: server.Events{Message: func(p *server.Peer, _ conn.Type, _ []byte) {
			p.Ping(nil)
			p.Ping(func(pong control.Pong, err error) { results <- result{pong, err} })
		}}}
	}, func(t *testing.T, addr string) {
		c := connect(t, addr)
		c.send(text("now"))
		_, first := c.frame()
		h, second := c.frame()
		require.Equal(t, frame.Ping, h.Opcode)
		require.NotEqual(t, first, second)
		time.Sleep(30 * time.Millisecond)
		c.send(masked(0x8a, first), masked(0x8a, second))
		got := await(t, results, "the pong")
		require.NoError(t, got.err)
		require.Greater(t, got.pong.RTT, 25*time.Millisecond)
		require.Less(t, got.pong.RTT, 10*time.Second)

		c.send(text("now"))
		c.frame()
		c.frame()
		c.nc.Close()
		var end *conn.CloseError
		require.ErrorAs(t, await(t, results, "the end").err, &end)
	})
}

// segments counts the reads that it took to get n bytes.
func segments(t *testing.T, nc net.Conn, n int) (reads int) {
	b := make([]byte, 64<<10)
	for n > 0 {
		k, err := nc.Read(b)
		require.NoError(t, err)
		n -= k
		reads++
	}
	return reads
}

func TestRepliesToABatchLeaveTogether(t *testing.T) {
	onEvents(t, func(*testing.T) *server.Server { return echoServer(server.Options{}) }, func(t *testing.T, addr string) {
		c := connect(t, addr)
		batch := strings.Repeat(text(pattern(100)), 64)
		for range 20 {
			c.send(batch)
			require.LessOrEqual(t, segments(t, c.nc, 64*102), 3)
		}
	})
}

func TestDetachGivesTheRestToAGoroutine(t *testing.T) {
	closed := make(chan error, 1)
	onEvents(t, func(t *testing.T) *server.Server {
		return &server.Server{Events: server.Events{
			Message: func(p *server.Peer, typ conn.Type, data []byte) {
				if string(data) != "detach" {
					p.Send(typ, append([]byte("event "), data...))
					return
				}
				c, err := p.Detach()
				require.NoError(goroutineT{t}, err)
				go func() {
					for {
						typ, data, err := c.ReadMessage(context.Background())
						if err != nil {
							return
						}
						c.Write(context.Background(), typ, append([]byte("read "), data...))
					}
				}()
			},
			Close: func(_ *server.Peer, err error) { closed <- err },
		}}
	}, func(t *testing.T, addr string) {
		for range 50 {
			c := connect(t, addr)
			big := pattern(100_000)
			go c.trySend(text("1") + text("detach") + text("2") + masked(0x01, "3") + ping("") + masked(0x80, "4") + text(big))
			want := []string{"event 1", "read 2", "read 34", "read " + big}
			for _, want := range want {
				h, payload := c.frame()
				if h.Opcode == frame.Pong {
					_, payload = c.frame()
				}
				require.Equal(t, want, payload)
			}
			c.send(text("5"), closing(1000, ""))
			h, payload := c.frame()
			if h.Opcode == frame.Pong {
				_, payload = c.frame()
			}
			require.Equal(t, "read 5", payload)
			c.expectClose(1000, "")
		}
		require.Empty(t, closed)
	})
}

func TestDetachInOpenGivesEverything(t *testing.T) {
	var running sync.WaitGroup
	s := &server.Server{Events: server.Events{
		Open: func(p *server.Peer) {
			c, err := p.Detach()
			require.NoError(goroutineT{t}, err)
			running.Go(func() { echoAndClose(c) })
		},
		Message: func(*server.Peer, conn.Type, []byte) { require.Fail(goroutineT{t}, "detached") },
		Close:   func(*server.Peer, error) { require.Fail(goroutineT{t}, "detached") },
	}}
	c := dial(t, serve(t, s))
	c.send(valid.String(), text("x"))
	c.accepted()
	c.expect(frame.Text, "x")
	done := during(s, t.Context())
	c.expect(frame.Close, "\x03\xe9")
	c.send(closing(1001, ""))
	c.ended()
	c.nc.Close()
	require.NoError(t, await(t, done, "the end of Shutdown, which knows of it"))
	running.Wait()
}
