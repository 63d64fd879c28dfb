package conn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

func TestAPeerThatFallsSilentIsSuspectThenDead(t *testing.T) {
	inMemory(t, func(t *rig) {
		var told []string
		note := func(s string) { told = append(told, s) }
		c, p := t.server(conn.Options{PingInterval: 25 * time.Second, Hooks: conn.Hooks{
			OnMissed:  func(*conn.Conn, int) { note("missed") },
			OnSuspect: func(*conn.Conn, time.Duration) { note("suspect") },
			OnDead:    func(*conn.Conn, *control.DeadError) time.Duration { note("dead"); return 0 },
		}})
		start := time.Now()
		h, ping, err := p.read()
		require.NoError(t, err)
		require.Equal(t, frame.Ping, h.Opcode)
		p.send(p.frame(true, frame.Pong, ping))
		t.calm()
		last := time.Now()
		require.WithinRange(t, last, start.Add(time.Second), start.Add(2200*time.Millisecond))
		require.Equal(t, control.Alive, c.Health().State)
		go func() {
			for { // but it does not answer
				if _, _, err := p.read(); err != nil {
					return
				}
			}
		}()
		_, _, err = c.ReadMessage(t.within(time.Minute))
		end := closeErrorOf(t, err)
		require.Equal(t, conn.CloseCode(1006), end.Code)
		var dead *control.DeadError
		require.ErrorAs(t, err, &dead)
		require.Equal(t, control.Silent, dead.Verdict)
		require.WithinRange(t, time.Now(), last.Add(42500*time.Millisecond), last.Add(47700*time.Millisecond))
		require.Equal(t, "missed", told[0])
		require.Equal(t, "suspect", told[1])
		require.Equal(t, "dead", told[len(told)-1])
		require.Equal(t, control.Dead, c.Health().State)
	})
}

func TestAPeerThatAnswersLives(t *testing.T) {
	onEach(t, func(t *rig) {
		interval := 20 * time.Millisecond
		client, server := t.both(conn.Options{PingInterval: interval, PingTimeout: time.Second})
		done := later(func() error { _, _, err := server.ReadMessage(t.within(time.Second)); return err })
		require.Error(t, await(t, done, "the end"))
		require.NoError(t, client.Err())
		require.NoError(t, server.Err())
		require.Positive(t, server.Health().Smoothed+client.Health().Smoothed+1)
		require.Greater(t, t.driver.Stats().Pongs, uint64(20))
	})
}
