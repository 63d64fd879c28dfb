package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A peer is a client that answers pings and can fall deaf: then it keeps its
// socket open and neither reads nor writes. It is written by hand, so that no
// library under test is at both ends.
type peer struct {
	nc    *net.TCPConn
	port  int
	pings atomic.Int64

	deaf  atomic.Bool
	hear  chan struct{} // wakes a peer that was deaf
	since time.Duration // when it fell deaf, by monotonic; 0 for never

	write sync.Mutex
	pace  func(n int) // called after each read, if set
	limit int         // of bytes a read takes, if above 0
	code  atomic.Int32
	over  chan struct{} // closed when run returns
}

// dialPeer connects and upgrades. rcvbuf limits the kernel's buffer if not 0.
func dialPeer(addr string, rcvbuf int) (*peer, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1}
	if rcvbuf > 0 {
		d.Control = func(_, _ string, rc syscall.RawConn) error {
			var err error
			return errors.Join(rc.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, rcvbuf)
			}), err)
		}
	}
	nc, err := d.Dial("tcp4", addr)
	if err != nil {
		return nil, err
	}
	p := &peer{
		nc:   nc.(*net.TCPConn),
		port: nc.LocalAddr().(*net.TCPAddr).Port,
		hear: make(chan struct{}, 1),
		over: make(chan struct{}),
	}
	if err := p.upgrade(addr); err != nil {
		nc.Close()
		return nil, err
	}
	return p, nil
}

func (p *peer) upgrade(host string) error {
	_ = p.nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(p.nc, "GET / HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"); err != nil {
		return err
	}
	var block []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(block), "\r\n\r\n"); block = append(block, b[0]) {
		if _, err := p.nc.Read(b); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(block))), nil)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return fmt.Errorf("handshake: %s", resp.Status)
	}
	return p.nc.SetDeadline(time.Time{})
}

func (p *peer) flow() flow {
	return flow{uint16(p.port), uint16(p.nc.RemoteAddr().(*net.TCPAddr).Port)}
}

// fallDeaf interrupts the read under way: nothing is read from now on.
func (p *peer) fallDeaf() {
	p.since = monotonic()
	p.deaf.Store(true)
	_ = p.nc.SetReadDeadline(time.Unix(1, 0))
}

func (p *peer) hearAgain() {
	_ = p.nc.SetReadDeadline(time.Time{})
	p.deaf.Store(false)
	p.hear <- struct{}{}
}

// Read hides deafness from the parser, which may be in the middle of a frame.
func (p *peer) Read(b []byte) (int, error) {
	if p.limit > 0 && len(b) > p.limit {
		b = b[:p.limit]
	}
	for {
		n, err := p.nc.Read(b)
		if p.pace != nil && n > 0 {
			p.pace(n)
		}
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if p.deaf.Load() {
			<-p.hear
		}
	}
}

// run reads and answers until the connection ends.
func (p *peer) run(message func(n int)) {
	defer close(p.over)
	r := bufio.NewReaderSize(p, 512)
	head := make([]byte, 10)
	for {
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return
		}
		op, size := head[0]&0xf, uint64(head[1])
		switch size {
		case 126:
			if _, err := io.ReadFull(r, head[2:4]); err != nil {
				return
			}
			size = uint64(binary.BigEndian.Uint16(head[2:]))
		case 127:
			if _, err := io.ReadFull(r, head[2:10]); err != nil {
				return
			}
			size = binary.BigEndian.Uint64(head[2:])
		}
		if op < 8 {
			if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
				return
			}
			if message != nil {
				message(int(size))
			}
			continue
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(r, payload); err != nil {
			return
		}
		switch op {
		case 8:
			if size >= 2 {
				p.code.Store(int32(binary.BigEndian.Uint16(payload)))
			}
		case 9:
			p.pings.Add(1)
			if p.send(10, payload) != nil {
				return
			}
		}
	}
}

// send sends a small frame, masked with zeros.
func (p *peer) send(op byte, payload []byte) error {
	p.write.Lock()
	defer p.write.Unlock()
	_, err := p.nc.Write(appendFrame(nil, op, payload))
	return err
}

func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op, 0x80|byte(len(payload)), 0, 0, 0, 0)
	return append(dst, payload...)
}

func (p *peer) close() {
	p.nc.Close()
	select {
	case p.hear <- struct{}{}:
	default:
	}
}

// A fleet is the peers of one server.
type fleet struct {
	srv    *process
	dial   func() (*peer, error)
	closed func(p *peer) // if set, told of peers that are gone
	peers  []*peer
	byPort map[int]*peer
}

func newFleet(srv *process) *fleet {
	return &fleet{srv: srv, byPort: map[int]*peer{},
		dial: func() (*peer, error) { return dialPeer(srv.addr, 0) }}
}

// fill connects peers until there are n, spread over a time, so that they are in
// different phases of whatever is periodic.
func (f *fleet) fill(ctx context.Context, n int, spread time.Duration) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	missing := make(chan time.Time, n)
	for i := range n - len(f.peers) {
		missing <- time.Now().Add(spread * time.Duration(i) / time.Duration(n-len(f.peers)))
	}
	close(missing)
	for range 32 {
		wg.Go(func() {
			for at := range missing {
				err := sleep(ctx, time.Until(at))
				var p *peer
				if err == nil {
					p, err = f.dial()
				}
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					go p.run(nil)
					f.peers = append(f.peers, p)
					f.byPort[p.port] = p
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// drop forgets peers that the server gave up, so that fill replaces them.
func (f *fleet) drop(gone map[*peer]bool) {
	var left []*peer
	for _, p := range f.peers {
		if gone[p] {
			f.closePeer(p)
			if f.byPort[p.port] == p {
				delete(f.byPort, p.port)
			}
		} else {
			left = append(left, p)
		}
	}
	f.peers = left
}

func (f *fleet) closePeer(p *peer) {
	p.close()
	if f.closed != nil {
		f.closed(p)
	}
}

func (f *fleet) close() {
	for _, p := range f.peers {
		f.closePeer(p)
	}
	f.srv.stop()
}
