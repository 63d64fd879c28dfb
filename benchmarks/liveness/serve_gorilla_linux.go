package main

import (
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

func init() { idioms = append(idioms, idiom{"gorilla", serveGorilla}) }

// serveGorilla is examples/chat of the library: readPump extends the read
// deadline by pongWait at each pong, writePump pings every 9/10 of that.
func serveGorilla(ln net.Listener, o serveOptions) error {
	const writeWait = 10 * time.Second
	pongWait := o.pongWait()
	pingPeriod := pongWait * 9 / 10
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}

	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		type message struct {
			typ  int
			data []byte
		}
		send := make(chan message, 256)
		go func() {
			ticker := time.NewTicker(pingPeriod)
			defer ticker.Stop()
			defer c.Close()
			data := (<-chan time.Time)(nil)
			if o.every > 0 {
				t := time.NewTicker(o.every)
				defer t.Stop()
				data = t.C
			}
			for {
				var m message
				select {
				case next, ok := <-send:
					if !ok {
						return
					}
					m = next
				case <-data:
					m = message{websocket.BinaryMessage, make([]byte, 100)}
				case <-ticker.C:
					m = message{websocket.PingMessage, nil}
				}
				_ = c.SetWriteDeadline(time.Now().Add(writeWait))
				if c.WriteMessage(m.typ, m.data) != nil {
					return
				}
			}
		}()

		extend := func(string) error { return c.SetReadDeadline(time.Now().Add(pongWait)) }
		_ = extend("")
		c.SetPongHandler(extend)
		for {
			typ, data, err := c.ReadMessage()
			if err != nil {
				close(send)
				c.Close()
				sayEnd(c.RemoteAddr(), err)
				return
			}
			answer, large := ordered(data)
			if large {
				typ = websocket.BinaryMessage
			}
			select {
			case send <- message{typ, answer}:
			default: // the hub of the example drops such a client; it is not this rig's subject
			}
		}
	}))
}
