package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wirebeat/wirebeat/conn"
)

// DefaultHandshakeTimeout is the default of Options.HandshakeTimeout.
const DefaultHandshakeTimeout = 10 * time.Second

// Options say how to dial and what the connection is like. They are copied
// when taken; nil means all defaults.
type Options struct {
	// Conn is for the connection.
	Conn conn.Options

	// Header has fields to send: Origin, Authorization, Cookie and whatever
	// else the handshake does not set itself. Host, if it is there, replaces
	// that of the URL.
	Header http.Header

	// Subprotocols are offered in this order. The server chooses one or none;
	// see Conn.Subprotocol.
	Subprotocols []string

	// TLS is for wss and for https proxies; nil is the defaults of crypto/tls.
	// It is cloned, speaks HTTP/1.1, and has the URL's host as its server name
	// unless it names one.
	TLS *tls.Config

	// Jar, if set, has the cookies to send, and gets those of the response.
	Jar http.CookieJar

	// HandshakeTimeout bounds all of Dial. 0 is 10 s, negative no limit but
	// that of the context.
	HandshakeTimeout time.Duration

	// DialContext makes the transport, to the server or to the proxy; nil is
	// that of a net.Dialer. To have a Unix socket, ignore the address.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy returns the proxy for a server, given its URL with http for ws and
	// https for wss, or nil for none; nil asks the environment. See [NoProxy].
	Proxy func(*http.Request) (*url.URL, error)

	// MaxRedirects is how many redirects are followed. To another host or port,
	// but for that of wss, they take no Authorization and no Cookie of Header
	// along, and never from wss to ws. Default: none, and a redirect is an error.
	MaxRedirects int
}

// NoProxy, as Options.Proxy, is to use no proxy whatever the environment says.
func NoProxy(*http.Request) (*url.URL, error) { return nil, nil }
