package handshake_test

import (
	"fmt"
	"strings"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func Example() {
	policy := handshake.Policy{
		Subprotocols: []string{"chat"},
		Origins:      []string{"https://*.example.com"},
	}
	if err := policy.Validate(); err != nil {
		panic(err)
	}
	request := handshake.Request{
		Method: "GET", Target: "/chat", Major: 1, Minor: 1,
		Host: []string{"server.example.com"},
		Header: map[string][]string{
			"Upgrade":                {"websocket"},
			"Connection":             {"Upgrade"},
			"Sec-Websocket-Key":      {"dGhlIHNhbXBsZSBub25jZQ=="},
			"Sec-Websocket-Version":  {"13"},
			"Sec-Websocket-Protocol": {"chat, superchat"},
			"Origin":                 {"https://www.example.com"},
		},
	}
	accepted, refusal := handshake.Check(&request, &policy)
	if refusal != nil {
		panic(refusal)
	}
	response, err := handshake.AppendResponse(nil, accepted, nil)
	if err != nil {
		panic(err)
	}
	fmt.Print(strings.ReplaceAll(string(response), "\r\n", "\n"))
	// Output:
	// HTTP/1.1 101 Switching Protocols
	// Upgrade: websocket
	// Connection: Upgrade
	// Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	// Sec-WebSocket-Protocol: chat
}

func ExampleCheck_refused() {
	_, refusal := handshake.Check(&handshake.Request{Method: "POST", Major: 1, Minor: 1}, nil)
	fmt.Println(refusal.Status, refusal.Reason, refusal.Header)
	// Output:
	// 405 A WebSocket handshake is a GET request. map[Allow:[GET]]
}
