package main

import (
	"bufio"
	"net"

	"github.com/lxzan/gws"
)

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // a failure ends in OnClose
}

var gwsOptions = gws.ServerOption{ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage}

func init() {
	register("gws", func(ln net.Listener) error {
		return gws.NewServer(gwsEcho{}, &gwsOptions).RunListener(ln)
	})
	registerEngine("gws", func(nc net.Conn) error {
		c, err := gws.NewUpgrader(gwsEcho{}, &gwsOptions).
			UpgradeFromConn(nc, bufio.NewReader(nc), upgradeRequest())
		if err != nil {
			return err
		}
		c.ReadLoop()
		return nil
	})
}
