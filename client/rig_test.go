package client_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/handshake"
	"github.com/wirebeat/wirebeat/frame"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// answer is a response, line by line. "$accept" stands for what answers the key
// of the request.
type answer []string

var accepted = answer{
	"HTTP/1.1 101 Switching Protocols",
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Accept: $accept",
}

func (a answer) String() string { return strings.Join(a, "\r\n") + "\r\n\r\n" }

// with appends lines.
func (a answer) with(lines ...string) answer { return append(slices.Clone(a), lines...) }

// set replaces the first line, or the line of the same field.
func (a answer) set(line string) answer {
	a = slices.Clone(a)
	name, _, _ := strings.Cut(line, ":")
	for i := range a {
		if i == 0 && name == line || strings.HasPrefix(a[i], name+":") {
			a[i] = line
		}
	}
	return a
}

func (a answer) without(name string) answer {
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return strings.HasPrefix(line, name+":") })
}

// listen has each connection of a fresh listener served by f, and closed when
// f returns. The test ends when all of them have.
func listen(t *testing.T, f func(nc net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveRaw(t, ln, f)
	return ln.Addr().String()
}

func serveRaw(t *testing.T, ln net.Listener, f func(nc net.Conn)) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(patience))
				f(nc)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
}

// answering is a server that answers each request with text and waits for the
// client to hang up.
func answering(t *testing.T, text string) (addr string) {
	return listen(t, func(nc net.Conn) { reply(nc, text) })
}

// reply reads a request, answers it, and waits for the client to hang up.
func reply(nc net.Conn, text string) *http.Request {
	return replyWith(nc, func(*http.Request) string { return text })
}

func replyWith(nc net.Conn, text func(*http.Request) string) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return nil
	}
	io.WriteString(nc, strings.ReplaceAll(text(r), "$accept", handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))))
	io.Copy(io.Discard, nc)
	return r
}

// refused dials and returns why that failed, which it must.
func refused(t *testing.T, url string, opts *client.Options) (*http.Response, error) {
	t.Helper()
	c, resp, err := client.Dial(within(t), url, opts)
	if c != nil {
		c.CloseNow()
	}
	require.Error(t, err)
	require.Nil(t, c)
	require.True(t, strings.HasPrefix(err.Error(), "websocket: "), err.Error())
	require.NotContains(t, err.Error(), "\n", "one line")
	return resp, err
}

// requireEcho sends a message and waits for it to come back.
func requireEcho(t *testing.T, c *conn.Conn) {
	t.Helper()
	ctx := within(t)
	require.NoError(t, c.Write(ctx, conn.Text, []byte("hello")))
	typ, got, err := c.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, conn.Text, typ)
	require.Equal(t, "hello", string(got))
}

// dialled dials, and hangs up at the end of the test.
func dialled(t *testing.T, url string, opts *client.Options) (*conn.Conn, *http.Response) {
	t.Helper()
	c, resp, err := client.Dial(within(t), url, opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	return c, resp
}

// leavesNothing checks, when everything else of the test is cleaned up, that
// no goroutine and no descriptor is left.
func leavesNothing(t *testing.T) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines || openFiles() > files; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 64<<10)
				require.FailNow(t, "something is left", "%d goroutines of %d, %d files of %d\n%s",
					runtime.NumGoroutine(), goroutines, openFiles(), files, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	return len(files)
}

// await waits for a channel.
func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.FailNow(t, "this never came: "+what)
	}
	return v
}

// unmasked is a frame as a server sends it.
func unmasked(b0 byte, payload string) string {
	b := frame.AppendHeader(nil, frame.Header{
		Fin: b0&0x80 != 0, RSV: b0 & 0x70, Opcode: frame.Opcode(b0 & 0x0f), Length: uint64(len(payload)),
	})
	return string(b) + payload
}

// closeCode returns the code of the Close frame that a client sends, 0 if none
// comes.
func closeCode(r io.Reader) frame.CloseCode {
	head := make([]byte, 6)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return 0
		}
		h, _, err := frame.ParseHeader(head)
		if err != nil || h.Length > frame.MaxControl {
			return 0
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			return 0
		}
		if h.Opcode == frame.Close {
			frame.Mask(payload, h.Key, 0)
			code, _, _ := frame.ParseClose(payload)
			return code
		}
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

// trusted is the configuration of a client that trusts a.
func (a *authority) trusted() *tls.Config { return &tls.Config{RootCAs: a.pool} }

// certify makes a certificate for names and addresses.
func (a *authority) certify(hosts ...string) tls.Certificate {
	a.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, key := a.sign(template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// to dials addr, whatever the URL says.
func to(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}
