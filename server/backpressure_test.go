package server_test

import (
	"encoding/binary"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

func TestAPeerThatDoesNotReadIsToldOfAndThenOneSendOfAnySizeIsAccepted(t *testing.T) {
	const limit = 256 << 10
	big := pattern(3 * limit)
	full, drained := make(chan int, 1), make(chan error, 1)
	var messages atomic.Int32
	onEvents(t, func(t *testing.T) *server.Server {
		messages.Store(0)
		return &server.Server{
			Options: server.Options{Conn: conn.Options{MaxOutput: limit}},
			Events: server.Events{
				Message: func(p *server.Peer, _ conn.Type, data []byte) {
					if messages.Add(1) > 1 {
						p.Send(conn.Text, data)
						return
					}
					chunk, sent := []byte(pattern(4096)), 0
					for failed := 0; failed < 3; { // until the kernel's buffers are full too
						if err := p.Send(conn.Binary, chunk); err != nil {
							require.Equal(goroutineT{t}, conn.ErrBackpressure, err)
							failed++
							time.Sleep(30 * time.Millisecond)
							continue
						}
						failed = 0
						sent++
					}
					full <- sent
				},
				Drained: func(p *server.Peer) { drained <- p.Send(conn.Binary, []byte(big)) },
			},
		}
	}, func(t *testing.T, addr string) {
		c := connect(t, addr)
		c.send(text("fill"), text("behind in the same segment"))
		sent := await(t, full, "ErrBackpressure")
		c.send(text("behind"))
		time.Sleep(50 * time.Millisecond)
		require.EqualValues(t, 1, messages.Load(), "no Message before Drained")
		require.Empty(t, drained)
		for range sent {
			c.expect(frame.Binary, pattern(4096))
		}
		require.NoError(t, await(t, drained, "Drained"))
		c.expect(frame.Binary, big)
		c.expect(frame.Text, "behind in the same segment")
		c.expect(frame.Text, "behind")
	})
}

// What the client sends is more than any buffer holds, so the server has to
// stop reading, and must lose nothing.
func TestAnEchoUnderBackpressureLosesNothingAndKeepsItsMemory(t *testing.T) {
	total := 128 << 20
	if testing.Short() || raceEnabled {
		total = 16 << 20
	}
	const size = 32 << 10
	onEvents(t, func(*testing.T) *server.Server { return echoServer(server.Options{}) }, func(t *testing.T, addr string) {
		c := connect(t, addr)
		c.nc.(*net.TCPConn).SetReadBuffer(64 << 10)
		c.nc.SetDeadline(time.Now().Add(2 * time.Minute))
		n := total / size
		payload := []byte(pattern(size))
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		go func() {
			for i := range n {
				binary.BigEndian.PutUint32(payload, uint32(i))
				if !c.trySend(masked(0x82, string(payload))) {
					return
				}
			}
		}()
		want := []byte(pattern(size))
		var most uint64
		for i := range n {
			h, got := c.frame()
			binary.BigEndian.PutUint32(want, uint32(i))
			require.Equal(t, frame.Binary, h.Opcode)
			require.True(t, got == string(want), "message %d is another", i)
			if i%64 == 0 {
				time.Sleep(2 * time.Millisecond) // reading slowly is what it is about
			}
			if i%256 == 0 {
				var now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
		// 4 MiB of output, what the pools keep, and what the client itself has
		// allocated since the collection began; without a limit it is all of it.
		require.Less(t, int64(most)-int64(before.HeapAlloc), int64(48<<20))
	})
}

func TestPauseStopsMessagesAndNotPongs(t *testing.T) {
	for _, inside := range []bool{true, false} {
		name := "from elsewhere"
		if inside {
			name = "from a callback"
		}
		t.Run(name, func(t *testing.T) {
			peers := make(chan *server.Peer, 1)
			got := make(chan string, 10)
			onEvents(t, func(*testing.T) *server.Server {
				return &server.Server{Events: server.Events{
					Open: func(p *server.Peer) { peers <- p },
					Message: func(p *server.Peer, _ conn.Type, data []byte) {
						got <- string(data)
						if inside && string(data) == "pause" {
							p.Pause()
						}
					},
				}}
			}, func(t *testing.T, addr string) {
				c := connect(t, addr)
				p := await(t, peers, "Open")
				for range 2 {
					if inside {
						c.send(text("pause"), text("1"))
						require.Equal(t, "pause", await(t, got, "the first message"))
					} else {
						p.Pause()
						time.Sleep(20 * time.Millisecond) // one call may be under way
						c.send(text("1"))
					}
					c.send(text("2"), ping("p"))
					start := time.Now()
					c.expect(frame.Pong, "p")
					require.Less(t, time.Since(start), 5*time.Second)
					require.Empty(t, got)
					p.Resume()
					require.Equal(t, "1", await(t, got, "1"))
					require.Equal(t, "2", await(t, got, "2"))
					p.Resume() // once more does nothing
				}
				c.send(closing(1000, ""))
				c.expectClose(1000, "")
			})
		})
	}
}

func TestAPausedPeerThatLeavesIsNoticed(t *testing.T) {
	over := make(chan error, 1)
	s := &server.Server{Events: server.Events{
		Open:  func(p *server.Peer) { p.Pause() },
		Close: func(_ *server.Peer, err error) { over <- err },
	}}
	addr := serve(t, s)
	for _, leave := range []func(c *client){
		func(c *client) { c.nc.Close() },
		func(c *client) { c.send(text("unread"), closing(1000, "")) },
	} {
		c := connect(t, addr)
		start := time.Now()
		leave(c)
		await(t, over, "Close")
		require.Less(t, time.Since(start), 10*time.Second)
	}
}

func TestPauseAndResumeFromManyGoroutinesLoseNothing(t *testing.T) {
	peers := make(chan *server.Peer, 1)
	s := echoServer(server.Options{})
	s.Events.Open = func(p *server.Peer) { peers <- p }
	c := connect(t, serve(t, s))
	p := await(t, peers, "Open")
	stop := make(chan struct{})
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					p.Pause()
					time.Sleep(50 * time.Microsecond)
					p.Resume()
					time.Sleep(time.Millisecond)
				}
			}
		}()
	}
	defer close(stop)
	for i := range 500 {
		want := pattern(i)
		c.send(text(want))
		c.expect(frame.Text, want)
	}
}
