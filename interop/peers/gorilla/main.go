// Command gorilla is a peer that uses github.com/gorilla/websocket.
package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/wirebeat/wirebeat/interop/catalogue"
	"github.com/wirebeat/wirebeat/interop/peers/runner"
)

func main() {
	runner.Main(&runner.Library{Module: "github.com/gorilla/websocket", Dial: dial, Accept: accept, OwnOrigins: true})
}

func dial(ctx context.Context, url string, offer []string, origin string) (runner.Conn, error) {
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	dialer := websocket.Dialer{Subprotocols: offer}
	c, resp, err := dialer.DialContext(ctx, url, header)
	if errors.Is(err, websocket.ErrBadHandshake) {
		return nil, runner.Refusal(resp.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	return &link{c}, nil
}

var upgrader = websocket.Upgrader{Subprotocols: catalogue.Subprotocols}

func accept(w http.ResponseWriter, r *http.Request) (runner.Conn, error) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return &link{c}, nil
}

type link struct {
	*websocket.Conn
}

func (l *link) Send(_ context.Context, text bool, p []byte) error {
	if text {
		return l.WriteMessage(websocket.TextMessage, p)
	}
	return l.WriteMessage(websocket.BinaryMessage, p)
}

// SendFragments is cut by the library where its buffer is full.
func (l *link) SendFragments(_ context.Context, parts [][]byte) error {
	w, err := l.NextWriter(websocket.TextMessage)
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
	if deadline, ok := ctx.Deadline(); ok {
		l.SetReadDeadline(deadline)
	}
	typ, p, err := l.ReadMessage()
	var end *websocket.CloseError
	if errors.As(err, &end) {
		err = &runner.End{Code: end.Code, Reason: end.Text}
	}
	return typ == websocket.TextMessage, p, err
}

func (l *link) Ping(ctx context.Context, payloads []string) ([]string, error) {
	return runner.Ping(ctx, l, payloads)
}

// SendPings leaves the pongs to Receive: the library handles control frames
// only while it reads.
func (l *link) SendPings(_ context.Context, payloads []string, ponged func(string)) error {
	l.SetPongHandler(func(payload string) error {
		ponged(payload)
		return nil
	})
	for _, payload := range payloads {
		if err := l.WriteControl(websocket.PingMessage, []byte(payload), time.Now().Add(time.Second)); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) Close(ctx context.Context, code int, reason string) error {
	defer l.Conn.Close()
	message := websocket.FormatCloseMessage(code, reason)
	if err := l.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, _, err := l.Receive(ctx)
	return err
}

func (l *link) Vanish() error { return l.NetConn().Close() }
