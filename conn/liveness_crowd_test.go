package conn_test

import (
	"bytes"
	"encoding/json"
	"expvar"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// crowd is many connections of one driver. Their peers answer, without a
// goroutine each, until they are dead.
type crowd struct {
	conns []*conn.Conn
	peers []*crowdPeer
}

// crowdPeer is a transport that answers pings by itself.
type crowdPeer struct {
	*memoryConn
	mu     sync.Mutex
	answer *memoryConn
	dead   bool
	pings  []time.Time
	pong   []byte // to the last one
}

func (p *crowdPeer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pings = append(p.pings, time.Now())
	p.pong = (&peer{client: true}).frame(true, frame.Pong, b[2:])
	if !p.dead {
		p.answer.Write(p.pong)
	}
	return len(b), nil
}

func (p *crowdPeer) die() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
}

// revive has the peer answer what it was asked last, as nothing is lost for good.
func (p *crowdPeer) revive() {
	p.mu.Lock()
	p.dead = false
	p.answer.Write(p.pong)
	p.mu.Unlock()
}

func newCrowd(t *rig, n int, opts conn.Options) *crowd {
	opts.Driver = t.driver
	shared := must(opts.Shared())
	all := &crowd{}
	for range n {
		a, b := newMemoryPair(1 << 10)
		p := &crowdPeer{memoryConn: a, answer: b}
		all.peers = append(all.peers, p)
		all.conns = append(all.conns, must(conn.New(p, conn.Start{}, shared)))
	}
	t.Cleanup(func() {
		for _, c := range all.conns {
			c.CloseNow()
		}
	})
	return all
}

// most is the largest number of times within a window.
func most(times []time.Time, window time.Duration) (n int) {
	counts := make(map[int64]int)
	for _, at := range times {
		i := at.UnixNano() / int64(window)
		counts[i]++
		n = max(n, counts[i])
	}
	return n
}

func TestOfTenThousandConnectionsExactlyTheDeadOnesDie(t *testing.T) {
	if testing.Short() {
		t.Skip("a crowd")
	}
	inMemory(t, func(t *rig) {
		const n = 10_000
		var mu sync.Mutex
		died := make(map[*conn.Conn]time.Time)
		trips := 0
		all := newCrowd(t, n, conn.Options{
			Hooks: conn.Hooks{OnMassSuspect: func(control.Mass) { mu.Lock(); trips++; mu.Unlock() }},
			OnEnd: func(c *conn.Conn, _ error) { mu.Lock(); died[c] = time.Now(); mu.Unlock() },
		})
		time.Sleep(40 * time.Second)
		for i := range n / 100 {
			all.peers[100*i].die() // 1 %, which is no reason to doubt ourselves
		}
		deaths := time.Now()
		time.Sleep(50 * time.Second)
		t.calm()
		require.Equal(t, n/100, len(died))
		require.Zero(t, trips)
		for i := range n / 100 {
			at, ok := died[all.conns[100*i]]
			require.True(t, ok)
			require.WithinRange(t, at, deaths.Add(20*time.Second), deaths.Add(47700*time.Millisecond))
		}
		var first, later []time.Time
		for _, p := range all.peers {
			p.mu.Lock()
			first = append(first, p.pings[0])
			later = append(later, p.pings[1:]...)
			p.mu.Unlock()
		}
		require.Less(t, most(first, 100*time.Millisecond), n/5, "first probes are spread over a second")
		require.Less(t, most(later, time.Second), n/3, "and the others over more and more of the interval")
		h := t.driver.Stats()
		require.Equal(t, n-n/100, h.Connections)
		require.EqualValues(t, n/100, h.Dead["silent"])
		require.Zero(t, h.Suspects)
	})
}

func TestWhenManyPeersSeemDeadAtOnceEachIsAskedAgain(t *testing.T) {
	inMemory(t, func(t *rig) {
		const n = 2000
		var mu sync.Mutex
		var trips []control.Mass
		var died []time.Time
		all := newCrowd(t, n, conn.Options{PingInterval: 5 * time.Second, PingTimeout: 4 * time.Second,
			Hooks: conn.Hooks{OnMassSuspect: func(m control.Mass) { mu.Lock(); trips = append(trips, m); mu.Unlock() }},
			OnEnd: func(*conn.Conn, error) { mu.Lock(); died = append(died, time.Now()); mu.Unlock() },
		})
		time.Sleep(10 * time.Second)
		dark := time.Now()
		for _, p := range all.peers[:n/2] {
			p.die() // half of them for good
		}
		for _, p := range all.peers[n/2:] {
			p.die() // and half for some seconds, which would be enough
		}
		time.Sleep(5800 * time.Millisecond)
		t.calm()
		require.Len(t, trips, 1, "it is told once")
		require.Equal(t, n, trips[0].Total)
		require.Greater(t, trips[0].Suspects, n/5)
		require.Zero(t, len(died), "and nobody has died of it")
		for _, p := range all.peers[n/2:] {
			p.revive()
		}
		time.Sleep(time.Minute)
		t.calm()
		require.Len(t, trips, 1)
		require.Equal(t, n/2, len(died))
		for i, c := range all.conns {
			require.Equal(t, i < n/2, c.Err() != nil)
		}
		require.Greater(t, died[0].Sub(dark), 5800*time.Millisecond)
		require.LessOrEqual(t, most(died, time.Second), 200, "and they end no faster than 100 in a second")
		s := t.driver.Stats()
		require.EqualValues(t, 1, s.Mass)
		require.Zero(t, s.Suspects)
	})
}

