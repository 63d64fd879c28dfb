package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

const (
	maxBody     = 1 << 10     // of a refusal, for the response that Dial returns
	bodyTimeout = time.Second // for it to come
	maxInterim  = 5           // responses of status 1xx before the real one
)

// exchange writes the request and judges the response, which is returned
// whenever there was one. rest are the first frames.
func exchange(ctx context.Context, nc net.Conn, request []byte, offer *handshake.Offer) (resp *http.Response, agreed *handshake.Agreed, rest []byte, err error) {
	if _, err := nc.Write(request); err != nil {
		return nil, nil, nil, err
	}
	resp, rest, err = readResponse(nc, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	agreed, err = handshake.Verify(&handshake.Response{
		Status: resp.StatusCode, Major: resp.ProtoMajor, Minor: resp.ProtoMinor, Header: resp.Header,
	}, offer)
	if err != nil {
		keepBody(ctx, nc, resp)
		return resp, nil, nil, err
	}
	resp.Body = http.NoBody
	return resp, agreed, rest, nil
}

var (
	errNotHTTP = errors.New("the server does not answer in HTTP")
	errInterim = errors.New("the server sends interim responses without end")
)

// readResponse reads one response to request, nil for a GET, from nc. Its body,
// if it has one, is still to be read; what follows it is rest.
func readResponse(nc net.Conn, request *http.Request) (resp *http.Response, rest []byte, err error) {
	for range maxInterim + 1 {
		block, behind, err := readBlock(nc, rest)
		if err != nil {
			return nil, nil, err
		}
		body := io.MultiReader(bytes.NewReader(block), bytes.NewReader(behind), nc)
		if resp, err = http.ReadResponse(bufio.NewReader(body), request); err != nil {
			return nil, nil, errNotHTTP
		}
		rest = behind
		// "A client MUST be able to parse one or more 1xx responses received
		// prior to a final response, even if the client does not expect one."
		// RFC 9110 §15.2
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, rest, nil
		}
	}
	return nil, nil, errInterim
}

// readBlock reads a header block that begins with what was received already.
func readBlock(nc net.Conn, received []byte) (block, rest []byte, err error) {
	var h handshake.Block
	for {
		var n int
		if len(received) > 0 {
			n = copy(h.Space(), received)
			received = received[n:]
		} else {
			n, err = nc.Read(h.Space())
		}
		complete, bad := h.Add(n)
		if complete {
			return h.Bytes(), append(h.Rest(), received...), nil
		}
		if bad != nil {
			return nil, nil, bad
		}
		if err == io.EOF {
			err = errHangUp
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

var errHangUp error = hangUp{}

// hangUp is an end of the transport before the end of the response.
type hangUp struct{}

func (hangUp) Error() string { return "the server hung up before it answered" }
func (hangUp) Unwrap() error { return io.ErrUnexpectedEOF }

// keepBody reads the beginning of a refusal's body, so that it outlives the
// connection.
func keepBody(ctx context.Context, nc net.Conn, resp *http.Response) {
	deadline := time.Now().Add(bodyTimeout)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	nc.SetReadDeadline(deadline)
	var body []byte
	if ctx.Err() == nil { // or its interruption was undone just now
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
}
