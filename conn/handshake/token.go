package handshake

import (
	"slices"
	"strings"
)

// single returns the value of a field that must have exactly one line.
func single(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	return trimOWS(lines[0]), true
}

// hasToken tells whether one element of a comma-separated list is token in any
// letter case. Other elements may be anything: Upgrade lists "name/version".
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if equalFold(trimOWS(element), token) {
				return true
			}
		}
	}
	return false
}

// subprotocols returns the elements of the Sec-WebSocket-Protocol lines, and
// false if they break the grammar.
func subprotocols(lines []string) (offered []string, ok bool) {
	// "The elements that comprise this value MUST be non-empty strings with
	// characters in the range U+0021 to U+007E not including separator
	// characters as defined in [RFC2616]" RFC 6455 §4.1
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			element = trimOWS(element)
			// "A recipient MUST parse and ignore a reasonable number of empty
			// list elements" RFC 9110 §5.6.1.2
			if element == "" {
				continue
			}
			if !isToken(element) {
				return nil, false
			}
			offered = append(offered, element)
		}
	}
	if len(lines) > 0 && len(offered) == 0 {
		return nil, false
	}
	// "and MUST all be unique strings" RFC 6455 §4.1. Sorting keeps a long
	// hostile list from costing its square.
	return offered, len(offered) < 2 || unique(slices.Clone(offered))
}

// unique tells whether no two elements are equal. It sorts them.
func unique(list []string) bool {
	slices.Sort(list)
	for i := 1; i < len(list); i++ {
		if list[i] == list[i-1] {
			return false
		}
	}
	return true
}

// choose returns the first of preferred that was offered, or "".
func choose(preferred, offered []string) string {
	// "The value chosen MUST be derived from the client's handshake,
	// specifically by selecting one of the values from the
	// |Sec-WebSocket-Protocol| field that the server is willing to use"
	// RFC 6455 §4.2.2
	for _, name := range preferred {
		if slices.Contains(offered, name) {
			return name
		}
	}
	return ""
}

// trimOWS removes optional whitespace, spaces and tabs, from both ends.
func trimOWS(s string) string { return strings.Trim(s, " \t") }

// skipOWS removes optional whitespace from the beginning.
func skipOWS(s string) string { return strings.TrimLeft(s, " \t") }

// equalFold compares without regard to ASCII case only: strings.EqualFold also
// takes U+212A, the Kelvin sign, for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

func isAlphanumeric(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9'
}

// isTokenByte tells whether a token may contain c.
func isTokenByte(c byte) bool {
	// "token = 1*<any CHAR except CTLs or separators>" RFC 2616 §2.2
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}
