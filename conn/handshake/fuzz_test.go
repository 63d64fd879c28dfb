package handshake_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// The oracles are regular expressions, written from the grammar and not from
// the code.
const (
	tokenExpr  = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
	quotedExpr = `"(?:\\?` + "[!#$%&'*+\\-.^_`|~0-9A-Za-z]" + `)+"`
	paramExpr  = `[ \t]*;[ \t]*` + tokenExpr + `(?:[ \t]*=[ \t]*(?:` + tokenExpr + `|` + quotedExpr + `))?`
	extExpr    = tokenExpr + `(?:` + paramExpr + `)*`
)

var (
	tokenList     = regexp.MustCompile(listOf(tokenExpr))
	extensionList = regexp.MustCompile(listOf(extExpr))
)

// listOf is the 1#rule of RFC 2616 §2.1, which allows empty elements.
func listOf(element string) string {
	return `^[ \t,]*` + element + `(?:[ \t]*,[ \t,]*` + element + `)*[ \t]*(?:,[ \t,]*)?$`
}

func FuzzSubprotocols(f *testing.F) {
	for _, seed := range []string{"", "chat", "chat, superchat", ",a,, b\t,", "a,a", "a b", "a;b", "\"a\"", "\xff", "a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, refusal := handshake.Check(request(with("Sec-WebSocket-Protocol", line)), nil)
		var want []string
		for _, element := range strings.Split(line, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				want = append(want, element)
			}
		}
		distinct := slices.Clone(want)
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		valid := tokenList.MatchString(line) && len(distinct) == len(want)
		require.Equal(t, valid, refusal == nil)
		if valid {
			require.Equal(t, want, a.Offered)
		}
	})
}

func FuzzExtensions(f *testing.F) {
	for _, seed := range []string{"", "foo", "foo; bar=2, baz", `a; b="c"`, `a;b="\c" ,`, `a; b=""`, `a; b="c`, `a; b="\`, "a;", "a=b", ",,", "a; b = c;d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, refusal := handshake.Check(request(with("Sec-WebSocket-Extensions", line)), nil)
		require.Equal(t, extensionList.MatchString(line), refusal == nil)
		if refusal != nil {
			return
		}
		a.Negotiated = line
		_, err := handshake.AppendResponse(nil, a, nil)
		require.NoError(t, err)
	})
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range [][2]string{
		{"http://a", "a"}, {"https://a:443", "a"}, {"http://[::1]:9001", "[::1]:9001"}, {"null", "a"},
		{"http://a@b", "b"}, {"http://a/", "a"}, {"http://A:80", "a:"}, {"http://a:080", "a"}, {"http://%61", "a"},
	} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, origin, hostLine string, tls bool) {
		r := request(host(hostLine), with("Origin", origin))
		r.TLS = tls
		_, refusal := handshake.Check(r, nil)
		if refusal != nil {
			require.Contains(t, []int{400, 403}, refusal.Status)
			return
		}
		// Whatever is allowed says the same to a parser of URLs: nothing but a
		// scheme and the host of the request.
		u, err := url.Parse(strings.Trim(origin, " \t"))
		require.NoError(t, err)
		require.Equal(t, url.URL{Scheme: u.Scheme, Host: u.Host}, *u)
		h, err := url.Parse(u.Scheme + "://" + strings.Trim(hostLine, " \t"))
		require.NoError(t, err)
		require.True(t, strings.EqualFold(u.Hostname(), h.Hostname()))
		implied := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		require.NotEmpty(t, implied)
		require.Equal(t, portOr(h, implied), portOr(u, implied))
		if tls {
			require.Equal(t, "https", u.Scheme)
		}
	})
}

func portOr(u *url.URL, implied string) string {
	if port := u.Port(); port != "" {
		return port
	}
	return implied
}
