package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

func TestCloseHandshakesBothWays(t *testing.T) {
	for _, reads := range []bool{true, false} {
		for _, role := range []string{"client", "server"} {
			name := role + " closes while it reads"
			if !reads {
				name = role + " closes with nobody reading"
			}
			t.Run(name, func(t *testing.T) {
				onEach(t, func(t *rig) {
					a, b := t.both(conn.Options{})
					if role == "server" {
						a, b = b, a
					}
					other := later(func() error { _, _, err := b.ReadMessage(t.ctx()); return err })
					var own <-chan error
					if reads {
						own = later(func() error { _, _, err := a.ReadMessage(t.ctx()); return err })
					}
					t.calm()
					require.NoError(t, a.Write(t.ctx(), conn.Text, nil))
					require.NoError(t, await(t, other, "what was written before"))
					other = later(func() error { _, _, err := b.ReadMessage(t.ctx()); return err })

					require.NoError(t, a.Close(t.ctx(), 4321, "enough"))
					end := closeErrorOf(t, await(t, other, "the end at the other side"))
					require.Equal(t, &conn.CloseError{Code: 4321, Reason: "enough", Remote: true}, end)
					end = closeErrorOf(t, a.Err())
					require.Equal(t, &conn.CloseError{Code: 4321, Reason: "enough"}, end)
					if reads {
						require.Equal(t, a.Err(), await(t, own, "the end of a read"))
					}
					require.NoError(t, a.Close(t.ctx(), 1000, "again"))
					require.NoError(t, b.Close(t.ctx(), 1000, "too"), "the peer had closed")
					require.Equal(t, conn.CloseCode(4321), closeErrorOf(t, b.Err()).Code)
				})
			})
		}
	}
}

func TestWhatWasWrittenLeavesBeforeTheClose(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := t.both(conn.Options{})
		go func() {
			for i := range 100 {
				if i%2 == 0 {
					a.Queue(conn.Binary, numbered(1, i))
				} else {
					a.Write(t.ctx(), conn.Binary, numbered(1, i))
				}
			}
			a.Close(t.ctx(), 1000, "")
		}()
		i := 0
		for m, err := range b.Messages(t.ctx()) {
			require.NoError(t, err)
			require.True(t, bytes.Equal(numbered(1, i), m.Data))
			i++
		}
		require.Equal(t, 100, i)
	})
}

func TestACloseFrameThatMayNotBeSentIsRefused(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for _, bad := range []struct {
			code   conn.CloseCode
			reason string
		}{{0, ""}, {999, ""}, {1004, ""}, {1006, ""}, {1015, ""}, {2999, ""}, {5000, ""}, {1005, "x"}, {1000, string(pattern(124))}, {1000, "\xff"}} {
			require.ErrorIs(t, c.Close(t.ctx(), bad.code, bad.reason), endpoint.ErrPayload)
		}
		requireWritable(t, c, p)
		closed := later(func() error { return c.Close(t.ctx(), 1005, "") })
		p.expect(frame.Close, "")
		require.ErrorIs(t, c.Write(t.ctx(), conn.Text, nil), conn.ErrClosed)
		require.ErrorIs(t, c.TryWrite(conn.Text, nil), conn.ErrClosed)
		require.ErrorIs(t, c.Queue(conn.Text, nil), conn.ErrClosed)
		_, err := c.Writer(t.ctx(), conn.Text)
		require.ErrorIs(t, err, conn.ErrClosed)
		_, err = c.Ping(t.ctx())
		require.ErrorIs(t, err, conn.ErrClosed)
		p.send(p.frame(true, frame.Close, nil))
		p.expectEnd()
		p.nc.Close()
		require.NoError(t, await(t, closed, "Close"))
	})
}

func TestMessagesThatComeWhileClosingAreDelivered(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		closed := later(func() error { return c.Close(t.ctx(), 1000, "") })
		p.expect(frame.Close, string(frame.AppendClose(nil, 1000, "")))
		p.send(p.text("one"), p.ping("still answered"), p.text("two"))
		p.expect(frame.Pong, "still answered")
		p.send(p.close(1000, ""))
		for _, want := range []string{"one", "two"} {
			_, b, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.Equal(t, want, string(b))
		}
		p.expectEnd()
		p.nc.Close()
		require.NoError(t, await(t, closed, "Close"))
		_, _, err := c.ReadMessage(t.ctx())
		require.True(t, conn.NormalEnd(err))
	})
}

