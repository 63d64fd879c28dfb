package main

import (
	"context"
	"net"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

func init() { idioms = append(idioms, idiom{"wirebeat", serveWirebeat}) }

func serveWirebeat(ln net.Listener, o serveOptions) error {
	driver := &conn.Driver{}
	stats = driver.String
	srv := &server.Server{Options: server.Options{Conn: conn.Options{
		PingInterval: o.interval,
		PingTimeout:  o.timeout,
		WriteTimeout: o.write,
		ControlRate:  o.controlRate,
		Driver:       driver,
	}}}
	if o.every > 0 {
		srv.Handle = func(ctx context.Context, c *conn.Conn) error {
			go func() { // the next write may be long to come
				<-c.Done()
				sayEnd(c.RemoteAddr(), c.Err())
			}()
			return onlyWrite(o.every, func(p []byte) error { return c.Write(ctx, conn.Binary, p) })
		}
		return srv.Serve(ln)
	}
	srv.Events = server.Events{
		Message: func(p *server.Peer, typ conn.Type, data []byte) {
			answer, large := ordered(data)
			if large {
				typ = conn.Binary
			}
			_ = p.Send(typ, answer) // what the output has no room for is not this rig's subject
		},
		Close: func(p *server.Peer, err error) { sayEnd(p.RemoteAddr(), err) },
	}
	return srv.Serve(ln)
}

// onlyWrite is an application that writes until that fails.
func onlyWrite(every time.Duration, write func(p []byte) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	p := make([]byte, 100)
	for range ticker.C {
		if err := write(p); err != nil {
			return err
		}
	}
	return nil
}
