package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// shutdownTimeout is how long serve waits for its peers after SIGTERM.
const shutdownTimeout = 5 * time.Second

// serveConfig is the command line of serve.
type serveConfig struct {
	listen          string
	tlsCert, tlsKey string
	verbose         bool
	options         server.Options
}

// pongMode is a flag of one of the pong modes.
type pongMode control.PongMode

func (m *pongMode) String() string { return control.PongMode(*m).String() }

func (m *pongMode) Set(v string) error {
	for _, mode := range []control.PongMode{control.Auto, control.Strict, control.Coalesce} {
		if v == mode.String() {
			*m = pongMode(mode)
			return nil
		}
	}
	return errors.New("must be auto, strict or coalesce")
}

func parseServe(args []string, stdout, stderr io.Writer) (*serveConfig, error) {
	c := &serveConfig{}
	f := newFlags("serve [flags]", "An echo server, with a page at / for a browser.", stdout, stderr)
	f.StringVar(&c.listen, "listen", "127.0.0.1:9001", "`address` to listen on; port 0 takes a free one")
	engine := f.String("engine", "goroutine", "what runs the connections: goroutine or reactor")
	compression := f.Bool("compression", true, "permessage-deflate")
	maxMessage := f.Int64("max-message", 1<<20, "largest message accepted, in `bytes`")
	f.DurationVar(&c.options.Conn.PingInterval, "ping-interval", control.DefaultInterval, "time without input after which a peer is pinged; negative = off")
	f.DurationVar(&c.options.Conn.PingTimeout, "ping-timeout", control.DefaultTimeout, "time without input after a ping until the peer is dead; negative = off")
	f.Var((*pongMode)(&c.options.Conn.Pong), "pong", "which pings are answered: auto, strict or coalesce")
	f.IntVar(&c.options.Conn.ControlRate, "control-rate", 0, "control frames a second that a peer may send; 0 = no limit")
	f.Var((*repeated)(&c.options.Origins), "origin", "`pattern` of pages that may connect, beside those of the same host (repeatable)")
	f.Var((*repeated)(&c.options.Subprotocols), "subprotocol", "`name` of a subprotocol to accept (repeatable)")
	f.BoolVar(&c.options.Conn.TextHeartbeat, "text-heartbeat", false, `answer the text message "ping" with "pong"`)
	f.StringVar(&c.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	f.StringVar(&c.tlsKey, "tls-key", "", "key `file` (PEM)")
	f.BoolVar(&c.verbose, "v", false, "log each connection")
	if _, err := f.parse(args); err != nil {
		return nil, err
	}
	switch {
	case *engine == "reactor":
		return nil, unsupported("--engine reactor")
	case *engine != "goroutine":
		return nil, misuse("--engine must be goroutine or reactor, not %q", *engine)
	case *maxMessage <= 0:
		return nil, misuse("--max-message must be at least 1")
	case c.options.Conn.ControlRate < 0:
		return nil, misuse("--control-rate must not be negative")
	case (c.tlsCert == "") != (c.tlsKey == ""):
		return nil, misuse("--tls-cert and --tls-key belong together")
	}
	c.options.Conn.MaxMessage = *maxMessage
	if *compression {
		c.options.Conn.Compression = &conn.Compression{}
	}
	return c, nil
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseServe(args, stdout, stderr)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if c.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	c.options.Log = log
	c.options.Conn.Hooks = conn.LogHooks(log)

	var tlsConfig *tls.Config
	if c.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
		if err != nil {
			return err
		}
		tlsConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	srv := newEcho(c.options, log)
	if err := srv.Check(); err != nil {
		return misuse("%v", err)
	}
	ln, err := net.Listen("tcp", c.listen)
	if err != nil {
		return err
	}
	scheme := "ws"
	if tlsConfig != nil {
		scheme = "wss"
		ln = tls.NewListener(ln, tlsConfig)
	}
	fmt.Fprintf(stdout, "listening on %s\n", (&url.URL{Scheme: scheme, Host: ln.Addr().String(), Path: "/"}).String())

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(limit); err != nil {
		log.Warn("peers were cut off at shutdown", "error", err)
	}
	<-served
	return nil
}

// newEcho makes a server that sends every message back, and has a page for
// requests that ask for no WebSocket.
func newEcho(options server.Options, log *slog.Logger) *server.Server {
	page := newPage()
	page.conn = options.Conn
	options.KeepRequest = true
	return &server.Server{
		Options:  options,
		Fallback: page,
		Events: server.Events{
			Open: func(p *server.Peer) {
				log.Info("open", "remote", p.RemoteAddr(), "path", p.Request().URL.Path, "subprotocol", p.Subprotocol())
				page.opened(p)
			},
			Message: echo,
			Drained: func(p *server.Peer) {
				// Once the output is empty a message of any size is accepted.
				if m, ok := p.Value().(refused); ok {
					p.SetValue(nil)
					p.Send(m.typ, m.data)
				}
			},
			Close: func(p *server.Peer, err error) {
				log.Info("close", "remote", p.RemoteAddr(), "cause", err)
				page.closed(p, err)
			},
			Hooks: page.hooks(),
		},
	}
}

// refused is a message that waits until the output is empty.
type refused struct {
	typ  conn.Type
	data []byte
}

func echo(p *server.Peer, typ conn.Type, data []byte) {
	if errors.Is(p.Send(typ, data), conn.ErrBackpressure) {
		p.SetValue(refused{typ, bytes.Clone(data)})
	}
}
