package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// Accept upgrades a request of net/http. If it is no handshake that the
// options accept, Accept has answered it and returns an error; then the
// handler just returns. Otherwise the connection is the caller's, who must see
// to its end: Accept does not wait for it, and [Handler] is how to have it
// done.
//
// The request's context ends when its handler returns; it is not for the
// connection. A handler that goes on serving the connection keeps what
// net/http needed for the request, some 9 KiB, so rather start a goroutine.
func Accept(w http.ResponseWriter, r *http.Request, opts *Options) (*conn.Conn, error) {
	s, err := opts.settle()
	if err != nil {
		http.Error(w, "the server is misconfigured", http.StatusInternalServerError)
		return nil, err
	}
	nc, start, err := s.accept(w, r)
	if err != nil {
		return nil, err
	}
	return conn.New(nc, start, s.conn)
}

// start is how a connection begins that was accepted. It decides on the
// extensions, so it comes before the response.
func (s *settings) start(a *handshake.Accepted) conn.Start {
	start := conn.Start{Role: endpoint.Server, Subprotocol: a.Subprotocol}
	if c := s.conn.Compression; c != nil {
		offers, _ := handshake.Extensions(a.Extensions)
		if params, response, ok := c.Accept(offers); ok {
			start.Deflate, a.Negotiated = &params, response
		}
	}
	return start
}

// accept answers a request of net/http and takes its connection over.
func (s *settings) accept(w http.ResponseWriter, r *http.Request) (nc net.Conn, start conn.Start, err error) {
	accepted, err := s.judge(r, hostLines(r.Host))
	if err == nil {
		nc, start, err = s.hijack(w, accepted)
	}
	var refusal *handshake.Refusal
	if errors.As(err, &refusal) {
		answerRefusal(w, refusal)
	}
	return nc, start, err
}

// answerRefusal answers a request of net/http.
func answerRefusal(w http.ResponseWriter, refusal *handshake.Refusal) {
	h := w.Header()
	for name, values := range refusal.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Connection", "close")
	http.Error(w, refusal.Reason, refusal.Status)
}

var (
	errNotHandshake = &handshake.Refusal{
		Status: http.StatusUpgradeRequired,
		Reason: "only WebSocket connections are served here",
		Header: http.Header{"Upgrade": {"websocket"}},
	}
	errNotHTTP  = &handshake.Refusal{Status: http.StatusBadRequest, Reason: "not an HTTP request"}
	errTooSlow  = &handshake.Refusal{Status: http.StatusRequestTimeout, Reason: "the request took too long"}
	errShutdown = &handshake.Refusal{Status: http.StatusServiceUnavailable, Reason: "the server is shutting down"}
)

func (s *settings) hijack(w http.ResponseWriter, accepted *handshake.Accepted) (net.Conn, conn.Start, error) {
	start := s.start(accepted)
	response, err := handshake.AppendResponse(nil, accepted, s.Header)
	if err != nil {
		return nil, conn.Start{}, errors.Join(err, &handshake.Refusal{Status: http.StatusInternalServerError, Reason: "the response cannot be written"})
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, conn.Start{}, errors.Join(err, &handshake.Refusal{Status: http.StatusInternalServerError, Reason: "this server cannot upgrade connections"})
	}
	// What the client sent behind its request is the first frames.
	received, _ := rw.Reader.Peek(rw.Reader.Buffered())
	if again, ok := nc.(*replayed); ok {
		received = append(received[:len(received):len(received)], again.before...)
		nc = again.Conn
	}
	if err := s.answer(nc, response); err != nil {
		nc.Close()
		return nil, conn.Start{}, err
	}
	start.Received = received
	return nc, start, nil
}

// answer writes the 101 and lifts the limits of the handshake.
func (s *settings) answer(nc net.Conn, response []byte) error {
	nc.SetWriteDeadline(s.deadline())
	if _, err := nc.Write(response); err != nil {
		return err
	}
	return nc.SetDeadline(time.Time{})
}

func (s *settings) deadline() time.Time {
	if s.HandshakeTimeout < 0 {
		return time.Time{}
	}
	return time.Now().Add(s.HandshakeTimeout)
}

// Upgrade reads a request from a TCP or TLS connection and upgrades it. The
// request is returned whenever there was one. If it is not accepted, or ctx
// ends before it is, it was answered where that was possible, nc is closed, and
// the error says why.
func Upgrade(ctx context.Context, nc net.Conn, opts *Options) (*conn.Conn, *http.Request, error) {
	s, err := opts.settle()
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	r, start, err := s.upgrade(nc, nil, nil)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		return nil, r, err
	}
	c, err := conn.New(nc, start, s.conn)
	return c, r, err
}

// errElsewhere: the request is no handshake, and fallback has it.
var errElsewhere = errors.New("websocket: not a handshake")

