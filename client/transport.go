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
	config := d.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	return secure(ctx, nc, config, u.Hostname())
}

// secure does the TLS handshake. On error it closes nc.
func secure(ctx context.Context, nc net.Conn, config *tls.Config, host string) (net.Conn, error) {
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.NextProtos = []string{"http/1.1"} // has the handshake; h2 has not
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return secured, nil
}

// dialFunc is the interface of golang.org/x/net/proxy.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// through returns a dialer that goes through a proxy.
func (d *dialer) through(u *url.URL, direct dialFunc) (dialFunc, error) {
	switch u.Scheme {
	case "http", "https":
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			return d.tunnel(ctx, u, direct, address)
		}, nil
	case "socks5", "socks5h":
		withPort := *u
		withPort.Host = hostPort(u)
		socks, err := proxy.FromURL(&withPort, direct)
		if err != nil {
			return nil, err
		}
		return socks.(proxy.ContextDialer).DialContext, nil
	}
	return nil, fmt.Errorf("a proxy of scheme %q is not supported: want http, https, socks5 or socks5h", u.Scheme)
}

// tunnel asks an HTTP proxy for a connection to address.
func (d *dialer) tunnel(ctx context.Context, u *url.URL, direct dialFunc, address string) (net.Conn, error) {
	nc, err := direct(ctx, "tcp", hostPort(u))
	if err == nil && u.Scheme == "https" {
		config := d.TLS.Clone()
		if config == nil {
			config = &tls.Config{}
		}
		config.ServerName = "" // is that of the server behind the proxy
		nc, err = secure(ctx, nc, config, u.Hostname())
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := watch(ctx, nc)
	err = connect(nc, u.User, address)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return nc, nil
}

// connect asks the HTTP proxy at the other end of nc for a tunnel.
func connect(nc net.Conn, user *url.Userinfo, address string) error {
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{},
	}
	if user != nil {
		request.Header.Set("Proxy-Authorization", basic(user))
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
