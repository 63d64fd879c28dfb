package control

// Closing is where a connection stands in the closing handshake
// (RFC 6455 §7.1.2).
type Closing uint8

const (
	Open          Closing = iota
	CloseSent             // our Close is queued or sent; the peer's has not come
	CloseReceived         // the peer's Close came; ours is not queued yet
	Closed                // both
)

// Send notes that our Close frame is queued, and reports whether it was the
// first: a second one must not be.
func (c *Closing) Send() bool {
	switch *c {
	case Open:
		*c = CloseSent
	case CloseReceived:
		*c = Closed
	default:
		return false
	}
	return true
}

// Receive notes the peer's Close frame, and reports whether it must be
// answered: "If an endpoint receives a Close frame and did not previously send
// a Close frame, the endpoint MUST send a Close frame in response."
// RFC 6455 §5.5.1
func (c *Closing) Receive() (answer bool) {
	switch *c {
	case Open:
		*c = CloseReceived
		return true
	case CloseSent:
		*c = Closed
	}
	return false
}

// MaySend reports whether data may be sent: "The application MUST NOT send any
// more data frames after sending a Close frame." RFC 6455 §5.5.1
func (c Closing) MaySend() bool { return c == Open || c == CloseReceived }

// MayPong reports whether pings are answered.
func (c Closing) MayPong() bool { return c == Open || c == CloseSent }

// Received reports whether the peer's Close has come.
func (c Closing) Received() bool { return c == CloseReceived || c == Closed }

func (c Closing) String() string {
	switch c {
	case Open:
		return "open"
	case CloseSent:
		return "close sent"
	case CloseReceived:
		return "close received"
	case Closed:
		return "closed"
	}
	return "unknown closing state"
}
