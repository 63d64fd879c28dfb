// Command tunnel carries TCP connections over WebSockets, for where nothing but
// HTTP passes:
//
//	tunnel server -listen :8080 -to db.internal:5432
//	tunnel client -listen 127.0.0.1:5432 -to ws://tunnel.example:8080/
//
// Each TCP connection has a WebSocket of its own; relay.go says what is in it.
// The server reaches one target, whoever asks: put it behind TLS and something
// that authenticates (server.Options.Authorize).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

const (
	subprotocol = "tcp-chunks"
	maxTunnels  = 256
	patience    = 10 * time.Second // for the target to be reached, and for a WebSocket to close
)

// options are for connections at both ends. What waits for a peer that does not
// read is little, as then the TCP connection is to wait.
var options = conn.Options{MaxOutput: 256 << 10, CloseTimeout: patience}

func main() {
	run := map[string]func(ctx context.Context, ln net.Listener, to string) error{"server": runServer, "client": runClient}
	if len(os.Args) < 2 || run[os.Args[1]] == nil {
		log.Fatal("usage: tunnel server|client -listen ADDRESS -to TARGET")
	}
	flags := flag.NewFlagSet("tunnel "+os.Args[1], flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	to := flags.String("to", "", "where to: HOST:PORT for a server, a WebSocket URL for a client")
	flags.Parse(os.Args[2:]) // exits on an error
	if *to == "" {
		log.Fatal("-to is missing")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %v\n", ln.Addr())
	if err := run[os.Args[1]](ctx, ln, *to); err != nil {
		log.Fatal(err)
	}
}

// runServer accepts WebSockets until ctx ends.
func runServer(ctx context.Context, ln net.Listener, to string) error {
	slots := make(chan struct{}, maxTunnels)
	srv := &server.Server{
		Options: server.Options{Conn: options, Subprotocols: []string{subprotocol}},
		Handle: func(ctx context.Context, c *conn.Conn) error {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			default:
				return &conn.CloseError{Code: 1013, Reason: "too many tunnels"}
			}
			return enter(ctx, c, to)
		},
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ln)
		stop() // the listener may have failed
	}()
	<-ctx.Done()

	limit, cancel := context.WithTimeout(context.Background(), 3*patience) // to close, and to end the relay
	defer cancel()
	err := srv.Shutdown(limit)
	if serr := <-served; !errors.Is(serr, server.ErrServerClosed) {
		err = errors.Join(serr, err)
	}
	return err
}

// enter connects a WebSocket to the target.
func enter(ctx context.Context, c *conn.Conn, to string) error {
	if c.Subprotocol() != subprotocol {
		return &conn.CloseError{Code: 1008, Reason: "only " + subprotocol + " is spoken here"}
	}
	target, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", to)
	if err != nil {
		log.Print(err)
		return &conn.CloseError{Code: 1014, Reason: "the target cannot be reached"}
	}
	// Not for as long as ctx lasts: it ends with the connection, from which
	// something may still be to be read. At shutdown c is closed, which ends
	// the relay as well.
	return relay(c, target.(*net.TCPConn))
}

// runClient accepts TCP connections until ctx ends.
func runClient(ctx context.Context, ln net.Listener, to string) error {
	var tunnels sync.WaitGroup
	defer tunnels.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(ctx, func() { ln.Close() })
	slots := make(chan struct{}, maxTunnels) // when all are taken, connections wait to be accepted
	for {
		slots <- struct{}{}
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		tunnels.Go(func() {
			defer func() { <-slots }()
			if err := dial(ctx, nc.(*net.TCPConn), to); err != nil {
				log.Printf("%v: %v", nc.RemoteAddr(), err)
			}
		})
	}
}

// dial connects a TCP connection to the server.
func dial(ctx context.Context, tcp *net.TCPConn, to string) error {
	c, _, err := client.Dial(ctx, to, &client.Options{Conn: options, Subprotocols: []string{subprotocol}})
	if err != nil {
		reset(tcp)
		return err
	}
	// Close waits for the server's answer, not longer than its timeout.
	stop := context.AfterFunc(ctx, func() { c.Close(context.Background(), 1001, "") })
	defer stop()
	if err := relay(c, tcp); err != nil {
		c.Close(context.Background(), 1011, "")
		return err
	}
	return c.Close(context.Background(), 1000, "")
}
