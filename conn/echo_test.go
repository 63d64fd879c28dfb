package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
)

// sizes are those at which the form of a header or the way of the data changes.
var sizes = []int{0, 1, 125, 126, 4095, 4096, 16383, 16384, 65535, 65536, 300_000, 1 << 20}

// readMethods are the ways to read a message.
var readMethods = map[string]func(t *rig, c *conn.Conn) (conn.Type, []byte, error){
	"ReadMessage": func(t *rig, c *conn.Conn) (conn.Type, []byte, error) { return c.ReadMessage(t.ctx()) },
	"AppendMessage": func(t *rig, c *conn.Conn) (conn.Type, []byte, error) {
		typ, p, err := c.AppendMessage(t.ctx(), []byte("before"))
		require.Equal(t, "before", string(p[:6]))
		return typ, p[6:], err
	},
	"Messages": func(t *rig, c *conn.Conn) (typ conn.Type, p []byte, err error) {
		for m, err := range c.Messages(t.ctx()) {
			return m.Type, append(p, m.Data...), err
		}
		return 0, nil, errors.New("the loop had no turn")
	},
	"Reader": func(t *rig, c *conn.Conn) (conn.Type, []byte, error) {
		typ, r, err := c.Reader(t.ctx())
		if err != nil {
			return 0, nil, err
		}
		p, err := io.ReadAll(r)
		return typ, p, err
	},
	"Reader with tiny reads": func(t *rig, c *conn.Conn) (conn.Type, []byte, error) {
		typ, r, err := c.Reader(t.ctx())
		if err != nil {
			return 0, nil, err
		}
		var p []byte
		for b := make([]byte, 997); ; {
			size := 7
			if len(p) > 1000 {
				size = len(b) // or it takes all day
			}
			n, err := r.Read(b[:size])
			p = append(p, b[:n]...)
			if err == io.EOF {
				return typ, p, nil
			}
			if err != nil {
				return typ, p, err
			}
		}
	},
}

// writeMethods are the ways to write one.
var writeMethods = map[string]func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error{
	"Write":    func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error { return c.Write(t.ctx(), typ, p) },
	"TryWrite": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error { return c.TryWrite(typ, p) },
	"Queue and Flush": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error {
		if err := c.Queue(typ, p); err != nil {
			return err
		}
		return c.Flush(t.ctx())
	},
	"WritePrepared": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error {
		return c.WritePrepared(t.ctx(), conn.Prepare(typ, p))
	},
	"TryWritePrepared": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error {
		return c.TryWritePrepared(conn.Prepare(typ, p))
	},
	"Writer": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error {
		w, err := c.Writer(t.ctx(), typ)
		if err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
		return w.Close()
	},
	"Writer in pieces": func(t *rig, c *conn.Conn, typ conn.Type, p []byte) error {
		w, err := c.Writer(t.ctx(), typ)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(p))); err != nil {
			return err
		}
		return w.Close()
	},
}

// echo answers every message by the same.
func echo(ctx context.Context, c *conn.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}

func requireEcho(t *rig, c *conn.Conn, p []byte) {
	t.Helper()
	require.NoError(t, c.Write(t.ctx(), conn.Binary, p))
	typ, got, err := c.ReadMessage(t.ctx())
	require.NoError(t, err)
	require.Equal(t, conn.Binary, typ)
	require.True(t, bytes.Equal(p, got), "what came back differs")
}

func TestEveryWayToWriteMeetsEveryWayToRead(t *testing.T) {
	for writing, write := range writeMethods {
		for reading, read := range readMethods {
			t.Run(writing+" to "+reading, func(t *testing.T) {
				onEach(t, func(t *rig) {
					client, server := t.both(conn.Options{})
					for name, way := range map[string]struct{ from, to *conn.Conn }{
						"client to server": {client, server},
						"server to client": {server, client},
					} {
						typ := conn.Text
						sent := make(chan error, 1)
						go func() {
							for _, n := range sizes {
								p := pattern(n)
								if err := write(t, way.from, typ, p); err != nil {
									sent <- err
									return
								}
								clear(p) // it is the caller's again
							}
							sent <- nil
						}()
						for _, n := range sizes {
							got, p, err := read(t, way.to)
							require.NoError(t, err)
							require.Equal(t, typ, got)
							require.True(t, bytes.Equal(pattern(n), p), "%s: %d bytes changed on their way", name, n)
						}
						require.NoError(t, await(t, sent, "the end of the writing"))
					}
				})
			})
		}
	}
}

