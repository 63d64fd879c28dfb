package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgrade makes nc a WebSocket, as a browser would ask for it: with an Origin of
// the server's own, and without extensions.
func upgrade(nc net.Conn, host string, deadline time.Time) error {
	if err := nc.SetDeadline(deadline); err != nil {
		return err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: "+key+"\r\nSec-WebSocket-Version: 13\r\n"+
		"Origin: http://"+host+"\r\n\r\n"); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	block, err := readHeaderBlock(nc)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(block)), nil)
	switch {
	case err != nil:
		return fmt.Errorf("handshake: %w", err)
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("handshake: the server answered %s", resp.Status)
	case resp.Header.Get("Sec-WebSocket-Accept") != acceptOf(key):
		return errors.New("handshake: wrong Sec-WebSocket-Accept")
	case resp.Header.Get("Sec-WebSocket-Extensions") != "":
		return errors.New("handshake: an extension that nobody offered")
	}
	return nc.SetDeadline(time.Time{})
}

// readHeaderBlock reads up to the empty line and not a byte further: the next
// one belongs to a frame.
func readHeaderBlock(r io.Reader) ([]byte, error) {
	const limit = 8 << 10
	block := make([]byte, 0, 512)
	for len(block) < limit {
		block = append(block, 0)
		if _, err := io.ReadFull(r, block[len(block)-1:]); err != nil {
			return nil, err
		}
		if bytes.HasSuffix(block, []byte("\r\n\r\n")) {
			return block, nil
		}
	}
	return nil, fmt.Errorf("no end of the header within %d bytes", limit)
}

// upgradeRequest is what an engine in memory finds to upgrade.
func upgradeRequest() *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: memory\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")))
	if err != nil {
		panic(err) // a constant
	}
	return r
}

// A hijackable is the ResponseWriter that an engine takes nc from.
type hijackable struct {
	nc     net.Conn
	header http.Header
}

func newHijackable(nc net.Conn) *hijackable { return &hijackable{nc: nc, header: http.Header{}} }

func (h *hijackable) Header() http.Header       { return h.header }
func (*hijackable) WriteHeader(int)             {}
func (*hijackable) Write(p []byte) (int, error) { return len(p), nil }

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}
