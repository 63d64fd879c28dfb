package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestServeEchoesAtEveryPathAndSaysWhere(t *testing.T) {
	s := start(t)
	require.Regexp(t, `^listening on ws://127\.0\.0\.1:[1-9][0-9]*/\n$`, s.line)
	c := join(t, s.addr)
	c.send(text("Grüße"), masked(0x82, "\x00\xff"), masked(0x01, "in "), masked(0x80, "parts"), text(""))
	c.expect(frame.Text, "Grüße")
	c.expect(frame.Binary, "\x00\xff")
	c.expect(frame.Text, "in parts")
	c.expect(frame.Text, "")
	c.send(masked(0x88, "\x03\xe8bye"))
	c.expectClose(1000, "")
	require.Equal(t, s.line, s.stdout.String(), "nothing else goes to stdout")
	require.Empty(t, s.stderr.String())
}

func TestServeEndsWithAClose1001ForEveryPeer(t *testing.T) {
	s := start(t)
	a, b := join(t, s.addr), join(t, s.addr)
	began := time.Now()
	s.stop()
	a.expectClose(1001, "")
	b.expectClose(1001, "")
	require.Zero(t, s.end(t))
	require.Less(t, time.Since(began), 3*time.Second)
}

func TestServeWaitsFiveSecondsForAPeerThatDoesNotAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	s := start(t)
	c := join(t, s.addr)
	began := time.Now()
	require.Zero(t, s.end(t))
	require.InDelta(t, 5, time.Since(began).Seconds(), 1)
	c.expect(frame.Close, "\x03\xe9")
}

// The answers to pings that arrive in one segment show the mode.
func TestThePongModesAreSeenOnTheWire(t *testing.T) {
	for mode, want := range map[string]int{"auto": 17, "strict": 20, "coalesce": 1} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, "--pong", mode)
			c := join(t, s.addr)
			var b strings.Builder
			for i := range 20 {
				b.WriteString(pingFrame(strconv.Itoa(i)))
			}
			c.send(b.String())
			last := ""
			for i := range want {
				h, payload, ok := c.frame()
				require.True(t, ok)
				require.Equal(t, frame.Pong, h.Opcode)
				if i < want-1 {
					require.Equal(t, strconv.Itoa(i), payload)
				}
				last = payload
			}
			require.Equal(t, "19", last)
			c.send(text("x")) // whatever else was queued would come first
			c.expect(frame.Text, "x")
		})
	}
}

func TestMaxMessageIsTheLargestMessage(t *testing.T) {
	c := join(t, start(t, "--max-message", "10").addr)
	c.send(text("0123456789"), masked(0x82, "0123456789a"))
	c.expect(frame.Text, "0123456789")
	h, payload, _ := c.frame()
	require.Equal(t, frame.Close, h.Opcode)
	require.Equal(t, "\x03\xf1", payload[:2])
}

func TestControlRateEndsAFlood(t *testing.T) {
	c := join(t, start(t, "--control-rate", "1").addr)
	c.send(strings.Repeat(pingFrame("x"), 40))
	h, payload, ok := c.frame()
	for ok && h.Opcode == frame.Pong {
		h, payload, ok = c.frame()
	}
	require.True(t, ok)
	require.Equal(t, frame.Close, h.Opcode)
	require.Equal(t, "\x03\xf0too many pings", payload)
}

func TestOriginAllowsPagesOfOtherHosts(t *testing.T) {
	none := start(t)
	some := start(t, "--origin", "https://pages.org", "--origin", "*.example.org")
	any := start(t, "--origin", "*")
	tests := []struct {
		s      *served
		origin string
		status int
	}{
		{none, "", 101}, {none, "http://example.com", 101}, {none, "https://pages.org", 403},
		{some, "", 101}, {some, "http://example.com", 101}, {some, "https://pages.org", 101},
		{some, "http://a.example.org", 101}, {some, "https://evil.org", 403},
		{any, "https://evil.org", 101}, {any, "null", 101},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i, " ", test.origin), func(t *testing.T) {
			c := dial(t, test.s.addr)
			r := opening
			if test.origin != "" {
				r += "Origin: " + test.origin + "\r\n"
			}
			c.send(r, "\r\n")
			require.Equal(t, test.status, c.response().StatusCode)
		})
	}
}

func TestSubprotocolNamesWhatIsSpoken(t *testing.T) {
	s := start(t, "--subprotocol", "v2", "--subprotocol", "v1")
	for offer, want := range map[string]string{"v1, v2": "v2", "v1": "v1", "v3": ""} {
		c := dial(t, s.addr)
		c.send(opening, "Sec-WebSocket-Protocol: "+offer+"\r\n\r\n")
		require.Equal(t, want, c.response().Header.Get("Sec-WebSocket-Protocol"))
	}
}

func TestVerboseLogsEachConnection(t *testing.T) {
	s := start(t, "-v")
	c := join(t, s.addr)
	c.send(masked(0x88, ""))
	c.expectClose(1005, "")
	require.Zero(t, s.end(t))
	require.Contains(t, s.stderr.String(), "path=/some/path")
	require.Contains(t, s.stderr.String(), "remote="+c.nc.LocalAddr().String())
	require.Contains(t, s.stderr.String(), "msg=close")
}

func TestCompressionMayBeTurnedOff(t *testing.T) {
	c := dial(t, start(t, "--compression=false").addr)
	c.send(opening, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	r := c.response()
	require.Equal(t, 101, r.StatusCode)
	require.Empty(t, r.Header["Sec-Websocket-Extensions"])
}

func TestAnEchoLargerThanTheOutputLimitIsWhole(t *testing.T) {
	s := start(t, "--max-message", "20000000")
	c := join(t, s.addr)
	want := strings.Repeat("0123456789abcdef", 1<<20)
	const n = 3
	go func() {
		for range n {
			c.nc.Write([]byte(text(want)))
		}
	}()
	for range n {
		h, got, ok := c.frame()
		require.True(t, ok)
		require.Equal(t, frame.Text, h.Opcode)
		require.True(t, want == got)
	}
}

func TestACertificateMakesItTLS(t *testing.T) {
	cert, key := certificate(t)
	s := start(t, "--tls-cert", cert, "--tls-key", key)
	require.Regexp(t, `^listening on wss://127\.0\.0\.1:[1-9][0-9]*/\n$`, s.line)
	c := dialTLS(t, s.addr)
	c.send(opening, "Origin: https://example.com\r\n\r\n", text("x"))
	require.Equal(t, 101, c.response().StatusCode)
	c.expect(frame.Text, "x")

	plain := dialTLS(t, s.addr)
	plain.send(opening, "Origin: http://example.com\r\n\r\n")
	require.Equal(t, 403, plain.response().StatusCode)

	s.stop()
	c.expectClose(1001, "")
	require.Zero(t, s.end(t))
}

// certificate writes a self-signed one.
func certificate(t *testing.T) (certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
}