// stubborn are peers that do not answer a Close.
var stubborn = map[string]func(t *rig, c *conn.Conn, p *peer){
	"stalls": func(*rig, *conn.Conn, *peer) {},
	"stalls inside a frame of 100 MiB": func(t *rig, c *conn.Conn, p *peer) {
		h := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, Length: 100 << 20})
		p.send(h, pattern(100_000))
		go c.ReadMessage(context.Background())
	},
	"keeps sending": func(t *rig, c *conn.Conn, p *peer) {
		go func() {
			for {
				if _, err := p.nc.Write(p.frame(true, conn.Binary, pattern(1000))); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
	},
	"keeps sending to a reader": func(t *rig, c *conn.Conn, p *peer) {
		go func() {
			for p.nc.SetWriteDeadline(time.Now().Add(time.Minute)) == nil {
				if _, err := p.nc.Write(p.frame(true, conn.Binary, pattern(1000))); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		go func() {
			for _, _, err := c.ReadMessage(context.Background()); err == nil; _, _, err = c.ReadMessage(context.Background()) {
			}
		}()
	},
	"never reads": func(t *rig, c *conn.Conn, p *peer) {
		choke(t, c)
	},
}

func TestCloseIsOverInTimeWhateverThePeerDoes(t *testing.T) {
	for name, peer := range stubborn {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits in real time
			test := func(t *rig, timeout, want, tolerance time.Duration) {
				t.room = 32 << 10
				c, p := t.server(conn.Options{MaxMessage: 100 << 20, CloseTimeout: timeout})
				peer(t, c, p)
				t.calm()
				start := time.Now()
				require.Equal(t, context.DeadlineExceeded, c.Close(t.within(want/10), 1000, ""), "the context bounds the wait")
				err := c.Close(context.Background(), 1000, "")
				require.ErrorIs(t, err, endpoint.ErrCloseTimeout)
				require.InDelta(t, want, time.Since(start), float64(tolerance))
				await(t, c.Done(), "the end")
				require.Equal(t, conn.CloseCode(1000), closeErrorOf(t, c.Err()).Code)
				require.False(t, conn.NormalEnd(c.Err()))
			}
			inMemory(t, func(t *rig) { test(t, 0, 5*time.Second, 0) })
			onTCP(t, func(t *rig) { test(t, 200*time.Millisecond, 200*time.Millisecond, time.Second) })
		})
	}
}

func TestCloseEndsInTimeWhenThePeerClosesButDoesNotRead(t *testing.T) {
	inMemory(t, func(t *rig) {
		released := make(chan struct{})
		c, p := t.server(conn.Options{OnRelease: func(*conn.Conn) { close(released) }})
		choke(t, c)
		p.send(p.close(1000, ""))
		start := time.Now()
		_, _, err := c.ReadMessage(t.ctx())
		require.True(t, conn.NormalEnd(err))
		await(t, released, "the release")
		require.InDelta(t, 5*time.Second, time.Since(start), float64(200*time.Millisecond))
	})
}

func TestCloseNow(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		read := later(func() error { _, _, err := c.ReadMessage(context.Background()); return err })
		ping := later(func() error { _, err := c.Ping(context.Background()); return err })
		t.calm()
		require.NoError(t, c.CloseNow())
		require.NoError(t, c.CloseNow())
		end := closeErrorOf(t, await(t, read, "the end of a read"))
		require.Equal(t, conn.CloseCode(1006), end.Code)
		require.ErrorIs(t, end, net.ErrClosed)
		require.Equal(t, c.Err(), await(t, ping, "the end of a ping"))
		require.Error(t, c.Close(t.ctx(), 1000, ""))
		_, _, err := p.read() // the ping
		require.NoError(t, err)
		p.expectEnd()
	})
}

func TestManyMayCloseAtOnce(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := t.both(conn.Options{})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if i%2 == 0 {
					a.Close(t.ctx(), 1000, "")
				} else {
					b.Close(t.ctx(), 1000, "")
				}
			})
		}
		all.Wait()
		for _, c := range []*conn.Conn{a, b} {
			await(t, c.Done(), "the end")
			require.Equal(t, conn.CloseCode(1000), closeErrorOf(t, c.Err()).Code)
		}
		for range 8 {
			all.Go(func() {
				a.CloseNow()
				b.Close(t.ctx(), 1000, "")
			})
		}
		all.Wait()
	})
}

func TestCloseOverATransportThatCannotHalfClose(t *testing.T) {
	inMemory(t, func(t *rig) {
		x, y := net.Pipe()
		a, b := t.new(x, endpoint.Client, conn.Options{}), t.new(y, endpoint.Server, conn.Options{})
		go echo(t.ctx(), b)
		requireEcho(t, a, pattern(100_000))
		require.NoError(t, a.Close(t.ctx(), 1000, "bye"))
		await(t, b.Done(), "the end")
		require.Equal(t, "bye", closeErrorOf(t, b.Err()).Reason)
		_, err := x.Write([]byte{0})
		require.True(t, errors.Is(err, io.ErrClosedPipe), "the transport is closed")
	})
}

func TestAfterCloseWriteEverythingIsDelivered(t *testing.T) {
	inMemory(t, func(t *rig) {
		const messages = 200
		c, p := t.against(endpoint.Client, conn.Options{CloseTimeout: -1})
		go func() {
			for i := range messages {
				p.send(p.text(fmt.Sprintf("%01024d", i)))
			}
			p.send(p.close(1000, ""))
		}()
		n := 0
		for m, err := range c.Messages(t.ctx()) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%01024d", n), string(m.Data))
			if n == 0 {
				require.NoError(t, c.CloseWrite(1000, "enough"))
				require.ErrorIs(t, c.Write(t.ctx(), conn.Text, nil), conn.ErrClosed)
				time.Sleep(5 * time.Second) // busy with this message
			}
			n++
		}
		require.Equal(t, messages, n)
		p.expectClose(1000, "enough")
	})
}
