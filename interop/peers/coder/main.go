// Command coder is a peer that uses github.com/coder/websocket.
package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/wirebeat/wirebeat/interop/catalogue"
	"github.com/wirebeat/wirebeat/interop/peers/runner"
)

func main() {
	runner.Main(&runner.Library{Module: "github.com/coder/websocket", Dial: dial, OwnPings: true, Accept: accept, OwnOrigins: true})
}

func dial(ctx context.Context, url string, offer []string, origin string) (runner.Conn, error) {
	l := &link{}
	opts := &websocket.DialOptions{Subprotocols: offer, HTTPHeader: http.Header{}, OnPongReceived: l.ponged}
	if origin != "" {
		opts.HTTPHeader.Set("Origin", origin)
	}
	c, resp, err := websocket.Dial(ctx, url, opts)
	if err != nil && resp != nil {
		return nil, runner.Refusal(resp.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(2 << 20)
	l.Conn = c
	return l, nil
}

func accept(w http.ResponseWriter, r *http.Request) (runner.Conn, error) {
	l := &link{}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: catalogue.Subprotocols, OnPongReceived: l.ponged})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(2 << 20)
	l.Conn = c
	return l, nil
}

type link struct {
	*websocket.Conn
	mu    sync.Mutex
	pongs []string
	told  func(payload string)
}

func (l *link) ponged(_ context.Context, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pongs = append(l.pongs, string(payload))
	if l.told != nil {
		l.told(string(payload))
	}
}

func (l *link) Send(ctx context.Context, text bool, p []byte) error {
	if text {
		return l.Write(ctx, websocket.MessageText, p)
	}
	return l.Write(ctx, websocket.MessageBinary, p)
}

func (l *link) SendFragments(ctx context.Context, parts [][]byte) error {
	w, err := l.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

func (l *link) Receive(ctx context.Context) (text bool, p []byte, err error) {
	typ, p, err := l.Read(ctx)
	var end websocket.CloseError
	if errors.As(err, &end) {
		err = &runner.End{Code: int(end.Code), Reason: end.Reason}
	}
	return typ == websocket.MessageText, p, err
}

// Ping waits for each pong on a goroutine, and needs somebody to read.
func (l *link) Ping(ctx context.Context, payloads []string) ([]string, error) {
	pinged := make(chan error, len(payloads)+1)
	read := make(chan error, 1)
	go func() {
		_, _, err := l.Receive(ctx)
		read <- err
	}()
	for range payloads {
		go func() { pinged <- l.Conn.Ping(ctx) }()
	}
	for range payloads {
		if err := <-pinged; err != nil {
			return nil, err
		}
	}
	if err := l.Send(ctx, true, []byte("hello")); err != nil {
		return nil, err
	}
	err := <-read
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pongs, err
}

// SendPings leaves the pongs to Receive. The payloads are the library's.
func (l *link) SendPings(ctx context.Context, payloads []string, ponged func(string)) error {
	l.mu.Lock()
	l.told = ponged
	l.mu.Unlock()
	for range payloads {
		go func() { _ = l.Conn.Ping(ctx) }()
	}
	return nil
}

// Close compares the code of the answer itself.
func (l *link) Close(_ context.Context, code int, reason string) error {
	if err := l.Conn.Close(websocket.StatusCode(code), reason); err != nil {
		return err
	}
	return &runner.End{Code: code}
}

func (l *link) Vanish() error { return l.CloseNow() }
