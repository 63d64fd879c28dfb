package conn_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// fill writes messages that the peer does not read until no more fits, and
// returns how many were accepted.
func fill(t *rig, c *conn.Conn, m []byte) (accepted int) {
	t.Helper()
	for {
		t.calm() // let leave what can
		err := c.TryWrite(conn.Binary, m)
		if err != nil {
			require.ErrorIs(t, err, conn.ErrBackpressure)
			return accepted
		}
		accepted++
	}
}

// choke fills the transport and the queue at once, with one message, which is
// accepted whatever its size as nothing waits.
func choke(t *rig, c *conn.Conn) (message []byte) {
	t.Helper()
	message = pattern(3 << 20)
	require.NoError(t, c.TryWrite(conn.Binary, message))
	return message
}

func TestOneMessageLargerThanTheLimitIsAcceptedWhenNothingWaits(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{MaxOutput: 1000})
		large := choke(t, c)
		require.ErrorIs(t, c.TryWrite(conn.Text, nil), conn.ErrBackpressure)
		require.ErrorIs(t, c.Queue(conn.Text, nil), conn.ErrBackpressure)
		require.ErrorIs(t, c.TryWritePrepared(conn.Prepare(conn.Text, nil)), conn.ErrBackpressure)
		p.expect(frame.Binary, string(large))
		require.NoError(t, c.Flush(t.ctx()))
		require.NoError(t, c.TryWrite(conn.Text, pattern(2000)))
		p.expect(frame.Text, string(pattern(2000)))
	})
}

func TestTheOutputLimitCountsWhatWaitsAndWhatIsToBeAdded(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{MaxOutput: 1000})
		p.block(true)
		require.NoError(t, c.TryWrite(conn.Binary, pattern(598))) // 602 with its header
		require.ErrorIs(t, c.TryWrite(conn.Binary, pattern(399)), conn.ErrBackpressure)
		require.ErrorIs(t, c.Queue(conn.Binary, pattern(399)), conn.ErrBackpressure)
		require.ErrorIs(t, c.TryWritePrepared(conn.Prepare(conn.Binary, pattern(399))), conn.ErrBackpressure)
		require.NoError(t, c.TryWrite(conn.Binary, pattern(398)))
		require.ErrorIs(t, c.TryWrite(conn.Binary, nil), conn.ErrBackpressure)
		p.block(false)
		p.expect(frame.Binary, string(pattern(598)))
		p.expect(frame.Binary, string(pattern(398)))
		p.quiet(time.Second)
	})
}

func TestACancelledWriteAtTheLimitSentNothing(t *testing.T) {
	for _, role := range []endpoint.Role{endpoint.Server, endpoint.Client} {
		t.Run(role.String(), func(t *testing.T) {
			onEach(t, func(t *rig) {
				t.room = 32 << 10
				c, p := t.against(role, conn.Options{MaxOutput: 64 << 10})
				m := pattern(20_000)
				accepted := fill(t, c, m)
				for _, write := range []func(ctx context.Context) error{
					func(ctx context.Context) error { return c.Write(ctx, conn.Text, m) },
					func(ctx context.Context) error { return c.WritePrepared(ctx, conn.Prepare(conn.Text, m)) },
					func(ctx context.Context) error {
						w, err := c.Writer(ctx, conn.Text)
						if err != nil {
							return err
						}
						defer w.Abort()
						w.Write(m[:10_000])
						return w.Close()
					},
					func(ctx context.Context) error { return c.Flush(ctx) },
				} {
					require.Equal(t, context.DeadlineExceeded, write(t.within(10*time.Millisecond)))
					ctx, cancel := context.WithCancel(context.Background())
					waiting := later(func() error { return write(ctx) })
					t.calm()
					cancel()
					require.Equal(t, context.Canceled, await(t, waiting, "the end of a write"))
					require.Equal(t, context.Canceled, write(ctx))
				}
				waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("patient")) })
				flushed := later(func() error { return c.Flush(t.ctx()) })
				for range accepted {
					p.expect(frame.Binary, string(m))
				}
				require.NoError(t, await(t, waiting, "a write"))
				p.expect(frame.Text, "patient")
				require.NoError(t, await(t, flushed, "a flush"))
				requireWritable(t, c, p)
			})
		})
	}
}

func TestWritersAtTheLimitGoOnInTheirOrder(t *testing.T) {
	inMemory(t, func(t *rig) {
		t.room = 1000
		c, p := t.server(conn.Options{MaxOutput: 1000})
		large := choke(t, c)
		var writes []<-chan error
		contexts := make([]context.CancelFunc, 9)
		for i := range 9 {
			var ctx context.Context
			ctx, contexts[i] = context.WithCancel(t.ctx())
			writes = append(writes, later(func() error {
				return c.Write(ctx, conn.Text, bytes.Repeat([]byte{'0' + byte(i)}, 700))
			}))
			t.calm()
		}
		for _, i := range []int{0, 4, 8} {
			contexts[i]()
			require.Equal(t, context.Canceled, await(t, writes[i], "a cancelled write"))
		}
		p.expect(frame.Binary, string(large))
		for _, i := range []int{1, 2, 3, 5, 6, 7} {
			p.expect(frame.Text, string(bytes.Repeat([]byte{'0' + byte(i)}, 700)))
			require.NoError(t, await(t, writes[i], "a write"))
		}
		for _, cancel := range contexts {
			cancel()
		}
	})
}