func TestALoopOverMessagesEchoesEverySizeAndType(t *testing.T) {
	onEach(t, func(t *rig) {
		client, server := t.both(conn.Options{})
		done := later(func() error { return echo(t.ctx(), server) })
		for _, n := range sizes {
			requireEcho(t, client, pattern(n))
		}
		require.NoError(t, client.Close(t.ctx(), 1000, ""))
		require.NoError(t, await(t, done, "the end of the loop"))
	})
}

func TestMessagesAreSplitAtMaxFrame(t *testing.T) {
	onEach(t, func(t *rig) {
		for _, write := range writeMethods {
			c, p := t.server(conn.Options{MaxFrame: 1000})
			message := pattern(2500)
			require.NoError(t, write(t, c, conn.Text, message))
			var got []byte
			for fin := false; !fin; {
				h, b, err := p.read()
				require.NoError(t, err)
				require.LessOrEqual(t, len(b), 1000)
				got, fin = append(got, b...), h.Fin
			}
			require.Equal(t, message, got)
		}
	})
}

func TestTheSliceOfReadMessageBelongsToTheCaller(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for _, n := range []int{100, 5000, 70_000, 300_000, 1 << 20} {
			sent := later(func() error {
				p.send(p.frame(true, conn.Text, pattern(n)), p.text("behind it"), p.frame(true, conn.Text, pattern(n)))
				return nil
			})
			_, first, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			for i := range first[:cap(first)] {
				first[:cap(first)][i] = 0xff // all of it, also what lies behind the message
			}
			_, second, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.Equal(t, "behind it", string(second))
			_, third, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(n), third))
			require.Equal(t, bytes.Repeat([]byte{0xff}, n), first, "a later message must not come into it")
			await(t, sent, "the end of the sending")
		}
	})
}

func TestBytesBehindTheHandshakeAreTheFirstMessages(t *testing.T) {
	onEach(t, func(t *rig) {
		for _, n := range []int{10, 600, 5000, 100_000} {
			a, b := t.pair()
			p := &peer{t: t, nc: b, client: true}
			all := append(p.text("first"), p.frame(true, conn.Text, pattern(n))...)
			head := all[:len(all)-5]
			c := must(conn.New(a, conn.Start{Received: head, Subprotocol: "chat"}, &conn.Options{Driver: t.driver}))
			clear(head) // they were copied
			require.Equal(t, "chat", c.Subprotocol())
			require.Equal(t, a.LocalAddr(), c.LocalAddr())
			require.Equal(t, a.RemoteAddr(), c.RemoteAddr())
			_, got, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.Equal(t, "first", string(got))
			p.send(all[len(all)-5:])
			_, got, err = c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(n), got))
			c.CloseNow()
		}
	})
}

func TestFragmentsAreJoined(t *testing.T) {
	for name, read := range readMethods {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{})
				for _, n := range []int{3, 3000, 60_000, 200_000} {
					all := pattern(n)
					third := n / 3
					sent := later(func() error {
						p.send(p.frame(false, conn.Text, all[:third]), p.ping("between"))
						p.send(p.frame(false, 0, nil), p.frame(false, 0, all[third:2*third]))
						p.send(p.frame(true, 0, all[2*third:]))
						return nil
					})
					typ, got, err := read(t, c)
					require.NoError(t, err)
					require.Equal(t, conn.Text, typ)
					require.True(t, bytes.Equal(all, got))
					await(t, sent, "the end of the sending")
					p.expect(0xa, "between")
				}
			})
		})
	}
}
