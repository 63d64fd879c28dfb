package endpoint

import (
	"strings"

	"github.com/wirebeat/wirebeat/frame"
)

// The heartbeat of those who cannot send ping frames, as browsers: two text
// messages, which are the whole of it.
const (
	beatPing = "ping"
	beatPong = "pong"
)

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

func (e *Endpoint) mayBeat() bool {
	return !e.inMessage && e.MaySend() && !e.out.blocked && e.out.lent == 0 && e.out.buffered() < maxControl
}
