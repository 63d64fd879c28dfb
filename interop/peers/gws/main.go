// Command gws is a peer that uses github.com/lxzan/gws.
package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/lxzan/gws"

	"github.com/wirebeat/wirebeat/interop/catalogue"
	"github.com/wirebeat/wirebeat/interop/peers/runner"
)

func main() {
	runner.Main(&runner.Library{
		Module: "github.com/lxzan/gws", Dial: dial, Cannot: cannot, Insists: true, Hasty: true,
		Accept: accept, CannotServe: cannotServe,
	})
}

const noEmptyClose = "WriteClose always sends a code"

func cannot(c *catalogue.Case) string {
	if c.Verb == catalogue.Close && c.Code == 0 {
		return noEmptyClose
	}
	return ""
}

func cannotServe(path string, code int) string {
	if path == "/close" && code == catalogue.NoStatus {
		return noEmptyClose
	}
	return ""
}

func dial(_ context.Context, url string, offer []string, origin string) (runner.Conn, error) {
	l := newLink()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	if len(offer) > 0 {
		header.Set("Sec-WebSocket-Protocol", strings.Join(offer, ", "))
	}
	c, resp, err := gws.NewClient(l, &gws.ClientOption{Addr: url, RequestHeader: header, CheckUtf8Enabled: true})
	if err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, runner.Refusal(resp.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	l.Conn = c
	go c.ReadLoop()
	return l, nil
}

func accept(w http.ResponseWriter, r *http.Request) (runner.Conn, error) {
	l := newLink()
	opts := &gws.ServerOption{CheckUtf8Enabled: true}
	if runner.Chosen(r) != "" { // or the library would refuse
		opts.SubProtocols = catalogue.Subprotocols
	}
	c, err := gws.NewUpgrader(l, opts).Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	l.Conn = c
	go c.ReadLoop()
	return l, nil
}

type message struct {
	text bool
	p    []byte
}

// link gets the events of a connection.
type link struct {
	gws.BuiltinEventHandler
	*gws.Conn
	messages chan message
	end      chan error

	mu     sync.Mutex
	ponged func(payload string)
}

func newLink() *link { return &link{messages: make(chan message, 256), end: make(chan error, 1)} }

func (l *link) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	l.messages <- message{m.Opcode == gws.OpcodeText, bytes.Clone(m.Bytes())}
}

func (l *link) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (l *link) OnPong(_ *gws.Conn, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ponged != nil {
		l.ponged(string(payload))
	}
}

func (l *link) OnClose(_ *gws.Conn, err error) {
	var end *gws.CloseError
	if errors.As(err, &end) {
		told := &runner.End{Code: int(end.Code), Reason: string(end.Reason)}
		if told.Code == 0 {
			told.Code = catalogue.NoStatus
		}
		err = told
	}
	l.end <- err
}

func (l *link) Send(_ context.Context, text bool, p []byte) error {
	if text {
		return l.WriteMessage(gws.OpcodeText, p)
	}
	return l.WriteMessage(gws.OpcodeBinary, p)
}

// SendFragments is cut by the library, at 128 KiB.
func (l *link) SendFragments(_ context.Context, parts [][]byte) error {
	return l.WriteFile(gws.OpcodeText, bytes.NewReader(bytes.Join(parts, nil)))
}

func (l *link) Receive(ctx context.Context) (text bool, p []byte, err error) {
	select {
	case m := <-l.messages:
		return m.text, m.p, nil
	default:
	}
	select {
	case m := <-l.messages:
		return m.text, m.p, nil
	case err := <-l.end:
		return false, nil, err
	case <-ctx.Done():
		return false, nil, ctx.Err()
	}
}

func (l *link) Ping(ctx context.Context, payloads []string) ([]string, error) {
	return runner.Ping(ctx, l, payloads)
}

func (l *link) SendPings(_ context.Context, payloads []string, ponged func(string)) error {
	l.mu.Lock()
	l.ponged = ponged
	l.mu.Unlock()
	for _, payload := range payloads {
		if err := l.WritePing([]byte(payload)); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) Close(_ context.Context, code int, reason string) error {
	return l.WriteClose(uint16(code), []byte(reason))
}

func (l *link) Vanish() error { return l.NetConn().Close() }

func (l *link) Subprotocol() string { return l.SubProtocol() }
