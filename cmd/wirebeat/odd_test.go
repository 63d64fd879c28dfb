package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
	"github.com/wirebeat/wirebeat/frame"
)

// listen has a server of the test's own answer connections, from their request
// on, and returns its URL. A connection is closed when serve returns.
func listen(t *testing.T, serve func(p *peer)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(patience))
				serve(&peer{t, nc, bufio.NewReader(nc)})
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return "ws://" + ln.Addr().String() + "/"
}

// accepts is listen with a handshake that succeeds.
func accepts(t *testing.T, serve func(p *peer)) (url string) {
	t.Helper()
	return listen(t, func(p *peer) {
		if p.accept("") != nil {
			serve(p)
		}
	})
}

// accept answers the request, and returns it.
func (p *peer) accept(fields string) *http.Request {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return nil
	}
	p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n" + fields + "\r\n")
	return r
}

// say is send for the goroutine of a server, and for a client that may be gone.
func (p *peer) say(parts ...string) {
	for _, part := range parts {
		if _, err := io.WriteString(p.nc, part); err != nil {
			return
		}
	}
}

// hear is frame for the goroutine of a server, and passes over pings, which
// come when they like.
func (p *peer) hear() (opcode frame.Opcode, payload string, ok bool) {
	for {
		h, payload, err := p.read()
		if err != nil || h.Opcode != frame.Ping {
			return h.Opcode, payload, err == nil
		}
	}
}

// goodbye answers Close frames, passing over all else, until the end.
func (p *peer) goodbye() (payload string) {
	for {
		op, b, ok := p.hear()
		if !ok || op == frame.Close {
			p.say(unmasked(0x88, b))
			return b
		}
	}
}

// hold waits for the end of the connection, and answers nothing.
func (p *peer) hold() { io.Copy(io.Discard, p.r) }

// unmasked is a frame as a server sends it.
func unmasked(b0 byte, payload string) string {
	return string(frame.AppendHeader(nil, frame.Header{
		Fin: b0&0x80 != 0, Opcode: frame.Opcode(b0 & 0x0f), Length: uint64(len(payload)),
	})) + payload
}

func closing(code frame.CloseCode, reason string) string {
	return unmasked(0x88, string(frame.AppendClose(nil, code, reason)))
}

// A server that refuses, and others that are none.
func TestAHandshakeThatFailsIsOneLine(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused.Close()
	says := func(response string) string {
		return listen(t, func(p *peer) {
			http.ReadRequest(p.r)
			p.say(response)
		})
	}
	tests := []struct{ name, url, says string }{
		{"nobody listens", "ws://" + refused.Addr().String(), "refused"},
		{"403", says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"},
		{"403 with a reason", says("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n\r\nnot\x1byou\nor you\n"),
			`403, not 101: not\x1byou` + "\n"},
		{"403 with a page", says("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), "403, not 101\n"},
		{"a page", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200"},
		{"a wrong key", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), "Sec-WebSocket-Accept"},
		{"no HTTP", says("SSH-2.0-OpenSSH_9.9\r\n\r\n"), "HTTP"},
		{"the end", says(""), "hung up"},
		{"no TLS", "wss://" + listen(t, func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n") })[len("ws://"):], "tls"},
	}
	for _, test := range tests {
		for _, name := range []string{"ping", "connect"} {
			t.Run(fmt.Sprint(test.name, ", ", name), func(t *testing.T) {
				p := launch(t, nil, name, test.url)
				p.fails(t, test.says)
				require.Empty(t, p.stdout.String())
			})
		}
	}
}

func TestAHandshakeMayTakeTenSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	for _, name := range []string{"ping", "connect"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			p := launch(t, nil, name, listen(t, (*peer).hold))
			p.fails(t, "took too long")
			require.InDelta(t, 10, time.Since(began).Seconds(), 1)
			require.Empty(t, p.stdout.String())
		})
	}
}

func TestASignalDuringTheHandshakeEndsIt(t *testing.T) {
	for _, name := range []string{"ping", "connect"} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{})
			p := launch(t, nil, name, listen(t, func(p *peer) {
				http.ReadRequest(p.r)
				close(asked)
				p.hold()
			}))
			<-asked
			p.stop()
			p.fails(t, "interrupted")
		})
	}
}
