package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/server"
)

// serveTLS serves an echo to wss. Of config only what is set matters.
func serveTLS(t *testing.T, cert tls.Certificate, config *tls.Config) (addr string) {
	t.Helper()
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.Certificates = []tls.Certificate{cert}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	return serveOn(t, echo(), ln)
}

func tlsListener(t *testing.T, cert tls.Certificate) net.Listener {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	return ln
}

func TestWSSTrustsTheRootsItIsGiven(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	addr := serveTLS(t, a.certify("127.0.0.1"), nil)
	c, resp := dialled(t, "wss://"+addr, &client.Options{TLS: a.trusted()})
	require.Equal(t, 101, resp.StatusCode)
	requireEcho(t, c)
	require.NoError(t, c.Close(within(t), 1000, ""))
}

func TestWSSTrustsNobodyElse(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	addr := serveTLS(t, a.certify("127.0.0.1"), nil)
	for name, config := range map[string]*tls.Config{
		"the defaults": nil, "no roots": {}, "other roots": {RootCAs: newAuthority(t).pool},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := refused(t, "wss://"+addr, &client.Options{TLS: config})
			var unknown x509.UnknownAuthorityError
			require.ErrorAs(t, err, &unknown)
		})
	}
}

func TestTheNameOfTheCertificateIsThatOfTheURLUnlessSaidOtherwise(t *testing.T) {
	a := newAuthority(t)
	names := make(chan string, 1)
	addr := serveTLS(t, a.certify("server.test", "::1"), &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			names <- hello.ServerName
			return nil, nil
		},
	})
	tests := []struct {
		name, url, serverName, hostField string
		sni                              string
		ok                               bool
	}{
		{"the right name", "wss://server.test", "", "", "server.test", true},
		{"the right name with a port", "wss://server.test:8443", "", "", "server.test", true},
		{"the right name in capitals", "wss://SERVER.test", "", "", "SERVER.test", true},
		{"the right name with a dot", "wss://server.test.", "", "", "server.test", true},
		{"the right address", "wss://[::1]", "", "", "", true},
		{"a wrong name", "wss://other.test", "", "", "other.test", false},
		{"a wrong address", "wss://127.0.0.1", "", "", "", false},
		{"a name of its own", "wss://other.test", "server.test", "", "server.test", true},
		{"a wrong name of its own", "wss://server.test", "other.test", "", "other.test", false},
		{"another Host, which is not the name", "wss://server.test", "", "other.test", "server.test", true},
		{"the right Host, which is not the name", "wss://other.test", "", "server.test", "other.test", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := &client.Options{TLS: &tls.Config{RootCAs: a.pool, ServerName: test.serverName}, DialContext: to(addr)}
			if test.hostField != "" {
				opts.Header = map[string][]string{"Host": {test.hostField}}
			}
			c, _, err := client.Dial(within(t), test.url, opts)
			require.Equal(t, test.sni, await(t, names, "the name"))
			require.Equal(t, test.serverName, opts.TLS.ServerName, "the configuration is the caller's")
			require.Empty(t, opts.TLS.NextProtos)
			if test.ok {
				require.NoError(t, err)
				requireEcho(t, c)
				c.CloseNow()
				return
			}
			var wrong x509.HostnameError
			require.ErrorAs(t, err, &wrong)
		})
	}
}

func TestTLSAgreesOnHTTP11WhateverElseIsAskedFor(t *testing.T) {
	a := newAuthority(t)
	offered := make(chan []string, 1)
	addr := serveTLS(t, a.certify("127.0.0.1"), &tls.Config{
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			offered <- hello.SupportedProtos
			return nil, nil
		},
	})
	for _, protos := range [][]string{nil, {"h2"}, {"h2", "http/1.1"}, {"other"}} {
		config := &tls.Config{RootCAs: a.pool, NextProtos: protos}
		c, _, err := client.Dial(within(t), "wss://"+addr, &client.Options{TLS: config})
		require.NoError(t, err)
		require.Equal(t, []string{"http/1.1"}, await(t, offered, "the protocols"))
		require.Equal(t, protos, config.NextProtos)
		c.CloseNow()
	}
	only := serveTLS(t, a.certify("127.0.0.1"), &tls.Config{NextProtos: []string{"mqtt"}})
	_, err := refused(t, "wss://"+only, &client.Options{TLS: a.trusted()})
	require.ErrorContains(t, err, "protocol")
}

func TestAClientHasACertificateIfItIsGivenOne(t *testing.T) {
	leavesNothing(t)
	a := newAuthority(t)
	addr := serveTLS(t, a.certify("127.0.0.1"), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool})
	config := a.trusted()
	_, err := refused(t, "wss://"+addr, &client.Options{TLS: config})
	require.ErrorContains(t, err, "certificate")
	config.Certificates = []tls.Certificate{a.certify("client.test")}
	c, _ := dialled(t, "wss://"+addr, &client.Options{TLS: config})
	requireEcho(t, c)
}

// serveOn starts a server that ends with the test.
func serveOn(t *testing.T, srv *server.Server, ln net.Listener) (addr string) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Shutdown(within(t)))
		<-served
	})
	return ln.Addr().String()
}
