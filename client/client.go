package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// HandshakeError is a response that opens no connection. Find it with
// [errors.As].
type HandshakeError = handshake.ResponseError

const maxURLLength = 8 << 10

// Dial opens a connection to a ws or wss URL; http and https mean the same. A
// user in the URL becomes an Authorization field.
//
// The response is returned whenever there was one, for its status and header;
// its body is read already: empty for a connection that was opened, up to 1 KiB
// of what came with a refusal. The error then is a [*HandshakeError]. ctx and
// Options.HandshakeTimeout bound the dialling only, not the connection.
func Dial(ctx context.Context, rawURL string, opts *Options) (*conn.Conn, *http.Response, error) {
	d := dialer{}
	if opts != nil {
		d.Options = *opts
	}
	if d.HandshakeTimeout == 0 {
		d.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if d.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d.HandshakeTimeout, errSlow)
		defer cancel()
	}
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, nil, err
	}
	given := &d.Conn
	if opts != nil {
		given = &opts.Conn
	}
	if d.conn, err = given.Shared(); err != nil {
		return nil, nil, err
	}
	d.header = canonical(d.Header)
	for redirects := 0; ; redirects++ {
		c, resp, err := d.dial(ctx, u)
		if err == nil || resp == nil || redirects >= d.MaxRedirects {
			return c, resp, err
		}
		if u, err = d.redirect(u, resp, err); err != nil {
			return nil, resp, err
		}
	}
}

var errSlow error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string        { return "websocket: the handshake took too long" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// dialer is one call of Dial.
type dialer struct {
	Options
	conn   *conn.Options
	header http.Header // Header, less what a redirect must not take along
}

// parseURL returns a URL with the scheme ws or wss and nothing that the
// handshake cannot carry.
func parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURLLength {
		return nil, errors.New("websocket: the URL is longer than 8 KiB")
	}
	u, err := url.Parse(raw)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err // without the URL, which may have a password
		}
		return nil, fmt.Errorf("websocket: bad URL: %w", err)
	}
	// "Fragment identifiers are meaningless in the context of WebSocket URIs
	// and MUST NOT be used on these URIs." RFC 6455 §3
	if strings.Contains(raw, "#") {
		return nil, errors.New("websocket: the URL has a fragment")
	}
	return u, normalize(u)
}

func normalize(u *url.URL) error {
	switch strings.ToLower(u.Scheme) {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme = "wss"
	default:
		return fmt.Errorf("websocket: a URL begins with ws:// or wss://, not with %q", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("websocket: the URL names no host")
	}
	return nil
}

// asHTTP is the URL in the terms of cookie jars and proxies.
func asHTTP(u *url.URL) *url.URL {
	h := *u
	h.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	return &h
}

var defaultPorts = map[string]string{
	"ws": "80", "http": "80", "wss": "443", "https": "443", "socks5": "1080", "socks5h": "1080",
}

// hostPort is the address of a URL's host.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// hostField is a URL's host as the field Host has it: with ":" and the port
// only "when not using the default port", RFC 6455 §4.1.
func hostField(u *url.URL) string {
	if port := u.Port(); port == "" || port == defaultPorts[u.Scheme] {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}

// dial connects to one URL. The error of a refusal comes with its response.
func (d *dialer) dial(ctx context.Context, u *url.URL) (*conn.Conn, *http.Response, error) {
	offer, err := d.offer(u)
	if err != nil {
		return nil, nil, err
	}
	request, err := handshake.AppendRequest(nil, offer)
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: %w", err)
	}
	nc, err := d.transport(ctx, u)
	if err != nil {
		return nil, nil, explain(ctx, err)
	}
	stop := watch(ctx, nc)
	resp, agreed, rest, err := exchange(ctx, nc, request, offer)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if d.Jar != nil && resp != nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			d.Jar.SetCookies(asHTTP(u), cookies)
		}
	}
	start := conn.Start{Role: endpoint.Client, Received: rest}
	if err == nil {
		start.Subprotocol = agreed.Subprotocol
		start.Deflate, err = d.confirm(agreed.Extensions)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		return nil, resp, explain(ctx, err)
	}
	c, err := conn.New(nc, start, d.conn)
	return c, resp, err
}

// confirm returns what the server made of the offer of compression.
func (d *dialer) confirm(lines []string) (*deflate.Params, error) {
	if d.conn.Compression == nil {
		return nil, nil
	}
	chosen, _ := handshake.Extensions(lines)
	params, ok, err := d.conn.Compression.Confirm(chosen)
	switch {
	case err != nil:
		return nil, &HandshakeError{Status: http.StatusSwitchingProtocols, Reason: "the server's " + deflate.Name + " does not answer the offer"}
	case !ok:
		return nil, nil
	}
	return &params, nil
}

// watch interrupts a connection when ctx ends. stop reports whether it has not.
func watch(ctx context.Context, nc net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if nc.SetDeadline(time.Unix(1, 0)) != nil {
			nc.Close()
		}
	})
}

// explain says what ended ctx, if that is what went wrong.
func explain(ctx context.Context, err error) error {
	var refusal *HandshakeError
	if errors.As(err, &refusal) {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done() // which a deadline of the transport may be ahead of
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return fmt.Errorf("websocket: %w", err)
	case errors.Is(cause, ctx.Err()):
		return cause
	default: // the caller's own
		return fmt.Errorf("websocket: %w: %w", ctx.Err(), cause)
	}
}

// canonical copies a header, with the names spelled so that they are found.
func canonical(header http.Header) http.Header {
	c := make(http.Header, len(header))
	for name, lines := range header {
		name = http.CanonicalHeaderKey(name)
		c[name] = append(c[name], lines...)
	}
	return c
}

func (d *dialer) offer(u *url.URL) (*handshake.Offer, error) {
	key, err := handshake.NewKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	header := d.header.Clone()
	host := hostField(u)
	if lines := header["Host"]; len(lines) == 1 {
		host = lines[0]
		header.Del("Host")
	}
	if user := u.User; user != nil && header.Get("Authorization") == "" {
		header.Set("Authorization", basic(user))
	}
	if lines := header["Cookie"]; len(lines) > 1 {
		header.Set("Cookie", strings.Join(lines, "; ")) // one line: RFC 6265 §5.4
	}
	if d.Jar != nil {
		request := http.Request{Header: header}
		for _, cookie := range d.Jar.Cookies(asHTTP(u)) {
			request.AddCookie(cookie)
		}
	}
	extensions := ""
	if c := d.conn.Compression; c != nil {
		extensions = c.Offer()
	}
	return &handshake.Offer{
		Target:       u.RequestURI(),
		Host:         host,
		Key:          key,
		Subprotocols: d.Subprotocols,
		Extensions:   extensions,
		Header:       header,
	}, nil
}

func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}
