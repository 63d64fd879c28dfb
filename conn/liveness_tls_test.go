package conn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
)

// tlsPair returns the ends of a TLS connection, and what is below the second.
func tlsPair(t *rig, below func(net.Conn) net.Conn) (a, b *tls.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	x, y := t.pair()
	a = tls.Server(x, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	b = tls.Client(below(y), &tls.Config{InsecureSkipVerify: true})
	shaken := later(func() error { return b.Handshake() })
	require.NoError(t, a.Handshake())
	require.NoError(t, await(t, shaken, "the handshake"))
	return a, b
}

// dripping is a transport that sends an octet at a time once it is told to.
type dripping struct {
	net.Conn
	every atomic.Int64
}

func (d *dripping) Write(p []byte) (n int, err error) {
	every := time.Duration(d.every.Load())
	if every == 0 {
		return d.Conn.Write(p)
	}
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(every)
	}
	return len(p), nil
}

func TestPeersAreWatchedThroughTLS(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	const interval, timeout = 50 * time.Millisecond, 400 * time.Millisecond
	onTCP(t, func(t *rig) {
		drip := &dripping{}
		a, b := tlsPair(t, func(nc net.Conn) net.Conn { drip.Conn = nc; return drip })
		var d diary
		c := t.new(a, endpoint.Server, watched(interval, timeout, d.hooks()))
		p := &peer{t: t, nc: b, r: newReader(b), client: true}
		q := p.answering()
		t.expectLife(c, 2*timeout)
		require.NotZero(t, c.Health().RTT)
		q.mute.Store(true)

		if runtime.GOOS == "linux" {
			// No record is complete for long, so nothing can be read; but bytes come.
			drip.every.Store(int64(10 * time.Millisecond))
			sent := later(func() error { _, err := b.Write(p.frame(true, conn.Text, pattern(150))); return err })
			t.expectLife(c, 3*timeout/2)
			require.NoError(t, await(t, sent, "the record"))
			drip.every.Store(0)
		}
		start := time.Now()
		dead := t.expectDeath(c, patience)
		require.GreaterOrEqual(t, time.Since(start), timeout*3/4)
		if runtime.GOOS == "linux" {
			require.Equal(t, control.PeerStalled, dead.Verdict)
			<-q.gone
			require.ErrorIs(t, q.end, syscall.ECONNRESET)
		}
	})
}

func TestASlowReaderBehindTLSIsNotKilledByOneLongWrite(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	const interval, timeout = 300 * time.Millisecond, 400 * time.Millisecond
	onTCP(t, func(t *rig) {
		t.room = 64 << 10
		a, b := tlsPair(t, func(nc net.Conn) net.Conn { return nc })
		opts := watched(interval, timeout, conn.Hooks{})
		opts.WriteTimeout = -1
		c := t.new(a, endpoint.Server, opts)
		require.NoError(t, c.TryWrite(conn.Binary, pattern(1<<20)))
		time.Sleep(interval + 3*timeout/2) // the write is stuck, and the probe behind it
		p := &peer{t: t, nc: b, r: newReader(b), client: true}
		p.answering()
		t.expectLife(c, interval+2*timeout)
		require.NotZero(t, c.Health().RTT)
	})
}

func TestATransportOfAnotherKindIsWatchedWithoutItsKernel(t *testing.T) {
	inRealTime(t)
	inMemory(t, func(t *rig) {
		// Neither a socket nor anything that says what is below it.
		a, b := t.pair()
		c := t.new(struct{ net.Conn }{a}, endpoint.Client, watched(time.Second, time.Second, conn.Hooks{}))
		p := &peer{t: t, nc: b, r: newReader(b)}
		q := p.answering()
		t.expectLife(c, time.Minute)
		q.mute.Store(true)
		require.Equal(t, control.Silent, t.expectDeath(c, 3*time.Second).Verdict)
		_, err := io.Copy(io.Discard, b)
		require.NoError(t, err, "closed")
	})
}
