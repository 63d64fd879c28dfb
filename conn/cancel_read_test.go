package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

// cancelled are reads whose context ends.
var cancelled = map[string]func(t *rig, ctx context.Context, c *conn.Conn) error{
	"ReadMessage": func(t *rig, ctx context.Context, c *conn.Conn) error {
		_, p, err := c.ReadMessage(ctx)
		require.Nil(t, p)
		return err
	},
	"AppendMessage": func(t *rig, ctx context.Context, c *conn.Conn) error {
		_, p, err := c.AppendMessage(ctx, append(make([]byte, 0, 4096), "before"...))
		require.Equal(t, "before", string(p), "dst must come back as it was")
		return err
	},
	"Messages": func(t *rig, ctx context.Context, c *conn.Conn) (err error) {
		turns := 0
		for _, err = range c.Messages(ctx) {
			turns++
		}
		require.Equal(t, 1, turns)
		return err
	},
}

func TestACancelledReadLosesNothing(t *testing.T) {
	big := pattern(200_000)
	for name, read := range cancelled {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				for _, test := range []struct {
					name   string
					pieces func(p *peer) [][]byte // of one message, between which a read is cancelled
					want   []byte
				}{
					{"before the message", func(p *peer) [][]byte {
						return [][]byte{nil, p.text("whole")}
					}, []byte("whole")},
					{"inside a header", func(p *peer) [][]byte {
						b := p.frame(true, conn.Text, big[:1000])
						return [][]byte{b[:1], b[1:3], b[3:]}
					}, big[:1000]},
					{"inside a small frame", func(p *peer) [][]byte {
						b := p.text("in two pieces")
						return [][]byte{b[:9], b[9:]}
					}, []byte("in two pieces")},
					{"between fragments", func(p *peer) [][]byte {
						return [][]byte{p.frame(false, conn.Text, []byte("one ")), p.frame(false, 0, nil), p.frame(false, 0, []byte("two ")), p.frame(true, 0, []byte("three"))}
					}, []byte("one two three")},
					{"inside a large frame", func(p *peer) [][]byte {
						b := p.frame(true, conn.Text, big)
						return [][]byte{b[:100], b[100:50_000], b[50_000:120_000], b[120_000:]}
					}, big},
				} {
					c, p := t.server(conn.Options{})
					pieces := test.pieces(p)
					for _, piece := range pieces[:len(pieces)-1] {
						if len(piece) > 0 {
							p.send(piece)
						}
						require.Equal(t, context.DeadlineExceeded, read(t, t.within(5*time.Millisecond), c), test.name)
						ctx, cancel := context.WithCancel(context.Background())
						time.AfterFunc(2*time.Millisecond, cancel)
						require.Equal(t, context.Canceled, read(t, ctx, c), test.name)
						require.Equal(t, context.Canceled, read(t, ctx, c), "%s: with a context that has ended", test.name)
					}
					p.send(pieces[len(pieces)-1], p.text("next"))
					typ, b, err := c.ReadMessage(t.ctx())
					require.NoError(t, err)
					require.Equal(t, conn.Text, typ)
					require.True(t, bytes.Equal(test.want, b), test.name)
					_, b, err = c.ReadMessage(t.ctx())
					require.NoError(t, err)
					require.Equal(t, "next", string(b))
					requireWritable(t, c, p)
				}
			})
		})
	}
}

func requireWritable(t *rig, c *conn.Conn, p *peer) {
	t.Helper()
	require.NoError(t, c.Write(t.ctx(), conn.Text, []byte("still here")))
	p.expect(frame.Text, "still here")
}

// The pump turns what has come of a message into a piece of its own, which is
// where a cancelled read finds it and must put it back.
func TestACancelledReadOfWhatThePumpBeganLosesNothing(t *testing.T) {
	for name, read := range cancelled {
		for next, nextRead := range readMethods {
			t.Run(name+", then "+next, func(t *testing.T) {
				inMemory(t, func(t *rig) {
					for _, cancels := range []int{1, 2} {
						c, p := t.server(conn.Options{})
						p.send(p.frame(false, conn.Text, []byte("one ")))
						time.Sleep(2 * time.Second)
						require.Equal(t, context.DeadlineExceeded, read(t, t.within(time.Millisecond), c))
						p.send(p.frame(false, 0, []byte("two ")))
						if cancels > 1 {
							require.Equal(t, context.DeadlineExceeded, read(t, t.within(time.Millisecond), c))
						}
						p.send(p.frame(true, 0, []byte("three")))
						typ, b, err := nextRead(t, c)
						require.NoError(t, err)
						require.Equal(t, "one two three", string(b))
						require.Equal(t, conn.Text, typ, "after %d cancelled reads", cancels)
					}
				})
			})
		}
	}
}

func TestACancelledReaderCanBeReadOnUntilTheNextMessage(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		_, r, err := c.Reader(t.within(5 * time.Millisecond))
		require.Equal(t, context.DeadlineExceeded, err)
		require.Nil(t, r)

		p.send(p.frame(false, conn.Text, []byte("half")))
		ctx, cancel := context.WithCancel(context.Background())
		_, r, err = c.Reader(ctx)
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 4))
		require.NoError(t, err)
		waiting := later(func() error { _, err := r.Read(make([]byte, 1)); return err })
		t.calm()
		cancel()
		require.Equal(t, context.Canceled, await(t, waiting, "the end of a read"))

		_, _, err = c.ReadMessage(t.within(5 * time.Millisecond)) // ends while it skips
		require.Equal(t, context.DeadlineExceeded, err)
		p.send(p.frame(true, 0, []byte("half")), p.text("next"))
		_, b, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.Equal(t, "next", string(b))
		requireWritable(t, c, p)
	})
}

