// Command gobwas is a peer that uses github.com/gobwas/ws.
package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wirebeat/wirebeat/interop/peers/runner"
)

func main() {
	runner.Main(&runner.Library{Module: "github.com/gobwas/ws", Dial: dial, Accept: accept})
}

func dial(ctx context.Context, url string, offer []string, origin string) (runner.Conn, error) {
	dialer := ws.Dialer{Protocols: offer}
	if origin != "" {
		dialer.Header = ws.HandshakeHeaderHTTP{"Origin": {origin}}
	}
	nc, early, agreed, err := dialer.Dial(ctx, url)
	var status ws.StatusError
	if errors.As(err, &status) {
		return nil, runner.Refusal(status)
	}
	if err != nil {
		return nil, err
	}
	source := io.Reader(nc)
	if early != nil { // frames that came with the answer
		source = early
	}
	return newLink(nc, source, ws.StateClientSide, agreed.Protocol), nil
}

func accept(w http.ResponseWriter, r *http.Request) (runner.Conn, error) {
	chosen := runner.Chosen(r)
	upgrader := ws.HTTPUpgrader{Protocol: func(name string) bool { return name == chosen }}
	nc, early, agreed, err := upgrader.Upgrade(r, w)
	if err != nil {
		return nil, err
	}
	return newLink(nc, early, ws.StateServerSide, agreed.Protocol), nil
}

type link struct {
	net.Conn
	state       ws.State // which side this is
	reader      wsutil.Reader
	subprotocol string
	ponged      func(payload string)
	closing     bool
}

func newLink(nc net.Conn, source io.Reader, state ws.State, subprotocol string) *link {
	l := &link{Conn: nc, state: state, subprotocol: subprotocol}
	l.reader = wsutil.Reader{Source: source, State: state, CheckUTF8: true, OnIntermediate: l.control}
	return l
}

func (l *link) Send(_ context.Context, text bool, p []byte) error {
	if text {
		return wsutil.WriteMessage(l.Conn, l.state, ws.OpText, p)
	}
	return wsutil.WriteMessage(l.Conn, l.state, ws.OpBinary, p)
}

func (l *link) SendFragments(_ context.Context, parts [][]byte) error {
	for i, part := range parts {
		op := ws.OpText
		if i > 0 {
			op = ws.OpContinuation
		}
		frame := ws.NewFrame(op, i == len(parts)-1, part)
		if l.state == ws.StateClientSide {
			frame = ws.MaskFrame(frame)
		}
		if err := ws.WriteFrame(l.Conn, frame); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) Receive(ctx context.Context) (text bool, p []byte, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		l.SetReadDeadline(deadline)
	}
	for {
		h, err := l.reader.NextFrame()
		if err != nil {
			return false, nil, err
		}
		if h.OpCode.IsControl() {
			if err := l.control(h, &l.reader); err != nil {
				return false, nil, err
			}
			continue
		}
		p, err := io.ReadAll(&l.reader)
		return h.OpCode == ws.OpText, p, err
	}
}

// control answers pings and the Close frame, unless that is an answer itself.
func (l *link) control(h ws.Header, r io.Reader) error {
	switch {
	case h.OpCode == ws.OpPong:
		p, err := io.ReadAll(r)
		if l.ponged != nil {
			l.ponged(string(p))
		}
		return err
	case h.OpCode == ws.OpClose && l.closing:
		p, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		code, reason := ws.ParseCloseFrameData(p)
		if code.Empty() {
			code = ws.StatusNoStatusRcvd
		}
		return &runner.End{Code: int(code), Reason: reason}
	}
	err := wsutil.ControlHandler{Src: r, Dst: l.Conn, State: l.state, DisableSrcCiphering: true}.Handle(h)
	var end wsutil.ClosedError
	if errors.As(err, &end) {
		return &runner.End{Code: int(end.Code), Reason: end.Reason}
	}
	return err
}

func (l *link) Ping(ctx context.Context, payloads []string) ([]string, error) {
	return runner.Ping(ctx, l, payloads)
}

func (l *link) SendPings(_ context.Context, payloads []string, ponged func(string)) error {
	l.ponged = ponged
	for _, payload := range payloads {
		if err := wsutil.WriteMessage(l.Conn, l.state, ws.OpPing, []byte(payload)); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) Close(ctx context.Context, code int, reason string) error {
	defer l.Conn.Close()
	var body []byte
	if code != int(ws.StatusNoStatusRcvd) {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	l.closing = true
	if err := wsutil.WriteMessage(l.Conn, l.state, ws.OpClose, body); err != nil {
		return err
	}
	_, _, err := l.Receive(ctx)
	return err
}

func (l *link) Vanish() error { return l.Conn.Close() }

func (l *link) Subprotocol() string { return l.subprotocol }
