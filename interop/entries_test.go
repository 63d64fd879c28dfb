package interop

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// The two ways into our server share no code between the listener and the
// endpoint, so each case goes through both.
const (
	overServe   = "Serve"    // server.Server.Serve with callbacks
	overNetHTTP = "net/http" // server.Handler in an http.Server
)

var entries = []string{overServe, overNetHTTP}

// overServe answers with callbacks, for which nothing blocks.
func (s *subject) overServe() (serve func(net.Listener) error, shutdown func(context.Context) error) {
	srv := &server.Server{Options: options(), Fallback: s.page, Events: server.Events{
		Open: s.open,
		Message: func(p *server.Peer, typ conn.Type, data []byte) {
			v := p.Value().(*view)
			s.received(v, typ, data)
			s.sent(v, p.Send(typ, data))
		},
		Close: func(p *server.Peer, err error) { s.ended(p.Value().(*view), err) },
	}}
	return srv.Serve, srv.Shutdown
}

func (s *subject) open(p *server.Peer) {
	u := p.Request().URL
	v := s.opened(u, p.Subprotocol())
	p.SetValue(v)
	switch u.Path {
	case "/ping":
		count, err := countOf(u)
		s.sent(v, err)
		var answered atomic.Int64
		for range count {
			p.Ping(func(pong control.Pong, err error) {
				s.ponged(v, pong, err)
				if answered.Add(1) == int64(count) {
					s.sent(v, p.Send(conn.Text, []byte("pinged")))
				}
			})
		}
	case "/close":
		code, reason, err := closeOf(u)
		s.sent(v, err)
		s.sent(v, p.Close(code, reason))
	case "/abort", "/fragmented":
		c, err := p.Detach()
		s.sent(v, err)
		if err != nil {
			return
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if u.Path == "/abort" {
				s.sent(v, c.CloseNow())
			} else {
				s.sent(v, s.write(ctx, c, v))
			}
			<-c.Done()
			s.ended(v, c.Err())
		}()
	}
}

// write echoes messages piece by piece.
func (s *subject) write(ctx context.Context, c *conn.Conn, v *view) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		s.received(v, m.Type, m.Data)
		w, err := c.Writer(ctx, m.Type)
		if err != nil {
			return err
		}
		for _, half := range [][]byte{m.Data[:len(m.Data)/2], m.Data[len(m.Data)/2:]} {
			if _, err := w.Write(half); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

type urlKey struct{}

// overNetHTTP answers with a function a connection.
func (s *subject) overNetHTTP() (serve func(net.Listener) error, shutdown func(context.Context) error) {
	whole := &server.Server{Options: options(), Fallback: s.page, Handle: s.handle}
	cut := &server.Server{Options: options(), Handle: s.handle}
	cut.Options.Conn.MaxFrame = maxFrame
	web := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), urlKey{}, r.URL))
		if r.URL.Path == "/fragmented" {
			cut.ServeHTTP(w, r)
		} else {
			whole.ServeHTTP(w, r)
		}
	})}
	return web.Serve, func(ctx context.Context) error {
		for _, part := range []interface{ Shutdown(context.Context) error }{web, whole, cut} {
			if err := part.Shutdown(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *subject) handle(ctx context.Context, c *conn.Conn) error {
	u := ctx.Value(urlKey{}).(*url.URL)
	v := s.opened(u, c.Subprotocol())
	go func() {
		<-c.Done()
		s.ended(v, c.Err())
	}()
	switch u.Path {
	case "/ping":
		if err := s.ping(ctx, c, u, v); err != nil {
			s.sent(v, err)
			return err
		}
	case "/close":
		code, reason, err := closeOf(u)
		s.sent(v, err)
		return &conn.CloseError{Code: code, Reason: reason}
	case "/abort":
		s.sent(v, c.CloseNow())
		return nil
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		s.received(v, m.Type, m.Data)
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			s.sent(v, err)
			return err
		}
	}
	return nil
}

// ping pings from as many goroutines as there are pings.
func (s *subject) ping(ctx context.Context, c *conn.Conn, u *url.URL, v *view) error {
	count, err := countOf(u)
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all sync.WaitGroup
	for range count {
		all.Go(func() {
			pong, err := c.Ping(limit)
			s.ponged(v, pong, err)
		})
	}
	all.Wait()
	return c.Write(ctx, conn.Text, []byte("pinged"))
}
