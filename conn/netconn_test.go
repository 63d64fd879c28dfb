package conn_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

// streams returns two ends of a stream of binary messages.
func streams(t *rig, opts conn.Options) (a, b net.Conn) {
	t.Helper()
	client, server := t.both(opts)
	return client.NetConn(context.Background(), conn.Binary), server.NetConn(context.Background(), conn.Binary)
}

var passed = time.Unix(1, 0)

func requireTimeout(t *rig, err error) {
	t.Helper()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	ne, ok := err.(net.Error)
	require.True(t, ok && ne.Timeout())
}

func requireRoundTrip(t *rig, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	message := pattern(300)
	n, err := c.Write(message)
	require.NoError(t, err)
	require.Equal(t, len(message), n)
	got := make([]byte, len(message))
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, message, got)
	require.NoError(t, c.SetDeadline(time.Time{}))
}

func TestAStreamCopiesBothWays(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		go func() {
			io.Copy(b, b)
			b.Close()
		}()
		all := pattern(2 << 20)
		wrote := later(func() error { _, err := io.Copy(a, struct{ io.Reader }{bytes.NewReader(all)}); return err })
		got := make([]byte, len(all))
		_, err := io.ReadFull(a, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(all, got))
		require.NoError(t, await(t, wrote, "the end of a copy"))
		require.NotNil(t, a.LocalAddr())
		require.NotNil(t, a.RemoteAddr())
		require.NoError(t, a.Close())
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

func TestAStreamEndsWithEOF(t *testing.T) {
	for code, normal := range map[conn.CloseCode]bool{1000: true, 1001: true, 1005: true, 1011: false} {
		inMemory(t, func(t *rig) {
			c, p := t.server(conn.Options{})
			s := c.NetConn(t.ctx(), conn.Text)
			p.send(p.text("a"), p.frame(true, conn.Text, nil), p.frame(false, conn.Text, []byte("b")), p.frame(true, 0, []byte("c")), p.close(code, ""))
			b, err := io.ReadAll(s)
			require.Equal(t, "abc", string(b))
			if normal {
				require.NoError(t, err)
			} else {
				require.Equal(t, code, closeErrorOf(t, err).Code)
			}
		})
	}
}

func TestADeadlineThatHasPassedFailsAtOnceAndCanBeMoved(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		go io.Copy(b, b)
		for range 2 {
			require.NoError(t, a.SetDeadline(passed))
			n, err := a.Write(pattern(1024))
			require.Zero(t, n)
			requireTimeout(t, err)
			n, err = a.Read(make([]byte, 1024))
			require.Zero(t, n)
			requireTimeout(t, err)
			requireRoundTrip(t, a)
		}
	})
}

func TestADeadlineInterruptsAReadThatWaits(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		go io.Copy(b, b)
		for _, at := range []func() time.Time{
			func() time.Time { return passed },
			func() time.Time { return time.Now().Add(10 * time.Millisecond) },
		} {
			read := later(func() error { _, err := a.Read(make([]byte, 1)); return err })
			t.calm()
			require.NoError(t, a.SetReadDeadline(at()))
			requireTimeout(t, await(t, read, "the end of a read"))
			requireRoundTrip(t, a)
		}
		// A deadline that is moved away before it comes does nothing.
		require.NoError(t, a.SetReadDeadline(time.Now().Add(150*time.Millisecond)))
		read := later(func() error { _, err := io.ReadFull(a, make([]byte, 4)); return err })
		t.calm()
		require.NoError(t, a.SetReadDeadline(time.Time{}))
		time.Sleep(200 * time.Millisecond)
		_, err := a.Write([]byte("late"))
		require.NoError(t, err)
		require.NoError(t, await(t, read, "a read"))
	})
}

func TestADeadlineInterruptsAWriteThatWaits(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		a, b := streams(t, conn.Options{MaxOutput: 64 << 10})
		block := pattern(10_000)
		for _, at := range []func() time.Time{
			func() time.Time { return passed },
			func() time.Time { return time.Now().Add(10 * time.Millisecond) },
		} {
			wrote := make(chan int, 1)
			ended := later(func() error {
				total := 0
				for {
					n, err := a.Write(block)
					if total += n; err != nil {
						wrote <- total
						return err
					}
				}
			})
			t.calm()
			t.calm()
			require.NoError(t, a.SetWriteDeadline(at()))
			requireTimeout(t, await(t, ended, "the end of a write"))
			total := <-wrote
			_, err := io.ReadFull(b, make([]byte, total))
			require.NoError(t, err, "what was written arrives")
			require.NoError(t, a.SetWriteDeadline(time.Time{}))
		}
		go io.Copy(b, b)
		requireRoundTrip(t, a)
	})
}

