package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"
)

// transport connects to the host of u, through a proxy if there is one, with
// TLS if it is to be secure.
func (d *dialer) transport(ctx context.Context, u *url.URL) (net.Conn, error) {
	find := d.Proxy
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	through, err := find(&http.Request{Method: http.MethodGet, URL: asHTTP(u), Header: http.Header{}})
	if err != nil {
		return nil, err
	}
	direct := dialFunc((&net.Dialer{}).DialContext)
	if d.DialContext != nil {
		direct = d.DialContext
	}
	dial := direct
	if through != nil {
		if dial, err = d.through(through, direct); err != nil {
			return nil, err
		}
	}
	nc, err := dial(ctx, "tcp", hostPort(u))
	if err != nil || u.Scheme != "wss" {
		return nc, err
	}
	name := u.Hostname()
	if d.TLS != nil && d.TLS.ServerName != "" {
		name = d.TLS.ServerName
	}
	return secure(ctx, nc, d.TLS, name)
}

// secure does the TLS handshake with a server of that name. On error it closes
// nc.
func secure(ctx context.Context, nc net.Conn, config *tls.Config, name string) (net.Conn, error) {
	if config = config.Clone(); config == nil {
		config = &tls.Config{}
	}
	config.ServerName = name
	config.NextProtos = []string{"http/1.1"} // has the handshake; h2 has not
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return secured, nil
}

// dialFunc makes a transport.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// through returns a dialer that goes through a proxy.
func (d *dialer) through(u *url.URL, direct dialFunc) (dialFunc, error) {
	ask := connect
	switch u.Scheme {
	case "http", "https":
	case "socks5", "socks5h":
		ask = socks
	default:
		return nil, fmt.Errorf("a proxy of scheme %q is not supported: want http, https, socks5 or socks5h", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("the URL of the proxy names no host")
	}
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		nc, err := direct(ctx, "tcp", hostPort(u))
		if err == nil && u.Scheme == "https" {
			nc, err = secure(ctx, nc, d.TLS, u.Hostname())
		}
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		stop := watch(ctx, nc)
		err = ask(nc, u, address)
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			nc.Close()
			return nil, fmt.Errorf("proxy: %w", err)
		}
		return nc, nil
	}, nil
}

// socks asks the SOCKS proxy at the other end of nc for a tunnel.
func socks(nc net.Conn, u *url.URL, address string) error {
	dialer, err := proxy.FromURL(u, nil)
	if err != nil {
		return err
	}
	// Not DialContext: it would hide from the connection what sort of transport
	// it has.
	_, err = dialer.(interface {
		DialWithConn(ctx context.Context, nc net.Conn, network, address string) (net.Addr, error)
	}).DialWithConn(context.Background(), nc, "tcp", address)
	return err
}

// connect asks the HTTP proxy at the other end of nc for a tunnel.
func connect(nc net.Conn, u *url.URL, address string) error {
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{},
	}
	if u.User != nil {
		request.Header.Set("Proxy-Authorization", basic(u.User))
	}
	if err := request.Write(nc); err != nil {
		return err
	}
	resp, early, err := readResponse(nc, request)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("refused with status %d", resp.StatusCode)
	case len(early) > 0: // neither TLS nor HTTP servers speak first
		return errors.New("sent data ahead of the server's")
	}
	return nil
}
