package handshake_test

import (
	"fmt"
	"strings"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func Example_client() {
	key, err := handshake.NewKey(strings.NewReader("the sample nonce")) // crypto/rand.Reader
	if err != nil {
		panic(err)
	}
	offer := handshake.Offer{
		Target: "/chat", Host: "server.example.com", Key: key,
		Subprotocols: []string{"chat", "superchat"},
		Header:       map[string][]string{"Origin": {"http://example.com"}},
	}
	request, err := handshake.AppendRequest(nil, &offer)
	if err != nil {
		panic(err)
	}
	fmt.Print(strings.ReplaceAll(string(request), "\r\n", "\n"))

	agreed, err := handshake.Verify(&handshake.Response{
		Status: 101, Major: 1, Minor: 1,
		Header: map[string][]string{
			"Upgrade":                {"websocket"},
			"Connection":             {"Upgrade"},
			"Sec-Websocket-Accept":   {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
			"Sec-Websocket-Protocol": {"chat"},
		},
	}, &offer)
	if err != nil {
		panic(err)
	}
	fmt.Println(agreed.Subprotocol)
	// Output:
	// GET /chat HTTP/1.1
	// Host: server.example.com
	// Upgrade: websocket
	// Connection: Upgrade
	// Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
	// Sec-WebSocket-Version: 13
	// Sec-WebSocket-Protocol: chat, superchat
	// Origin: http://example.com
	//
	// chat
}

func ExampleVerify_refused() {
	offer := handshake.Offer{Target: "/", Host: "example.com", Key: "dGhlIHNhbXBsZSBub25jZQ=="}
	_, err := handshake.Verify(&handshake.Response{Status: 403, Major: 1, Minor: 1}, &offer)
	fmt.Println(err)
	// Output:
	// websocket: handshake failed: the server answered with status 403, not 101
}
