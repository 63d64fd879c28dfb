// Command broadcast is a ticker: prices that change some times a second, the
// same for everybody who connects. http://127.0.0.1:8080/stats counts.
//
// A tick is framed once, however many get it. Who does not read as fast as
// prices change gets fewer of them: once 64 KiB wait for a client, ticks are
// dropped until it has read all, and then it is told how many it missed. That
// holds nobody else up and takes no more memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

const (
	maxRate         = 1000.0   // ticks a second
	maxBacklog      = 64 << 10 // bytes that wait for a client
	shutdownTimeout = 10 * time.Second
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	rate := flag.Float64("rate", 10, "ticks a second")
	flag.Parse()
	if !(*rate > 0 && *rate <= maxRate) {
		log.Fatalf("-rate must be more than 0 and at most %v", maxRate)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on ws://%v/\n", ln.Addr())
	if err := run(ctx, ln, time.Tick(time.Duration(float64(time.Second) / *rate))); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and publishes a tick at each time.
func run(ctx context.Context, ln net.Listener, times <-chan time.Time) error {
	f := newFeed()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", f.showStats)
	srv := &server.Server{
		Options:  server.Options{Conn: conn.Options{MaxOutput: maxBacklog}},
		Events:   server.Events{Open: f.join, Drained: f.drained, Close: f.leave},
		Fallback: mux,
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ln)
		stop() // the listener may have failed
	}()
	f.publish(ctx, times)

	limit, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(limit)
	if serr := <-served; !errors.Is(serr, server.ErrServerClosed) {
		err = errors.Join(serr, err)
	}
	return err
}
