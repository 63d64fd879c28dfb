// Package client dials WebSocket connections.
//
//	c, _, err := client.Dial(ctx, "wss://example.com/feed", nil)
//	if err != nil {
//		return err
//	}
//	defer c.CloseNow()
//	for m, err := range c.Messages(ctx) {
//		…
//	}
//	return c.Close(ctx, 1000, "")
//
// What a connection can do, and who owns a []byte until when, is told in
// package conn.
//
// # What is checked
//
// A response opens a connection only if it says so in every field that RFC 6455
// §4.1 names, and chooses nothing that was not offered. It may have 16 KiB and
// 128 lines of header, and all of dialling, proxies and redirects included,
// takes 10 s at most. Frames that come right behind the response are delivered.
//
// # Proxies
//
// Unless Options.Proxy says otherwise the environment does (HTTP_PROXY for ws,
// HTTPS_PROXY for wss, NO_PROXY; see [net/http.ProxyFromEnvironment]). An
// "http" or "https" proxy is asked for a tunnel by CONNECT, for ws as well as
// for wss; "socks5" and "socks5h" have the proxy look up the name.
package client
