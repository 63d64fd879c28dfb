// Command sansio drives both ends of a connection by hand. There is no network,
// no goroutine and no clock: bytes lie in memory, and time is a variable.
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

const (
	latency = 10 * time.Millisecond // of the link, one way
	mtu     = 16                    // most bytes that arrive together
)

func main() {
	for _, scene := range []func(io.Writer) error{conversation, violation, silence} {
		if err := scene(os.Stdout); err != nil {
			log.Fatal(err)
		}
	}
}

// peer is one end of the link.
type peer struct {
	*endpoint.Endpoint
	role endpoint.Role
}

// world is two ends, the link between them, and the time there.
type world struct {
	trace          io.Writer
	now            time.Time
	client, server peer
	err            error // the first
}

func newWorld(trace io.Writer, title string) *world {
	fmt.Fprintln(trace, "---", title)
	cfg := &endpoint.Config{
		Rand:         rand.Reader, // a client masks with keys that nobody can predict
		CloseTimeout: 2 * time.Second,
	}
	return &world{
		trace:  trace,
		now:    time.Unix(0, 0),
		client: peer{endpoint.New(endpoint.Client, cfg), endpoint.Client},
		server: peer{endpoint.New(endpoint.Server, cfg), endpoint.Server},
	}
}

func (w *world) print(format string, args ...any) {
	fmt.Fprintf(w.trace, "%5v  %s\n", w.now.Sub(time.Unix(0, 0)), fmt.Sprintf(format, args...))
}

func (w *world) check(err error) {
	if w.err == nil {
		w.err = err
	}
}

// send takes what an end has to send. Output lends it until Written, and
// Received unmasks in place, so it is copied, as between real machines.
func (w *world) send(from peer) (wire []byte) {
	wire = bytes.Join(from.Output(nil), nil)
	from.Written(w.now, len(wire))
	w.print("%v → %s", from.role, frames(wire))
	return wire
}

// receive gives an end what was sent, a few bytes at a time: no split of the
// bytes makes a difference.
func (w *world) receive(to peer, wire []byte) {
	w.now = w.now.Add(latency)
	for len(wire) > 0 {
		n := min(mtu, len(wire))
		to.Received(w.now, wire[:n])
		for ev, ok := to.Next(); ok; ev, ok = to.Next() {
			w.handle(to, ev)
		}
		wire = wire[n:]
	}
}

// handle is the application of both ends. Next has answered pings and Close
// frames already.
func (w *world) handle(p peer, ev endpoint.Event) {
	switch ev.Kind {
	case endpoint.Message:
		w.print("         %v: %v %v %q", p.role, ev.Kind, ev.Type, ev.Data)
		if p.role == endpoint.Server {
			w.check(p.Send(ev.Type, bytes.ToUpper(ev.Data), true))
		}
	case endpoint.Close, endpoint.Failed:
		w.print("         %v: %v %v %q", p.role, ev.Kind, ev.Code, ev.Data)
	default:
		w.print("         %v: %v", p.role, ev.Kind)
	}
}

// settle carries bytes to and fro until there are none.
func (w *world) settle() {
	for from, to := w.client, w.server; from.Pending() || to.Pending(); from, to = to, from {
		if from.Pending() {
			w.receive(to, w.send(from))
		}
	}
}

// conversation is a message, a ping, and the closing handshake.
func conversation(trace io.Writer) error {
	w := newWorld(trace, "a conversation")
	w.check(w.client.Send(frame.Text, []byte("one message, "), false))
	w.check(w.client.Send(frame.Text, []byte("two frames"), true))
	w.settle()
	_, err := w.client.Probe(w.now) // a ping whose pong is recognised
	w.check(err)
	w.settle()
	w.print("the round trip was %v", w.client.Health().RTT)
	w.check(w.client.Close(w.now, frame.CloseNormal, "that is all"))
	w.settle()
	w.print("client: %v", w.client.Err())
	w.print("server: %v", w.server.Err())
	return w.err
}

// violation is a client that begins a message inside another.
func violation(trace io.Writer) error {
	w := newWorld(trace, "a violation")
	wire := frame.AppendHeader(nil, frame.Header{Opcode: frame.Text, Masked: true})
	wire = frame.AppendHeader(wire, frame.Header{Opcode: frame.Text, Masked: true})
	w.receive(w.server, wire)
	w.settle()
	w.print("server: %v", w.server.Err())
	return w.err
}

// silence is a server that never answers a Close: time alone ends it.
func silence(trace io.Writer) error {
	w := newWorld(trace, "silence")
	w.check(w.client.Close(w.now, frame.CloseGoingAway, ""))
	w.send(w.client) // and there it is lost
	if t, ok := w.client.Deadline(); ok {
		w.now = t
		w.client.Advance(w.now)
	}
	w.print("client: %v", w.client.Err())
	return w.err
}

// frames names the frames that an end sent, with the size of their payloads.
func frames(wire []byte) (names string) {
	for len(wire) > 0 {
		h, n, err := frame.ParseHeader(wire)
		if n == 0 || err != nil {
			return names + "?" // an end sends nothing but whole frames
		}
		names += fmt.Sprintf("[%v %d bytes, fin %v]", h.Opcode, h.Length, h.Fin)
		wire = wire[n+int(h.Length):]
	}
	return names
}
