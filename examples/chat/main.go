// Command chat is rooms to talk in. Open http://127.0.0.1:8080/lobby twice.
//
// A room is the path of a connection, a nickname its query:
// ws://HOST/lobby?nick=ann. What a client sends is said as it is; what it gets
// are events in JSON. Nobody proves who they are: two connections with one
// nickname are one user, who is there from the first to the end of the last.
//
// A member who does not read holds nobody up: sending to one never waits. Once
// 256 KiB wait for such a member the connection is closed with 1013, as a chat
// with holes in it is worth less than the list of users after connecting again.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

//go:embed page
var page embed.FS

const (
	maxText         = 2 << 10   // bytes that are said at once
	maxBacklog      = 256 << 10 // bytes that wait for a member who does not read
	shutdownTimeout = 10 * time.Second
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%v/lobby\n", ln.Addr())
	if err := run(ctx, ln); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, ln net.Listener) error {
	h := newHub()
	srv := &server.Server{
		Options: server.Options{
			Conn:      conn.Options{MaxMessage: maxText, MaxOutput: maxBacklog},
			Authorize: admit,
		},
		Events: server.Events{
			Open:    func(p *server.Peer) { h.join(p, p.Request().URL.Path, nick(p.Request())) },
			Message: h.say,
			Close:   func(p *server.Peer, _ error) { h.leave(p) }, // however it ended
		},
		Fallback: pages(),
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ln)
		stop() // the listener may have failed
	}()
	<-ctx.Done()

	limit, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(limit)
	if serr := <-served; !errors.Is(serr, server.ErrServerClosed) {
		err = errors.Join(serr, err)
	}
	return err
}

var (
	validRoom = regexp.MustCompile(`^/[a-z0-9-]{1,32}$`)
	validNick = regexp.MustCompile(`^[\pL\pN_.-]{1,24}$`)
)

func nick(r *http.Request) string { return r.URL.Query().Get("nick") }

// admit decides which handshakes are accepted.
func admit(r *http.Request) error {
	if !validRoom.MatchString(r.URL.Path) {
		return &server.Reject{Status: http.StatusNotFound, Reason: "there is no such room"}
	}
	if !validNick.MatchString(nick(r)) {
		return &server.Reject{Status: http.StatusBadRequest, Reason: "a nickname is 1 to 24 letters and digits"}
	}
	return nil
}

// pages is for requests that ask for no WebSocket.
func pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/lobby", http.StatusSeeOther))
	mux.Handle("GET /page/", http.FileServerFS(page))
	mux.HandleFunc("GET /{room}", func(w http.ResponseWriter, r *http.Request) {
		if !validRoom.MatchString(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss:; img-src data:")
		http.ServeFileFS(w, r, page, "page/index.html")
	})
	return mux
}

// event is what a client gets.
type event struct {
	Kind  string   `json:"kind"` // "users" first, then "join", "leave" and "say"
	User  string   `json:"user,omitempty"`
	Text  string   `json:"text,omitempty"`
	Users []string `json:"users,omitempty"`
}

// message is the event for any number of members, framed once.
func (e event) message() *conn.Prepared {
	data, _ := json.Marshal(e) // strings always can be
	return conn.Prepare(conn.Text, data)
}

// send never waits. A member for whom too much waits is closed; the Close
// callback follows, as it does when the error is another: then the connection
// is at its end already.
func send(p *server.Peer, m *conn.Prepared) {
	if errors.Is(p.SendPrepared(m), conn.ErrBackpressure) {
		p.Close(1013, "too slow")
	}
}
