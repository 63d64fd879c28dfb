package conn_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

func TestHooksTellOfSuspicionRecoveryAndDeathInOrder(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		c, peer := t.server(watched(10*time.Second, 8*time.Second, d.hooks()))
		start := time.Now()
		p := peer.answering()
		time.Sleep(5 * time.Second)
		require.Equal(t, control.Alive, c.Health().State)
		p.mute.Store(true)

		t.until("suspicion", func() bool { return c.Health().State == control.Suspect })
		require.Equal(t, []string{"missed 1", "suspect"}, d.names())
		pong := d.find(t, "pong").at
		suspect := d.find(t, "suspect")
		// The interval, ± 10 %, and a second for a peer that answers at once.
		require.WithinRange(t, suspect.at, pong.Add(seconds(9+1)), pong.Add(seconds(11+2+.2)))
		require.InDelta(t, suspect.at.Sub(pong), suspect.took, float64(200*time.Millisecond))
		require.Equal(t, 1, t.driver.Stats().Suspects)

		time.Sleep(3500 * time.Millisecond)
		p.send(p.text("I am here")[:1]) // the beginning of a frame will do
		t.until("recovery", func() bool { return c.Health().State == control.Alive })
		recovered := d.find(t, "recovered")
		require.InDelta(t, recovered.at.Sub(pong), recovered.took, float64(200*time.Millisecond))
		require.Zero(t, c.Health().Missed)
		require.Zero(t, t.driver.Stats().Suspects)
		p.send(p.text("I am here")[1:])

		t.expectDeath(c, 30*time.Second)
		names := d.names()
		require.Equal(t, []string{"missed 1", "suspect", "missed 2", "missed 3", "recovered", "missed 1", "suspect", "missed 2", "missed 3", "dead"}, names)
		dead := d.find(t, "dead")
		require.InDelta(t, dead.at.Sub(recovered.at), dead.took, float64(200*time.Millisecond))
		require.Less(t, dead.at.Sub(start), time.Minute)
		s := t.driver.Stats()
		require.EqualValues(t, 2, s.Suspected)
		require.EqualValues(t, 1, s.Recovered)
		require.EqualValues(t, 1, s.Dead["silent"])
	})
}

func TestAHookMayUseItsConnection(t *testing.T) {
	// What a hook does must not need what its caller holds.
	does := map[string]func(t *rig, c *conn.Conn){
		"Health": func(t *rig, c *conn.Conn) { c.Health() },
		"Stats":  func(t *rig, c *conn.Conn) { _ = t.driver.String() },
		"Write": func(t *rig, c *conn.Conn) {
			c.Write(t.ctx(), conn.Text, []byte("from a hook"))
			c.Flush(t.within(time.Second))
		},
		"Ping":     func(t *rig, c *conn.Conn) { c.Ping(t.within(100 * time.Millisecond)) },
		"SetHooks": func(t *rig, c *conn.Conn) { c.SetHooks(conn.Hooks{}) },
		"Close":    func(t *rig, c *conn.Conn) { c.Close(t.within(100*time.Millisecond), 1000, "") },
		"CloseNow": func(t *rig, c *conn.Conn) { c.CloseNow() },
	}
	for what, do := range does {
		for _, hook := range []string{"ping", "pong", "missed", "suspect", "recovered", "dead", "mass"} {
			t.Run(what+" in "+hook, func(t *testing.T) {
				inMemory(t, func(t *rig) {
					called := make(chan struct{}, 1000)
					var c *conn.Conn
					act := func(now string) {
						if now == hook {
							do(t, c)
							called <- struct{}{}
						}
					}
					n := 1
					if hook == "mass" {
						n = 150
					}
					opts := must((&conn.Options{Driver: t.driver, PingInterval: 5 * time.Second, PingTimeout: 4 * time.Second, Hooks: conn.Hooks{
						OnPing:        func(*conn.Conn, []byte) { act("ping") },
						OnPong:        func(*conn.Conn, conn.PongEvent) { act("pong") },
						OnMissed:      func(*conn.Conn, int) { act("missed") },
						OnSuspect:     func(*conn.Conn, time.Duration) { act("suspect") },
						OnRecovered:   func(*conn.Conn, time.Duration) { act("recovered") },
						OnDead:        func(*conn.Conn, *control.DeadError) time.Duration { act("dead"); return 0 },
						OnMassSuspect: func(control.Mass) { act("mass") },
					}}).Shared())
					var p *peer
					for range n {
						a, b := t.pair()
						c = must(conn.New(a, conn.Start{}, opts))
						t.Cleanup(func() { c.CloseNow() })
						p = &peer{t: t, nc: b, client: true}
					}
					p.send(p.ping("hello"), p.frame(true, frame.Pong, []byte("unasked")))
					p.swallow()
					if hook == "recovered" {
						t.until("suspicion", func() bool { return c.Health().State == control.Suspect })
						p.send(p.ping("again"))
					}
					await(t, called, "the hook")
					select {
					case <-c.Done(): // by the hook, or as the peer is dead
					case <-time.After(time.Minute):
						require.FailNow(t, "the dead peer was never found", "%+v", c.Health())
					}
				})
			})
		}
	}
}

