// Package handshake judges and writes the opening handshake of RFC 6455 §4.
//
// It is the rules alone: a Request goes in, a verdict comes out, and nothing
// here reads a socket, a clock or a random number. [Check] either accepts a
// request or says, as a [Refusal], which HTTP answer it earns; [AppendResponse]
// and [AppendRefusal] write those answers. [IsHandshake] tells requests that
// ask for a WebSocket from those that belong to an ordinary HTTP handler.
//
//	if !handshake.IsHandshake(&request) {
//		return fallback
//	}
//	accepted, refusal := handshake.Check(&request, &policy)
//	if refusal != nil {
//		return handshake.AppendRefusal(buf, refusal.Status, refusal.Reason, refusal.Header)
//	}
//	return handshake.AppendResponse(buf, accepted, nil)
//
// # What is refused
//
//	400  no, several or invalid Host; a target that names no resource; a body;
//	     no "websocket" in Upgrade; no "upgrade" in Connection; a bad key;
//	     malformed or repeated subprotocols; malformed extensions
//	403  an Origin that is neither the request's own host nor allowed by Policy
//	405  a method other than GET, with Allow
//	426  no version, several, or one other than 13, with Sec-WebSocket-Version
//	505  HTTP/1.0 and older, HTTP/2 and newer: this handshake is HTTP/1.1's
//
// A reason is one plain sentence and holds no byte the client sent.
//
// # Ownership
//
// A Request and a Policy are only read, and only during the call. The strings
// of an [Accepted] share memory with the request's, and Accepted.Extensions is
// the request's own slice. The Append functions return the extended slice, or
// dst as it was together with an error.
//
// # Concurrency
//
// There is no state: every function may be called from any goroutine. One
// Policy may serve any number of them as long as nobody changes it.
//
// # Limits
//
// Work and memory are linear in the size of the header, but for one sort of
// the subprotocols offered. The size itself (16 KiB, 128 lines, 10 s) is for
// whoever reads the bytes to bound.
package handshake
