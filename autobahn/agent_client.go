package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

// playAll has agents go through the cases of the fuzzing server at base, ws://host:port, one after another, and
// the server write its report. notes gets a line for each case that was refused; the report then lacks it.
func playAll(ctx context.Context, base string, agents []agent, cases []string, notes io.Writer) error {
	for _, a := range agents {
		p, err := newPlayer(a, base)
		if err == nil {
			err = p.play(ctx, cases, notes)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	// The report is about all agents, so the last one asks for it.
	p, err := newPlayer(agents[len(agents)-1], base)
	if err == nil {
		err = p.visit(ctx, "/updateReports", nil, discard)
	}
	if err != nil {
		return fmt.Errorf("asking for the report: %w", err)
	}
	return nil
}

// A player is a client of ours in the hands of a fuzzing server.
type player struct {
	name, base string
	options    client.Options
	echo       func(context.Context, *conn.Conn) error
}

func newPlayer(a agent, base string) (*player, error) {
	mode, err := pongMode(a.pong)
	if err != nil {
		return nil, err
	}
	p := &player{name: a.name, base: base, echo: echo, options: client.Options{
		Conn:  conn.Options{MaxMessage: agentMaxMessage, Pong: mode, Compression: &conn.Compression{}},
		Proxy: client.NoProxy,
		// The server does one thing at a time and answers when it is done, for example with its report.
		HandshakeTimeout: -1,
	}}
	if a.entry == entryStream {
		p.echo = echoStream
	}
	return p, nil
}

// play goes through all cases. A refusal is noted and the next case is tried; any other failure to connect
// means that the server is in no state to go on.
func (p *player) play(ctx context.Context, cases []string, notes io.Writer) error {
	var count int
	err := p.visit(ctx, "/getCaseCount", nil, func(ctx context.Context, c *conn.Conn) error {
		_, b, err := c.ReadMessage(ctx)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &count)
	})
	if err != nil {
		return fmt.Errorf("asking for the number of cases: %w", err)
	}
	if count != len(cases) {
		return fmt.Errorf("the suite has %d cases, not the %d that were asked for", count, len(cases))
	}
	for i, id := range cases {
		err := p.visit(ctx, "/runCase", url.Values{"case": {strconv.Itoa(i + 1)}}, p.echo)
		var refused *client.HandshakeError
		switch {
		case errors.As(err, &refused):
			fmt.Fprintf(notes, "autobahn: %s: case %s: %v\n", p.name, id, err)
		case err != nil:
			return fmt.Errorf("case %s: %w", id, err)
		}
	}
	return nil
}

// visit connects to a path of the server, does what is to be done there, and closes the connection. It returns
// when the transport is closed, so that the server knows that the connection has ended before the next begins.
func (p *player) visit(ctx context.Context, path string, query url.Values, do func(context.Context, *conn.Conn) error) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("agent", p.name)
	c, _, err := client.Dial(ctx, p.base+path+"?"+query.Encode(), &p.options)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	err = do(ctx, c)
	// Whether it is a good end is for the suite to say: it provokes every other there is.
	_ = c.Close(ctx, 1000, "")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// discard waits for the end of a connection on which nothing is said.
func discard(ctx context.Context, c *conn.Conn) error {
	for _, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

// echoStream serves a connection by the methods that take and give messages piece by piece, so that the
// beginning of a long message is on its way back before its end has come.
func echoStream(ctx context.Context, c *conn.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		typ, r, err := c.Reader(ctx)
		if err != nil {
			return nil // the suite provokes every error there is
		}
		w, err := c.Writer(ctx, typ)
		if err != nil {
			return nil
		}
		if _, err = io.CopyBuffer(w, r, buf); err == nil {
			err = w.Close()
		}
		if err != nil {
			w.Abort()
			return nil
		}
	}
}