// A server of net/http wakes its background reader so.
func TestADeadlineThatIsMovedWhileItEndsHurtsNobody(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		go io.Copy(b, b)
		var all sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			all.Go(func() {
				for one := make([]byte, 1); ; {
					select {
					case <-stop:
						return
					default:
						if _, err := a.Read(one); err != nil && !os.IsTimeout(err) {
							t.Error(err)
							return
						}
						runtime.Gosched()
					}
				}
			})
		}
		for i := range 1000 {
			a.SetReadDeadline(passed)
			if i%3 == 0 {
				runtime.Gosched()
			}
			a.SetReadDeadline(time.Time{})
			if i%7 == 0 {
				runtime.Gosched()
			}
			if i%50 == 0 {
				_, err := a.Write([]byte("x"))
				require.NoError(t, err)
			}
		}
		close(stop)
		a.SetReadDeadline(passed)
		all.Wait()
		a.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(50 * time.Millisecond)
			a.SetReadDeadline(passed)
		}()
		io.Copy(io.Discard, a) // what came back meanwhile
		requireRoundTrip(t, a)
	})
}

func TestAStreamMayBeUsedByManyAtOnce(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		var all sync.WaitGroup
		for _, s := range []net.Conn{a, b} {
			for range 3 {
				all.Go(func() {
					for range 100 {
						s.Write([]byte("x"))
						s.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
						s.Read(make([]byte, 100))
						s.SetWriteDeadline(time.Now().Add(time.Second))
					}
				})
			}
		}
		all.Wait()
	})
}

func TestTheCloseOfAStreamReleasesItsReader(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		read := later(func() error { _, err := a.Read(make([]byte, 1)); return err })
		other := later(func() error { _, err := b.Read(make([]byte, 1)); return err })
		t.calm()
		require.NoError(t, a.Close())
		require.Error(t, await(t, read, "the end of a read"))
		require.Equal(t, io.EOF, await(t, other, "the end at the other side"))
		_, err := a.Write([]byte("x"))
		require.Error(t, err)
	})
}

func TestAMessageOfTheWrongTypeClosesAStream(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		s := c.NetConn(t.ctx(), conn.Binary)
		p.send(p.frame(true, conn.Binary, []byte("right")), p.text("wrong"))
		got := make([]byte, 5)
		_, err := io.ReadFull(s, got)
		require.NoError(t, err)
		_, err = s.Read(got)
		require.Error(t, err)
		require.NotEqual(t, io.EOF, err)
		h, b, err := p.read()
		require.NoError(t, err)
		require.Equal(t, frame.Close, h.Opcode)
		code, _, err := frame.ParseClose(b)
		require.NoError(t, err)
		require.Equal(t, conn.CloseCode(1003), code)
		p.send(p.close(1003, ""))
		await(t, c.Done(), "the end")
	})
}

func TestTheContextOfAStreamEndsIt(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		ctx, cancel := context.WithCancel(context.Background())
		s := c.NetConn(ctx, conn.Text)
		read := later(func() error { _, err := s.Read(make([]byte, 1)); return err })
		t.calm()
		cancel()
		require.Error(t, await(t, read, "the end of a read"))
		await(t, c.Done(), "the end")
		p.expectEnd()
	})
}

func TestADeadlineInsideAMessageLosesNothing(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		s := c.NetConn(t.ctx(), conn.Text)
		whole := p.text("one two")
		p.send(whole[:9])
		got := make([]byte, 16)
		n, err := s.Read(got[:2])
		require.NoError(t, err)
		require.Equal(t, "on", string(got[:n]))
		n, err = s.Read(got)
		require.NoError(t, err)
		require.Equal(t, "e", string(got[:n]))
		for range 2 {
			require.NoError(t, s.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
			_, err = s.Read(got)
			requireTimeout(t, err)
		}
		p.send(whole[9:])
		require.NoError(t, s.SetReadDeadline(time.Now().Add(patience)))
		_, err = io.ReadFull(s, got[:4])
		require.NoError(t, err)
		require.Equal(t, " two", string(got[:4]))
		requireWritable(t, c, p)
	})
}

func TestALargeWriteToAStreamBecomesMessagesThatFitTheLimitOfAnybody(t *testing.T) {
	onEach(t, func(t *rig) {
		client, server := t.both(conn.Options{MaxMessage: 64 << 10})
		a := client.NetConn(context.Background(), conn.Binary)
		all := pattern(200_000)
		wrote := later(func() error { _, err := io.Copy(a, bytes.NewReader(all)); return err })
		var got []byte
		for len(got) < len(all) {
			typ, m, err := server.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.Equal(t, conn.Binary, typ)
			got = append(got, m...)
		}
		require.NoError(t, await(t, wrote, "the end of a copy"))
		require.Equal(t, all, got)
	})
}

func TestAStreamThatWasClosedSaysSo(t *testing.T) {
	onEach(t, func(t *rig) {
		a, b := streams(t, conn.Options{})
		go io.Copy(io.Discard, b)
		require.NoError(t, a.Close())
		_, err := a.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = a.Write([]byte("late"))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = b.Write([]byte("late"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, a.Close(), "a second time")
	})
}

func TestTheEndOfTheContextDoesNotCutAClosingHandshakeShort(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		ctx, cancel := context.WithCancel(context.Background())
		c.NetConn(ctx, conn.Binary)
		closed := later(func() error { return c.Close(t.ctx(), 1001, "") })
		p.expect(frame.Close, string(frame.AppendClose(nil, 1001, "")))
		cancel()
		t.calm()
		p.send(p.close(1001, ""))
		require.NoError(t, await(t, closed, "the end"))
	})
}
