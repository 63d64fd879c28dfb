package conn_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// flood fills the inbox and what lies before it, with messages that nobody
// reads, and returns how many were sent.
func (p *peer) flood(size int) (sent int) {
	for m := p.frame(true, conn.Binary, pattern(size)); ; sent++ {
		p.nc.SetWriteDeadline(time.Now().Add(3 * time.Second))
		if _, err := p.nc.Write(m); err != nil {
			p.nc.SetWriteDeadline(time.Time{})
			return sent
		}
	}
}

func TestNobodyIsDeadWhomTheApplicationDoesNotRead(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		c, p := t.server(watched(5*time.Second, 4*time.Second, d.hooks()))
		p.flood(20 << 10)
		p.swallow()
		t.until("a pause", func() bool { return c.Health().State == control.Paused })
		t.expectLife(c, time.Hour)
		require.Empty(t, d.names(), "silence that we asked for is none")
		require.Equal(t, control.Paused, c.Health().State)
	})
}

func TestAPeerIsWatchedAfreshOnceItIsReadAgain(t *testing.T) {
	for name, after := range map[string]time.Duration{"soon": 7 * time.Second, "late": time.Hour} {
		for _, silent := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				inMemory(t, func(t *rig) {
					var d diary
					c, p := t.server(watched(5*time.Second, 4*time.Second, d.hooks()))
					m := p.frame(true, conn.Binary, pattern(65<<10)) // which fills the inbox
					for range 2 {
						p.send(m) // and the second is read with the first, or not at all
					}
					q := p.deaf()
					t.until("a pause", func() bool { return c.Health().State == control.Paused })
					t.expectLife(c, after)
					q.mute.Store(silent)
					resumed := time.Now()
					ended := later(func() error {
						for _, err := range c.Messages(context.Background()) {
							if err != nil {
								return err
							}
						}
						return nil
					})
					if !silent {
						t.expectLife(c, time.Hour)
						require.NotEqual(t, control.Paused, c.Health().State)
						return
					}
					t.expectDeath(c, time.Minute)
					deadOf(t, await(t, ended, "the end"))
					require.GreaterOrEqual(t, time.Since(resumed), 2*time.Second)
					require.LessOrEqual(t, time.Since(resumed), 9700*time.Millisecond)
				})
			})
		}
	}
}

func TestAPeerThatDiedDuringThePauseIsFoundThoughNothingIsLeftToRead(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
		p.swallow()
		p.send(p.frame(true, conn.Binary, pattern(100<<10)))
		t.until("a pause", func() bool { return c.Health().State == control.Paused })
		t.expectLife(c, time.Minute)
		_, _, err := c.ReadMessage(t.ctx()) // from the inbox, and never again
		require.NoError(t, err)
		t.expectDeath(c, 12*time.Second)
	})
}

func TestAHandlerThatDoesNotReturnKeepsAQuietConnectionWatched(t *testing.T) {
	// The application is busy with one message for an hour: the pump reads, so
	// the peer is known to live, and found when it dies.
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
		q := p.answering()
		busy := make(chan struct{})
		defer close(busy)
		go func() {
			for range c.Messages(context.Background()) {
				<-busy
			}
		}()
		p.send(p.text("this takes a while"))
		t.expectLife(c, time.Hour)
		require.Contains(t, []control.State{control.Alive, control.Probing}, c.Health().State)
		require.Greater(t, q.pings.Load(), int64(600))
		q.mute.Store(true)
		t.expectDeath(c, 9700*time.Millisecond)
	})
}

