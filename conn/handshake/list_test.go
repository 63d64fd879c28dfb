package handshake_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// separators of RFC 2616 §2.2; with the controls they are what no token has.
const separators = "()<>@,;:\\\"/[]?={} \t"

func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(separators, c) < 0
}

func TestSubprotocolsOffered(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string // nil means 400
	}{
		{"one", []string{"chat"}, []string{"chat"}},
		{"a list", []string{"chat, superchat"}, []string{"chat", "superchat"}},
		{"a list without spaces", []string{"a,b,c"}, []string{"a", "b", "c"}},
		{"a list over lines", []string{"a, b", "c"}, []string{"a", "b", "c"}},
		{"tabs and spaces", []string{"\ta \t,\t b "}, []string{"a", "b"}},
		{"empty elements", []string{",a,, ,b,"}, []string{"a", "b"}},
		{"an empty line beside another", []string{"", "a"}, []string{"a"}},
		{"names that differ in letter case", []string{"chat, Chat, CHAT"}, []string{"chat", "Chat", "CHAT"}},
		{"names that begin alike", []string{"a, aa, aaa"}, []string{"a", "aa", "aaa"}},
		{"every special character", []string{"!#$%&'*+-.^_`|~"}, []string{"!#$%&'*+-.^_`|~"}},

		{"an empty field", []string{""}, nil},
		{"a blank field", []string{" \t"}, nil},
		{"nothing but commas", []string{",", " , ,"}, nil},
		{"the same twice", []string{"a, a"}, nil},
		{"the same twice on two lines", []string{"a", "a"}, nil},
		{"the same twice far apart", []string{"a, b, c", "d, a"}, nil},
		{"a space inside", []string{"a b"}, nil},
		{"a slash", []string{"a/b"}, nil},
		{"quotes", []string{`"a"`}, nil},
		{"a parameter", []string{"a;b=c"}, nil},
		{"a letter beyond ASCII", []string{"\xc3\xa4"}, nil},
		{"a zero byte", []string{"a\x00"}, nil},
		{"a line break", []string{"a\r\nb"}, nil},
		{"a bad name behind a good one", []string{"a, b:c"}, nil},
		{"a bad name on the second line", []string{"a", "b@"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(with("Sec-WebSocket-Protocol", test.lines...))
			if test.want == nil {
				requireRefused(t, 400, r, &handshake.Policy{Subprotocols: []string{"a"}})
				return
			}
			require.Equal(t, test.want, requireAccepted(t, r, nil).Offered)
		})
	}
}

func TestEveryByteOfASubprotocolAndAnExtension(t *testing.T) {
	for c := range 256 {
		name := "a" + string([]byte{byte(c)}) + "b"
		for _, field := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
			// A comma and, in extensions, a semicolon make two names of it.
			valid := isTokenByte(byte(c)) || c == ',' || c == ';' && field == "Sec-WebSocket-Extensions"
			t.Run(fmt.Sprintf("%s %q", field, name), func(t *testing.T) {
				if valid {
					requireAccepted(t, request(with(field, name)), nil)
				} else {
					requireRefused(t, 400, request(with(field, name)), nil)
				}
			})
		}
	}
}

func TestTheServersFirstPreferenceIsChosen(t *testing.T) {
	tests := []struct {
		name    string
		server  []string
		offered string
		want    string
	}{
		{"the order of the server counts", []string{"b", "a"}, "a, b", "b"},
		{"the first that was offered", []string{"x", "c", "b"}, "a, b, c", "c"},
		{"none in common", []string{"x", "y"}, "a, b", ""},
		{"a server without subprotocols", nil, "a, b", ""},
		{"letter case matters", []string{"Chat"}, "chat", ""},
		{"a part of a name is not the name", []string{"chat"}, "superchat, chat2", ""},
		{"a name that is no token is never chosen", []string{"", "a b", "b"}, "a, b", "b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(with("Sec-WebSocket-Protocol", test.offered))
			p := &handshake.Policy{Subprotocols: test.server}
			require.Equal(t, test.want, requireAccepted(t, r, p).Subprotocol)
		})
	}
	t.Run("nothing offered", func(t *testing.T) {
		a := requireAccepted(t, request(), &handshake.Policy{Subprotocols: []string{"a"}})
		require.Empty(t, a.Subprotocol)
	})
}

func TestALongListOfSubprotocolsIsNoWork(t *testing.T) {
	var list strings.Builder
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&list, "%x,", i)
	}
	a := requireAccepted(t, request(with("Sec-WebSocket-Protocol", list.String())), nil)
	require.Len(t, a.Offered, n)
	require.Equal(t, "0", a.Offered[0])
	requireRefused(t, 400, request(with("Sec-WebSocket-Protocol", list.String(), "0")), nil)
}

