package main

import (
	"bytes"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

func init() {
	register("gorilla", func(ln net.Listener) error {
		return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = gorillaEcho(w, r)
		}))
	})
	registerEngine("gorilla", func(nc net.Conn) error {
		return gorillaEcho(newHijackable(nc), upgradeRequest())
	})
}

// Pings are answered by the library's own handler.
func gorillaEcho(w http.ResponseWriter, r *http.Request) error {
	c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetReadLimit(maxMessage)
	var message bytes.Buffer
	for {
		typ, r, err := c.NextReader()
		if err != nil {
			return err
		}
		message.Reset()
		if _, err := message.ReadFrom(r); err != nil {
			return err
		}
		if err := c.WriteMessage(typ, message.Bytes()); err != nil {
			return err
		}
	}
}
