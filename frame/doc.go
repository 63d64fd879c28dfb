// Package frame is the wire format of RFC 6455: headers, masking, UTF-8, close
// codes, and a push [Parser] that applies the rules for frames and messages to
// any stream of bytes, however it is cut.
//
// It is pure: it neither reads nor writes anything, keeps no clock and starts
// no goroutine. Values may be used by one goroutine at a time; package-level
// functions by any.
//
// Nothing here keeps a reference to a []byte that was passed in, and a parser
// allocates only when a control frame (at most 125 bytes) arrives in pieces.
// [Mask] and [Parser.Next] change the bytes they are given: they unmask in
// place.
package frame
