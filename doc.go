// Package wirebeat is the front page of a WebSocket engine (RFC 6455); the
// code is in the packages below it, and the examples here show each way to use
// them.
//
//   - [github.com/wirebeat/wirebeat/server] accepts connections: inside a
//     net/http handler, on a bare listener, with a function a connection or
//     with callbacks.
//   - [github.com/wirebeat/wirebeat/client] dials them: TLS, proxies, cookies,
//     redirects.
//   - [github.com/wirebeat/wirebeat/conn] is the connection: messages over any
//     net.Conn, contexts that cancel without harm, replies that leave together,
//     pings that are answered whether or not the application reads.
//   - [github.com/wirebeat/wirebeat/conn/endpoint] is the protocol as a machine
//     without input or output, for transports and event loops of your own.
//   - [github.com/wirebeat/wirebeat/frame] is the wire format alone: headers,
//     masking, UTF-8, close codes, a push parser.
//   - [github.com/wirebeat/wirebeat/control] is the life beside the data:
//     answering pings, finding out whether the peer is alive, limits, the
//     closing handshake.
//
// The command wirebeat serves echoes to look at and to test against:
//
//	go run github.com/wirebeat/wirebeat/cmd/wirebeat serve
package wirebeat
