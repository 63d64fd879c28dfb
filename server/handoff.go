package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func isHandshake(r *http.Request) bool { return handshake.IsHandshake(asked(r, hostLines(r.Host))) }

// handoff is a listener whose connections were accepted by another: those that
// turned out to be plain HTTP.
type handoff struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give passes a connection on, or closes it if nobody accepts any more.
func (h *handoff) give(nc net.Conn) {
	select {
	case h.conns <- nc:
	case <-h.closed:
		nc.Close()
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }

// replayed is a connection from which some bytes were read before.
type replayed struct {
	net.Conn
	before []byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.before) > 0 {
		n := copy(p, r.before)
		r.before = r.before[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

type replayedKey struct{}

// withReplayed lets requests of a connection that was handed off find it.
func withReplayed(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, replayedKey{}, nc)
}

// findTLS fills in the state of a connection that was handed off, which
// net/http cannot see: the rules for Origin depend on it.
func findTLS(r *http.Request) {
	if nc, ok := r.Context().Value(replayedKey{}).(*replayed); ok && r.TLS == nil {
		r.TLS = tlsState(nc.Conn)
	}
}

func tlsState(nc net.Conn) *tls.ConnectionState {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}