func TestAReaderThatWaitsForItsTurnCanBeCancelled(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		first := later(func() error { _, _, err := c.ReadMessage(t.ctx()); return err })
		t.calm()
		for _, read := range cancelled {
			require.Equal(t, context.DeadlineExceeded, read(t, t.within(5*time.Millisecond), c))
		}
		p.send(p.text("for the first"))
		require.NoError(t, await(t, first, "a message"))
		p.send(p.text("for another"))
		_, b, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.Equal(t, "for another", string(b))
	})
}

// counted is a context that knows what watches it.
type counted struct {
	done     chan struct{}
	mu       sync.Mutex
	funcs    map[int]func()
	next     int
	over     atomic.Bool
	watchers *atomic.Int64 // of all contexts of a test
}

func newCounted(watchers *atomic.Int64) *counted {
	return &counted{done: make(chan struct{}), funcs: map[int]func(){}, watchers: watchers}
}

func (c *counted) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *counted) Done() <-chan struct{}       { return c.done }
func (c *counted) Value(any) any               { return nil }
func (c *counted) Err() error {
	if c.over.Load() {
		return context.Canceled
	}
	return nil
}

func (c *counted) AfterFunc(f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over.Load() {
		go f()
		return func() bool { return false }
	}
	id := c.next
	c.next++
	c.funcs[id] = f
	c.watchers.Add(1)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.funcs[id]
		if ok {
			delete(c.funcs, id)
			c.watchers.Add(-1)
		}
		return ok
	}
}

func (c *counted) cancel() {
	c.over.Store(true)
	close(c.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, f := range c.funcs {
		delete(c.funcs, id)
		c.watchers.Add(-1)
		go f()
	}
}

func TestOneContextIsWatchedAtATimeAndOnceForManyReads(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		var watchers atomic.Int64
		same := newCounted(&watchers)
		for range 100 {
			reading := later(func() error { _, _, err := c.ReadMessage(same); return err })
			p.send(p.text("x"))
			require.NoError(t, await(t, reading, "a message"))
		}
		require.LessOrEqual(t, same.next, 1, "the same context is registered again and again")

		for range 10_000 {
			ctx := newCounted(&watchers)
			go ctx.cancel()
			_, _, err := c.ReadMessage(ctx)
			require.Equal(t, context.Canceled, err)
			require.LessOrEqual(t, watchers.Load(), int64(1))
		}
		p.send(p.text("still here"))
		_, b, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.Equal(t, "still here", string(b))
	})
}

func TestAConnectionThatEndedIsHeldByNoContext(t *testing.T) {
	ends := map[string]func(t *rig, c *conn.Conn, p *peer){
		"CloseNow":         func(_ *rig, c *conn.Conn, _ *peer) { c.CloseNow() },
		"the end of bytes": func(_ *rig, _ *conn.Conn, p *peer) { p.nc.Close() },
		"a Close handshake": func(t *rig, c *conn.Conn, p *peer) {
			p.send(p.close(1000, ""))
			p.expectClose(1000, "")
			p.nc.Close()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				var watchers atomic.Int64
				parent := newCounted(&watchers)
				released := make(chan struct{})
				c, p := t.server(conn.Options{OnRelease: func(*conn.Conn) { close(released) }})
				reading := later(func() error {
					for {
						if _, _, err := c.ReadMessage(parent); err != nil {
							return err
						}
					}
				})
				p.send(p.text("x"))
				t.calm()
				require.Equal(t, int64(1), watchers.Load())
				end(t, c, p)
				require.Error(t, await(t, reading, "the end of a read"))
				await(t, released, "the release")
				// Whoever still reads must not bind the connection to a context
				// that lives on.
				for range 3 {
					_, _, err := c.ReadMessage(newCounted(&watchers))
					require.Error(t, err)
					for _, err := range c.Messages(newCounted(&watchers)) {
						require.Error(t, err)
					}
				}
				require.Zero(t, watchers.Load(), "a context still knows the connection")
			})
		})
	}
}

func TestCancellingAReadAtAnyMomentLosesNothing(t *testing.T) {
	onEach(t, func(t *rig) {
		client, server := t.both(conn.Options{})
		const messages = 3000
		go func() {
			for i := range messages {
				if client.Write(t.ctx(), conn.Binary, numbered(i%7, i)) != nil {
					return
				}
			}
		}()
		cancels := 0
		for i := 0; i < messages; {
			ctx, cancel := context.WithCancel(context.Background())
			if i%3 == 0 {
				go cancel()
			}
			_, b, err := server.AppendMessage(ctx, nil)
			cancel()
			if errors.Is(err, context.Canceled) {
				cancels++
				continue
			}
			require.NoError(t, err)
			require.True(t, bytes.Equal(numbered(i%7, i), b), "message %d is another, after %d cancelled reads", i, cancels)
			i++
		}
	})
}
