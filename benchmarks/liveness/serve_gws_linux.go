package main

import (
	"net"
	"time"

	"github.com/lxzan/gws"
)

func init() { idioms = append(idioms, idiom{"gws", serveGws}) }

// gwsHandler is the handler of the library's README, whose clients ping. These
// here do not, so the server does, and a pong counts as a ping does there.
type gwsHandler struct {
	gws.BuiltinEventHandler
	o serveOptions
}

func (h *gwsHandler) extend(c *gws.Conn) {
	_ = c.SetDeadline(time.Now().Add(h.o.interval + h.o.timeout))
}

func (h *gwsHandler) OnOpen(c *gws.Conn) {
	h.extend(c)
	go func() {
		for range time.Tick(h.o.interval) {
			if c.WritePing(nil) != nil {
				return
			}
		}
	}()
	if h.o.every > 0 {
		go func() {
			_ = onlyWrite(h.o.every, func(p []byte) error { return c.WriteMessage(gws.OpcodeBinary, p) })
		}()
	}
}

func (h *gwsHandler) OnPing(c *gws.Conn, payload []byte) {
	h.extend(c)
	_ = c.WritePong(payload)
}

func (h *gwsHandler) OnPong(c *gws.Conn, _ []byte)   { h.extend(c) }
func (h *gwsHandler) OnClose(c *gws.Conn, err error) { sayEnd(c.RemoteAddr(), err) }

func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	answer, large := ordered(m.Bytes())
	if large {
		_ = c.WriteMessage(gws.OpcodeBinary, answer)
		return
	}
	_ = c.WriteMessage(m.Opcode, answer)
}

func serveGws(ln net.Listener, o serveOptions) error {
	return gws.NewServer(&gwsHandler{o: o}, &gws.ServerOption{WriteMaxPayloadSize: 64 << 20}).RunListener(ln)
}
