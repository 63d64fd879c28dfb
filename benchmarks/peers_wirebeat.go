package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// wirebeatOptions answer every ping, as the other libraries do; all else is the default.
var wirebeatOptions = server.Options{Conn: conn.Options{MaxMessage: maxMessage, Pong: control.Strict}}

func init() {
	register("wirebeat", func(ln net.Listener) error {
		srv := &server.Server{Options: wirebeatOptions, Events: server.Events{
			Message: func(p *server.Peer, typ conn.Type, data []byte) {
				_ = p.Send(typ, data) // the generator reads what it asked for
			},
		}}
		return srv.Serve(ln)
	})
	register("wirebeat-conn", func(ln net.Listener) error {
		return http.Serve(ln, server.Handler(&wirebeatOptions, func(ctx context.Context, c *conn.Conn) error {
			var buf []byte
			for {
				typ, data, err := c.AppendMessage(ctx, buf[:0])
				if err != nil {
					return err
				}
				if err := c.Write(ctx, typ, data); err != nil {
					return err
				}
				buf = data
			}
		}))
	})
	registerEngine("wirebeat", wirebeatEngine)
}

// wirebeatEngine is the protocol core as a driver uses it: one read, all its frames, one write.
func wirebeatEngine(nc net.Conn) error {
	e := endpoint.New(endpoint.Server, &endpoint.Config{MaxMessage: maxMessage, Pong: control.Strict, Buffers: &reused{}})
	scratch := make([]byte, 64<<10)
	now := time.Now()
	var bufs [][]byte
	for {
		buf := e.ReadBuffer(scratch)
		n, err := nc.Read(buf)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		e.Received(now, buf[:n])
		for ev, ok := e.Next(); ok; ev, ok = e.Next() {
			if ev.Kind == endpoint.Message {
				if err := e.Send(ev.Type, ev.Data, true); err != nil {
					return err
				}
			}
		}
		bufs = e.Output(bufs[:0])
		written := 0
		for _, b := range bufs {
			n, err := nc.Write(b)
			if written += n; err != nil {
				return err
			}
		}
		e.Written(now, written)
	}
}

// reused keeps the buffers of one size that came back.
type reused struct{ free [][]byte }

const reusedSize = 64 << 10

func (r *reused) Get(size int) []byte {
	if size > reusedSize {
		return make([]byte, size)
	}
	if last := len(r.free) - 1; last >= 0 {
		b := r.free[last]
		r.free = r.free[:last]
		return b
	}
	return make([]byte, reusedSize)
}

func (r *reused) Put(b []byte) {
	if cap(b) == reusedSize {
		r.free = append(r.free, b[:reusedSize])
	}
}
