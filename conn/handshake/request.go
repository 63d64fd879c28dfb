package handshake

import "strings"

// Field names as the keys of Request.Header spell them.
const (
	fieldAccept     = "Sec-Websocket-Accept"
	fieldConnection = "Connection"
	fieldExtensions = "Sec-Websocket-Extensions"
	fieldKey        = "Sec-Websocket-Key"
	fieldOrigin     = "Origin"
	fieldProtocol   = "Sec-Websocket-Protocol"
	fieldTransfer   = "Transfer-Encoding"
	fieldUpgrade    = "Upgrade"
	fieldVersion    = "Sec-Websocket-Version"
)

// Request is what the handshake needs to know of an HTTP request. All of it
// can be taken from an *http.Request.
type Request struct {
	Method string
	// Target is the request target as it was sent; empty means not known and
	// is not checked.
	Target string
	// Major and Minor are the HTTP version.
	Major, Minor int
	// Host holds the value of every Host line; exactly one is legal.
	Host []string
	// Header maps canonical field names to their lines, in order. The spelling
	// is net/http's ("Sec-Websocket-Key"), so an http.Header converts to it.
	Header map[string][]string
	// ContentLength is the announced size of the body, -1 when unknown.
	ContentLength int64
	// TransferEncoding lists the transfer codings, which net/http takes out of
	// the header.
	TransferEncoding []string
	// TLS says that this process itself terminates TLS for the connection. It
	// stays false behind a proxy that does.
	TLS bool
}

// Policy is what a server makes of requests that are correct. The zero value,
// like nil, speaks no subprotocol and allows the request's own host only.
type Policy struct {
	// Subprotocols the server speaks, in its order of preference.
	Subprotocols []string
	// Origins allowed beside the request's own host. A pattern is one of
	//
	//	*                      any Origin at all, also "null"
	//	scheme://host[:port]   this scheme
	//	host[:port]            http or https
	//
	// A host whose first label is "*" stands for any name with one or more
	// labels in its place: "*.example.com" matches a.example.com and
	// a.b.example.com, not example.com. There is no other wildcard. Without a
	// port only the default port of the Origin's scheme matches. ASCII case
	// does not matter. A pattern that names http, or no scheme, allows an http
	// Origin also on a TLS connection.
	Origins []string
}

// Accepted is what a server answers to a correct request.
type Accepted struct {
	// Accept is the value of Sec-WebSocket-Accept.
	Accept string
	// Subprotocol is the one chosen, empty for none. A server may choose
	// another one of Offered before it writes the response.
	Subprotocol string
	// Offered are the subprotocols the client offered, in its order.
	Offered []string
	// Extensions are the client's Sec-WebSocket-Extensions lines. They follow
	// the grammar of RFC 6455 §9.1; what they say is for the extension to judge.
	Extensions []string
	// Negotiated is the Sec-WebSocket-Extensions value of the response. Check
	// leaves it empty, which accepts no extension.
	Negotiated string
}

// Check decides whether r opens a WebSocket connection under p, which may be
// nil. Exactly one of the results is nil. Compare the refusal with nil before
// it becomes an error: a nil *Refusal in an error variable is not a nil error.
func Check(r *Request, p *Policy) (*Accepted, *Refusal) {
	if p == nil {
		p = &Policy{}
	}
	host, refusal := checkRequest(r)
	if refusal != nil {
		return nil, refusal
	}
	key, refusal := checkFields(r.Header)
	if refusal != nil {
		return nil, refusal
	}
	// "If the server does not wish to accept this connection, it MUST return
	// an appropriate HTTP error code (e.g., 403 Forbidden)" RFC 6455 §4.2.2
	if !p.allows(r.Header[fieldOrigin], host, r.TLS) {
		return nil, refuse(403, "This origin may not connect.")
	}
	offered, ok := subprotocols(r.Header[fieldProtocol])
	if !ok {
		return nil, refuse(400, "Sec-WebSocket-Protocol is not a list of different tokens.")
	}
	// "If a value is received by either the client or the server during
	// negotiation that does not conform to the ABNF below, the recipient of
	// such malformed data MUST immediately _Fail the WebSocket Connection_."
	// RFC 6455 §9.1
	extensions := r.Header[fieldExtensions]
	if !validExtensions(extensions) {
		return nil, refuse(400, "Sec-WebSocket-Extensions is malformed.")
	}
	return &Accepted{
		Accept:      AcceptKey(key),
		Subprotocol: choose(p.Subprotocols, offered),
		Offered:     offered,
		Extensions:  extensions,
	}, nil
}

