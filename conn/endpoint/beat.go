package endpoint

import (
	"strings"

	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// The heartbeat of those who cannot send ping frames, as browsers: two text
// messages, which are the whole of it.
const (
	beatPing = "ping"
	beatPong = "pong"
)

// beatBudget is how many bytes may wait for the end of a write when an answer
// joins them: as many answers as pongs.
const beatBudget = control.PongBudget * (6 + len(beatPong))

// isBeat reports whether a whole text message is a heartbeat.
func (e *Endpoint) isBeat(typ frame.Opcode, p []byte) bool {
	return typ == frame.Text && (string(p) == beatPing || string(p) == beatPong)
}

// mayBecomeBeat reports whether p may continue what is gathered of a text
// message to a heartbeat, so that none of it may be given away yet.
func (e *Endpoint) mayBecomeBeat(typ frame.Opcode, p []byte) bool {
	if typ != frame.Text || e.inPieces || len(e.msg.b)+len(p) > len(beatPing) {
		return false
	}
	so := string(e.msg.b) + string(p)
	return strings.HasPrefix(beatPing, so) || strings.HasPrefix(beatPong, so)
}

// sendBeat answers heartbeats as soon as a message of ours may begin. While the
// peer does not read there is one answer at most for all of them.
func (e *Endpoint) sendBeat() {
	if e.beat && e.mayBeat() {
		e.beat = false
		e.sendFrame(finBit|byte(frame.Text), []byte(beatPong), false)
	}
}

// mayBeat reports whether an answer may be queued. A write that is under way is
// no blocked one, as long as little waits for its end.
func (e *Endpoint) mayBeat() bool {
	blocked := e.out.blocked || e.out.lent > 0 && e.out.queued-e.out.lent > beatBudget
	return !e.inMessage && e.MaySend() && !blocked && e.out.buffered() < maxControl
}
