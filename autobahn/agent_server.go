package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// agentMaxMessage has room for the largest messages of section 9, 16 MiB. All else is as users get it.
const agentMaxMessage = 32 << 20

// startServerAgent starts an echo server of ours on a loopback port of the system's choice and returns its
// address, host:port. entry is how connections come in (entryNetHTTP or entryRaw), pong the pong mode. stop
// ends the server and its connections.
func startServerAgent(entry, pong string) (addr string, stop func(), err error) {
	mode, err := pongMode(pong)
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	opts := server.Options{Conn: conn.Options{MaxMessage: agentMaxMessage, Pong: mode, Compression: &conn.Compression{}}}
	var srv *server.Server
	if entry == entryNetHTTP {
		srv = server.Handler(&opts, echo).(*server.Server)
		plain := &http.Server{Handler: srv}
		go plain.Serve(ln)
		stop = func() {
			plain.Close()
			shutDown(srv)
		}
	} else {
		srv = &server.Server{Options: opts, Events: server.Events{Message: reply}}
		go srv.Serve(ln)
		stop = func() { shutDown(srv) }
	}
	return ln.Addr().String(), stop, nil
}

func pongMode(name string) (control.PongMode, error) {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		if mode.String() == name {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("pong mode %q is unknown", name)
}

func shutDown(srv *server.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
	defer cancel()
	srv.Shutdown(ctx)
}

// echo serves a connection that came through net/http, by the methods that wait.
func echo(ctx context.Context, c *conn.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return nil // the suite provokes every error there is
		}
		if err := c.Write(ctx, m.Type, m.Data); err != nil {
			return nil
		}
	}
	return nil
}

// reply serves a connection that came from the listener, by callbacks.
func reply(p *server.Peer, typ conn.Type, data []byte) {
	if p.Send(typ, data) != nil {
		p.Close(1011, "reply refused") // never: the suite reads what it is sent
	}
}
