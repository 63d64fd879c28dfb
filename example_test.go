package wirebeat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// pipe is a pair of connections whose handshake is done, in memory.
func pipe() (client, srv *conn.Conn) {
	a, b := net.Pipe()
	client, _ = conn.New(a, conn.Start{Role: endpoint.Client}, nil) // fails for bad options only
	srv, _ = conn.New(b, conn.Start{Role: endpoint.Server}, nil)
	return client, srv
}

// An echo server as a handler of net/http.
func Example_handler() {
	echo := server.Handler(nil, func(ctx context.Context, c *conn.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err // not for a normal end, which just ends the loop
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return err
			}
		}
		return nil
	})
	web := httptest.NewServer(echo)
	defer web.Close()

	resp, err := http.Get(web.URL) // not a WebSocket
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 426 Upgrade Required
}

// A server of its own listener, with callbacks for which nothing blocks.
func Example_events() {
	srv := &server.Server{
		Options: server.Options{Subprotocols: []string{"chat"}},
		Events: server.Events{
			Open: func(p *server.Peer) { fmt.Println("open", p.Subprotocol()) },
			Message: func(p *server.Peer, typ conn.Type, data []byte) {
				p.Send(typ, bytes.ToUpper(data))
			},
			Close: func(p *server.Peer, err error) { fmt.Println("close, normal:", conn.NormalEnd(err)) },
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(ln)

	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
	head := make([]byte, 0, 512)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		b := make([]byte, 1)
		if _, err := nc.Read(b); err != nil {
			log.Fatal(err)
		}
		head = append(head, b...)
	}
	client, _ := conn.New(nc, conn.Start{Role: endpoint.Client, Subprotocol: "chat"}, nil)
	ctx := context.Background()
	client.Write(ctx, conn.Text, []byte("hello"))
	_, reply, _ := client.ReadMessage(ctx)
	fmt.Printf("%s\n", reply)
	client.Close(ctx, 1000, "")
	srv.Shutdown(ctx)
	// Output:
	// open chat
	// HELLO
	// close, normal: true
}

// Reading: a slice of one's own, appended to a buffer, lent, or as a stream.
func Example_reading() {
	c, peer := pipe()
	ctx := context.Background()
	go func() {
		for _, text := range []string{"owned", "appended", "streamed", "lent"} {
			peer.Write(ctx, conn.Text, []byte(text))
		}
		peer.Close(ctx, 1000, "done")
	}()

	_, owned, _ := c.ReadMessage(ctx)
	fmt.Printf("%s\n", owned)

	buf := make([]byte, 0, 1024)
	_, buf, _ = c.AppendMessage(ctx, buf)
	fmt.Printf("%s\n", buf)

	_, r, _ := c.Reader(ctx)
	if n, err := bufferFrom(r); err == nil {
		fmt.Println(n)
	}

	for m, err := range c.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", m.Data)
	}
	fmt.Println(c.Err())
	// Output:
	// owned
	// appended
	// streamed
	// lent
	// websocket: closed by the peer: 1000 normal closure: done
}

func bufferFrom(r interface{ Read([]byte) (int, error) }) (string, error) {
	var b bytes.Buffer
	_, err := b.ReadFrom(r)
	return b.String(), err
}

// Cancelling a read loses nothing: the next one goes on where it was.
func Example_cancelling() {
	c, peer := pipe()
	defer peer.CloseNow()
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, _, err := c.ReadMessage(ctx)
	fmt.Println(err)

	go peer.Write(context.Background(), conn.Binary, []byte("still here"))
	_, data, err := c.ReadMessage(context.Background())
	fmt.Printf("%s %v\n", data, err)
	// Output:
	// context deadline exceeded
	// still here <nil>
}

// A message that is framed once and sent to many.
func Example_broadcast() {
	m := conn.Prepare(conn.Text, []byte("to all"))
	for range 2 {
		c, peer := pipe()
		go c.WritePrepared(context.Background(), m)
		_, data, _ := peer.ReadMessage(context.Background())
		fmt.Printf("%s\n", data)
		c.CloseNow()
		peer.CloseNow()
	}
	// Output:
	// to all
	// to all
}

