package control

import "time"

// State is what is known of a connection.
type State uint8

const (
	Alive    State = iota // bytes came recently enough
	Probing               // a ping of ours is outstanding
	Suspect               // and its pong is late
	Dead                  // the peer was given up
	Paused                // the application does not read, so nothing is known of the peer
	Ending                // the closing handshake is under way
	Finished              // the connection is over
)

func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Probing:
		return "probing"
	case Suspect:
		return "suspect"
	case Dead:
		return "dead"
	case Paused:
		return "paused"
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
	Smoothed    time.Duration // of all of them, as RFC 6298 has it
	Variance    time.Duration // of Smoothed
	Shortest    time.Duration // of the last 5 to 10 minutes
	Outstanding int           // pings of ours without an answer
	Missed      int           // times that the answer to a ping was due and missing, since bytes last came
	Coalesced   uint64        // pings of the peer answered by the pong of a newer one
	Strikes     uint64        // control frames over the limit, if there is one
	Mismatched  uint64        // pongs to pings of ours that came back empty
}

// Verdict says what was seen of a peer that was given up.
type Verdict uint8

const (
	Silent      Verdict = iota // no byte came; nothing is known of the path
	PeerStalled                // the peer's kernel acknowledged the ping, and nobody answered it
	PathDead                   // not even the peer's kernel acknowledged it
	WriteStall                 // the peer took no output
)

func (v Verdict) String() string {
	switch v {
	case Silent:
		return "silent"
	case PeerStalled:
		return "peer stalled"
	case PathDead:
		return "path dead"
	case WriteStall:
		return "write stall"
	}
	return "unknown verdict"
}

// DeadError is why a connection ended whose peer was given up.
type DeadError struct {
	Verdict Verdict
	Silence time.Duration // since bytes last came, or with WriteStall since the last progress
	Missed  int           // pings that were not answered in time
}

func (e *DeadError) Error() string {
	return "the peer is dead (" + e.Verdict.String() + "): nothing for " + e.Silence.Round(time.Millisecond).String()
}

// Timeout returns true.
func (e *DeadError) Timeout() bool { return true }

// Temporary returns false.
func (e *DeadError) Temporary() bool { return false }
