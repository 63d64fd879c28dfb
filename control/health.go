package control

import "time"

// State is what is known of a connection.
type State uint8

const (
	Alive    State = iota // bytes came recently enough
	Probing               // a ping of ours is outstanding
	Ending                // the closing handshake is under way
	Finished              // the connection is over
)

func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Probing:
		return "probing"
	case Ending:
		return "closing"
	case Finished:
		return "closed"
	}
	return "unknown state"
}

// Health is a snapshot of a connection.
type Health struct {
	State       State
	LastInbound time.Time     // when bytes last came from the peer, within a tick of the clock
	RTT         time.Duration // of the last ping of ours that was answered exactly; 0 if none
	Outstanding int           // pings of ours without an answer
	Coalesced   uint64        // pings of the peer answered by the pong of a newer one
	Strikes     uint64        // control frames over the limit, if there is one
}
