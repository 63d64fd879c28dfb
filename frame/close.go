package frame

import (
	"strconv"
	"unicode/utf8"
)

// CloseCode is the status code of a Close frame (RFC 6455 §7.4).
type CloseCode uint16

// The registered codes. NoStatus, Abnormal and TLSHandshake only ever describe
// what happened; they never appear on the wire.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupported        CloseCode = 1003
	CloseNoStatus           CloseCode = 1005
	CloseAbnormal           CloseCode = 1006
	CloseInvalidPayload     CloseCode = 1007
	ClosePolicyViolation    CloseCode = 1008
	CloseMessageTooBig      CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseBadGateway         CloseCode = 1014
	CloseTLSHandshake       CloseCode = 1015
)

// OnWire reports whether the code may stand in a Close frame: 1000–1003,
// 1007–1014 (registered), 3000–3999 (frameworks), 4000–4999 (private use).
func (c CloseCode) OnWire() bool {
	return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
}

// Normal reports whether the code stands for an end that is no failure: 1000,
// 1001, or a Close frame without a code, as a browser's close() sends it.
func (c CloseCode) Normal() bool {
	return c == CloseNormal || c == CloseGoingAway || c == CloseNoStatus
}

func (c CloseCode) String() string {
	if name, ok := closeNames[c]; ok {
		return strconv.Itoa(int(c)) + " " + name
	}
	return strconv.Itoa(int(c))
}

var closeNames = map[CloseCode]string{
	CloseNormal:             "normal closure",
	CloseGoingAway:          "going away",
	CloseProtocolError:      "protocol error",
	CloseUnsupported:        "unsupported data",
	CloseNoStatus:           "no status received",
	CloseAbnormal:           "abnormal closure",
	CloseInvalidPayload:     "invalid frame payload data",
	ClosePolicyViolation:    "policy violation",
	CloseMessageTooBig:      "message too big",
	CloseMandatoryExtension: "mandatory extension",
	CloseInternalError:      "internal error",
	CloseServiceRestart:     "service restart",
	CloseTryAgainLater:      "try again later",
	CloseBadGateway:         "bad gateway",
	CloseTLSHandshake:       "TLS handshake",
}

// ParseClose reads the payload of a Close frame. An empty one is
// [CloseNoStatus]; the error is a [*ProtocolError]. The reason is a copy.
func ParseClose(p []byte) (code CloseCode, reason string, err error) {
	if len(p) == 0 {
		return CloseNoStatus, "", nil
	}
	// "If there is a body, the first two bytes of the body MUST be a 2-byte
	// unsigned integer" RFC 6455 §5.5.1
	if len(p) == 1 {
		return 0, "", errClosePayload
	}
	code = CloseCode(p[0])<<8 | CloseCode(p[1])
	if !code.OnWire() {
		return 0, "", errCloseCode
	}
	if !utf8.Valid(p[2:]) {
		return 0, "", errCloseReason
	}
	return code, string(p[2:]), nil
}

// AppendClose appends the payload of a Close frame. [CloseNoStatus] gives an
// empty one. The reason is cut to the 123 bytes that fit, at a character
// boundary.
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if code == CloseNoStatus {
		return dst
	}
	dst = append(dst, byte(code>>8), byte(code))
	if len(reason) > maxReason {
		cut := maxReason
		for cut > maxReason-utf8.UTFMax && !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	return append(dst, reason...)
}

const maxReason = MaxControl - 2
