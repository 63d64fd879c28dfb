package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/frame"
)

// demoTimeout is how long a demo peer may take to connect, and to write a pong.
const demoTimeout = 5 * time.Second

// demoPeer is a client that a person can stall and cut to see how the server
// finds out. It is one over TCP as others are, and only answers: what the
// package conn has to offer would not stop doing so.
type demoPeer struct {
	token  string      // in the query of its handshake; nobody else knows it
	opened chan uint64 // gets its number once the server has opened it

	tcp *net.TCPConn
	nc  net.Conn // tcp, or TLS over it
	r   *bufio.Reader

	mu      sync.Mutex
	over    bool
	stalled bool
	resumed chan struct{} // closed when it is stalled no longer
}

// dial connects to addr, which is one of this process.
func (d *demoPeer) dial(ctx context.Context, addr *net.TCPAddr, overTLS bool) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return err
	}
	d.tcp = nc.(*net.TCPConn)
	if d.nc = nc; overTLS {
		// Its certificate is for the names that others know the server by.
		d.nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	d.r = bufio.NewReader(d.nc)
	end, _ := ctx.Deadline()
	err = nc.SetDeadline(end)
	if err == nil {
		err = d.shake(addr.String())
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
	}
	return err
}

// shake shakes hands.
func (d *demoPeer) shake(host string) error {
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	_, err := fmt.Fprintf(d.nc, "GET /demo?demo=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", d.token, host, base64.StdEncoding.EncodeToString(key))
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(d.r, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the server answered %s", response.Status)
	}
	return nil
}

// run answers pings and the Close frame until the connection ends.
func (d *demoPeer) run() {
	defer d.nc.Close()
	for d.ready() {
		h, payload, err := d.frame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // it is to stall, or was
		}
		if err == nil {
			err = d.answer(h.Opcode, payload)
		}
		if err != nil {
			return
		}
	}
}

// ready waits while the peer is stalled. It returns false at its end.
func (d *demoPeer) ready() bool {
	d.mu.Lock()
	resumed := d.resumed
	d.mu.Unlock()
	if resumed != nil {
		<-resumed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.over
}

// frame returns the next frame, or an error if it does not fit the reader. It
// takes all of one or nothing, so that it may be interrupted.
func (d *demoPeer) frame() (h frame.Header, payload []byte, err error) {
	for want := 2; ; {
		b, err := d.r.Peek(want)
		if err != nil {
			return h, nil, err
		}
		h, n, err := frame.ParseHeader(b)
		switch {
		case err != nil:
			return h, nil, err
		case n == 0:
			want++
		case h.Length > uint64(d.r.Size()-n):
			return h, nil, bufio.ErrBufferFull
		case len(b) < n+int(h.Length):
			want = n + int(h.Length)
		default:
			payload = append(payload, b[n:]...)
			d.r.Discard(len(b))
			return h, payload, nil
		}
	}
}

// answer answers a ping with a pong, and a Close frame with the same.
func (d *demoPeer) answer(opcode frame.Opcode, payload []byte) error {
	switch opcode {
	case frame.Ping:
		opcode = frame.Pong
	case frame.Close:
	default:
		return nil
	}
	h := frame.Header{Fin: true, Opcode: opcode, Masked: true, Length: uint64(len(payload))}
	if _, err := io.ReadFull(rand.Reader, h.Key[:]); err != nil {
		return err
	}
	b := frame.AppendHeader(nil, h)
	n := len(b)
	b = append(b, payload...)
	frame.Mask(b[n:], h.Key, 0)
	if err := d.nc.SetWriteDeadline(time.Now().Add(demoTimeout)); err != nil {
		return err
	}
	_, err := d.nc.Write(b)
	return err
}

// stall has the peer neither read nor answer; its socket stays open. All of
// this is for a peer that was dialled.
func (d *demoPeer) stall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.stalled {
		return
	}
	d.stalled, d.resumed = true, make(chan struct{})
	d.nc.SetReadDeadline(time.Unix(1, 0))
}

// resume ends a stall.
func (d *demoPeer) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || !d.stalled {
		return
	}
	d.nc.SetReadDeadline(time.Time{})
	d.stalled = false
	close(d.resumed)
	d.resumed = nil
}

// cut resets the connection: no Close frame, and nothing of what waits.
func (d *demoPeer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	d.over = true
	d.tcp.SetLinger(0)
	d.tcp.Close()
	if d.stalled {
		close(d.resumed)
		d.resumed = nil
	}
}

// doing says what the peer was told to do.
func (d *demoPeer) doing() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stalled {
		return "stalled"
	}
	return "running"
}