func TestExtensionsOffered(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  bool
	}{
		{"one", []string{"foo"}, true},
		{"a parameter", []string{"foo; bar"}, true},
		{"a parameter with a value", []string{"foo; bar=2"}, true},
		{"a parameter with a quoted value", []string{`foo; bar="2"`}, true},
		{"a parameter with an escaped value", []string{`foo; bar="1\2"`}, true},
		{"a parameter with every character escaped", []string{`foo; bar="\b\a\z"`}, true},
		{"several parameters", []string{`foo;a;b=1;c="2";a`}, true},
		{"a list", []string{"foo, bar; baz=2"}, true},
		{"a list over lines", []string{"foo", "bar; baz=2"}, true},
		{"the examples of the RFC", []string{"deflate-stream", "mux; max-channels=4; flow-control, deflate-stream", "private-extension"}, true},
		{"what browsers send", []string{"permessage-deflate; client_max_window_bits"}, true},
		{"the same extension twice", []string{"permessage-deflate; server_no_context_takeover, permessage-deflate"}, true},
		{"an unknown parameter value", []string{"permessage-deflate; client_max_window_bits=99"}, true},
		{"no whitespace", []string{"a;b=c;d,e"}, true},
		{"whitespace everywhere", []string{" \ta ; b\t= c ; d = \"e\"\t, f "}, true},
		{"empty elements", []string{",,a, ,b,"}, true},
		{"an empty line beside another", []string{"", "a"}, true},
		{"a line of commas beside another", []string{" , ,", "a"}, true},
		{"special characters", []string{"!#$%&'*+-.^_`|~; ~=!"}, true},

		{"an empty field", []string{""}, false},
		{"a blank field", []string{" \t "}, false},
		{"nothing but commas", []string{",,"}, false},
		{"a semicolon alone", []string{";"}, false},
		{"a semicolon first", []string{"; a"}, false},
		{"a semicolon last", []string{"a;"}, false},
		{"a semicolon before a comma", []string{"a;, b"}, false},
		{"two semicolons", []string{"a;; b"}, false},
		{"an equals sign alone", []string{"="}, false},
		{"a value of the extension itself", []string{"a=b"}, false},
		{"a parameter without a name", []string{"a; =b"}, false},
		{"a parameter without its value", []string{"a; b="}, false},
		{"a parameter without its value before another", []string{"a; b=; c"}, false},
		{"a parameter without its value before a comma", []string{"a; b=, c"}, false},
		{"two values", []string{"a; b=c d"}, false},
		{"two equals signs", []string{"a; b==c"}, false},
		{"two values by equals signs", []string{"a; b=c=d"}, false},
		{"two extensions without a comma", []string{"a b"}, false},
		{"a parameter without a semicolon", []string{"a; b c"}, false},
		{"a quoted extension", []string{`"a"`}, false},
		{"a quoted parameter name", []string{`a; "b"=c`}, false},
		{"an empty quoted value", []string{`a; b=""`}, false},
		{"a quoted value with a space", []string{`a; b="c d"`}, false},
		{"a quoted value with an escaped space", []string{`a; b="c\ d"`}, false},
		{"a quoted value with a comma", []string{`a; b="c,d"`}, false},
		{"a quoted value with a semicolon", []string{`a; b="c;d"`}, false},
		{"a quoted value with an escaped quote", []string{`a; b="c\"d"`}, false},
		{"a quoted value with an escaped backslash", []string{`a; b="c\\d"`}, false},
		{"a quoted value that does not end", []string{`a; b="c`}, false},
		{"a quoted value that ends in an escape", []string{`a; b="c\`}, false},
		{"a quoted value whose end is escaped", []string{`a; b="c\"`}, false},
		{"a quote alone", []string{`a; b="`}, false},
		{"a quoted value over two lines", []string{`a; b="c`, `d"`}, false},
		{"a token behind a quoted value", []string{`a; b="c"d`}, false},
		{"a quoted value behind a token", []string{`a; b=c"d"`}, false},
		{"two quoted values", []string{`a; b="c""d"`}, false},
		{"single quotes with a space", []string{`a; b='c d'`}, false},
		{"a letter beyond ASCII", []string{"a; b=\xc3\xa4"}, false},
		{"a zero byte", []string{"a\x00"}, false},
		{"a line break", []string{"a\r\n b"}, false},
		{"a bad extension behind a good one", []string{"a, b:c"}, false},
		{"a bad extension on the second line", []string{"a", "b@"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(with("Sec-WebSocket-Extensions", test.lines...))
			if !test.want {
				requireRefused(t, 400, r, nil)
				return
			}
			a := requireAccepted(t, r, nil)
			require.Equal(t, test.lines, a.Extensions)
			require.Empty(t, a.Negotiated)
		})
	}
}

func TestEveryByteOfAQuotedExtensionValue(t *testing.T) {
	for c := range 256 {
		s := string([]byte{byte(c)})
		for _, value := range []string{"x" + s + "y", `x\` + s + "y"} {
			r := request(with("Sec-WebSocket-Extensions", `a; b="`+value+`"`))
			// An unescaped backslash escapes the y.
			if isTokenByte(byte(c)) || value == `x\y` {
				requireAccepted(t, r, nil)
			} else {
				requireRefused(t, 400, r, nil)
			}
		}
	}
}