func TestStatsAreJSON(t *testing.T) {
	inMemory(t, func(t *rig) {
		var v expvar.Var = t.driver
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(v.String()), &got), "also before the first connection")
		require.Equal(t, []any{}, got["rtt_log2_us"])
		c, p := t.server(watched(time.Second, time.Second, conn.Hooks{}))
		q := p.answering()
		time.Sleep(10 * time.Second)
		q.mute.Store(true)
		t.expectDeath(c, 5*time.Second)
		t.calm()
		require.NoError(t, json.Unmarshal([]byte(v.String()), &got))
		require.Equal(t, map[string]any{"silent": 1.0, "peer stalled": 0.0, "path dead": 0.0, "write stall": 0.0}, got["dead"])
		s := t.driver.Stats()
		require.EqualValues(t, s.Pongs, q.pings.Load()-int64(s.Probes-s.Pongs))
		require.EqualValues(t, s.Probes, q.pings.Load())
		require.EqualValues(t, got["probes"], s.Probes)
		sum := uint64(0)
		for _, n := range s.RTT {
			sum += n
		}
		require.Equal(t, s.Pongs, sum)
		require.Zero(t, s.Connections)
		require.Zero(t, s.Stalls)
	})
	require.True(t, json.Valid([]byte((*conn.Driver)(nil).String())), "the shared one")
}

func TestLogHooksTellOfTransitionsOnly(t *testing.T) {
	inMemory(t, func(t *rig) {
		var out, text bytes.Buffer
		json_, plain := slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&text, nil))
		c, p := t.server(watched(5*time.Second, 4*time.Second, conn.LogHooks(json_).Both(conn.LogHooks(plain))))
		q := p.deaf()
		time.Sleep(4500 * time.Millisecond)
		p.send(p.ping("hello"))
		q.mute.Store(false)
		time.Sleep(time.Minute)
		q.mute.Store(true)
		t.expectDeath(c, time.Minute)
		conn.LogHooks(json_).OnMassSuspect(control.Mass{Suspects: 300, Total: 1000})
		var got []string
		for line := range strings.Lines(out.String()) {
			var entry map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &entry))
			got = append(got, fmt.Sprint(entry["level"], " ", entry["msg"]))
			if entry["total"] == nil {
				require.Equal(t, "memory", entry["remote"], "an address is a string")
			}
		}
		require.Equal(t, []string{
			"INFO websocket: peer is suspect",
			"INFO websocket: peer has recovered",
			"INFO websocket: peer is suspect",
			"WARN websocket: peer is dead",
			"WARN websocket: many peers are suspect at once",
		}, got)
		require.Contains(t, text.String(), `msg="websocket: peer is dead" remote=memory verdict=silent silence=`)
		require.Contains(t, text.String(), "missed=")
	})
}

func TestTimesThatCannotBeMeantAreRefusedInWords(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for want, opts := range map[string]conn.Options{
		"the ping interval of 9.999999ms is shorter than 10 ms":         {PingInterval: 10*time.Millisecond - 1},
		"the ping interval of 168h0m0.000000001s is longer than a week": {PingInterval: week + 1},
		"the ping timeout of 1ns is shorter than 10 ms":                 {PingTimeout: 1},
		"the ping timeout of 2562047h47m16.854775807s is longer":        {PingTimeout: math.MaxInt64},
		"the write timeout of 1ms is shorter than 10 ms":                {WriteTimeout: time.Millisecond},
		"the write timeout of 336h0m0s is longer than a week":           {WriteTimeout: 2 * week},
		"a ping of 7 bytes: the size must be from 8 to 125":             {PingSize: 7},
		"a ping of 126 bytes: the size must be from 8 to 125":           {PingSize: 126},
		"a ping of -1 bytes: the size must be from 8 to 125":            {PingSize: -1},
	} {
		a, b := newMemoryPair(100)
		_, err := conn.New(a, conn.Start{}, &opts)
		require.ErrorContains(t, err, "websocket: "+want)
		_, err = b.Write([]byte("!"))
		require.NoError(t, err, "the transport was not touched")
		_, err = opts.Shared()
		require.Error(t, err)
	}
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 10 * time.Millisecond, week} {
		_, err := (&conn.Options{PingInterval: d, PingTimeout: d, WriteTimeout: d, PingSize: 125}).Shared()
		require.NoError(t, err)
	}
}

func TestNothingIsLeftOfConnectionsWhosePeersDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		r := &rig{T: t, memory: true, driver: &conn.Driver{}}
		for range 3 { // the driver ends and begins again
			for i := range 50 {
				a, b := newMemoryPair(100)
				c := must(conn.New(a, conn.Start{}, &conn.Options{Driver: r.driver, PingInterval: time.Second, PingTimeout: time.Second, WriteTimeout: 2 * time.Second}))
				switch i % 3 {
				case 0: // closed while it waits to be looked at
					time.AfterFunc(2*time.Second, func() { c.CloseNow() })
				case 1: // dies at that
					b.block(true)
				}
			}
			time.Sleep(10 * time.Second)
			require.Zero(t, r.driver.Stats().Connections)
			require.Zero(t, r.driver.Stats().Suspects)
		}
	})
}
