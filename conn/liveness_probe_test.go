package conn_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// defaults are options that say nothing of times.
func (t *rig) defaults(opts conn.Options) (*conn.Conn, *peer) {
	t.Helper()
	a, b := t.pair()
	opts.Driver = t.driver
	c := must(conn.New(a, conn.Start{}, &opts))
	t.Cleanup(func() { c.CloseNow() })
	return c, &peer{t: t, nc: b, r: newReader(b), client: true}
}

func TestByDefaultADeadPeerIsFoundIn48Seconds(t *testing.T) {
	inMemory(t, func(t *rig) {
		opened := time.Now()
		type one struct {
			c *conn.Conn
			d diary
		}
		all := make([]*one, 100)
		first := make([]time.Time, len(all))
		for i := range all {
			o := &one{}
			var p *peer
			o.c, p = t.defaults(conn.Options{Hooks: o.d.hooks()})
			all[i] = o
			go func() {
				_, ping, err := p.read()
				if err != nil {
					return
				}
				first[i] = time.Now()
				p.nc.Write(p.frame(true, frame.Pong, ping))
				p.nc.SetReadDeadline(time.Time{})
				p.swallow()
			}()
		}
		var sum time.Duration
		spread := make(map[int64]int)
		for i, o := range all {
			t.expectDeath(o.c, time.Minute)
			require.WithinRange(t, first[i], opened.Add(time.Second), opened.Add(2*time.Second+200*time.Millisecond))
			last, suspect, dead := o.d.find(t, "pong").at, o.d.find(t, "suspect"), o.d.find(t, "dead")
			require.WithinRange(t, suspect.at, last.Add(seconds(22.5+1)), last.Add(seconds(27.5+1.2)))
			took := dead.at.Sub(last)
			require.LessOrEqual(t, took, 47700*time.Millisecond)
			require.GreaterOrEqual(t, took, 42400*time.Millisecond)
			sum += took
			spread[int64(took/time.Second)]++
		}
		require.InDelta(t, 45*time.Second, sum/time.Duration(len(all)), float64(time.Second))
		require.Len(t, spread, 6)
	})
}

func TestTheFirstProbeIsSentAfterAShortInterval(t *testing.T) {
	inMemory(t, func(t *rig) {
		opened := time.Now()
		_, p := t.server(watched(300*time.Millisecond, 0, conn.Hooks{}))
		h, _, err := p.read()
		require.NoError(t, err)
		require.Equal(t, frame.Ping, h.Opcode)
		require.WithinRange(t, time.Now(), opened.Add(270*time.Millisecond), opened.Add(361*time.Millisecond))
	})
}

func TestAConnectionThatIsUsedIsHardlyPinged(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		idle, p := t.defaults(conn.Options{})
		active, q := t.defaults(conn.Options{Hooks: d.hooks()})
		resting, talking := p.answering(), q.answering()
		const hours = 6
		go func() {
			for range hours * 3600 / 10 {
				time.Sleep(10 * time.Second)
				talking.nc.Write(talking.text("."))
			}
		}()
		go echo(t.Context(), active)
		start := time.Now()
		time.Sleep(hours * time.Hour)
		require.NoError(t, idle.Err())
		require.NoError(t, active.Err())
		require.Greater(t, resting.pings.Load(), 10*talking.pings.Load())
		require.InDelta(t, hours*3600/25, resting.pings.Load(), 50)
		require.InDelta(t, hours*12, talking.pings.Load(), 5)
		last := start
		for _, e := range d.all() {
			if e.what == "pong" && last != start { // the first is there to begin with
				require.WithinRange(t, e.at, last.Add(270*time.Second), last.Add(331*time.Second))
			}
			last = e.at
		}
		require.NotZero(t, active.Health().RTT)
	})
}

func TestAnyByteIsEvidence(t *testing.T) {
	// A peer that sends one message for half an hour, octet by octet.
	inMemory(t, func(t *rig) {
		var d diary
		c, p := t.server(watched(10*time.Second, 8*time.Second, d.hooks()))
		p.swallow()
		message := p.frame(true, conn.Binary, pattern(600))
		for _, b := range message {
			time.Sleep(3 * time.Second)
			_, err := p.nc.Write([]byte{b})
			require.NoError(t, err)
		}
		require.Empty(t, d.names())
		require.LessOrEqual(t, t.driver.Stats().Probes, uint64(8))
		_, got, err := c.ReadMessage(t.ctx())
		require.NoError(t, err)
		require.Len(t, got, 600)
	})
}

