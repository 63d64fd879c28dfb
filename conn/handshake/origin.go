package handshake

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// noPort stands for a port that is not given.
const noPort = -1

// authority is a host and its port.
type authority struct {
	host string
	port int
}

// origin is a serialized origin, scheme://host[:port]; RFC 6454 §6.2.
type origin struct {
	scheme string
	authority
}

// pattern is one entry of Policy.Origins other than "*".
type pattern struct {
	scheme     string // empty for http and https
	subdomains bool   // the host stands for the names below it
	authority
}

// Validate reports the first entry of the policy that could never have an
// effect, in words for whoever configures the server. Check passes over such
// entries.
func (p *Policy) Validate() error {
	for i, name := range p.Subprotocols {
		if !isToken(name) {
			return errors.New("handshake: subprotocol " + strconv.Quote(name) + " is not a token (RFC 6455 §4.1)")
		}
		if choose(p.Subprotocols[:i], []string{name}) != "" {
			return errors.New("handshake: subprotocol " + strconv.Quote(name) + " is listed twice")
		}
	}
	for _, s := range p.Origins {
		if s == "*" {
			continue
		}
		if _, problem := parsePattern(s); problem != "" {
			return errors.New("handshake: origin pattern " + strconv.Quote(s) + " " + problem)
		}
	}
	return nil
}

// allows decides about the Origin lines of a request for host.
func (p *Policy) allows(lines []string, host authority, tls bool) bool {
	// "A connection attempt lacking this header field SHOULD NOT be
	// interpreted as coming from a browser client." RFC 6455 §4.2.1
	if len(lines) == 0 {
		return true
	}
	value, ok := single(lines)
	if !ok {
		return false
	}
	from, parsed := parseOrigin(value)
	if parsed && from.sameHost(host, tls) {
		return true
	}
	for _, s := range p.Origins {
		if s == "*" {
			return true
		}
		if pattern, problem := parsePattern(s); problem == "" && parsed && pattern.matches(from) {
			return true
		}
	}
	return false
}

// sameHost tells whether a page of this origin came from the host it connects
// to. The port that goes without saying is that of the origin's scheme, not of
// the connection: a proxy in front may terminate TLS.
func (o origin) sameHost(host authority, tls bool) bool {
	implied := defaultPort(o.scheme)
	if implied == noPort || tls && !equalFold(o.scheme, "https") {
		return false
	}
	return equalFold(o.host, host.host) && o.portOr(implied) == host.portOr(implied)
}

func (p pattern) matches(o origin) bool {
	implied := defaultPort(o.scheme)
	if p.scheme == "" && implied == noPort || p.scheme != "" && !equalFold(p.scheme, o.scheme) {
		return false
	}
	if o.portOr(implied) != p.portOr(implied) {
		return false
	}
	if !p.subdomains {
		return equalFold(o.host, p.host)
	}
	// A host has no empty label, so whatever precedes the dot is one or more.
	dot := len(o.host) - len(p.host) - 1
	return dot > 0 && o.host[dot] == '.' && equalFold(o.host[dot+1:], p.host)
}

// parsePattern takes an origin pattern apart, or says what is wrong with it in
// words that follow its name.
func parsePattern(s string) (p pattern, problem string) {
	rest := s
	if scheme, after, ok := strings.Cut(s, "://"); ok {
		if !validScheme(scheme) {
			return pattern{}, "has no valid scheme before \"://\""
		}
		if equalFold(scheme, "ws") || equalFold(scheme, "wss") {
			return pattern{}, "can match nothing: the origin of a page is http or https, not ws or wss"
		}
		p.scheme, rest = scheme, after
	}
	if equalFold(s, "null") {
		return pattern{}, "can not be allowed by name; only \"*\" allows opaque origins"
	}
	rest, p.subdomains = strings.CutPrefix(rest, "*.")
	switch {
	case rest == "":
		return pattern{}, "has no host"
	case strings.Contains(rest, "*"):
		return pattern{}, "has a \"*\" that is neither all of it nor the first label of its host"
	case strings.ContainsAny(rest, "/?#@"):
		return pattern{}, "must be scheme://host[:port] or host[:port], without user, path (not even \"/\"), query or fragment"
	}
	var ok bool
	if p.authority, ok = parseAuthority(rest); !ok {
		return pattern{}, "has no valid host and port"
	}
	if p.subdomains && p.host[0] == '[' {
		return pattern{}, "asks for subdomains of an address"
	}
	return p, ""
}

// parseOrigin takes scheme://host[:port] apart. Everything else, such as
// "null", a path or a list, is no origin.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, _ := strings.Cut(s, "://")
	if !validScheme(scheme) {
		return origin{}, false
	}
	o.scheme = scheme
	o.authority, ok = parseAuthority(rest)
	return o, ok
}

// parseHost takes the value of Host apart. Unlike an origin it may have an
// empty port, as in RFC 3986 §3.2.3.
func parseHost(s string) (authority, bool) {
	return parseAuthority(strings.TrimSuffix(s, ":"))
}

// parseAuthority takes host[:port] apart. The host is an IPv6 address in
// brackets or a name of letters, digits, "-", "_", "~" and dots between
// labels, with or without a last dot.
func parseAuthority(s string) (a authority, ok bool) {
	end := strings.LastIndexByte(s, ']') + 1
	if end > 0 {
		if !validIPv6(s[:end]) {
			return authority{}, false
		}
	} else {
		for end < len(s) && s[end] != ':' {
			c := s[end]
			if !isAlphanumeric(c) && strings.IndexByte("-_.~", c) < 0 {
				return authority{}, false
			}
			end++
		}
		if end == 0 || s[0] == '.' || strings.Contains(s[:end], "..") {
			return authority{}, false
		}
	}
	a = authority{host: s[:end], port: noPort}
	if end == len(s) {
		return a, true
	}
	if s[end] != ':' {
		return authority{}, false
	}
	a.port, ok = parsePort(s[end+1:])
	return a, ok
}

func (a authority) portOr(implied int) int {
	if a.port == noPort {
		return implied
	}
	return a.port
}

// parsePort takes a port as a browser writes it: no sign, no leading zero.
func parsePort(s string) (int, bool) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	return int(port), true
}

// validIPv6 tells whether s is an IPv6 address in brackets, without a zone.
func validIPv6(s string) bool {
	if s[0] != '[' {
		return false
	}
	address, err := netip.ParseAddr(s[1 : len(s)-1])
	return err == nil && address.Is6() && address.Zone() == ""
}

// validScheme tells whether s is a scheme; RFC 3986 §3.1.
func validScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return s != "" && 'a' <= lower(s[0]) && lower(s[0]) <= 'z'
}

// defaultPort returns the port a URL of the scheme has when it names none, and
// noPort for all but http and https.
func defaultPort(scheme string) int {
	switch {
	case equalFold(scheme, "http"):
		return 80
	case equalFold(scheme, "https"):
		return 443
	}
	return noPort
}