func TestAWriterOfPiecesWaitsAtTheLimitAndCanBeCancelled(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{MaxOutput: 40_000})
		ctx, cancel := context.WithCancel(context.Background())
		w, err := c.Writer(ctx, conn.Text)
		require.NoError(t, err)
		waiting := later(func() error {
			for {
				if _, err := w.Write(pattern(5000)); err != nil {
					return err
				}
			}
		})
		t.calm()
		cancel()
		require.Equal(t, context.Canceled, await(t, waiting, "the end of a write"))
		w.Abort()
		h, _, err := p.read()
		for ; err == nil && h.Opcode != frame.Close; h, _, err = p.read() {
			require.False(t, h.Fin)
		}
		require.NoError(t, err)
	})
}

func TestEveryoneAtTheLimitIsReleasedByTheEnd(t *testing.T) {
	ends := map[string]func(t *rig, c *conn.Conn, p *peer){
		"CloseNow": func(_ *rig, c *conn.Conn, _ *peer) { c.CloseNow() },
		"Close":    func(t *rig, c *conn.Conn, _ *peer) { go c.Close(t.ctx(), 1000, "") },
		"the peer's Close": func(t *rig, c *conn.Conn, p *peer) {
			p.send(p.close(1000, ""))
		},
		"a violation": func(t *rig, c *conn.Conn, p *peer) { p.send([]byte{0xff, 0xff}) },
		"the end of the peer's bytes": func(t *rig, c *conn.Conn, p *peer) {
			p.endWrites()
		},
		"the end of the transport": func(t *rig, c *conn.Conn, p *peer) { p.nc.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits in real time
			test := func(t *rig) {
				t.room = 32 << 10
				released := make(chan struct{})
				c, p := t.server(conn.Options{
					MaxOutput:    1000,
					CloseTimeout: 200 * time.Millisecond,
					OnRelease:    func(*conn.Conn) { close(released) },
				})
				go c.ReadMessage(context.Background())
				w, err := c.Writer(context.Background(), conn.Text)
				require.NoError(t, err)
				_, err = w.Write(pattern(2 << 10))
				require.NoError(t, err)
				behind := []<-chan error{
					later(func() error { return c.Write(context.Background(), conn.Text, []byte("behind")) }),
					later(func() error { _, err := c.Writer(context.Background(), conn.Text); return err }),
				}
				t.calm()
				end(t, c, p)
				for _, one := range behind {
					require.Error(t, await(t, one, "the error of a writer behind a Writer"))
				}
				await(t, released, "the release")

				released = make(chan struct{})
				c, p = t.server(conn.Options{
					MaxOutput:    1000,
					CloseTimeout: 200 * time.Millisecond,
					OnRelease:    func(*conn.Conn) { close(released) },
				})
				go c.ReadMessage(context.Background())
				choke(t, c)
				waiting := []<-chan error{
					later(func() error { return c.Write(context.Background(), conn.Text, []byte("x")) }),
					later(func() error { return c.Write(context.Background(), conn.Text, []byte("y")) }),
					later(func() error { _, err := c.Writer(context.Background(), conn.Text); return err }),
					later(func() error { return c.Flush(context.Background()) }),
				}
				t.calm()
				end(t, c, p)
				for _, one := range waiting {
					require.Error(t, await(t, one, "the error of a writer at the limit"))
				}
				await(t, released, "the release")
			}
			onTCP(t, test)
			if !t.Failed() { // whoever spins would stop the time of a bubble
				inMemory(t, test)
			}
		})
	}
}

func TestPongsLeaveWhileDataIsBlocked(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{MaxOutput: 100_000, MaxFrame: 10_000})
		go c.ReadMessage(t.ctx())
		choke(t, c)
		p.send(p.ping("first"))
		t.calm()
		p.send(p.ping("second"))
		t.calm()
		p.send(p.ping("newest"))
		t.calm()
		// "…MAY elect to send a Pong frame for only the most recently processed
		// Ping frame" RFC 6455 §5.5.3; and it overtakes the data that waits.
		data, pongs := 0, []string(nil)
		for data < 3<<20 {
			h, b, err := p.read()
			require.NoError(t, err)
			if h.Opcode == frame.Pong {
				pongs = append(pongs, string(b))
				require.Less(t, data, 2<<20, "a pong came behind the data")
			} else {
				data += len(b)
			}
		}
		require.NotEmpty(t, pongs)
		require.Equal(t, "newest", pongs[len(pongs)-1])
	})
}

func TestFlushMeansHandedOver(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{})
		require.NoError(t, c.Flush(t.ctx()), "nothing is to be flushed")
		large := choke(t, c)
		flushed := later(func() error { return c.Flush(t.ctx()) })
		t.calm()
		require.Empty(t, flushed, "the peer has read nothing")
		p.expect(frame.Binary, string(large))
		require.NoError(t, await(t, flushed, "a flush"))
	})
}

func TestFlushTellsThatWhatWasWrittenIsLost(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, _ := t.server(conn.Options{})
		choke(t, c)
		c.CloseNow()
		require.Error(t, c.Flush(t.ctx()))
	})
}
