package control

import "time"

// Hooks are functions to be told of a connection's life, each nil or not. They
// are called without locks: OnPing and OnPong by whoever reads the connection,
// the others by one of a few goroutines that all connections share, one after
// the other for one connection. They must not block. C is what the application
// knows connections by.
type Hooks[C any] struct {
	// OnPing is called for each ping of the peer. The payload is valid until it
	// returns.
	OnPing func(c C, payload []byte)
	// OnPong is called for each pong.
	OnPong func(c C, pong PongEvent)
	// OnMissed is called when the answer to a ping is due and missing: for the
	// missed-th time since bytes last came.
	OnMissed func(c C, missed int)
	// OnSuspect is called when a peer becomes suspect. silence is the time since
	// bytes last came.
	OnSuspect func(c C, silence time.Duration)
	// OnRecovered is called when bytes came from a peer that was suspect.
	OnRecovered func(c C, downtime time.Duration)
	// OnDead is called when a peer is about to be given up. A positive result
	// puts that off by as much.
	OnDead func(c C, err *DeadError) (putOff time.Duration)
	// OnMassSuspect is called when so many peers seem dead at once that it must
	// be this machine or its network: see Breaker.
	OnMassSuspect func(m Mass)
}

// PongEvent is a pong.
type PongEvent struct {
	Payload   []byte // valid until the hook returns
	Solicited bool   // it answers a ping of ours, which the rest is about
	Pong
	Coalesced int // earlier pings of ours that it answers too
}

// Mass is a large part of all connections with which something is wrong.
type Mass struct {
	Suspects int
	Total    int
}

// Both returns hooks that call those of h and then those of g. A verdict is put
// off by the longer of what both say.
func (h Hooks[C]) Both(g Hooks[C]) Hooks[C] {
	return Hooks[C]{
		OnPing:        both(h.OnPing, g.OnPing),
		OnPong:        both(h.OnPong, g.OnPong),
		OnMissed:      both(h.OnMissed, g.OnMissed),
		OnSuspect:     both(h.OnSuspect, g.OnSuspect),
		OnRecovered:   both(h.OnRecovered, g.OnRecovered),
		OnDead:        longer(h.OnDead, g.OnDead),
		OnMassSuspect: one(h.OnMassSuspect, g.OnMassSuspect),
	}
}

func both[C, V any](f, g func(C, V)) func(C, V) {
	if f == nil {
		return g
	}
	if g == nil {
		return f
	}
	return func(c C, v V) { f(c, v); g(c, v) }
}

func longer[C, V any](f, g func(C, V) time.Duration) func(C, V) time.Duration {
	if f == nil {
		return g
	}
	if g == nil {
		return f
	}
	return func(c C, v V) time.Duration { return max(f(c, v), g(c, v)) }
}

func one[V any](f, g func(V)) func(V) {
	if f == nil {
		return g
	}
	if g == nil {
		return f
	}
	return func(v V) { f(v); g(v) }
}
