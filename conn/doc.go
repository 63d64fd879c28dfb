// Package conn is a WebSocket connection over any net.Conn whose handshake is
// done. It drives conn/endpoint, which knows the protocol, with goroutines,
// locks, time and memory.
//
//	c, err := conn.New(nc, conn.Start{Role: endpoint.Server}, nil)
//	if err != nil {
//		return err
//	}
//	for m, err := range c.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		if err := c.Write(ctx, m.Type, m.Data); err != nil {
//			return err
//		}
//	}
//
// # Ownership
//
// ReadMessage gives a slice to its caller; AppendMessage fills the caller's own;
// Messages and Reader lend. Every method that sends is done with its []byte
// when it returns. The net.Conn belongs to the connection, which closes it.
//
// # Concurrency
//
// Every method of [Conn] may be called from any goroutine; what little is not
// allowed is said there. One goroutine reads at a time: the caller of a read
// method, or a pump of the connection's own, which runs while something waits
// for the peer's answer, or when nobody has read for a second. The pump answers
// control frames and keeps up to 64 KiB of data, or one message, for the next
// read. Whoever reads never waits in a write: what the transport does not take
// at once is left to a goroutine that ends when all is written.
//
// # Batches
//
// A reply to one of several messages that arrived together waits for the others
// of its batch, and leaves with them in one write: when the last of them was
// delivered and answered, before the connection waits for more input, at
// 64 KiB, or after 1 ms. Everything else leaves at once.
//
// # Contexts
//
// A read whose context ends loses nothing, and the next one goes on where it
// was. A write whose context ends while it waits, for its turn or for room, sent
// nothing. A context costs a registration when a read has to wait and the
// context is another than the last time.
//
// # Liveness
//
// A peer from which nothing comes is pinged, suspect when its pong takes longer
// than those before, and dead after a timeout: then the connection ends with a
// [*control.DeadError], and the transport is reset. Any byte is evidence of
// life. [Options] has the times and the hooks, Health tells what is known.
// Whether this process itself stood still, the peer's bytes lie unread, the
// application does not read, or the peer takes output slowly, is looked at
// before a verdict.
//
// # Limits
//
// See [Options]. What the peer announces allocates nothing; what it sends is
// bounded by MaxMessage, and what it does not read by MaxOutput.
//
// # The end
//
// A connection ends with a closing handshake, a violation, or its transport.
// Done is closed at that moment, and Err and every other method tell a
// [*CloseError]. The transport is closed once the peer had the chance to read
// all that was sent, at the latest CloseTimeout later.
package conn
