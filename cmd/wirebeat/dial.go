package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

var errInterrupted = errors.New("interrupted before the connection was open")

// open dials. An error that came up before there was anything to dial is one
// of the command line.
func open(ctx context.Context, url string, opts client.Options) (*conn.Conn, error) {
	dialled := false
	opts.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = true
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, resp, err := client.Dial(ctx, url, &opts)
	switch {
	case err == nil:
		return c, nil
	case !dialled:
		return nil, misuse("%v", err)
	case ctx.Err() != nil:
		return nil, errInterrupted
	}
	if why := reason(resp); why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	return nil, err
}

// reason returns the first line of a refusal in plain text.
func reason(resp *http.Response) string {
	if resp == nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		return ""
	}
	body, err := io.ReadAll(resp.Body) // is in memory
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return line
}
