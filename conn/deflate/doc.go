// Package deflate is permessage-deflate (RFC 7692): what both ends agree on,
// and the compression of messages under it.
//
// [Policy] negotiates. A [Sender] compresses the messages of one end of a
// connection, a [Receiver] inflates those of the other; both honour context
// takeover and window sizes of 8 to 15 bits.
//
// # Memory
//
// Between messages a connection keeps, for each direction with context
// takeover, the last 2^bits bytes of plain text, at most 33 KiB; the
// compressors, which are ten to twenty times as large, come from a [Pool] and go
// back to it. What is inflated goes where the caller says, in pieces of at most
// 32 KiB, so that the caller may stop at any limit.
//
// # Concurrency
//
// A Sender and a Receiver belong to one goroutine each at a time. A Policy may be
// used by any number.
package deflate
