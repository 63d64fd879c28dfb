package conn_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

func TestOutputThatMakesNoProgressFor30SecondsIsTheEnd(t *testing.T) {
	inMemory(t, func(t *rig) {
		for _, interval := range []time.Duration{-1, 25 * time.Second, time.Second} {
			c, p := t.server(watched(interval, 20*time.Second, conn.Hooks{}))
			p.block(true)
			time.Sleep(3 * time.Second)
			start := time.Now()
			written := later(func() error {
				c.Write(t.Context(), conn.Binary, pattern(conn.DefaultMaxOutput))
				return c.Write(t.Context(), conn.Text, []byte("more"))
			})
			dead := t.expectDeath(c, time.Minute)
			require.Equal(t, control.WriteStall, dead.Verdict)
			require.Equal(t, control.WriteStall, deadOf(t, await(t, written, "the writer")).Verdict)
			from := 30 * time.Second
			if interval > 0 {
				from -= 2 * time.Second // the probe was stuck first
			}
			require.WithinRange(t, time.Now(), start.Add(from), start.Add(30*time.Second+200*time.Millisecond))
			require.InDelta(t, 30*time.Second, dead.Silence, float64(200*time.Millisecond))
		}
		require.EqualValues(t, 3, t.driver.Stats().Dead["write stall"])
	})
}

func TestAProbeThatNeverLeftSaysNothing(t *testing.T) {
	// Without a bound for output there is nothing to judge by: the peer takes
	// nothing, so it cannot answer.
	inMemory(t, func(t *rig) {
		var d diary
		opts := watched(5*time.Second, 4*time.Second, d.hooks())
		opts.WriteTimeout = -1
		c, p := t.server(opts)
		p.block(true)
		t.expectLife(c, time.Hour)
		require.Empty(t, d.names())
		require.Equal(t, control.Probing, c.Health().State)
		// Once the peer takes it, it has all of the timeout for its answer.
		p.block(false)
		unblocked := time.Now()
		p.swallow()
		t.expectDeath(c, time.Minute)
		require.WithinRange(t, time.Now(), unblocked.Add(4*time.Second), unblocked.Add(6300*time.Millisecond))
		require.Equal(t, "suspect", d.names()[1])
	})
}

func TestAPeerThatTakesALongWriteLateHasTimeToAnswer(t *testing.T) {
	// The write that the probe is part of takes much longer than the timeout.
	// When it is over, the peer is suspected no sooner than after any other probe.
	inMemory(t, func(t *rig) {
		var d diary
		opts := watched(5*time.Second, 4*time.Second, d.hooks())
		c, p := t.server(opts)
		p.block(true)
		c.Queue(conn.Text, []byte("first"))
		time.Sleep(25 * time.Second)
		require.Empty(t, d.names())
		p.block(false)
		time.Sleep(1900 * time.Millisecond) // the peer is slow
		p.answering()
		t.expectLife(c, time.Hour)
		require.Empty(t, d.names())
	})
}

func TestALivingSlowReaderIsNoStall(t *testing.T) {
	progress := map[string]func(p *peer){
		// It takes something now and then.
		"trickling": func(p *peer) {
			p.block(false)
			time.Sleep(time.Millisecond)
			p.block(true)
		},
		// It takes nothing and says something now and then.
		"speaking": func(p *peer) { p.nc.Write(p.frame(true, frame.Pong, nil)) },
	}
	for name, progress := range progress {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *rig) {
				t.room = 16 << 10 // all of what can be seen to be taken
				c, p := t.server(conn.Options{})
				p.block(true)
				choke(t, c)
				for range 20 {
					t.expectLife(c, 28*time.Second)
					progress(p)
					if name == "trickling" {
						io.CopyN(io.Discard, p.nc, 16<<10)
					}
				}
				require.Equal(t, control.WriteStall, t.expectDeath(c, 31*time.Second).Verdict)
			})
		})
	}
}

func TestAWriteStallCanBePutOffAndTurnedOff(t *testing.T) {
	inMemory(t, func(t *rig) {
		var asked []time.Time
		c, p := t.server(conn.Options{Hooks: conn.Hooks{
			OnDead: func(_ *conn.Conn, err *control.DeadError) time.Duration {
				asked = append(asked, time.Now())
				return []time.Duration{time.Hour, 10 * time.Second, 0}[len(asked)-1]
			},
		}})
		p.block(true)
		c.Write(t.ctx(), conn.Text, []byte("stuck"))
		t.expectDeath(c, 2*time.Hour)
		require.Len(t, asked, 3)
		require.InDelta(t, time.Hour, asked[1].Sub(asked[0]), float64(200*time.Millisecond))
		require.InDelta(t, 10*time.Second, asked[2].Sub(asked[1]), float64(200*time.Millisecond))

		c, p = t.server(conn.Options{WriteTimeout: -1})
		p.block(true)
		c.Write(t.ctx(), conn.Text, []byte("stuck"))
		t.expectLife(c, time.Hour)

		c, p = t.server(conn.Options{WriteTimeout: time.Second})
		p.block(true)
		start := time.Now()
		c.Write(t.ctx(), conn.Text, []byte("stuck"))
		t.expectDeath(c, time.Minute)
		require.InDelta(t, time.Second, time.Since(start), float64(110*time.Millisecond))
	})
}

func TestAVerdictThatIsPutOffForEverIsPutOffForAWeek(t *testing.T) {
	inMemory(t, func(t *rig) {
		asked := make(chan time.Time, 10)
		c, p := t.server(conn.Options{WriteTimeout: 2 * time.Second, Hooks: conn.Hooks{
			OnDead: func(*conn.Conn, *control.DeadError) time.Duration { asked <- time.Now(); return 1<<63 - 1 },
		}})
		p.block(true)
		c.Write(t.ctx(), conn.Text, []byte("stuck"))
		await(t, asked, "the first time")
		t.expectLife(c, 2*time.Hour)
		require.Empty(t, asked)
	})
}

func TestADeadErrorIsATimeoutOfPackageNet(t *testing.T) {
	inMemory(t, func(t *rig) {
		c, p := t.server(watched(time.Second, time.Second, conn.Hooks{}))
		p.swallow()
		_, err := c.NetConn(t.Context(), conn.Binary).Read(make([]byte, 1))
		deadOf(t, err)
		var ne net.Error
		require.True(t, errors.As(err, &ne))
		require.True(t, ne.Timeout())
		require.ErrorContains(t, err, "the peer is dead (silent): nothing for")
	})
}
