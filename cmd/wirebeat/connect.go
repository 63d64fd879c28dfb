package main

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

const aboutConnect = `Connects to a WebSocket server, and sends each line of stdin as a text message
(without its LF or CR LF). What comes is printed to stdout, a line a message:
text as it is, binary as "binary: " and hexadecimal digits.

At the end of stdin, once the server has been silent for a moment or has gone
on for 5 s, the connection is closed with code 1000, and what the server still
sends before it closes as well is printed. To listen only, keep stdin open:
sleep infinity | wirebeat connect URL. With --echo stdin is not read, and the
connection lasts until the server closes it.

Exit code: 0 if the connection ended normally (1000, 1001 or no code) or by
SIGINT or SIGTERM, 1 if it failed, 2 for a command line that makes no sense.`

// connectOutput is how much may wait for a server that is slow to read. It is
// small, so that at the end of stdin little is left to be sent.
const connectOutput = 64 << 10

// connectConfig is the command line of connect.
type connectConfig struct {
	url     string
	echo    bool
	options client.Options
}

func parseConnect(args []string, stdout, stderr io.Writer) (*connectConfig, error) {
	c := &connectConfig{}
	var header repeated
	f := newFlags("connect URL [flags]", aboutConnect, stdout, stderr)
	f.BoolVar(&c.echo, "echo", false, "send back every message, with its type, instead of lines")
	f.Var((*repeated)(&c.options.Subprotocols), "subprotocol", "`name` of a subprotocol to offer, the favourite first (repeatable)")
	f.Var(&header, "header", "`field` to send with the handshake, such as 'Cookie: a=b' (repeatable)")
	origin := f.String("origin", "", "the Origin `field` to send, such as https://example.com")
	compression := f.Bool("compression", false, "offer permessage-deflate")
	f.Int64Var(&c.options.Conn.MaxMessage, "max-message", 1<<20, "largest message accepted, and largest line sent, in `bytes`")
	reconnect := f.Bool("reconnect", false, "connect again when the connection is lost")
	arguments, err := f.parse(args, "URL")
	if err != nil {
		return nil, err
	}
	c.url = arguments[0]
	if *compression {
		c.options.Conn.Compression = &conn.Compression{}
	}
	if c.options.Header, err = parseHeader(header); err != nil {
		return nil, err
	}
	switch {
	case *reconnect:
		return nil, unsupported("--reconnect")
	case c.options.Conn.MaxMessage <= 0:
		return nil, misuse("--max-message must be at least 1")
	case f.given("origin") && *origin == "":
		return nil, misuse("--origin must not be empty")
	case f.given("origin") && len(c.options.Header.Values("Origin")) > 0:
		return nil, misuse("--origin and --header Origin are the same field")
	case f.given("origin"):
		c.options.Header.Set("Origin", *origin)
	}
	if !c.echo {
		c.options.Conn.MaxOutput = connectOutput
	}
	c.options.Conn.CloseTimeout = -1 // a session knows better
	return c, nil
}

// parseHeader makes a header of fields as they are on the wire.
func parseHeader(fields []string) (http.Header, error) {
	header := http.Header{}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok || name == "" {
			return nil, misuse("--header must be like 'Name: value', not %q", field)
		}
		header.Add(name, strings.Trim(value, " \t"))
	}
	if len(header.Values("Host")) > 1 {
		return nil, misuse("--header Host may be given once")
	}
	return header, nil
}

func connect(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg, err := parseConnect(args, stdout, stderr)
	if err != nil {
		return err
	}
	c, err := open(ctx, cfg.url, cfg.options)
	if err != nil {
		return err
	}
	return newSession(c, cfg, stdin, stdout).run(ctx)
}

func newSession(c *conn.Conn, cfg *connectConfig, stdin io.Reader, stdout io.Writer) *session {
	return &session{conn: c, stdin: stdin, stdout: stdout, echo: cfg.echo, maxLine: cfg.options.Conn.MaxMessage}
}
