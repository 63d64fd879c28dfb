package conn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// soon is how long it may take until an unread connection is read.
const soon = time.Second + 200*time.Millisecond

func requireSoon(t *rig, start time.Time) {
	t.Helper()
	limit := soon
	if !t.memory {
		limit += time.Second // the machine may be busy
	}
	require.LessOrEqual(t, time.Since(start), limit)
}

func TestPingsAreAnsweredWhileTheApplicationOnlyWrites(t *testing.T) {
	onEach(t, func(t *rig) {
		rounds := 5
		if !t.memory {
			rounds = 2
		}
		c, p := t.server(conn.Options{})
		start := time.Now()
		for i := range rounds {
			p.send(p.ping(fmt.Sprint("ping ", i)))
			p.expect(frame.Pong, fmt.Sprint("ping ", i))
			requireSoon(t, start)
			require.NoError(t, c.Write(t.ctx(), conn.Text, []byte("written")))
			p.expect(frame.Text, "written")
			start = time.Now()
		}
		// Once it reads and stops again, it is watched again.
		p.send(p.text("read"))
		_, _, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		start = time.Now()
		p.send(p.ping("again"))
		p.expect(frame.Pong, "again")
		requireSoon(t, start)
	})
}

func TestPingsAreAnsweredWhileAWriterWaitsAtTheLimit(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{MaxOutput: 1000, MaxFrame: 1 << 10})
		choke(t, c)
		waiting := later(func() error { return c.Write(t.ctx(), conn.Text, []byte("behind")) })
		p.send(p.ping("urgent"))
		time.Sleep(soon + 200*time.Millisecond)
		data := 0
		for h, b, err := p.read(); h.Opcode != frame.Pong; h, b, err = p.read() {
			require.NoError(t, err)
			data += len(b)
			require.Less(t, data, 3<<20, "the pong comes behind the data")
		}
		go io.Copy(io.Discard, p.nc)
		require.NoError(t, await(t, waiting, "a write"))
	})
}

func TestTheEndOfThePeerIsNoticedWithoutAReader(t *testing.T) {
	ends := map[string]struct {
		do   func(p *peer)
		code conn.CloseCode
	}{
		"Close":     {func(p *peer) { p.send(p.close(1001, "bye")) }, 1001},
		"EOF":       {func(p *peer) { p.endWrites() }, 1006},
		"violation": {func(p *peer) { p.send([]byte{0x83, 0x80}) }, 1002},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits in real time
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{})
				start := time.Now()
				end.do(p)
				await(t, c.Done(), "the end")
				requireSoon(t, start)
				require.Equal(t, end.code, closeErrorOf(t, c.Err()).Code)
			})
		})
	}
}

func TestPingMeasuresTheRoundTrip(t *testing.T) {
	inMemory(t, func(t *rig) {
		for _, role := range []endpoint.Role{endpoint.Server, endpoint.Client} {
			a, b := newMemoryPair(64 << 10)
			other := endpoint.Client
			if role == other {
				other = endpoint.Server
			}
			c, peer := t.new(a, role, conn.Options{}), t.new(b, other, conn.Options{})
			a.slow(31 * time.Millisecond)
			b.slow(11 * time.Millisecond)
			go peer.ReadMessage(t.ctx())
			const want = 42 * time.Millisecond
			for range 3 {
				start := time.Now()
				pong, err := c.Ping(t.ctx())
				require.NoError(t, err)
				require.Equal(t, control.Pong{RTT: want, Exact: true}, pong, "with nobody reading")
				require.Equal(t, want, time.Since(start))
				require.Equal(t, want, c.Health().RTT)
				require.Equal(t, control.Alive, c.Health().State)
				time.Sleep(777 * time.Millisecond)
			}
			reading, stop := context.WithCancel(context.Background())
			read := later(func() error { _, _, err := c.ReadMessage(reading); return err })
			time.Sleep(time.Millisecond)
			pong, err := c.Ping(t.ctx())
			require.NoError(t, err)
			require.Equal(t, control.Pong{RTT: want, Exact: true}, pong, "with somebody reading")
			stop()
			require.Equal(t, context.Canceled, await(t, read, "a read"))
		}
	})
	onTCP(t, func(t *rig) {
		c, server := t.both(conn.Options{})
		go server.ReadMessage(t.ctx())
		pong, err := c.Ping(t.ctx())
		require.NoError(t, err)
		require.True(t, pong.Exact)
		require.Positive(t, pong.RTT)
	})
}