// upgrade reads a request and answers it. If it asks for no WebSocket, it goes
// to fallback unless that is nil; if it is to be accepted, commit is asked
// before it is, unless that is nil. On any other error nc is closed.
func (s *settings) upgrade(nc net.Conn, fallback func(net.Conn), commit func() bool) (*http.Request, conn.Start, error) {
	nc.SetDeadline(s.deadline())
	block, rest, err := readHeader(nc)
	if err != nil {
		s.refuse(nc, err)
		return nil, conn.Start{}, err
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(block)))
	if err != nil || spacedName(r.Header) {
		s.refuse(nc, errNotHTTP)
		return nil, conn.Start{}, errNotHTTP
	}
	r.RemoteAddr = nc.RemoteAddr().String()
	r.TLS = tlsState(nc)
	hosts := hostsIn(block)
	if !handshake.IsHandshake(asked(r, hosts)) {
		if fallback != nil {
			nc.SetDeadline(time.Time{})
			fallback(&replayed{Conn: nc, before: append(block, rest...)})
			return r, conn.Start{}, errElsewhere
		}
		s.refuse(nc, errNotHandshake)
		return r, conn.Start{}, errNotHandshake
	}
	accepted, err := s.judge(r, hosts)
	var response []byte
	var start conn.Start
	if err == nil {
		start = s.start(accepted)
		response, err = handshake.AppendResponse(nil, accepted, s.Header)
	}
	if err == nil && commit != nil && !commit() {
		err = errShutdown
	}
	if err != nil {
		s.refuse(nc, err)
		return r, conn.Start{}, err
	}
	if err := s.answer(nc, response); err != nil {
		nc.Close()
		return r, conn.Start{}, err
	}
	start.Received = rest
	return r, start, nil
}

// spacedName reports whether a field name ends with white space: "A server MUST
// reject, with a response status code of 400 (Bad Request), any received
// request message that contains whitespace between a header field name and
// colon." RFC 9112 §5.1
func spacedName(header http.Header) bool {
	for name := range header {
		if strings.ContainsAny(name, " \t") {
			return true
		}
	}
	return false
}

// asked is a request as the rules of the handshake see it.
func asked(r *http.Request, hosts []string) *handshake.Request {
	return &handshake.Request{
		Method:           r.Method,
		Target:           r.RequestURI,
		Major:            r.ProtoMajor,
		Minor:            r.ProtoMinor,
		Host:             hosts,
		Header:           r.Header,
		ContentLength:    r.ContentLength,
		TransferEncoding: r.TransferEncoding,
		TLS:              r.TLS != nil,
	}
}

// judge decides on a request. The error is or wraps a *handshake.Refusal.
func (s *settings) judge(r *http.Request, hosts []string) (*handshake.Accepted, error) {
	accepted, refusal := handshake.Check(asked(r, hosts), &s.policy)
	if refusal != nil {
		return nil, refusal
	}
	if s.Authorize == nil {
		return accepted, nil
	}
	err := s.authorize(r)
	if err == nil {
		return accepted, nil
	}
	refusal = &handshake.Refusal{Status: http.StatusForbidden, Reason: http.StatusText(http.StatusForbidden)}
	var reject *Reject
	if errors.As(err, &reject) && reject.Status >= 400 && reject.Status <= 599 {
		refusal.Status, refusal.Header = reject.Status, reject.Header
		if _, err := handshake.AppendRefusal(nil, reject.Status, "", reject.Header); err != nil {
			s.Log.Error("websocket: header of a Reject is not fit to be sent", "error", err)
			refusal.Header = nil
		}
		if refusal.Reason = reject.Reason; refusal.Reason == "" {
			refusal.Reason = http.StatusText(reject.Status)
		}
	}
	return nil, errors.Join(err, refusal)
}

// authorize asks the application; its panic is a refusal.
func (s *settings) authorize(r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("websocket: Authorize panicked", "panic", p, "stack", string(debug.Stack()))
			err = &Reject{Status: http.StatusInternalServerError}
		}
	}()
	return s.Authorize(r)
}

// hostLines is what net/http leaves of the Host field; it refuses several.
func hostLines(host string) []string {
	if host == "" {
		return nil
	}
	return []string{host}
}

// hostsIn returns the values of all Host lines, of which http.ReadRequest
// keeps one.
func hostsIn(block []byte) (hosts []string) {
	for line := range strings.Lines(string(block)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(name, "Host") {
			hosts = append(hosts, strings.TrimSpace(value))
		}
	}
	return hosts
}

// readHeader reads up to the empty line that ends a header block. What came
// behind it is rest.
func readHeader(nc net.Conn) (block, rest []byte, err error) {
	var h handshake.Block
	for {
		n, err := nc.Read(h.Space())
		switch complete, bad := h.Add(n); {
		case complete:
			return h.Bytes(), h.Rest(), nil
		case bad != nil:
			return nil, nil, &handshake.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: bad.Error()}
		case err == nil:
			continue
		}
		var timeout net.Error
		if h.Started() && errors.As(err, &timeout) && timeout.Timeout() {
			return nil, nil, errTooSlow
		}
		if err == io.EOF && h.Started() {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, err
	}
}

const (
	refusalTimeout = time.Second
	refusalDiscard = 256 << 10
)

// refuse answers with the refusal that err is or wraps, if it does, and closes
// the connection, so that the client gets to read the answer and nothing that
// it sent behind its request is served.
func (s *settings) refuse(nc net.Conn, err error) {
	defer nc.Close()
	var refusal *handshake.Refusal
	if !errors.As(err, &refusal) {
		return
	}
	answer, err := handshake.AppendRefusal(nil, refusal.Status, refusal.Reason, refusal.Header)
	if err != nil {
		s.Log.Error("websocket: refusal cannot be written", "error", err)
		return
	}
	nc.SetDeadline(time.Now().Add(refusalTimeout))
	if _, err := nc.Write(answer); err != nil {
		return
	}
	if half, ok := nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.CopyN(io.Discard, nc, refusalDiscard)
	}
}
