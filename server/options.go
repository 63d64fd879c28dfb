package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// Options say which requests are accepted and what their connections are like.
// They are copied when taken; nil means all defaults.
type Options struct {
	// Conn is for the connections.
	Conn conn.Options

	// Subprotocols are what the server speaks, in its order of preference. The
	// first that the client offers as well is chosen; see Conn.Subprotocol.
	Subprotocols []string

	// Origins allows pages of other hosts to connect: "https://example.com",
	// "example.com:8080" (http or https), "https://*.example.com" (subdomains),
	// or "*" for any page there is.
	Origins []string

	// Authorize, if set, is asked about each request that is a correct
	// handshake. A [*Reject] sets the answer, any other error is 403. It may
	// block; it runs on a goroutine of the connection.
	Authorize func(*http.Request) error

	// Header is added to each 101 response.
	Header http.Header

	// HandshakeTimeout is how long Upgrade and Server wait for a request, and
	// for its answer to leave. 0 is 10 s, negative no limit.
	HandshakeTimeout time.Duration

	// KeepRequest lets Peer.Request return the request for as long as the peer
	// exists, instead of during Open only.
	KeepRequest bool

	// Log gets the errors and panics of handlers; nil is slog.Default().
	Log *slog.Logger
}

// Reject is an error of Options.Authorize that says how to refuse a request.
type Reject struct {
	Status int    // 400–599
	Reason string // the body, in plain text; the name of Status if empty
	Header http.Header
}

func (r *Reject) Error() string {
	if r.Reason != "" {
		return "websocket: request refused: " + r.Reason
	}
	return "websocket: request refused: " + http.StatusText(r.Status)
}

const defaultHandshakeTimeout = 10 * time.Second

// settings are options that were checked, with their defaults.
type settings struct {
	Options
	policy handshake.Policy
	conn   *conn.Options
}

// settle checks the options.
func (o *Options) settle() (*settings, error) {
	s := &settings{}
	if o != nil {
		s.Options = *o
	}
	s.policy = handshake.Policy{Subprotocols: s.Subprotocols, Origins: s.Origins}
	if err := s.policy.Validate(); err != nil {
		return nil, err
	}
	if err := handshake.ValidateExtra(s.Header); err != nil {
		return nil, err
	}
	if s.HandshakeTimeout == 0 {
		s.HandshakeTimeout = defaultHandshakeTimeout
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	given := &s.Conn
	if o != nil {
		given = &o.Conn
	}
	var err error
	if s.conn, err = given.Shared(); err != nil {
		return nil, err
	}
	return s, nil
}
