package conn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

func TestThePeersCloseIsAnsweredAndTold(t *testing.T) {
	for _, test := range []struct {
		code   conn.CloseCode
		reason string
		normal bool
	}{{1000, "", true}, {1001, "leaving", true}, {1005, "", true}, {1002, "", false}, {1011, "oh", false}, {3000, "", false}, {4999, "ünïcode", false}} {
		for _, role := range []endpoint.Role{endpoint.Server, endpoint.Client} {
			t.Run(fmt.Sprint(test.code, " to a ", role), func(t *testing.T) {
				onEach(t, func(t *rig) {
					c, p := t.against(role, conn.Options{})
					p.send(p.text("before"), p.close(test.code, test.reason), p.text("after"), p.ping("after"))
					_, b, err := c.ReadMessage(t.ctx())
					require.NoError(t, err)
					require.Equal(t, "before", string(b))
					_, _, err = c.ReadMessage(t.ctx())
					require.Equal(t, &conn.CloseError{Code: test.code, Reason: test.reason, Remote: true}, err)
					require.Equal(t, test.normal, conn.NormalEnd(err))
					turns := 0
					for _, err := range c.Messages(t.ctx()) {
						turns++
						require.Equal(t, c.Err(), err)
					}
					require.Equal(t, !test.normal, turns == 1, "a normal end ends the loop without an error")
					p.expectClose(test.code, "")
				})
			})
		}
	}
}

func TestALoopThatWaitsIsEndedByThePeersClose(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		done := later(func() error { return echo(t.ctx(), c) })
		t.calm()
		p.send(p.close(1001, ""))
		require.NoError(t, await(t, done, "the end of the loop"))
	})
}

func TestAnEndWithoutACloseIs1006(t *testing.T) {
	onEach(t, func(t *rig) {
		for _, test := range []func(p *peer) []byte{
			func(p *peer) []byte { return nil },
			func(p *peer) []byte { return p.text("a message that is cut")[:9] },
			func(p *peer) []byte { return p.frame(false, conn.Text, []byte("a fragment")) },
		} {
			c, p := t.server(conn.Options{})
			p.send(p.text("whole"), test(p))
			p.nc.Close()
			_, b, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.Equal(t, "whole", string(b))
			_, _, err = c.ReadMessage(t.ctx())
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			end := closeErrorOf(t, err)
			require.Equal(t, conn.CloseCode(1006), end.Code)
			require.True(t, end.Remote)
			require.False(t, conn.NormalEnd(err))
		}
	})
}

func TestAViolationIsToldToThePeerThoughItGoesOnSending(t *testing.T) {
	for name, test := range map[string]struct {
		bytes func(p *peer) []byte
		code  conn.CloseCode
	}{
		"a reserved opcode":       {func(p *peer) []byte { return p.frame(true, 3, nil) }, 1002},
		"bad UTF-8":               {func(p *peer) []byte { return p.text("\xff") }, 1007},
		"a message too large":     {func(p *peer) []byte { return p.frame(true, 2, pattern(2000)) }, 1009},
		"a Close with a bad code": {func(p *peer) []byte { return p.close(1006, "") }, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{MaxMessage: 1000})
				done := later(func() error { return echo(t.ctx(), c) })
				sent := later(func() error {
					b := append(append(p.segment(50), p.ping("and a pong")...), test.bytes(p)...)
					_, err := p.nc.Write(append(b, make([]byte, 256<<10)...))
					return err
				})
				err := await(t, done, "the end of the loop")
				var violation *frame.ProtocolError
				require.True(t, errors.As(err, &violation), "%v", err)
				require.Equal(t, test.code, violation.Code)
				require.Equal(t, test.code, closeErrorOf(t, err).Code)
				require.False(t, closeErrorOf(t, err).Remote)
				require.NoError(t, await(t, sent, "the sending, which nothing resets"))
				p.send(make([]byte, 1000))
				replies, pong := 0, false
				for {
					h, b, err := p.read()
					require.NoError(t, err)
					if h.Opcode == frame.Close {
						code, _, err := frame.ParseClose(b)
						require.NoError(t, err)
						require.Equal(t, test.code, code)
						break
					}
					if h.Opcode == frame.Pong {
						pong = true
						continue
					}
					require.Equal(t, fmt.Sprint("message ", replies), string(b))
					replies++
				}
				require.Equal(t, 50, replies, "the replies to what came before")
				require.True(t, pong)
				p.expectEnd()
			})
		})
	}
}