func TestAHookThatBlocksHoldsUpNobodysClock(t *testing.T) {
	inMemory(t, func(t *rig) {
		for _, hook := range []string{"ping", "pong", "suspect", "dead"} {
			release := make(chan struct{})
			entered := make(chan struct{}, 10)
			block := func(now string) {
				if now == hook {
					entered <- struct{}{}
					<-release
				}
			}
			a, pa := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{
				OnPing:    func(*conn.Conn, []byte) { block("ping") },
				OnPong:    func(*conn.Conn, conn.PongEvent) { block("pong") },
				OnSuspect: func(*conn.Conn, time.Duration) { block("suspect") },
				OnDead:    func(*conn.Conn, *control.DeadError) time.Duration { block("dead"); return 0 },
			}))
			pa.send(pa.ping("hello"), pa.frame(true, frame.Pong, nil))
			pa.swallow()
			await(t, entered, hook)
			b, pb := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
			start := time.Now()
			pb.deaf()
			t.expectDeath(b, 7*time.Second)
			require.Greater(t, time.Since(start), 5*time.Second)
			d, pd := t.server(conn.Options{})
			time.Sleep(10 * time.Second)
			now := time.Now()
			pd.send(pd.ping("hello"))
			pd.expect(frame.Pong, "hello")
			require.WithinDuration(t, now, d.Health().LastInbound, 100*time.Millisecond)
			close(release)
			a.CloseNow()
		}
	})
}

func TestOnDeadPutsTheVerdictOff(t *testing.T) {
	inMemory(t, func(t *rig) {
		var asked []time.Time
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{
			OnDead: func(_ *conn.Conn, err *control.DeadError) time.Duration {
				asked = append(asked, time.Now())
				return []time.Duration{time.Minute, time.Hour, time.Millisecond, 0}[len(asked)-1]
			},
		}))
		p.deaf()
		dead := t.expectDeath(c, 2*time.Hour)
		require.Len(t, asked, 4)
		for i, by := range []time.Duration{time.Minute, time.Hour, time.Millisecond} {
			require.InDelta(t, by, asked[i+1].Sub(asked[i]), float64(300*time.Millisecond))
		}
		require.Greater(t, dead.Silence, time.Hour)
		require.EqualValues(t, 1, t.driver.Stats().Dead["silent"])
	})
}

func TestAPeerThatSpeaksWhileItsDeathIsConsideredLives(t *testing.T) {
	inMemory(t, func(t *rig) {
		considering := make(chan struct{})
		var d diary
		hooks := d.hooks()
		hooks.OnDead = func(*conn.Conn, *control.DeadError) time.Duration {
			considering <- struct{}{}
			time.Sleep(time.Second)
			return 0
		}
		c, peer := t.server(watched(5*time.Second, 4*time.Second, hooks))
		p := peer.deaf()
		<-considering
		p.mute.Store(false)
		p.send(p.text("wait"))
		t.expectLife(c, time.Hour)
		require.Equal(t, []string{"recovered"}, d.names()[len(d.names())-1:])
		require.Zero(t, t.driver.Stats().Dead["silent"])
	})
}

func TestAHookThatEndsTheConnectionIsTheCauseOfItsEnd(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{
			OnDead: func(c *conn.Conn, _ *control.DeadError) time.Duration { c.CloseNow(); return 0 },
		}))
		p.deaf()
		<-c.Done()
		require.False(t, closeErrorOf(t, c.Err()).Remote)
		require.Equal(t, control.Finished, c.Health().State)
		t.calm()
		require.Zero(t, t.driver.Stats().Dead["silent"])
	})
}

func TestHooksOfAConnectionReplaceThoseOfItsOptions(t *testing.T) {
	inMemory(t, func(t *rig) {
		var options, own diary
		opts := watched(5*time.Second, 4*time.Second, options.hooks())
		a, pa := t.server(opts)
		b, pb := t.server(opts)
		b.SetHooks(own.hooks())
		pa.deaf()
		pb.deaf()
		t.expectDeath(a, time.Minute)
		t.expectDeath(b, time.Minute)
		t.calm()
		require.Equal(t, own.names(), options.names())
		require.Equal(t, "dead", own.names()[len(own.names())-1])

		c, pc := t.server(opts)
		before := len(options.names())
		c.SetHooks(conn.Hooks{})
		pc.deaf()
		t.expectDeath(c, time.Minute)
		require.Len(t, options.names(), before)
	})
}

