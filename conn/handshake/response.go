package handshake

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// AppendResponse appends the 101 response that accepts a handshake: the
// handshake's own fields in a fixed order, then extra, sorted by name. It
// returns dst and an error if a does not come from Check, was changed to a
// subprotocol the client did not offer or to malformed extensions, or if
// [ValidateExtra] rejects extra; nothing is ever written that could end a line.
func AppendResponse(dst []byte, a *Accepted, extra map[string][]string) ([]byte, error) {
	if len(a.Accept) != 28 || !validValue(a.Accept) {
		return dst, errors.New("handshake: the Sec-WebSocket-Accept value does not come from a key")
	}
	// "If the client's handshake did not contain such a header field or if the
	// server does not agree to any of the client's requested subprotocols, the
	// only acceptable value is null." RFC 6455 §4.2.2
	if a.Subprotocol != "" && (!isToken(a.Subprotocol) || !slices.Contains(a.Offered, a.Subprotocol)) {
		return dst, errors.New("handshake: the client did not offer subprotocol " + strconv.Quote(a.Subprotocol))
	}
	if a.Negotiated != "" && !validExtensions([]string{a.Negotiated}) {
		return dst, errors.New("handshake: negotiated extensions " + strconv.Quote(a.Negotiated) + " are malformed (RFC 6455 §9.1)")
	}
	if err := ValidateExtra(extra); err != nil {
		return dst, err
	}
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = appendField(dst, "Sec-WebSocket-Accept", a.Accept)
	// "it MUST NOT send back a |Sec-WebSocket-Protocol| header field in its
	// response" RFC 6455 §4.2.2, when there is none to agree on
	if a.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", a.Subprotocol)
	}
	if a.Negotiated != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", a.Negotiated)
	}
	dst = appendHeader(dst, extra)
	return append(dst, "\r\n"...), nil
}

// ValidateExtra reports whether header fields of an application can go into a
// 101: names are tokens, values have no control character but tab, and none of
// them is the handshake's own (Upgrade, Connection, Sec-WebSocket-…) or speaks
// of a body. A server calls it once for fields that are always the same.
func ValidateExtra(extra map[string][]string) error {
	return validateHeader(extra, func(name string) bool {
		// "A server MUST NOT send a Content-Length header field in any
		// response with a status code of 1xx (Informational)"
		// RFC 9110 §8.6, and so Transfer-Encoding in RFC 9112 §6.1
		return isWebSocketField(name) || isAnyOf(name, "Upgrade", "Connection", "Content-Length", "Transfer-Encoding")
	})
}

// AppendRefusal appends a whole response that refuses a handshake and ends the
// connection: the reason as plain text, then a line feed, is its body. The
// header may add fields under the rules of [ValidateExtra], except that here
// Upgrade and Sec-WebSocket-… are allowed and Content-Type and
// X-Content-Type-Options are not. Status must be one that has a body, 200 to
// 599. On error dst is returned as it was.
func AppendRefusal(dst []byte, status int, reason string, header map[string][]string) ([]byte, error) {
	if status < 200 || status > 599 || status == 204 || status == 205 || status == 304 {
		return dst, errors.New("handshake: status " + strconv.Itoa(status) + " can not refuse a handshake with a reason")
	}
	err := validateHeader(header, func(name string) bool {
		return isAnyOf(name, "Connection", "Content-Type", "Content-Length", "Transfer-Encoding", "X-Content-Type-Options")
	})
	if err != nil {
		return dst, err
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, statusTexts[status]...)
	dst = append(dst, "\r\nConnection: close\r\n"...)
	// "A sender of Upgrade MUST also send an "Upgrade" connection option in
	// the Connection header field" RFC 9110 §7.8
	for name := range header {
		if equalFold(name, "Upgrade") {
			dst = appendField(dst, "Connection", "Upgrade")
		}
	}
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"...)
	dst = appendField(dst, "Content-Length", strconv.Itoa(len(reason)+1))
	dst = appendHeader(dst, header)
	dst = append(dst, "\r\n"...)
	dst = append(dst, reason...)
	return append(dst, '\n'), nil
}

// validateHeader reports the first field, in the order of names, that is
// malformed or reserved.
func validateHeader(header map[string][]string, reserved func(name string) bool) error {
	for _, name := range sortedNames(header) {
		if !isToken(name) {
			return errors.New("handshake: header field name " + strconv.Quote(name) + " is not a token")
		}
		if reserved(name) {
			return errors.New("handshake: header field " + name + " is set by the handshake itself")
		}
		if !validValues(header[name]) {
			return errors.New("handshake: the value of header field " + name + " has a control character")
		}
	}
	return nil
}

func validValues(values []string) bool {
	for _, value := range values {
		if !validValue(value) {
			return false
		}
	}
	return true
}

// validValue tells whether s can be a field value.
func validValue(s string) bool {
	// "Field values containing CR, LF, or NUL characters are invalid and
	// dangerous" RFC 9110 §5.5; other control characters are merely invalid.
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isAnyOf(name string, names ...string) bool {
	for _, n := range names {
		if equalFold(name, n) {
			return true
		}
	}
	return false
}

func sortedNames(header map[string][]string) []string {
	if len(header) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(header))
}

// appendHeader appends fields sorted by name, each with its lines in order.
func appendHeader(dst []byte, header map[string][]string) []byte {
	for _, name := range sortedNames(header) {
		for _, value := range header[name] {
			dst = appendField(dst, name, value)
		}
	}
	return dst
}

func appendField(dst []byte, name, value string) []byte {
	// Canonical names of net/http have a small s where RFC 6455 has none, and
	// not every peer ignores the case it should.
	if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
		name = "Sec-WebSocket-" + rest
	}
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}
