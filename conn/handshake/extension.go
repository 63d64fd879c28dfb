package handshake

import "strings"

// Extensions reads Sec-WebSocket-Extensions lines. Each extension is its name
// and its parameters, as "name" or, with quotes and escapes removed,
// "name=value". ok is false if the lines break the grammar; no line at all does
// not, lines without any extension do.
//
//	extension-list = 1#extension
//	extension = extension-token *( ";" extension-param )
//	extension-param = token [ "=" (token | quoted-string) ]
//
// RFC 6455 §9.1, where whitespace may stand between any two tokens by the
// implied *LWS of RFC 2616 §2.1.
func Extensions(lines []string) (list [][]string, ok bool) {
	for _, line := range lines {
		rest := skipOWS(line)
		for rest != "" {
			if rest[0] != ',' {
				var extension []string
				if extension, rest, ok = cutExtension(rest); !ok {
					return nil, false
				}
				list = append(list, extension)
			}
			if rest == "" {
				break
			}
			if rest[0] != ',' {
				return nil, false
			}
			rest = skipOWS(rest[1:])
		}
	}
	return list, len(list) > 0 || len(lines) == 0
}

// validExtensions tells whether lines follow the grammar.
func validExtensions(lines []string) bool {
	_, ok := Extensions(lines)
	return ok
}

// The cut functions return one element of the grammar and what follows it and
// the whitespace behind it, and false if s does not begin with such an element.

func cutExtension(s string) (extension []string, rest string, ok bool) {
	name, rest, ok := cutToken(s)
	extension = []string{name}
	for ok && strings.HasPrefix(rest, ";") {
		var param string
		param, rest, ok = cutParameter(skipOWS(rest[1:]))
		extension = append(extension, param)
	}
	return extension, rest, ok
}

func cutParameter(s string) (param, rest string, ok bool) {
	param, rest, ok = cutToken(s)
	if !ok || !strings.HasPrefix(rest, "=") {
		return param, rest, ok
	}
	rest = skipOWS(rest[1:])
	cut := cutToken
	if strings.HasPrefix(rest, `"`) {
		cut = cutQuotedToken
	}
	value, rest, ok := cut(rest)
	return param + "=" + value, rest, ok
}

func cutToken(s string) (token, rest string, ok bool) {
	end := 0
	for end < len(s) && isTokenByte(s[end]) {
		end++
	}
	return s[:end], skipOWS(s[end:]), end > 0
}

// cutQuotedToken takes a quoted-string; s begins with its opening quote.
func cutQuotedToken(s string) (token, rest string, ok bool) {
	// "When using the quoted-string syntax variant, the value after
	// quoted-string unescaping MUST conform to the 'token' ABNF."
	// RFC 6455 §9.1
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return b.String(), skipOWS(s[i+1:]), b.Len() > 0
		}
		if s[i] == '\\' {
			i++
		}
		if i == len(s) || !isTokenByte(s[i]) {
			return "", "", false
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
