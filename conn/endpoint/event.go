package endpoint

import (
	"errors"

	"github.com/wirebeat/wirebeat/frame"
)

// Kind says what an Event tells.
type Kind uint8

const (
	Message Kind = iota + 1 // a message or, after Pieces, its last piece
	Piece                   // when streaming: a piece of a message after which more follows
	Ping                    // Data is its payload
	Pong                    // Data is its payload
	Beat                    // a text message that is a heartbeat: Data is "ping" or "pong"
	Close                   // the peer's Close: Code, and the reason in Data
	Failed                  // the peer broke the protocol: Code answers it, Err says how
	End                     // the peer's bytes have ended
)

func (k Kind) String() string {
	switch k {
	case Message:
		return "message"
	case Piece:
		return "piece"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Beat:
		return "beat"
	case Close:
		return "close"
	case Failed:
		return "failed"
	case End:
		return "end"
	}
	return "no event"
}

// IsData reports whether the event is a Message or a Piece.
func (k Kind) IsData() bool { return k == Message || k == Piece }

// Event is what the bytes of the peer amount to. It has four fields and four
// words on purpose: more of either and the compiler passes it through memory,
// which costs a short message a third of its time.
type Event struct {
	Kind Kind
	Type frame.Opcode    // of data: frame.Text or frame.Binary
	Code frame.CloseCode // of Close and Failed
	Data []byte          // valid until the next call of a reading method
}

// CloseError is how a connection ended. It wraps what led to it, if anything
// did: a [*frame.ProtocolError], or an error of the transport.
type CloseError struct {
	Code   frame.CloseCode
	Reason string
	Remote bool // the peer's Close, or its silence, ended it
	Err    error
}

func (e *CloseError) Error() string {
	s := "websocket: closed: " + e.Code.String()
	if e.Remote {
		s = "websocket: closed by the peer: " + e.Code.String()
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }

var (
	// ErrClosed is returned for what can no longer be sent: a Close frame is
	// queued, or the connection is over.
	ErrClosed = errors.New("websocket: connection is closing")
	// ErrBackpressure is for drivers that limit their output.
	ErrBackpressure = errors.New("websocket: output limit reached")
	// ErrPings is returned when control.MaxProbes pings are unanswered.
	ErrPings = errors.New("websocket: too many pings without an answer")
	// ErrPayload is returned for a control frame of more than 125 bytes, a
	// Close with a code that must not be sent, or a reason that is not UTF-8.
	ErrPayload = errors.New("websocket: control frame that RFC 6455 §5.5 forbids")
	// ErrCloseTimeout is why a connection ended whose closing handshake took
	// longer than Config.CloseTimeout.
	ErrCloseTimeout = errors.New("websocket: closing handshake timed out")
)