func TestAnApplicationThatOnlyWritesFindsItsDeadPeer(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
		q := p.answering()
		ended := later(func() error {
			for {
				if err := c.Write(t.Context(), conn.Text, []byte("news")); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		t.expectLife(c, time.Minute)
		q.mute.Store(true)
		dead := t.expectDeath(c, 9700*time.Millisecond)
		require.Equal(t, control.Silent, dead.Verdict)
		deadOf(t, await(t, ended, "the end of the writing"))
	})
}

func TestHealthTellsEachState(t *testing.T) {
	inMemory(t, func(t *rig) {
		requireState := func(c *conn.Conn, want control.State) {
			t.Helper()
			t.calm()
			require.Equal(t, want, c.Health().State, "%v", c.Health().State)
		}
		stop := make(chan struct{})
		defer close(stop)
		open := func() (*conn.Conn, *peer) {
			c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
			for range 4 {
				go func() { // at any time
					for {
						select {
						case <-stop:
							return
						case <-time.After(10 * time.Millisecond):
							c.Health()
							_ = t.driver.String()
						}
					}
				}()
			}
			return c, p
		}
		c, p := open()
		requireState(c, control.Alive)
		go c.Ping(t.within(100 * time.Millisecond))
		requireState(c, control.Probing)
		time.Sleep(101 * time.Millisecond)
		requireState(c, control.Alive)
		p.swallow()
		time.Sleep(2 * time.Second)
		requireState(c, control.Probing)
		time.Sleep(2 * time.Second)
		requireState(c, control.Suspect)
		require.Equal(t, 1, c.Health().Missed)
		time.Sleep(3 * time.Second)
		requireState(c, control.Dead)

		c, p = open()
		p.flood(20 << 10)
		requireState(c, control.Paused)
		ended := later(func() error { return c.Close(t.ctx(), 1000, "") })
		requireState(c, control.Ending)
		p.swallow()
		p.nc.Write(p.close(1000, ""))
		await(t, ended, "the end")
		requireState(c, control.Finished)

		c, _ = open()
		c.CloseNow()
		requireState(c, control.Finished)
	})
}

func TestOnceWeCloseNoProbeIsSentAndPingsAreAnswered(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		opts := watched(time.Second, time.Second, d.hooks())
		opts.CloseTimeout = 10 * time.Minute
		c, p := t.server(opts)
		go c.Close(t.Context(), 1000, "bye")
		p.expect(frame.Close, string(frame.AppendClose(nil, 1000, "bye")))
		for range 10 {
			p.quiet(10 * time.Second)
			p.send(p.ping("still there?"))
			p.expect(frame.Pong, "still there?")
		}
		require.Equal(t, control.Ending, c.Health().State)
		require.Zero(t, t.driver.Stats().Probes)
		require.Empty(t, d.names())
		p.send(p.close(1000, ""))
		await(t, c.Done(), "the end")
		require.NoError(t, c.Close(t.Context(), 1000, ""))
	})
}

func TestASuspectThatIsClosedIsNoSuspectAnyMore(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		c, p := t.server(watched(5*time.Second, 4*time.Second, d.hooks()))
		p.swallow()
		t.until("suspicion", func() bool { return c.Health().State == control.Suspect })
		require.ErrorIs(t, c.Close(t.ctx(), 1000, ""), endpoint.ErrCloseTimeout)
		require.Equal(t, []string{"missed 1", "suspect"}, d.names())
		require.Zero(t, t.driver.Stats().Suspects)
		require.Zero(t, t.driver.Stats().Connections)
		require.Equal(t, control.Finished, c.Health().State)
	})
}

func TestATextHeartbeatIsAnsweredAndEvidence(t *testing.T) {
	inMemory(t, func(t *rig) {
		interval := 300 * time.Millisecond
		var d diary
		opts := watched(interval, interval, d.hooks())
		opts.TextHeartbeat = true
		c, p := t.server(opts)
		messages := later(func() []byte { _, m, _ := c.ReadMessage(t.ctx()); return m })
		for range 10 {
			time.Sleep(interval / 3)
			p.send(p.text("ping"))
			for h := (frame.Header{}); h.Opcode != frame.Text; {
				var m []byte
				var err error
				h, m, err = p.read()
				require.NoError(t, err)
				if h.Opcode == frame.Text {
					require.Equal(t, "pong", string(m))
				} else {
					require.Equal(t, frame.Ping, h.Opcode) // the first probe, if any, is left unanswered
				}
			}
		}
		require.Empty(t, d.names())
		p.send(p.text("pong"), p.text("pings"))
		require.Equal(t, "pings", string(await(t, messages, "a message")))
		p.swallow()
		t.expectDeath(c, patience)
	})
}