func TestOnPongTellsWhatThePongAnswers(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		c, p := t.server(conn.Options{Hooks: d.hooks()})
		last := func() conn.PongEvent {
			time.Sleep(2 * time.Second) // nobody reads, and the pump comes after one
			all := d.all()
			require.NotEmpty(t, all)
			return all[len(all)-1].pong
		}
		ping := func() (payload []byte, pong <-chan control.Pong) {
			pong = later(func() control.Pong { pong, _ := c.Ping(t.within(time.Minute)); return pong })
			h, payload, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Ping, h.Opcode)
			return payload, pong
		}

		p.send(p.frame(true, frame.Pong, []byte("nobody asked")))
		require.Equal(t, conn.PongEvent{Payload: []byte("nobody asked")}, last())
		require.WithinDuration(t, time.Now(), c.Health().LastInbound, 2100*time.Millisecond)
		require.Zero(t, c.Health().RTT)

		payload, pong := ping()
		time.Sleep(300 * time.Millisecond)
		p.send(p.frame(true, frame.Pong, payload))
		want := control.Pong{RTT: 300 * time.Millisecond, Exact: true}
		require.Equal(t, want, await(t, pong, "a pong"))
		require.Equal(t, conn.PongEvent{Payload: payload, Solicited: true, Pong: want}, last())
		p.send(p.frame(true, frame.Pong, payload)) // once more
		require.Equal(t, conn.PongEvent{Payload: payload}, last())

		ping()
		time.Sleep(100 * time.Millisecond)
		ping()
		time.Sleep(100 * time.Millisecond)
		payload, _ = ping()
		require.Equal(t, 3, c.Health().Outstanding)
		time.Sleep(100 * time.Millisecond)
		p.send(p.frame(true, frame.Pong, payload))
		want = control.Pong{RTT: 100 * time.Millisecond, Exact: true}
		require.Equal(t, conn.PongEvent{Payload: payload, Solicited: true, Pong: want, Coalesced: 2}, last())

		_, pong = ping()
		time.Sleep(200 * time.Millisecond)
		p.send(p.frame(true, frame.Pong, nil))
		want = control.Pong{RTT: 200 * time.Millisecond, Empty: true}
		require.Equal(t, want, await(t, pong, "a pong"))
		require.Equal(t, want, last().Pong)
		h := c.Health()
		require.EqualValues(t, 1, h.Mismatched)
		require.Zero(t, h.Outstanding)
		require.Equal(t, 100*time.Millisecond, h.RTT, "an empty pong is no measure")
		require.Equal(t, 100*time.Millisecond, h.Shortest)

		s := t.driver.Stats()
		require.EqualValues(t, 5, s.Pongs)
		require.EqualValues(t, 1, s.Mismatched)
		require.EqualValues(t, 1, s.RTT[17]) // 100 ms
		require.EqualValues(t, 1, s.RTT[19]) // 300 ms
	})
}

func TestAPeerThatAnswersEveryPingWithAnEmptyPongLives(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.Hooks{}))
		var mute atomic.Bool
		// Two at once, whose empty pongs say of neither that it was answered.
		for range 2 {
			go c.Ping(t.within(3 * time.Hour))
		}
		t.calm()
		go func() {
			for {
				p.nc.SetReadDeadline(time.Time{})
				if h, err := p.r.Peek(2); err != nil {
					return
				} else if n := int(h[1]) + 2; h[0] == 0x89 {
					p.r.Discard(n)
					if !mute.Load() {
						p.nc.Write(p.frame(true, frame.Pong, nil))
					}
				}
			}
		}()
		t.expectLife(c, 2*time.Hour)
		require.Equal(t, control.MaxProbes, c.Health().Outstanding)
		mute.Store(true)
		t.expectDeath(c, 10*time.Second)
	})
}

func TestADeadPeerIsFoundByAnApplicationThatUsesUpThePings(t *testing.T) {
	inMemory(t, func(t *rig) {
		for _, given := range []time.Duration{time.Second / 2, time.Hour} {
			c, p := t.server(watched(25*time.Second, 20*time.Second, conn.Hooks{}))
			p.deaf()
			var refused atomic.Int64
			start := time.Now()
			for c.Err() == nil && time.Since(start) < 2*time.Minute {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), given)
					defer cancel()
					if _, err := c.Ping(ctx); err == conn.ErrPings {
						refused.Add(1)
					}
				}()
				time.Sleep(100 * time.Millisecond)
			}
			require.Equal(t, given == time.Hour, refused.Load() > 0)
			require.Less(t, time.Since(start), 48*time.Second, fmt.Sprint(c.Health()))
			deadOf(t, c.Err())
		}
	})
}
