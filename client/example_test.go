package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

// exampleServer greets everybody who is let in.
func exampleServer(network, address string) (url string, stop func()) {
	ln, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	srv := &server.Server{
		Options: server.Options{
			Subprotocols: []string{"chat.v2", "chat.v1"},
			Origins:      []string{"https://example.com"},
			Authorize: func(r *http.Request) error {
				if r.URL.Path == "/private" && r.Header.Get("Authorization") == "" {
					return &server.Reject{Status: 401, Reason: "Who are you?"}
				}
				return nil
			},
		},
		Handle: func(ctx context.Context, c *conn.Conn) error {
			return c.Write(ctx, conn.Text, []byte("welcome"))
		},
	}
	go srv.Serve(ln)
	return "ws://" + ln.Addr().String(), func() { srv.Shutdown(context.Background()) }
}

func ExampleDial() {
	ctx := context.Background()
	url, stop := exampleServer("tcp", "127.0.0.1:0")
	defer stop()

	c, _, err := client.Dial(ctx, url+"/feed", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	for m, err := range c.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Type, string(m.Data))
	}
	fmt.Println("closed in order")
	// Output:
	// text welcome
	// closed in order
}

func ExampleDial_header() {
	ctx := context.Background()
	url, stop := exampleServer("tcp", "127.0.0.1:0")
	defer stop()

	c, resp, err := client.Dial(ctx, url+"/private", &client.Options{
		Header: http.Header{
			"Origin":        {"https://example.com"},
			"Authorization": {"Bearer secret"},
			"Cookie":        {"session=1234"},
		},
		Subprotocols: []string{"chat.v2", "chat.v3"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	fmt.Println(resp.Status)
	fmt.Println(c.Subprotocol())
	// Output:
	// 101 Switching Protocols
	// chat.v2
}

func ExampleDial_refused() {
	url, stop := exampleServer("tcp", "127.0.0.1:0")
	defer stop()

	_, resp, err := client.Dial(context.Background(), url+"/private", nil)
	var refusal *client.HandshakeError
	if errors.As(err, &refusal) {
		body, _ := io.ReadAll(resp.Body) // is here already
		fmt.Println(refusal)
		fmt.Print(refusal.Status, " ", string(body))
	}
	// Output:
	// websocket: handshake failed: the server answered with status 401, not 101
	// 401 Who are you?
}

func ExampleDial_unix() {
	dir, err := os.MkdirTemp("", "ws")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	_, stop := exampleServer("unix", socket)
	defer stop()

	ctx := context.Background()
	c, _, err := client.Dial(ctx, "ws://localhost/feed", &client.Options{
		Proxy: client.NoProxy,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	_, data, err := c.ReadMessage(ctx)
	fmt.Println(string(data), err)
	// Output:
	// welcome <nil>
}
