package main

// The trace is the same every time: nothing but bytes and time goes in.
func Example() {
	main()
	// Output:
	// --- a conversation
	//    0s  client → [text 13 bytes, fin false][continuation 10 bytes, fin true]
	//  10ms           server: message text "one message, two frames"
	//  10ms  server → [text 23 bytes, fin true]
	//  20ms           client: message text "ONE MESSAGE, TWO FRAMES"
	//  20ms  client → [ping 8 bytes, fin true]
	//  30ms           server: ping
	//  30ms  server → [pong 8 bytes, fin true]
	//  40ms           client: pong
	//  40ms  the round trip was 20ms
	//  40ms  client → [close 13 bytes, fin true]
	//  50ms           server: close 1000 normal closure "that is all"
	//  50ms  server → [close 2 bytes, fin true]
	//  60ms           client: close 1000 normal closure ""
	//  60ms  client: websocket: closed: 1000 normal closure: that is all
	//  60ms  server: websocket: closed by the peer: 1000 normal closure: that is all
	// --- a violation
	//  10ms           server: failed 1002 protocol error ""
	//  10ms  server → [close 37 bytes, fin true]
	//  20ms           client: close 1002 protocol error "new message inside a fragmented one"
	//  20ms  client → [close 2 bytes, fin true]
	//  30ms  server: websocket: closed: 1002 protocol error: websocket: new message inside a fragmented one (RFC 6455 §5.4)
	// --- silence
	//    0s  client → [close 2 bytes, fin true]
	//    2s  client: websocket: closed: 1001 going away: websocket: closing handshake timed out
}
