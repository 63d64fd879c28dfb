package conn_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
)

// What the kernel knows. Times are short, so a peer that must live is given
// some of them, and one that must die dies when it does: the times of verdicts
// are for tests in bubbles.

const (
	often = 50 * time.Millisecond  // an interval
	brief = 500 * time.Millisecond // a timeout
)

func TestAPeerWhoseKernelAnswersIsStalledAndReset(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	onTCP(t, func(t *rig) {
		c, p := t.server(watched(often, brief, conn.Hooks{}))
		dead := t.expectDeath(c, patience)
		require.Equal(t, control.PeerStalled, dead.Verdict)
		require.NotZero(t, dead.Missed)
		p.nc.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, p.nc)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.EqualValues(t, 1, t.driver.Stats().Dead["peer stalled"])
	})
}

func TestAPeerWhoseKernelTakesNothingMoreHasNoPath(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	onTCP(t, func(t *rig) {
		c, p := t.server(watched(brief, brief, conn.Hooks{}))
		p.nc.(*net.TCPConn).SetReadBuffer(2 << 10)
		c.TryWrite(conn.Binary, pattern(300<<10)) // fits our kernel and not the peer's, and is before the probe
		require.Equal(t, control.PathDead, t.expectDeath(c, patience).Verdict)
	})
}

func TestAStalledPeerIsFoundByAnApplicationThatOnlyWrites(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	// The peer's kernel acknowledges all that is written, which is no sign of the
	// peer itself.
	onTCP(t, func(t *rig) {
		for _, pause := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 70 * time.Millisecond} {
			c, _ := t.server(watched(often, brief, conn.Hooks{}))
			opened := time.Now()
			for c.Write(t.ctx(), conn.Text, pattern(100)) == nil {
				time.Sleep(pause)
			}
			<-c.Done()
			require.Equal(t, control.PeerStalled, deadOf(t, c.Err()).Verdict)
			require.Less(t, time.Since(opened), patience/3) // on a busy machine, too
		}
	})
}

func TestBytesThatNobodyHasReadYetAreEvidence(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	onTCP(t, func(t *rig) {
		entered, leave := make(chan struct{}, 1), make(chan struct{})
		var d diary
		hooks := d.hooks()
		hooks.OnPing = func(*conn.Conn, []byte) { entered <- struct{}{}; <-leave }
		c, p := t.server(watched(often, brief, hooks))
		go c.ReadMessage(t.ctx()) // which the hook holds up
		p.send(p.ping("hold it"))
		await(t, entered, "the hook")
		p.send(p.text("unread"))
		q := p.answering()
		t.expectLife(c, 3*brief)
		require.NotContains(t, d.names(), "dead")
		close(leave)
		t.expectLife(c, 2*brief)
		q.mute.Store(true)
		t.expectDeath(c, patience)
	})
}

// throttled is a transport whose reader takes a little at a time.
type throttled struct {
	net.Conn
	size  int
	every time.Duration
}

func (r throttled) Read(p []byte) (int, error) {
	time.Sleep(r.every)
	return io.ReadAtLeast(r.Conn, p[:min(len(p), r.size)], 1)
}

func TestAMessageThatDrainsSlowlyIsNoDeath(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	for name, setting := range map[string]struct{ write, read int }{
		"in our queue":     {16 << 10, 64 << 10},
		"in our kernel":    {4 << 20, 64 << 10},
		"wherever it fits": {},
	} {
		t.Run(name, func(t *testing.T) {
			onTCP(t, func(t *rig) {
				a, b := t.pair()
				if setting.write > 0 {
					a.(*net.TCPConn).SetWriteBuffer(setting.write)
				}
				if setting.read > 0 {
					b.(*net.TCPConn).SetReadBuffer(setting.read)
				}
				var d diary
				opts := watched(often, brief, d.hooks())
				opts.WriteTimeout = brief
				c := t.new(a, endpoint.Server, opts)
				const chunk, every = 8 << 10, 10 * time.Millisecond
				slow := throttled{b, chunk, every}
				p := &peer{t: t, nc: slow, r: newReader(slow), client: true}
				size := int(4*brief/every) * chunk
				require.NoError(t, c.TryWrite(conn.Binary, pattern(size)))
				q := p.answering()
				t.expectLife(c, 5*brief)
				q.mute.Store(true)
				t.expectDeath(c, patience)
				require.NotZero(t, q.pings.Load())
			})
		})
	}
}

func TestAReaderThatLeavesTheSocketFullForLongLives(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	// It reads what is there and then nothing for most of the timeout.
	onTCP(t, func(t *rig) {
		t.room = 16 << 10
		opts := watched(often, brief, conn.Hooks{})
		opts.WriteTimeout = 3 * brief
		a, b := t.pair()
		c := t.new(a, endpoint.Server, opts)
		slow := throttled{b, 128 << 10, brief * 2 / 3}
		p := &peer{t: t, nc: slow, r: bufio.NewReaderSize(slow, 128<<10), client: true}
		go func() {
			for c.Write(t.ctx(), conn.Binary, pattern(1000)) == nil {
			}
		}()
		q := p.answering()
		t.expectLife(c, 6*brief)
		q.mute.Store(true)
		t.expectDeath(c, patience)
	})
}

func TestAWriteStallEndsWithAReset(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	onTCP(t, func(t *rig) {
		t.room = 16 << 10
		c, p := t.server(conn.Options{WriteTimeout: brief})
		choke(t, c)
		for range 12 { // trickling
			t.expectLife(c, brief/4)
			_, err := io.CopyN(io.Discard, p.nc, 64<<10)
			require.NoError(t, err)
		}
		start := time.Now()
		require.Equal(t, control.WriteStall, t.expectDeath(c, patience).Verdict)
		require.GreaterOrEqual(t, time.Since(start), brief*9/10)
		_, err := io.Copy(io.Discard, p.nc)
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestAConnectionThatEndsIsNotReportedDead(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	onTCP(t, func(t *rig) {
		ends := map[string]func(c *conn.Conn, p *peer){
			"reset": func(_ *conn.Conn, p *peer) {
				p.nc.(*net.TCPConn).SetLinger(0)
				p.nc.Close()
			},
			"end":   func(_ *conn.Conn, p *peer) { p.endWrites() },
			"now":   func(c *conn.Conn, _ *peer) { c.CloseNow() },
			"close": func(_ *conn.Conn, p *peer) { p.nc.Write(p.close(1000, "")) },
		}
		deaths := uint64(0)
		for name, end := range ends {
			for range 10 {
				opts := watched(10*time.Millisecond, 10*time.Millisecond, conn.Hooks{})
				opts.CloseTimeout = 20 * time.Millisecond
				c, p := t.server(opts)
				p.swallow()
				time.Sleep(12 * time.Millisecond) // probed, and about to be looked at again
				end(c, p)
				await(t, c.Done(), name)
				var dead *control.DeadError
				if errors.As(c.Err(), &dead) {
					deaths++ // sooner than the end
				}
			}
		}
		settle(t.T, func() bool { return t.driver.Stats().Connections == 0 })
		s := t.driver.Stats()
		require.Zero(t, s.Suspects)
		require.LessOrEqual(t, deaths, s.Dead["peer stalled"]+s.Dead["path dead"])
	})
}