func TestTheEndIsToldOnce(t *testing.T) {
	for name, end := range map[string]func(t *rig, c *conn.Conn, p *peer){
		"a handshake by the peer": func(t *rig, c *conn.Conn, p *peer) { p.send(p.close(1000, "")) },
		"a handshake by us": func(t *rig, c *conn.Conn, p *peer) {
			go c.Close(t.ctx(), 1000, "")
			p.read()
			p.send(p.close(1000, ""))
		},
		"a violation": func(t *rig, c *conn.Conn, p *peer) { p.send([]byte{0xff, 0xff}) },
		"EOF":         func(t *rig, c *conn.Conn, p *peer) {},
		"CloseNow":    func(t *rig, c *conn.Conn, p *peer) { c.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				var ends, releases atomic.Int32
				var told atomic.Pointer[error]
				released := make(chan struct{})
				c, p := t.server(conn.Options{
					OnEnd: func(c *conn.Conn, err error) {
						ends.Add(1)
						told.Store(&err)
					},
					OnRelease: func(c *conn.Conn) {
						if releases.Add(1) == 1 {
							close(released)
						}
					},
				})
				require.NoError(t, c.Err())
				go c.ReadMessage(context.Background())
				t.calm()
				end(t, c, p)
				p.endWrites()
				await(t, c.Done(), "the end")
				await(t, released, "the release")
				for range 4 {
					go c.CloseNow()
					go c.Close(t.ctx(), 1000, "")
					go c.ReadMessage(t.ctx())
					go c.Write(t.ctx(), conn.Text, nil)
				}
				t.calm()
				require.Equal(t, int32(1), ends.Load())
				require.Equal(t, int32(1), releases.Load())
				require.Equal(t, c.Err(), *told.Load())
				requireOver(t, c)
			})
		})
	}
}

// requireOver calls every method of a connection that has ended.
func requireOver(t *rig, c *conn.Conn) {
	t.Helper()
	ctx, end := t.ctx(), c.Err()
	require.Error(t, end)
	for range 2 {
		for name, call := range map[string]func() error{
			"ReadMessage":      func() error { _, _, err := c.ReadMessage(ctx); return err },
			"AppendMessage":    func() error { _, _, err := c.AppendMessage(ctx, nil); return err },
			"Reader":           func() error { _, _, err := c.Reader(ctx); return err },
			"Write":            func() error { return c.Write(ctx, conn.Text, []byte("x")) },
			"TryWrite":         func() error { return c.TryWrite(conn.Text, []byte("x")) },
			"Queue":            func() error { return c.Queue(conn.Text, []byte("x")) },
			"WritePrepared":    func() error { return c.WritePrepared(ctx, conn.Prepare(conn.Text, nil)) },
			"TryWritePrepared": func() error { return c.TryWritePrepared(conn.Prepare(conn.Text, pattern(5000))) },
			"Writer":           func() error { _, err := c.Writer(ctx, conn.Text); return err },
			"Ping":             func() error { _, err := c.Ping(ctx); return err },
		} {
			require.Equal(t, end, call(), name)
		}
	}
	_ = c.Flush(ctx)
	require.Equal(t, control.Finished, c.Health().State)
	require.NotNil(t, c.LocalAddr())
	require.NotNil(t, c.RemoteAddr())
	s := c.NetConn(ctx, conn.Text)
	_, err := s.Read(make([]byte, 1))
	require.Error(t, err)
	_, err = s.Write(nil)
	require.Error(t, err)
}

func TestMethodsTellTheEndAsSoonAsItIsKnown(t *testing.T) {
	for name, bytes := range map[string]func(p *peer) []byte{
		"EOF":       func(p *peer) []byte { return nil },
		"Close":     func(p *peer) []byte { return p.close(1000, "") },
		"violation": func(p *peer) []byte { return []byte{0xff, 0xff} },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{})
				if b := bytes(p); b != nil {
					p.send(b) // and it does not close its side: ours lingers
				} else {
					p.endWrites()
				}
				_, _, err := c.ReadMessage(t.ctx())
				require.Equal(t, c.Err(), err)
				requireOver(t, c)
			})
		})
	}
}

func TestAConnectionThatEndedIsCollected(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	collected := make(chan struct{})
	func() {
		a, b := tcpPair(t)
		defer b.Close()
		released := make(chan struct{})
		c := must(conn.New(a, conn.Start{}, &conn.Options{OnRelease: func(*conn.Conn) { close(released) }}))
		runtime.AddCleanup(c, func(done chan struct{}) { close(done) }, collected)
		go func() {
			for {
				if _, _, err := c.ReadMessage(ctx); err != nil {
					return
				}
			}
		}()
		_, err := b.Write((&peer{client: true}).text("x"))
		require.NoError(t, err)
		ping := make(chan struct{})
		go func() {
			c.Ping(ctx) // has no answer, and ends with the connection
			close(ping)
		}()
		_, err = b.Read(make([]byte, 1))
		require.NoError(t, err)
		b.Close()
		<-released
		<-ping
	}()
	for deadline := time.Now().Add(patience); ; {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-time.After(10 * time.Millisecond):
			require.True(t, time.Now().Before(deadline), "something holds the connection")
		}
	}
}

func TestAWriteThatMeetsTheEndReturns(t *testing.T) {
	onEach(t, func(t *rig) {
		for i := range 500 {
			c, p := t.server(conn.Options{})
			read := later(func() error { return echo(t.ctx(), c) })
			wrote := make(chan error, 3)
			for range cap(wrote) {
				go func() {
					for {
						if err := c.TryWrite(conn.Binary, []byte("x")); err != nil && err != conn.ErrBackpressure {
							wrote <- err
							return
						}
						runtime.Gosched()
					}
				}()
			}
			if i%2 == 0 {
				go io.Copy(io.Discard, p.nc)
			}
			if i%4 < 2 {
				p.endWrites()
			} else {
				p.send(p.close(1000, ""))
			}
			await(t, read, "the end of a reader")
			for range cap(wrote) {
				require.Error(t, await(t, wrote, "the end of a writer"))
			}
			c.CloseNow()
			p.nc.Close()
		}
	})
}
