package conn_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

// numbered is a message that says whose it is and which, and is long enough to
// show if it was torn.
func numbered(writer, i int) []byte {
	n := 8 + (i*37+writer*101)%600
	if i%100 == 7 {
		n += 20_000
	}
	b := bytes.Repeat([]byte{byte(writer*31 + i)}, n)
	binary.BigEndian.PutUint32(b, uint32(writer))
	binary.BigEndian.PutUint32(b[4:], uint32(i))
	return b
}

func TestMessagesOfManyWritersArriveOnceWholeAndInOrder(t *testing.T) {
	const writers, messages = 16, 500
	for _, role := range []string{"server", "client"} {
		t.Run(role, func(t *testing.T) {
			onEach(t, func(t *rig) {
				to, from := t.both(conn.Options{MaxOutput: 64 << 10})
				if role == "client" {
					from, to = to, from
				}
				var all sync.WaitGroup
				for w := range writers {
					all.Go(func() {
						for i := range messages {
							m := numbered(w, i)
							var err error
							switch i % 5 {
							case 0, 1:
								err = from.Write(t.ctx(), conn.Binary, m)
							case 2:
								for {
									if err = from.Queue(conn.Binary, m); err != conn.ErrBackpressure {
										break
									}
									from.Flush(t.ctx())
								}
							case 3:
								err = from.WritePrepared(t.ctx(), conn.Prepare(conn.Binary, m))
							case 4:
								var mw *conn.MessageWriter
								if mw, err = from.Writer(t.ctx(), conn.Binary); err == nil {
									mw.Write(m[:5])
									mw.Write(m[5:])
									err = mw.Close()
								}
							}
							if err != nil {
								t.Errorf("writer %d, message %d: %v", w, i, err)
								return
							}
						}
					})
				}
				next := make([]int, writers)
				for range writers * messages {
					_, b, err := to.ReadMessage(t.ctx())
					require.NoError(t, err)
					w := int(binary.BigEndian.Uint32(b))
					require.Equal(t, next[w], int(binary.BigEndian.Uint32(b[4:])), "order of writer %d", w)
					require.True(t, bytes.Equal(numbered(w, next[w]), b), "a message was torn")
					next[w]++
				}
				all.Wait()
			})
		})
	}
}

func TestAnOpenWriterMakesOthersWait(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		w, err := c.Writer(t.ctx(), conn.Text)
		require.NoError(t, err)
		_, err = w.Write([]byte("one "))
		require.NoError(t, err)

		require.ErrorIs(t, c.TryWrite(conn.Text, []byte("try")), conn.ErrBackpressure)
		require.ErrorIs(t, c.Queue(conn.Text, []byte("queue")), conn.ErrBackpressure)
		short := t.within(50 * time.Millisecond)
		cancelled := later(func() error { return c.Write(short, conn.Text, []byte("cancelled")) })
		another := later(func() error {
			w, err := c.Writer(short, conn.Text)
			if w != nil {
				t.Error("two writers are open")
			}
			return err
		})
		require.ErrorIs(t, await(t, cancelled, "the end of a context"), context.DeadlineExceeded)
		require.ErrorIs(t, await(t, another, "the end of a context"), context.DeadlineExceeded)

		waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("behind")) })
		t.calm()
		p.send(p.ping("still answered"))
		go c.ReadMessage(t.ctx())
		p.expect(frame.Pong, "still answered")
		_, err = w.Write([]byte("message"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close(), "a second Close does nothing")
		w.Abort()
		_, err = w.Write([]byte("late"))
		require.ErrorIs(t, err, conn.ErrClosed)
		require.NoError(t, await(t, waiting, "the turn of a writer"))
		p.expect(frame.Text, "one message")
		p.expect(frame.Text, "behind")
		require.NoError(t, c.TryWrite(conn.Text, []byte("free")))
		p.expect(frame.Text, "free")
	})
}

func TestAWriterSendsFragmentsAndPongsGoBetween(t *testing.T) {
	onEach(t, func(t *rig) {
		for _, role := range []endpoint.Role{endpoint.Server, endpoint.Client} {
			c, p := t.against(role, conn.Options{})
			go c.ReadMessage(t.ctx())
			w, err := c.Writer(t.ctx(), conn.Text)
			require.NoError(t, err)
			message := pattern(40_000)
			_, err = w.Write(message)
			require.NoError(t, err)
			h, first, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Text, h.Opcode)
			require.False(t, h.Fin)
			p.send(p.ping("between"))
			h, second, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Continuation, h.Opcode)
			require.False(t, h.Fin)
			p.expect(frame.Pong, "between")
			require.NoError(t, w.Close())
			h, third, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Continuation, h.Opcode)
			require.True(t, h.Fin)
			require.True(t, bytes.Equal(message, append(append(first, second...), third...)))
		}
	})
}

func TestAnAbortedMessageOfWhichNothingLeftIsHarmless(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		w, err := c.Writer(t.ctx(), conn.Text)
		require.NoError(t, err)
		_, err = w.Write(pattern(16 << 10))
		require.NoError(t, err)
		waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("goes on")) })
		t.calm()
		w.Abort()
		w.Abort()
		require.NoError(t, w.Close(), "after Abort Close does nothing")
		require.NoError(t, await(t, waiting, "the turn of a writer"))
		p.expect(frame.Text, "goes on")
	})
}

func TestAnAbortedMessageOfWhichAFragmentLeftClosesTheConnection(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		w, err := c.Writer(t.ctx(), conn.Text)
		require.NoError(t, err)
		_, err = w.Write(pattern(20_000))
		require.NoError(t, err)
		waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("too late")) })
		t.calm()
		w.Abort()
		require.Error(t, await(t, waiting, "the error of a writer"))
		h, _, err := p.read()
		require.NoError(t, err)
		require.False(t, h.Fin)
		h, b, err := p.read()
		require.NoError(t, err)
		require.Equal(t, frame.Close, h.Opcode)
		code, _, err := frame.ParseClose(b)
		require.NoError(t, err)
		require.Equal(t, frame.CloseInternalError, code)
		p.send(p.close(code, ""))
		await(t, c.Done(), "the end")
		require.Equal(t, frame.CloseInternalError, closeErrorOf(t, c.Err()).Code)
	})
}

func TestAWriterWhoseConnectionEndsFails(t *testing.T) {
	onEach(t, func(t *rig) {
		c, _ := t.server(conn.Options{})
		w, err := c.Writer(t.ctx(), conn.Text)
		require.NoError(t, err)
		waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("behind")) })
		t.calm()
		c.CloseNow()
		require.ErrorIs(t, await(t, waiting, "the error of a writer"), c.Err())
		_, err = w.Write(pattern(20_000))
		require.ErrorIs(t, err, c.Err())
		require.ErrorIs(t, w.Close(), c.Err())
		_, err = c.Writer(t.ctx(), conn.Text)
		require.ErrorIs(t, err, c.Err())
	})
}
