package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// tap is a port that leads to our server and keeps what passes through: the
// frames of a message are not to be seen from above. It is a proxy, since our
// server has a way of its own to read and write a socket, which it would not
// take for a net.Conn of ours.
type tap struct {
	net.Listener
	server string

	mu   sync.Mutex
	seen []*wire
}

// wire is a connection through a tap.
type wire struct {
	client, server *net.TCPConn
	closed         chan struct{} // when both directions have ended

	mu      sync.Mutex
	in, out []byte
}

// openTap leads to a server until the test ends.
func openTap(t *testing.T, server string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &tap{Listener: ln, server: server}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			p.connect(nc.(*net.TCPConn))
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		for _, w := range p.seen {
			w.cut()
			<-w.closed
		}
	})
	return p
}

// connect passes on what a client sends, and what it gets.
func (t *tap) connect(client *net.TCPConn) {
	server, err := net.Dial("tcp", t.server)
	if err != nil {
		client.Close()
		return
	}
	w := &wire{client: client, server: server.(*net.TCPConn), closed: make(chan struct{})}
	t.mu.Lock()
	t.seen = append(t.seen, w)
	t.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pass(w.client, w.server, &w.in) })
	both.Go(func() { w.pass(w.server, w.client, &w.out) })
	go func() {
		both.Wait()
		w.cut()
		close(w.closed)
	}()
}

// pass passes on one direction until it ends.
func (w *wire) pass(from, to *net.TCPConn, seen *[]byte) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		*seen = append(*seen, b[:n]...)
		w.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				w.cut()
				return
			}
		}
		if err == io.EOF {
			to.CloseWrite()
			return
		}
		if err != nil {
			w.cut()
			return
		}
	}
}

// cut ends both connections.
func (w *wire) cut() {
	w.client.Close()
	w.server.Close()
}

// find returns the connections whose request has the target.
func (t *tap) find(target string) (found []*wire) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.seen {
		w.mu.Lock()
		if bytes.HasPrefix(w.in, []byte("GET "+target+" HTTP/1.1\r\n")) {
			found = append(found, w)
		}
		w.mu.Unlock()
	}
	return found
}

// only returns the one connection of a case, once it is closed.
func (t *tap) only(c *catalogue.Case) (*wire, error) {
	wires := t.find(c.Target())
	if len(wires) != 1 {
		return nil, fmt.Errorf("%d connections at the tap", len(wires))
	}
	select {
	case <-wires[0].closed:
		return wires[0], nil
	case <-time.After(patience):
		return nil, errors.New("the transport was not closed")
	}
}

// frames returns the frames of the one connection of a case.
func (t *tap) frames(c *catalogue.Case) (in, out []seenFrame, err error) {
	w, err := t.only(c)
	if err != nil {
		return nil, nil, err
	}
	return w.frames()
}

// answer is the first line of what answered the request.
func (w *wire) answer() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, _, _ := strings.Cut(string(w.out), "\r\n")
	return line
}

// seenFrame is a frame with its payload unmasked.
type seenFrame struct {
	frame.Header
	payload string
}

// frames returns what the two ends sent each other. The last frame of an end
// that vanished may be cut short and is left out.
func (w *wire) frames() (in, out []seenFrame, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in, err = parseFrames(w.in); err != nil {
		return nil, nil, fmt.Errorf("from the client: %w", err)
	}
	if out, err = parseFrames(w.out); err != nil {
		return nil, nil, fmt.Errorf("from the server: %w", err)
	}
	return in, out, nil
}

func parseFrames(b []byte) (frames []seenFrame, err error) {
	_, b, _ = bytes.Cut(b, []byte("\r\n\r\n"))
	for len(b) > 0 {
		h, n, err := frame.ParseHeader(b)
		if err != nil {
			return nil, err
		}
		if n == 0 || uint64(len(b)-n) < h.Length {
			break
		}
		payload := bytes.Clone(b[n : n+int(h.Length)])
		if h.Masked {
			frame.Mask(payload, h.Key, 0)
		}
		frames = append(frames, seenFrame{h, string(payload)})
		b = b[n+int(h.Length):]
	}
	return frames, nil
}

// ofKind returns the payloads of the frames that are of a kind.
func ofKind(frames []seenFrame, kind frame.Opcode) (payloads []string) {
	for _, f := range frames {
		if f.Opcode == kind {
			payloads = append(payloads, f.payload)
		}
	}
	return payloads
}

// dataFrames counts the frames of the longest message.
func dataFrames(frames []seenFrame) (most int) {
	n := 0
	for _, f := range frames {
		switch f.Opcode {
		case frame.Text, frame.Binary:
			n = 1
		case frame.Continuation:
			n++
		default:
			continue
		}
		most = max(most, n)
	}
	return most
}
