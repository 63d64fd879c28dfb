package conn_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

func TestSharedOptionsAreACopyWithDefaults(t *testing.T) {
	var none *conn.Options
	shared := must(none.Shared())
	require.Equal(t, conn.DefaultMaxOutput, shared.MaxOutput)
	require.NotNil(t, shared.Driver)
	require.Same(t, shared.Driver, must((&conn.Options{}).Shared()).Driver, "one for the process")
	require.Same(t, shared, must(shared.Shared()), "and are not copied again")

	own := &conn.Options{Driver: &conn.Driver{}, MaxOutput: 7, MaxMessage: 10}
	shared = must(own.Shared())
	require.NotSame(t, own, shared)
	require.Same(t, own.Driver, shared.Driver)
	require.Equal(t, 7, shared.MaxOutput)
	own.MaxOutput, own.MaxMessage = 8, 20
	require.Equal(t, 7, shared.MaxOutput)
	require.Equal(t, int64(10), shared.MaxMessage)
}

func TestNilOptionsWork(t *testing.T) {
	a, b := tcpPair(t)
	r := &rig{T: t}
	client, server := must(conn.New(a, conn.Start{Role: 1}, nil)), must(conn.New(b, conn.Start{}, nil))
	go echo(r.ctx(), server)
	requireEcho(r, client, []byte("hello"))
	require.NoError(t, client.Close(r.ctx(), 1000, ""))
}

func TestLimitsOfOptions(t *testing.T) {
	fragments := func(p *peer, n int, payload string) (b []byte) {
		b = p.frame(false, conn.Text, []byte(payload))
		for range n - 2 {
			b = append(b, p.frame(false, 0, []byte(payload))...)
		}
		return append(b, p.frame(true, 0, []byte(payload))...)
	}
	for _, test := range []struct {
		name string
		opts conn.Options
		send func(p *peer) []byte
		want conn.CloseCode // 0: it is accepted
	}{
		{"a message at the default limit", conn.Options{}, func(p *peer) []byte { return p.frame(true, 2, pattern(1<<20)) }, 0},
		{"a message over the default limit", conn.Options{}, func(p *peer) []byte { return p.frame(true, 2, pattern(1<<20+1)) }, 1009},
		{"a message over the default limit, from its header alone", conn.Options{}, func(p *peer) []byte { return p.frame(true, 2, pattern(1<<20+1))[:14] }, 1009},
		{"a message at a limit", conn.Options{MaxMessage: 10}, func(p *peer) []byte { return fragments(p, 2, "12345") }, 0},
		{"a message over a limit", conn.Options{MaxMessage: 9}, func(p *peer) []byte { return fragments(p, 2, "12345") }, 1009},
		{"a message of any size", conn.Options{MaxMessage: -1}, func(p *peer) []byte { return p.frame(true, 2, pattern(2<<20)) }, 0},
		{"as many fragments as allowed", conn.Options{MaxFragments: 3}, func(p *peer) []byte { return fragments(p, 3, "x") }, 0},
		{"a fragment too many", conn.Options{MaxFragments: 3}, func(p *peer) []byte { return fragments(p, 4, "x") }, 1009},
		{"as many empty fragments as allowed", conn.Options{MaxEmpty: 3}, func(p *peer) []byte { return fragments(p, 3, "") }, 0},
		{"an empty fragment too many", conn.Options{MaxEmpty: 3}, func(p *peer) []byte { return fragments(p, 4, "") }, 1009},
		{"any number of empty fragments", conn.Options{MaxEmpty: -1, MaxFragments: -1}, func(p *peer) []byte { return fragments(p, 2000, "") }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *rig) {
				c, p := t.server(test.opts)
				go p.nc.Write(test.send(p))
				_, _, err := c.ReadMessage(t.ctx())
				if test.want == 0 {
					require.NoError(t, err)
				} else {
					require.Equal(t, test.want, closeErrorOf(t, err).Code)
				}
			})
		})
	}
}

func TestWithoutAnOutputLimitNothingWaits(t *testing.T) {
	onEach(t, func(t *rig) {
		t.room = 32 << 10
		c, p := t.server(conn.Options{MaxOutput: -1})
		for range 10 {
			require.NoError(t, c.TryWrite(conn.Binary, pattern(1<<20)))
		}
		for range 10 {
			h, b, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Binary, h.Opcode)
			require.True(t, bytes.Equal(pattern(1<<20), b))
		}
	})
}

func TestAFloodOfPingsEndsTheConnectionWhereThatIsAskedFor(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{ControlRate: 1})
		go c.ReadMessage(t.ctx())
		for range 16 + control.MaxStrikes {
			p.send(p.ping("x"))
			t.calm()
		}
		await(t, c.Done(), "the end")
		end := closeErrorOf(t, c.Err())
		require.Equal(t, frame.ClosePolicyViolation, end.Code)
		require.Equal(t, control.TooManyPings, end.Reason)
		require.Positive(t, c.Health().Strikes)
	})
}

func TestHealthTellsWhatIsKnown(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{})
		h := c.Health()
		require.Equal(t, control.Alive, h.State)
		require.Zero(t, h.RTT)
		require.WithinDuration(t, time.Now(), h.LastInbound, 200*time.Millisecond)

		time.Sleep(10 * time.Second)
		require.WithinDuration(t, time.Now().Add(-10*time.Second), c.Health().LastInbound, 200*time.Millisecond)
		go c.ReadMessage(t.ctx())
		p.send(p.frame(false, conn.Text, []byte("any byte counts"))[:3])
		t.calm()
		require.WithinDuration(t, time.Now(), c.Health().LastInbound, 200*time.Millisecond)

		ping := later(func() error { _, err := c.Ping(t.ctx()); return err })
		t.calm()
		require.Equal(t, control.Probing, c.Health().State)
		require.Equal(t, 1, c.Health().Outstanding)
		go c.Close(t.ctx(), 1000, "")
		t.calm()
		require.Equal(t, control.Ending, c.Health().State)
		c.CloseNow()
		require.Equal(t, control.Finished, c.Health().State)
		require.Error(t, await(t, ping, "the end of a ping"))
	})
	inMemory(t, func(t *rig) {
		c, p := t.server(conn.Options{Pong: control.Coalesce})
		go c.ReadMessage(t.ctx())
		var b []byte
		for i := range 5 {
			b = append(b, p.ping(fmt.Sprint(i))...)
		}
		p.send(b)
		p.expect(frame.Pong, "4")
		require.Equal(t, uint64(4), c.Health().Coalesced)
	})
}

func TestADriverRunsOnlyWhileConnectionsExist(t *testing.T) {
	inMemory(t, func(t *rig) {
		// Its goroutine would keep the bubble from ending.
		for range 3 {
			c, p := t.server(conn.Options{})
			p.send(p.ping("x"))
			p.expect(frame.Pong, "x")
			c.CloseNow()
			time.Sleep(time.Hour)
		}
	})
}

func TestPingSizeIsWhatAPingCarries(t *testing.T) {
	onEach(t, func(t *rig) {
		for size, want := range map[int]int{0: 8, 8: 8, 9: 9, 125: 125} {
			c, p := t.against(endpoint.Client, conn.Options{PingSize: size})
			ping := later(func() error { _, err := c.Ping(t.ctx()); return err })
			h, b, err := p.read()
			require.NoError(t, err)
			require.Equal(t, frame.Ping, h.Opcode)
			require.Len(t, b, want)
			p.send(p.frame(true, frame.Pong, b))
			require.NoError(t, await(t, ping, "the pong"))
		}
	})
}
