package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

func init() { idioms = append(idioms, idiom{"coder", serveCoder}) }

// serveCoder pings with Conn.Ping in a loop, and closes when its context ends
// first, as the library's documentation of heartbeats has it.
func serveCoder(ln net.Listener, o serveOptions) error {
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		remote, _ := net.ResolveTCPAddr("tcp", r.RemoteAddr)
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		go func() {
			for {
				time.Sleep(o.interval)
				ping, stop := context.WithTimeout(ctx, o.timeout)
				err := c.Ping(ping)
				stop()
				if err != nil {
					cancel(err)
					return
				}
			}
		}()
		if o.every > 0 {
			ctx = c.CloseRead(ctx)
			err = onlyWrite(o.every, func(p []byte) error { return c.Write(ctx, websocket.MessageBinary, p) })
		} else {
			err = coderEcho(ctx, c)
		}
		_ = c.CloseNow()
		sayEnd(remote, err)
	}))
}

func coderEcho(ctx context.Context, c *websocket.Conn) error {
	var buf []byte
	for {
		typ, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		if buf, err = readAll(buf, r); err != nil {
			return err
		}
		answer, large := ordered(buf)
		if large {
			typ = websocket.MessageBinary
		}
		if err := c.Write(ctx, typ, answer); err != nil {
			return err
		}
	}
}
