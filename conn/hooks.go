package conn

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// Hooks tell an application of the lives of its connections.
type Hooks = control.Hooks[*Conn]

// PongEvent is a pong, for Hooks.
type PongEvent = control.PongEvent

// SetHooks replaces the hooks of the options for this connection. OnMassSuspect
// is not about one and stays that of the options.
func (c *Conn) SetHooks(h Hooks) { c.ownHooks.Store(&h) }

func (c *Conn) hooks() *Hooks {
	if h := c.ownHooks.Load(); h != nil {
		return h
	}
	return &c.opts.Hooks
}

// LogHooks returns hooks that log transitions: suspicion, recovery, death, and
// when many peers are suspect at once. Join them to others with Hooks.Both.
func LogHooks(log *slog.Logger) Hooks {
	at := func(c *Conn, level slog.Level, message string, args ...any) {
		log.Log(context.Background(), level, message, append([]any{"remote", fmt.Sprint(c.RemoteAddr())}, args...)...)
	}
	return Hooks{
		OnSuspect: func(c *Conn, silence time.Duration) {
			at(c, slog.LevelInfo, "websocket: peer is suspect", "silence", silence)
		},
		OnRecovered: func(c *Conn, downtime time.Duration) {
			at(c, slog.LevelInfo, "websocket: peer has recovered", "downtime", downtime)
		},
		OnDead: func(c *Conn, err *control.DeadError) time.Duration {
			at(c, slog.LevelWarn, "websocket: peer is dead", "verdict", err.Verdict.String(), "silence", err.Silence, "missed", err.Missed)
			return 0
		},
		OnMassSuspect: func(m control.Mass) {
			log.Warn("websocket: many peers are suspect at once", "suspects", m.Suspects, "total", m.Total)
		},
	}
}