// A message of any size, written piece by piece.
func Example_streaming() {
	c, peer := pipe()
	defer peer.CloseNow()
	defer c.CloseNow()
	go func() {
		w, err := c.Writer(context.Background(), conn.Text)
		if err != nil {
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "part %d ", i)
		}
		w.Close()
	}()
	_, data, _ := peer.ReadMessage(context.Background())
	fmt.Printf("%s\n", data)
	// Output: part 0 part 1 part 2
}

// A ping, answered although the peer's application does not read.
func Example_ping() {
	c, peer := pipe()
	defer peer.CloseNow()
	defer c.CloseNow()
	pong, err := c.Ping(context.Background())
	fmt.Println(pong.Exact, pong.RTT > 0, err)
	// Output: true true <nil>
}

// A client.
func Example_client() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &server.Server{
		Options: server.Options{Subprotocols: []string{"shout"}},
		Events: server.Events{Message: func(p *server.Peer, typ conn.Type, data []byte) {
			p.Send(typ, bytes.ToUpper(data))
		}},
	}
	go srv.Serve(ln)

	ctx := context.Background()
	c, _, err := client.Dial(ctx, "ws://"+ln.Addr().String(), &client.Options{Subprotocols: []string{"shout"}})
	if err != nil {
		log.Fatal(err)
	}
	c.Write(ctx, conn.Text, []byte("hello"))
	_, reply, err := c.ReadMessage(ctx)
	fmt.Printf("%s: %s %v\n", c.Subprotocol(), reply, err)
	fmt.Println(c.Close(ctx, 1000, ""))
	srv.Shutdown(ctx)
	// Output:
	// shout: HELLO <nil>
	// <nil>
}

// A peer that is there no more: it answers no ping, and nothing else comes.
func Example_liveness() {
	a, b := net.Pipe()
	go io.Copy(io.Discard, b) // reads, and never answers
	c, err := conn.New(a, conn.Start{Role: endpoint.Server}, &conn.Options{
		PingInterval: 20 * time.Millisecond, // the default is 25 s
		PingTimeout:  40 * time.Millisecond, // and 20 s
		Hooks: conn.Hooks{
			OnSuspect: func(c *conn.Conn, silence time.Duration) {
				fmt.Println("suspect:", c.Health().State)
			},
			OnDead: func(c *conn.Conn, err *control.DeadError) time.Duration {
				fmt.Println("dead:", err.Verdict)
				return 0 // no more time for it
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = c.ReadMessage(context.Background())
	var dead *control.DeadError
	fmt.Println(errors.As(err, &dead))
	// Output:
	// suspect: suspect
	// dead: silent
	// true
}

// The connection as a net.Conn, for whatever wants a stream of bytes.
func Example_netConn() {
	c, peer := pipe()
	ctx := context.Background()
	go func() {
		stream := peer.NetConn(ctx, conn.Binary)
		fmt.Fprint(stream, "line one\nline two\n")
		stream.Close()
	}()
	text, err := bufferFrom(c.NetConn(ctx, conn.Binary))
	fmt.Printf("%q %v\n", text, err)
	// Output: "line one\nline two\n" <nil>
}

// The protocol without any input or output: bytes in, events and bytes out.
func Example_sansIO() {
	e := endpoint.New(endpoint.Server, &endpoint.Config{})
	wire := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Length: 5})
	wire = append(wire, "hello"...) // the masking key is zero
	wire = frame.AppendHeader(wire, frame.Header{Fin: true, Opcode: frame.Ping, Masked: true})

	now := time.Now()
	e.Received(now, wire)
	for ev, ok := e.Next(); ok; ev, ok = e.Next() {
		fmt.Printf("%v %q\n", ev.Kind, ev.Data)
		if ev.Kind == endpoint.Message {
			e.Send(ev.Type, ev.Data, true)
		}
	}
	for _, b := range e.Output(nil) {
		fmt.Printf("% x\n", b)
	}
	// Output:
	// message "hello"
	// ping ""
	// 8a 00
	// 81 05 68 65 6c 6c 6f
}

// The codec alone.
func Example_frames() {
	p := frame.NewParser(frame.Rules{})
	wire := []byte{0x01, 0x03, 'H', 'e', 'l', 0x80, 0x02, 'l', 'o'} // RFC 6455 §5.7
	for len(wire) > 0 {
		part, n, err := p.Next(wire)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v %q fin=%v\n", part.Opcode, part.Payload, part.Fin())
		wire = wire[n:]
	}
	// Output:
	// text "Hel" fin=false
	// text "lo" fin=true
}
