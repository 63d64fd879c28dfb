// Package endpoint is one end of a WebSocket connection as a machine without
// input or output: bytes and time go in, events and bytes come out. It joins
// the frame parser, the answers to control frames, the closing handshake and
// the output queue; package conn and the reactor drive it, and anything else
// that moves bytes can (a simulator, a QUIC stream, a user-space network).
//
//	buf := e.ReadBuffer(scratch)
//	n := … // bytes from the peer into buf
//	e.Received(now, buf[:n])
//	for ev, ok := e.Next(); ok; ev, ok = e.Next() {
//		…
//	}
//	bufs = e.Output(bufs[:0])
//	n = … // bytes of bufs to the peer
//	e.Written(now, n)
//
// # Halves
//
// An Endpoint has a reading half (ReadBuffer, Received, EOF, Poll, More,
// Stream, Take) and a writing half (everything else). A single goroutine may
// use all of it through Next. A driver with a reader and writers of its own
// calls Poll instead, which touches the reading half only, and passes control
// events to React while it holds whatever guards the writing half: React is the
// only method that needs both halves. So a data message costs its reader no
// synchronisation at all.
//
// # Ownership
//
// Received unmasks in place and keeps its argument until Poll has used it up.
// The data of an event is valid until the next call of a reading method.
// Output lends its slices until Written. Send keeps a large message of a
// server by reference until it is written or Keep is called; everything else
// is copied.
package endpoint
