package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/conn"
)

// maxChunk is how many bytes are carried at once.
const maxChunk = 32 << 10

var errChunk = errors.New("tunnel: chunk too large")

// relay carries bytes between c and tcp until both ways have ended, and closes
// tcp. To close c, also in order to end the relay sooner, is up to others.
//
// A WebSocket ends both ways at once, TCP one way at a time. So each way is
// chunks, with the size of each before it in two bytes, and a chunk of nothing
// at its end. What stops without one was cut, and then tcp is reset: its peer
// must not take that for the end.
func relay(c *conn.Conn, tcp *net.TCPConn) error {
	ws := c.NetConn(context.Background(), conn.Binary)
	ctx, cut := context.WithCancelCause(context.Background())
	stop := context.AfterFunc(ctx, func() { // what waits for either side waits no longer
		ws.SetDeadline(past)
		tcp.SetDeadline(past)
	})
	var ways sync.WaitGroup
	ways.Go(func() {
		if err := receive(tcp, ws); err != nil {
			cut(err)
		}
	})
	ways.Go(func() {
		err := send(ws, tcp)
		if err == nil {
			err = c.Flush(ctx) // before c may be closed: that has to be done in time
		}
		if err != nil {
			cut(err)
		}
	})
	ended := make(chan struct{})
	go func() {
		ways.Wait()
		close(ended)
	}()
	select {
	case <-c.Done(): // nothing more can be sent, but what came before may wait to be received
		tcp.SetReadDeadline(past)
		tcp.SetWriteDeadline(time.Now().Add(patience))
		<-ended
	case <-ended:
	}

	if stop() { // nothing was cut
		cut(nil)
		return tcp.Close()
	}
	reset(tcp)
	if err := c.Err(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

var past = time.Unix(1, 0)

// send carries what comes from tcp, and its end.
func send(ws net.Conn, tcp *net.TCPConn) error {
	buf := make([]byte, 2+maxChunk)
	for {
		n, err := tcp.Read(buf[2:])
		if err != nil && err != io.EOF {
			return err
		}
		binary.BigEndian.PutUint16(buf, uint16(n))
		if _, err := ws.Write(buf[:2+n]); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// receive carries what comes from ws to tcp, and its end.
func receive(tcp *net.TCPConn, ws net.Conn) error {
	buf := make([]byte, maxChunk)
	for {
		if _, err := io.ReadFull(ws, buf[:2]); err != nil {
			return unexpected(err)
		}
		n := int(binary.BigEndian.Uint16(buf))
		switch {
		case n == 0:
			return tcp.CloseWrite()
		case n > maxChunk:
			return errChunk
		}
		if _, err := io.ReadFull(ws, buf[:n]); err != nil {
			return unexpected(err)
		}
		if _, err := tcp.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// unexpected is for where a stream must not end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// reset closes a connection so that its peer sees an error.
func reset(tcp *net.TCPConn) {
	tcp.SetLinger(0)
	tcp.Close()
}