// checkRequest checks everything that is not particular to WebSocket and
// returns the authority the client believes it talks to.
func checkRequest(r *Request) (authority, *Refusal) {
	// "An HTTP/1.1 or higher GET request" RFC 6455 §4.2.1. HTTP/2 and later
	// are higher, but have no Upgrade.
	if r.Major != 1 || r.Minor < 1 {
		return authority{}, refuse(505, "A WebSocket handshake needs HTTP/1.1.")
	}
	if r.Method != "GET" {
		// "The origin server MUST generate an Allow header field in a 405
		// response" RFC 9110 §15.5.6
		return authority{}, refuse(405, "A WebSocket handshake is a GET request.", "Allow", "GET")
	}
	// "A server MUST respond with a 400 (Bad Request) status code to any
	// HTTP/1.1 request message that lacks a Host header field and to any
	// request message that contains more than one Host header field line or a
	// Host header field with an invalid field value." RFC 9112 §3.2
	value, ok := single(r.Host)
	if !ok {
		return authority{}, refuse(400, "The request needs exactly one Host.")
	}
	host, ok := parseHost(value)
	if !ok {
		return authority{}, refuse(400, "Host is not a valid host and port.")
	}
	if host, ok = targetAuthority(r.Target, host); !ok {
		return authority{}, refuse(400, "The request target names no resource.")
	}
	if r.ContentLength > 0 || len(r.TransferEncoding) > 0 || len(r.Header[fieldTransfer]) > 0 {
		return authority{}, refuse(400, "A WebSocket handshake has no body.")
	}
	return host, nil
}

// targetAuthority checks the form of a request target. It returns the authority
// the target names or, for the usual target that names none, host.
func targetAuthority(target string, host authority) (authority, bool) {
	// "Fragment identifiers are meaningless in the context of WebSocket URIs
	// and MUST NOT be used on these URIs." RFC 6455 §3
	if strings.Contains(target, "#") {
		return authority{}, false
	}
	if target == "" || target[0] == '/' {
		return host, true
	}
	// "(or an absolute HTTP/HTTPS URI containing the /resource name/)"
	// RFC 6455 §4.2.1
	scheme, rest, _ := strings.Cut(target, "://")
	if defaultPort(scheme) == noPort {
		return authority{}, false
	}
	// "the origin server MUST ignore the received Host header field (if any)
	// and instead use the host information of the request-target"
	// RFC 9112 §3.2.2
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return parseHost(rest)
}

// checkFields checks the fields that ask for the upgrade and returns the key.
func checkFields(header map[string][]string) (key string, refusal *Refusal) {
	// "An |Upgrade| header field containing the value "websocket", treated as
	// an ASCII case-insensitive value." RFC 6455 §4.2.1
	if !hasToken(header[fieldUpgrade], "websocket") {
		return "", refuse(400, "Upgrade does not name websocket.")
	}
	// "A |Connection| header field that includes the token "Upgrade", treated
	// as an ASCII case-insensitive value." RFC 6455 §4.2.1
	if !hasToken(header[fieldConnection], "upgrade") {
		return "", refuse(400, "Connection does not name upgrade.")
	}
	// "If this version does not match a version understood by the server, the
	// server MUST abort the WebSocket handshake described in this section and
	// instead send an appropriate HTTP error code (such as 426 Upgrade
	// Required) and a |Sec-WebSocket-Version| header field indicating the
	// version(s) the server is capable of understanding." RFC 6455 §4.2.2
	//
	// It comes before the key, which is version 13's own.
	if version, ok := single(header[fieldVersion]); !ok || version != "13" {
		// "The server MUST send an Upgrade header field in a 426 response"
		// RFC 9110 §15.5.22
		return "", refuse(426, "Sec-WebSocket-Version must be 13, given once.",
			fieldVersion, "13", fieldUpgrade, "websocket")
	}
	// "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in
	// an HTTP request." RFC 6455 §11.3.1
	key, ok := single(header[fieldKey])
	if !ok || !validKey(key) {
		return "", refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64, given once.")
	}
	return key, nil
}

// IsHandshake tells whether r asks for a WebSocket at all, rightly or wrongly:
// some Sec-WebSocket field is present, or Upgrade mentions "websocket" in any
// letter case. Other requests belong to an ordinary HTTP handler.
func IsHandshake(r *Request) bool {
	for name := range r.Header {
		if isWebSocketField(name) {
			return true
		}
	}
	const word = "websocket"
	for _, line := range r.Header[fieldUpgrade] {
		for i := range len(line) - len(word) + 1 {
			if equalFold(line[i:i+len(word)], word) {
				return true
			}
		}
	}
	return false
}

// isWebSocketField tells whether a field name begins with Sec-WebSocket-.
func isWebSocketField(name string) bool {
	const prefix = "Sec-WebSocket-"
	return len(name) >= len(prefix) && equalFold(name[:len(prefix)], prefix)
}
