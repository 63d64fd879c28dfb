// Command gws is a peer that uses github.com/lxzan/gws.
package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/lxzan/gws"

	"github.com/wirebeat/wirebeat/interop/catalogue"
	"github.com/wirebeat/wirebeat/interop/peers/runner"
)

func main() {
	runner.Main(&runner.Library{Module: "github.com/lxzan/gws", Dial: dial, Cannot: cannot, Insists: true, Hasty: true})
}

func cannot(c *catalogue.Case) string {
	if c.Verb == catalogue.Close && c.Code == 0 {
		return "WriteClose always sends a code"
	}
	return ""
}

func dial(_ context.Context, url string, offer []string, origin string) (runner.Conn, error) {
	l := &link{messages: make(chan message, 256), end: make(chan error, 1)}
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

type message struct {
	text bool
	p    []byte
}

// link gets the events of a connection.
type link struct {
	gws.BuiltinEventHandler
	*gws.Conn
	messages chan message
	pongs    []string // of the reading goroutine, until a message came
	end      chan error
}

func (l *link) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	l.messages <- message{m.Opcode == gws.OpcodeText, bytes.Clone(m.Bytes())}
}

func (l *link) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (l *link) OnPong(_ *gws.Conn, payload []byte) { l.pongs = append(l.pongs, string(payload)) }

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
	for _, payload := range payloads {
		if err := l.WritePing([]byte(payload)); err != nil {
			return nil, err
		}
	}
	err := runner.Hello(ctx, l)
	return l.pongs, err
}

func (l *link) Close(_ context.Context, code int, reason string) error {
	return l.WriteClose(uint16(code), []byte(reason))
}

func (l *link) Vanish() error { return l.NetConn().Close() }

func (l *link) Subprotocol() string { return l.SubProtocol() }
