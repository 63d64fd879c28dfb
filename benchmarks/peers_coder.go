package main

import (
	"bytes"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

func init() {
	register("coder", func(ln net.Listener) error {
		return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = coderEcho(w, r)
		}))
	})
	registerEngine("coder", func(nc net.Conn) error {
		return coderEcho(newHijackable(nc), upgradeRequest())
	})
}

// Pings are answered by the library inside Reader.
func coderEcho(w http.ResponseWriter, r *http.Request) error {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(maxMessage)
	var message bytes.Buffer
	for {
		typ, reader, err := c.Reader(r.Context())
		if err != nil {
			return err
		}
		message.Reset()
		if _, err := message.ReadFrom(reader); err != nil {
			return err
		}
		if err := c.Write(r.Context(), typ, message.Bytes()); err != nil {
			return err
		}
	}
}
