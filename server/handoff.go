package server

import (
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