func TestSeveralPingsAtOnce(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		var pings []<-chan error
		var payloads [][]byte
		for i := range control.MaxProbes {
			pings = append(pings, later(func() error { _, err := c.Ping(t.ctx()); return err }))
			h, b, err := p.read()
			require.NoError(t, err, i)
			require.Equal(t, frame.Ping, h.Opcode)
			payloads = append(payloads, b)
		}
		_, err := c.Ping(t.ctx())
		require.ErrorIs(t, err, endpoint.ErrPings)
		require.Equal(t, control.MaxProbes, c.Health().Outstanding)
		require.Equal(t, control.Probing, c.Health().State)
		p.send(p.frame(true, frame.Pong, []byte("unsolicited")), p.frame(true, frame.Pong, payloads[5]))
		for i := range 6 {
			require.NoError(t, await(t, pings[i], "a pong"), "a pong answers the pings before it")
		}
		t.calm()
		require.Empty(t, pings[6])
		require.Equal(t, control.MaxProbes-6, c.Health().Outstanding)
		p.send(p.close(1000, ""))
		for _, ping := range pings[6:] {
			require.ErrorIs(t, await(t, ping, "the error of a ping"), c.Err())
		}
		_, err = c.Ping(t.ctx())
		require.ErrorIs(t, err, c.Err())
	})
}

func TestAPingThatWasGivenUpLeavesRoomForAnother(t *testing.T) {
	onEach(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		var late []byte
		for range 3 * control.MaxProbes {
			ping := later(func() error { _, err := c.Ping(t.within(5 * time.Millisecond)); return err })
			_, b, err := p.read()
			require.NoError(t, err)
			require.Equal(t, context.DeadlineExceeded, await(t, ping, "the end of its context"))
			late = b
		}
		require.Zero(t, c.Health().Outstanding)
		p.send(p.frame(true, frame.Pong, late)) // is an unsolicited one by now
		ping := later(func() error { _, err := c.Ping(t.ctx()); return err })
		_, b, err := p.read()
		require.NoError(t, err)
		p.send(p.frame(true, frame.Pong, b))
		require.NoError(t, await(t, ping, "the pong"))
	})
}

func TestAPingWithAContextThatEndedSendsNothing(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := c.Ping(ctx)
		require.Equal(t, context.Canceled, err)
		require.Equal(t, context.Canceled, c.Write(ctx, conn.Text, nil))
		require.Equal(t, context.Canceled, c.WritePrepared(ctx, conn.Prepare(conn.Text, nil)))
		_, err = c.Writer(ctx, conn.Text)
		require.Equal(t, context.Canceled, err)
		p.quiet(time.Second)
	})
}

func TestPingsAndReadsDoNotDisturbEachOther(t *testing.T) {
	onEach(t, func(t *rig) {
		c, server := t.both(conn.Options{})
		go echo(t.ctx(), server)
		stop := make(chan struct{})
		pings := later(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if _, err := c.Ping(t.ctx()); err != nil {
					return err
				}
			}
		})
		for i := range 500 {
			requireEcho(t, c, numbered(1, i))
		}
		close(stop)
		require.NoError(t, await(t, pings, "the pings"))
	})
}

