package handshake

import "strings"

// validExtensions tells whether the Sec-WebSocket-Extensions lines follow the
// grammar. No line at all does; lines without any extension do not.
//
//	extension-list = 1#extension
//	extension = extension-token *( ";" extension-param )
//	extension-param = token [ "=" (token | quoted-string) ]
//
// RFC 6455 §9.1, where whitespace may stand between any two tokens by the
// implied *LWS of RFC 2616 §2.1.
func validExtensions(lines []string) bool {
	found := false
	for _, line := range lines {
		rest := skipOWS(line)
		for rest != "" {
			if rest[0] != ',' {
				var ok bool
				if rest, ok = cutExtension(rest); !ok {
					return false
				}
				found = true
			}
			if rest == "" {
				break
			}
			if rest[0] != ',' {
				return false
			}
			rest = skipOWS(rest[1:])
		}
	}
	return found || len(lines) == 0
}

// extensionNames returns the names of extensions in lines that follow the
// grammar.
func extensionNames(lines []string) (names []string) {
	for _, line := range lines {
		for rest := skipOWS(line); rest != ""; {
			if rest[0] == ',' {
				rest = skipOWS(rest[1:])
				continue
			}
			after, _ := cutToken(rest)
			names = append(names, trimOWS(rest[:len(rest)-len(after)]))
			rest, _ = cutExtension(rest)
		}
	}
	return names
}

// The cut functions return what follows one element of the grammar and the
// whitespace behind it, and false if s does not begin with such an element.

func cutExtension(s string) (rest string, ok bool) {
	rest, ok = cutToken(s)
	for ok && strings.HasPrefix(rest, ";") {
		rest, ok = cutParameter(skipOWS(rest[1:]))
	}
	return rest, ok
}

func cutParameter(s string) (rest string, ok bool) {
	rest, ok = cutToken(s)
	if !ok || !strings.HasPrefix(rest, "=") {
		return rest, ok
	}
	rest = skipOWS(rest[1:])
	if strings.HasPrefix(rest, `"`) {
		return cutQuotedToken(rest)
	}
	return cutToken(rest)
}

func cutToken(s string) (rest string, ok bool) {
	end := 0
	for end < len(s) && isTokenByte(s[end]) {
		end++
	}
	return skipOWS(s[end:]), end > 0
}

// cutQuotedToken takes a quoted-string; s begins with its opening quote.
func cutQuotedToken(s string) (rest string, ok bool) {
	// "When using the quoted-string syntax variant, the value after
	// quoted-string unescaping MUST conform to the 'token' ABNF."
	// RFC 6455 §9.1
	empty := true
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return skipOWS(s[i+1:]), !empty
		}
		if s[i] == '\\' {
			i++
		}
		if i == len(s) || !isTokenByte(s[i]) {
			return "", false
		}
		empty = false
	}
	return "", false
}