func TestEvidenceDuringTheProbeIsEnough(t *testing.T) {
	// The peer never answers a ping, but says something else within the timeout.
	inMemory(t, func(t *rig) {
		for what, say := range map[string]func(p *peer) []byte{
			"an unsolicited pong": func(p *peer) []byte { return p.frame(true, frame.Pong, []byte("hm")) },
			"an empty pong":       func(p *peer) []byte { return p.frame(true, frame.Pong, nil) },
			"a ping":              func(p *peer) []byte { return p.ping("") },
			"a message":           func(p *peer) []byte { return p.text("") },
		} {
			var d diary
			c, p := t.server(watched(10*time.Second, 8*time.Second, d.hooks()))
			p.swallow()
			time.Sleep(5 * time.Second)
			for range 100 {
				_, err := p.nc.Write(say(p))
				require.NoError(t, err, what)
				time.Sleep(16 * time.Second)
			}
			time.Sleep(time.Millisecond)
			_, err := p.nc.Write(say(p))
			require.NoError(t, err, what)
			t.calm()
			require.NoError(t, c.Err(), what)
			s := c.Health()
			require.Zero(t, s.Missed)
			require.Contains(t, d.names(), "suspect")
			require.Equal(t, "recovered", d.names()[len(d.names())-1])
			require.Equal(t, control.Alive, s.State, "it is known to live, whatever it left unanswered")
			c.CloseNow()
		}
	})
}

func TestPingsStandForProbesOnlyWhileTheyAreOutstanding(t *testing.T) {
	// Pings of the application that were never answered say nothing about a peer
	// that is asked much later.
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(30*time.Second, 8*time.Second, conn.Hooks{}))
		go p.swallow()
		go func() {
			for range 800 {
				time.Sleep(5 * time.Second)
				p.nc.Write(p.frame(true, frame.Pong, []byte("unasked")))
			}
		}()
		for range 16 {
			go c.Ping(t.within(3 * time.Hour))
		}
		t.expectLife(c, 4000*time.Second)
		died := time.Now()
		t.expectDeath(c, time.Minute)
		require.InDelta(t, 38*time.Second, time.Since(died), float64(3300*time.Millisecond))
	})
}

func TestWithoutAnIntervalNothingIsAskedAndNobodyDies(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(-1, 2*time.Second, conn.Hooks{}))
		q := p.deaf()
		t.expectLife(c, 2*time.Hour)
		require.Zero(t, q.pings.Load())
		require.Equal(t, control.Alive, c.Health().State)
	})
}

func TestWithoutATimeoutPeersArePingedAndNobodyDies(t *testing.T) {
	inMemory(t, func(t *rig) {
		var d diary
		c, p := t.server(watched(30*time.Second, -1, d.hooks()))
		q := p.deaf()
		t.expectLife(c, 2*time.Hour)
		require.InDelta(t, 240, q.pings.Load(), 30, "they keep the path open")
		for i, name := range d.names() {
			require.Equal(t, fmt.Sprint("missed ", i+1), name)
		}
		require.NotEqual(t, control.Suspect, c.Health().State)
		p.send(p.text("!"))
		t.calm()
		require.Zero(t, c.Health().Missed)
		t.expectLife(c, time.Hour)
	})
}

func TestEachConnectionOfADriverIsWatchedWithItsOwnTimes(t *testing.T) {
	inMemory(t, func(t *rig) {
		type kind struct{ interval, timeout time.Duration }
		kinds := []kind{
			{25 * time.Second, 20 * time.Second}, // the coarsest first: the clock becomes finer
			{2 * time.Second, time.Second},
			{300 * time.Millisecond, 500 * time.Millisecond},
			{10 * time.Millisecond, 10 * time.Millisecond},
			{time.Minute, 10 * time.Millisecond},
			{10 * time.Millisecond, 30 * time.Second},
			{20 * time.Second, 50 * time.Second},
		}
		start := time.Now()
		conns := make([]*conn.Conn, len(kinds))
		diaries := make([]diary, len(kinds))
		for i, k := range kinds {
			var p *peer
			conns[i], p = t.server(watched(k.interval, k.timeout, diaries[i].hooks()))
			p.swallow()
			time.Sleep(50 * time.Millisecond)
		}
		for i, k := range kinds {
			t.expectDeath(conns[i], 2*time.Minute)
			first := min(2*time.Second, k.interval+k.interval/10) // before any answer
			took := diaries[i].find(t, "dead").at.Sub(start) - time.Duration(i)*50*time.Millisecond
			require.GreaterOrEqual(t, took, min(time.Second, k.interval*9/10)+k.timeout, "%v", k)
			require.LessOrEqual(t, took, first+k.timeout+max(2*time.Millisecond, k.timeout/10), "%v", k)
		}
	})
}
