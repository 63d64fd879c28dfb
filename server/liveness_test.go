package server_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// heard is what hooks were told, by name, each with who was told of it.
type heard[C comparable] struct {
	mu    sync.Mutex
	about map[string]C
	order []string
}

func (h *heard[C]) note(what string, c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.about == nil {
		h.about = make(map[string]C)
	}
	h.about[what] = c
	h.order = append(h.order, what)
}

func (h *heard[C]) of(what string) (c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.about[what]
}

func (h *heard[C]) hooks() control.Hooks[C] {
	return control.Hooks[C]{
		OnPing:      func(c C, _ []byte) { h.note("ping", c) },
		OnPong:      func(c C, _ conn.PongEvent) { h.note("pong", c) },
		OnMissed:    func(c C, _ int) { h.note("missed", c) },
		OnSuspect:   func(c C, _ time.Duration) { h.note("suspect", c) },
		OnRecovered: func(c C, _ time.Duration) { h.note("recovered", c) },
		OnDead:      func(c C, _ *control.DeadError) time.Duration { h.note("dead", c); return 0 },
	}
}

func TestHooksGetThePeerAndThoseOfTheOptionsTheConnection(t *testing.T) {
	t.Parallel()
	var peers heard[*server.Peer]
	var conns heard[*conn.Conn]
	opened, closed := make(chan *server.Peer, 1), make(chan error, 1)
	s := &server.Server{
		Options: server.Options{Conn: conn.Options{
			Driver:       &conn.Driver{},
			PingInterval: 100 * time.Millisecond,
			PingTimeout:  800 * time.Millisecond,
			Hooks:        conns.hooks(),
		}},
		Events: server.Events{
			Open: func(p *server.Peer) {
				peers.note("open", p)
				time.Sleep(300 * time.Millisecond) // probes are due meanwhile
				opened <- p
			},
			Close: func(_ *server.Peer, err error) { closed <- err },
			Hooks: peers.hooks(),
		},
	}
	c := connect(t, serve(t, s))
	c.send("\x89\x80\x00\x00\x00\x00") // an empty ping
	p := <-opened
	wait := func(what string) {
		t.Helper()
		require.Eventually(t, func() bool { return peers.of(what) == p }, patience, time.Millisecond, what)
	}
	wait("ping")
	wait("suspect")
	c.send("\x8a\x80\x00\x00\x00\x00") // an empty pong
	wait("recovered")
	require.Contains(t, []control.State{control.Alive, control.Probing}, p.Health().State)
	var dead *control.DeadError
	require.True(t, errors.As(<-closed, &dead))
	require.Equal(t, control.Dead, p.Health().State)
	for _, what := range []string{"ping", "pong", "missed", "suspect", "recovered", "dead"} {
		require.Same(t, p, peers.of(what), what)
		require.Same(t, p, conns.of(what).Owner(), what)
	}
	require.Equal(t, "open", peers.order[0])
	require.EqualValues(t, 1, s.Options.Conn.Driver.Stats().Recovered)
}

func TestALongerWishOfEitherHookPutsADeathOff(t *testing.T) {
	t.Parallel()
	for _, longer := range []string{"peer", "connection"} {
		var mu sync.Mutex
		var asked []time.Time
		by := func(who string) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			if who == longer {
				asked = append(asked, time.Now())
				if len(asked) == 1 {
					return 300 * time.Millisecond
				}
			}
			return 0
		}
		closed := make(chan error, 1)
		s := &server.Server{
			Options: server.Options{Conn: conn.Options{
				Driver: &conn.Driver{}, PingInterval: 50 * time.Millisecond, PingTimeout: 600 * time.Millisecond,
				Hooks: conn.Hooks{OnDead: func(*conn.Conn, *control.DeadError) time.Duration { return by("connection") }},
			}},
			Events: server.Events{
				Close: func(_ *server.Peer, err error) { closed <- err },
				Hooks: control.Hooks[*server.Peer]{OnDead: func(*server.Peer, *control.DeadError) time.Duration { return by("peer") }},
			},
		}
		c := connect(t, serve(t, s))
		<-closed
		c.nc.Close()
		require.Len(t, asked, 2)
		require.GreaterOrEqual(t, asked[1].Sub(asked[0]), 250*time.Millisecond)
	}
}

func TestTimesOfLivenessThatCannotBeMeantAreErrors(t *testing.T) {
	for want, o := range map[string]conn.Options{
		"websocket: the ping interval of 1ms is shorter than 10 ms":     {PingInterval: time.Millisecond},
		"websocket: the ping timeout of 169h0m0s is longer than a week": {PingTimeout: 169 * time.Hour},
		"websocket: the write timeout of 9ms is shorter than 10 ms":     {WriteTimeout: 9 * time.Millisecond},
		"websocket: a ping of 3 bytes: the size must be from 8 to 125":  {PingSize: 3},
	} {
		opts := server.Options{Conn: o}
		s := &server.Server{Options: opts}
		require.EqualError(t, s.Check(), want)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.EqualError(t, s.Serve(ln), want)
		w := httptest.NewRecorder()
		_, err = server.Accept(w, httptest.NewRequest(http.MethodGet, "/", nil), &opts)
		require.EqualError(t, err, want)
		a, b := net.Pipe()
		_, _, err = server.Upgrade(t.Context(), a, &opts)
		require.EqualError(t, err, want)
		a.Close()
		b.Close()
	}
}