func TestWhatComesBeforeTheApplicationReadsIsKeptInOrder(t *testing.T) {
	for name, read := range readMethods {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *rig) {
				c, p := t.server(conn.Options{})
				big := pattern(200_000)
				sent := later(func() error {
					p.send(p.text("first"), p.ping("a"), p.frame(false, conn.Binary, []byte("in ")))
					time.Sleep(2 * time.Second)
					p.send(p.frame(true, 0, []byte("pieces")), p.frame(true, conn.Text, nil), p.frame(true, conn.Text, big))
					p.send(p.text("last"))
					return nil
				})
				time.Sleep(5 * time.Second) // the pump has read it
				for _, want := range []struct {
					typ  conn.Type
					data string
				}{{conn.Text, "first"}, {conn.Binary, "in pieces"}, {conn.Text, ""}, {conn.Text, string(big)}, {conn.Text, "last"}} {
					typ, got, err := read(t, c)
					require.NoError(t, err)
					require.Equal(t, want.typ, typ)
					require.True(t, want.data == string(got), "%d bytes differ", len(got))
				}
				await(t, sent, "the end of the sending")
				p.expect(frame.Pong, "a")
			})
		})
	}
}

func TestThePumpStopsWhenItsInboxIsFull(t *testing.T) {
	inMemory(t, func(t *rig) {
		t.room = 128 << 10
		c, p := t.server(conn.Options{})
		const messages = 2000
		sent := make(chan int, messages)
		go func() {
			for i := range messages {
				p.nc.Write(p.frame(true, conn.Binary, numbered(1, i)))
				sent <- i
			}
		}()
		time.Sleep(time.Minute)
		require.Less(t, len(sent), messages, "the peer must feel that nobody reads")
		kept := 0
		for i := range len(sent) {
			kept += len(numbered(1, i))
		}
		require.Less(t, kept, 128<<10+64<<10+128<<10, "what waits in the transport, in the inbox and in one read")
		for i := range messages {
			_, b, err := c.ReadMessage(t.ctx())
			require.NoError(t, err)
			require.True(t, bytes.Equal(numbered(1, i), b), "message %d", i)
		}
		require.Len(t, sent, messages)
	})
}

func TestThePumpKeepsOneMessageUpToTheLimit(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		sent := later(func() error { p.send(p.frame(true, conn.Binary, pattern(1<<20)), p.ping("behind it")); return nil })
		time.Sleep(10 * time.Second)
		require.NotEmpty(t, sent, "a message that may be received is received")
		_, b, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.True(t, bytes.Equal(pattern(1<<20), b))
		p.expect(frame.Pong, "behind it")
	})
}

func TestAReaderTakesOverFromThePump(t *testing.T) {
	for name, read := range readMethods {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(conn.Options{})
				ctx, cancel := context.WithCancel(context.Background())
				ping := later(func() error { _, err := c.Ping(ctx); return err }) // which starts the pump
				_, _, err := p.read()
				require.NoError(t, err)
				t.calm()
				got := later(func() string {
					_, b, err := read(t, c)
					return fmt.Sprint(string(b), err)
				})
				t.calm()
				p.send(p.text("for the reader"))
				require.Equal(t, "for the reader<nil>", await(t, got, "a message"))
				require.Empty(t, ping)
				cancel()
				require.Equal(t, context.Canceled, await(t, ping, "the end of a ping"))
			})
		})
	}
}

func TestAReadThatIsCancelledWhileThePumpGivesWayLeavesTheConnectionWatched(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		for i := range 300 {
			time.Sleep(2 * time.Second) // the pump reads
			ctx, cancel := context.WithCancel(context.Background())
			read := later(func() error { _, _, err := c.ReadMessage(ctx); return err })
			if i%2 == 0 {
				go cancel()
			} else {
				cancel()
			}
			require.Equal(t, context.Canceled, await(t, read, "the end of a read"))
			start := time.Now()
			p.send(p.ping("answered"))
			p.expect(frame.Pong, "answered")
			requireSoon(t, start)
		}
	})
}
