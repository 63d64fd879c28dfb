package frame

// ProtocolError is what a peer did wrong. Its Code belongs in the Close frame
// that answers it; the connection cannot go on. Find it with [errors.As].
type ProtocolError struct {
	Code    CloseCode
	Section string // of RFC 6455, unless it names another
	Reason  string // never contains bytes of the peer
}

func (e *ProtocolError) Error() string {
	return "websocket: " + e.Reason + " (RFC 6455 §" + e.Section + ")"
}

func violation(code CloseCode, section, reason string) *ProtocolError {
	return &ProtocolError{Code: code, Section: section, Reason: reason}
}

// One value each, so that refusing a frame costs no allocation.
var (
	errReservedBits   = violation(CloseProtocolError, "5.2", "reserved bit set without an extension that defines it")
	errReservedOpcode = violation(CloseProtocolError, "5.2", "reserved opcode")
	errLongLength     = violation(CloseProtocolError, "5.2", "payload length not in its shortest form")
	errHugeLength     = violation(CloseProtocolError, "5.2", "payload length with its most significant bit set")
	errUnmasked       = violation(CloseProtocolError, "5.1", "unmasked frame from a client")
	errMasked         = violation(CloseProtocolError, "5.1", "masked frame from a server")
	errControlParts   = violation(CloseProtocolError, "5.5", "fragmented control frame")
	errControlLength  = violation(CloseProtocolError, "5.5", "control frame of more than 125 bytes")
	errNoMessage      = violation(CloseProtocolError, "5.4", "continuation frame without a message to continue")
	errInterleaved    = violation(CloseProtocolError, "5.4", "new message inside a fragmented one")
	errUTF8           = violation(CloseInvalidPayload, "8.1", "text that is not UTF-8")
	errTooBig         = violation(CloseMessageTooBig, "7.4.1", "message over the size limit")
	errFragments      = violation(CloseMessageTooBig, "7.4.1", "message of too many fragments")
	errClosePayload   = violation(CloseProtocolError, "5.5.1", "close frame with a payload of one byte")
	errCloseCode      = violation(CloseProtocolError, "7.4", "close code that must not appear on the wire")
	errCloseReason    = violation(CloseInvalidPayload, "5.5.1", "close reason that is not UTF-8")
)
