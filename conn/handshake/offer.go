package handshake

import (
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Offer is what a client asks for.
type Offer struct {
	// Target is the resource name: path and query, beginning with "/".
	Target string
	// Host is the server's name, with the port unless it is the default one.
	Host string
	// Key is the value of Sec-WebSocket-Key, new for each connection.
	Key string
	// Subprotocols, the client's favourite first.
	Subprotocols []string
	// Extensions is the value of Sec-WebSocket-Extensions; empty for none.
	Extensions string
	// Header has further fields, such as Origin, Cookie and Authorization.
	Header map[string][]string
}

// NewKey makes a Sec-WebSocket-Key of 16 bytes of random.
func NewKey(random io.Reader) (string, error) {
	// "The value of this header field MUST be a nonce consisting of a randomly
	// selected 16-byte value that has been base64-encoded" RFC 6455 §4.1
	var nonce [16]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(nonce[:]), nil
}

// AppendRequest appends the request of a client. On error, which says which
// part of the offer cannot be sent, dst is returned as it was.
func AppendRequest(dst []byte, o *Offer) ([]byte, error) {
	if err := o.validate(); err != nil {
		return dst, err
	}
	dst = append(dst, "GET "...)
	dst = append(dst, o.Target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = appendField(dst, "Host", o.Host)
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = appendField(dst, "Sec-WebSocket-Key", o.Key)
	dst = append(dst, "Sec-WebSocket-Version: 13\r\n"...)
	if len(o.Subprotocols) > 0 {
		dst = appendField(dst, "Sec-WebSocket-Protocol", strings.Join(o.Subprotocols, ", "))
	}
	if o.Extensions != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", o.Extensions)
	}
	dst = appendHeader(dst, o.Header)
	return append(dst, "\r\n"...), nil
}

func (o *Offer) validate() error {
	// "request-target = origin-form", RFC 9112 §3.2.1, which has no spaces,
	// control characters or anything beyond ASCII
	if !strings.HasPrefix(o.Target, "/") {
		return errors.New("handshake: the target " + strconv.Quote(o.Target) + " does not begin with a slash")
	}
	for i := range len(o.Target) {
		if c := o.Target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return errors.New("handshake: the target " + strconv.Quote(o.Target) + " has a character that must be escaped")
		}
	}
	if _, ok := parseHost(o.Host); !ok {
		return errors.New("handshake: " + strconv.Quote(o.Host) + " is not a valid host and port in ASCII")
	}
	if !validKey(o.Key) {
		return errors.New("handshake: the key is not 16 bytes in base64")
	}
	if err := (&Policy{Subprotocols: o.Subprotocols}).Validate(); err != nil {
		return err
	}
	if o.Extensions != "" && !validExtensions([]string{o.Extensions}) {
		return errors.New("handshake: the extensions " + strconv.Quote(o.Extensions) + " are malformed (RFC 6455 §9.1)")
	}
	return validateHeader(o.Header, func(name string) bool {
		return isWebSocketField(name) || isAnyOf(name, "Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding")
	})
}

// Response is what the handshake needs to know of an HTTP response. All of it
// can be taken from an *http.Response.
type Response struct {
	Status int
	// Major and Minor are the HTTP version.
	Major, Minor int
	// Header maps canonical field names, as net/http spells them, to their
	// lines, in order.
	Header map[string][]string
}

// Agreed is what a response settled.
type Agreed struct {
	// Subprotocol is the one the server chose, empty for none.
	Subprotocol string
	// Extensions are the lines of Sec-WebSocket-Extensions: those of the
	// offer, by name. What their parameters say is for the extension to judge.
	Extensions []string
}

// ResponseError is a response that opens no connection.
type ResponseError struct {
	Status int // of HTTP; 101 for one that says yes and is wrong otherwise
	Reason string
}

// Error says what was wrong. It holds nothing the server sent.
func (e *ResponseError) Error() string { return "websocket: handshake failed: " + e.Reason }

// Verify decides whether a response accepts the offer. The error is a
// [*ResponseError].
func Verify(r *Response, o *Offer) (*Agreed, error) {
	fail := func(reason string) (*Agreed, error) {
		return nil, &ResponseError{Status: r.Status, Reason: reason}
	}
	// "If the status code received from the server is not 101, the client
	// handles the response per HTTP procedures." RFC 6455 §4.1
	if r.Status != 101 {
		return fail("the server answered with status " + strconv.Itoa(r.Status) + ", not 101")
	}
	if r.Major != 1 || r.Minor < 1 {
		return fail("the response is not HTTP/1.1")
	}
	// "If the response lacks an |Upgrade| header field or the |Upgrade| header
	// field contains a value that is not an ASCII case-insensitive match for
	// the value "websocket", the client MUST _Fail the WebSocket Connection_."
	if upgrade, ok := single(r.Header[fieldUpgrade]); !ok || !equalFold(upgrade, "websocket") {
		return fail("Upgrade is not websocket")
	}
	// "If the response lacks a |Connection| header field or the |Connection|
	// header field doesn't contain a token that is an ASCII case-insensitive
	// match for the value "Upgrade", the client MUST _Fail the WebSocket
	// Connection_."
	if !hasToken(r.Header[fieldConnection], "upgrade") {
		return fail("Connection does not name upgrade")
	}
	// "If the response lacks a |Sec-WebSocket-Accept| header field or the
	// |Sec-WebSocket-Accept| contains a value other than the base64-encoded
	// SHA-1 of the concatenation […] but ignoring any leading and trailing
	// whitespace, the client MUST _Fail the WebSocket Connection_."
	if accept, ok := single(r.Header[fieldAccept]); !ok || accept != AcceptKey(o.Key) {
		return fail("Sec-WebSocket-Accept does not answer the key")
	}
	// "If the response includes a |Sec-WebSocket-Extensions| header field and
	// this header field indicates the use of an extension that was not present
	// in the client's handshake […], the client MUST _Fail the WebSocket
	// Connection_."
	extensions := r.Header[fieldExtensions]
	chosen, ok := Extensions(extensions)
	if !ok {
		return fail("Sec-WebSocket-Extensions is malformed")
	}
	offered, _ := Extensions([]string{o.Extensions})
	for _, extension := range chosen {
		if !slices.ContainsFunc(offered, func(offer []string) bool { return offer[0] == extension[0] }) {
			return fail("the server chose an extension that was not offered")
		}
	}
	// "If the response includes a |Sec-WebSocket-Protocol| header field and
	// this header field indicates the use of a subprotocol that was not present
	// in the client's handshake […], the client MUST _Fail the WebSocket
	// Connection_."
	agreed := &Agreed{Extensions: extensions}
	if lines := r.Header[fieldProtocol]; len(lines) > 0 {
		name, ok := single(lines)
		if agreed.Subprotocol = choose(o.Subprotocols, []string{name}); !ok || agreed.Subprotocol == "" {
			return fail("the server chose a subprotocol that was not offered")
		}
	}
	return agreed, nil
}
