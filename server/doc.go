// Package server accepts WebSocket connections, in three ways.
//
// [Accept] upgrades a request inside any net/http handler, [Handler] makes a
// handler of a function that is given a connection:
//
//	http.Handle("/chat", server.Handler(nil, func(ctx context.Context, c *conn.Conn) error {
//		for m, err := range c.Messages(ctx) {
//			if err != nil {
//				return err
//			}
//			if err := c.Write(ctx, m.Type, m.Data); err != nil {
//				return err
//			}
//		}
//		return nil
//	}))
//
// [Upgrade] does the same on a bare TCP or TLS connection, and [Server] serves
// a listener: with a function like the one above, or with [Events], callbacks
// for which nothing blocks and which run on any [Engine].
//
// # What net/http must be told
//
// Server and Upgrade limit the handshake themselves: 16 KiB and 128 lines of
// header, 10 s. Behind an http.Server this is for its fields to do:
// MaxHeaderBytes and ReadHeaderTimeout (or ReadTimeout) should be set. What
// they bound is over when the connection is upgraded.
//
// # Origin
//
// A browser names the page that opens a connection in the Origin field, and
// sends its cookies along. Unless Options.Origins allows more, only pages of
// the host that the request is addressed to are accepted; requests without the
// field, which do not come from browsers, always are.
package server
