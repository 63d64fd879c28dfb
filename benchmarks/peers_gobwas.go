package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/gobwas/ws"
)

func init() {
	register("gobwas", func(ln net.Listener) error {
		return gobwasServe(ln, gobwasEcho)
	})
	register("gobwas-batched", func(ln net.Listener) error {
		return gobwasServe(ln, gobwasEchoBatched)
	})
	registerEngine("gobwas", gobwasEcho)
	registerEngine("gobwas-batched", gobwasEchoBatched)
}

func gobwasServe(ln net.Listener, echo func(net.Conn) error) error {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer nc.Close()
			if _, err := ws.Upgrade(nc); err == nil {
				_ = echo(nc)
			}
		}()
	}
}

// gobwasEcho is what the library leads a careful user to: buffered reads, one
// buffer for the payload and one write a message.
func gobwasEcho(nc net.Conn) error {
	br, bw := bufio.NewReader(nc), bufio.NewWriter(nc)
	return gobwasLoop(br, bw, bw.Flush)
}

// gobwasEchoBatched has what the library leaves to its user: whenever the reader
// goes back to the connection, what was collected until then leaves first.
func gobwasEchoBatched(nc net.Conn) error {
	bw := bufio.NewWriterSize(nc, 64<<10)
	br := bufio.NewReaderSize(flushingReader{nc, bw}, 64<<10)
	return gobwasLoop(br, bw, func() error { return nil })
}

type flushingReader struct {
	r io.Reader
	w *bufio.Writer
}

func (f flushingReader) Read(p []byte) (int, error) {
	if err := f.w.Flush(); err != nil {
		return 0, err
	}
	return f.r.Read(p)
}

func gobwasLoop(br *bufio.Reader, bw *bufio.Writer, sent func() error) error {
	var payload []byte
	header := make([]byte, ws.MaxHeaderSize)
	for {
		h, err := ws.ReadHeaderBuffer(br, header)
		if err != nil {
			return err
		}
		if h.Length > maxMessage {
			return fmt.Errorf("frame of %d bytes", h.Length)
		}
		payload = slices.Grow(payload[:0], int(h.Length))[:h.Length]
		if _, err := io.ReadFull(br, payload); err != nil {
			return err
		}
		ws.Cipher(payload, h.Mask, 0)
		answer := ws.Header{Fin: h.Fin, OpCode: h.OpCode, Length: h.Length}
		switch h.OpCode {
		case ws.OpPing:
			answer.OpCode = ws.OpPong
		case ws.OpPong:
			continue
		}
		if err := ws.WriteHeaderBuffer(bw, answer, header); err != nil {
			return err
		}
		if _, err := bw.Write(payload); err != nil {
			return err
		}
		if err := sent(); err != nil || h.OpCode == ws.OpClose {
			return err
		}
	}
}
