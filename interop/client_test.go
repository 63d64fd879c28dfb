package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

func TestOurClientAndForeignServersUnderstandEachOther(t *testing.T) {
	for _, p := range registry {
		if p.server == nil {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, p)
			for _, c := range f.cases() {
				t.Run(c.Name, func(t *testing.T) {
					how := cell{peer: p.name, direction: ourClient, name: c.Name}
					err := f.ask(t, &c)
					if errors.As(err, (*cannot)(&how.cannot)) {
						err = nil
					} else {
						err = errors.Join(err, f.verdict(&c, time.Now()))
					}
					how.err = err
					results.add(how)
					require.NoError(t, how.err, "%s", f.stderr)
					if how.cannot != "" {
						t.Skip(how.cannot)
					}
				})
			}
		})
	}
}

// cannot is what a server answers, with 501, to what its library cannot do.
type cannot string

func (c cannot) Error() string { return string(c) }

// ask has our client do what a case is about, and tells what went wrong at its
// end.
func (f *foreign) ask(t *testing.T, c *catalogue.Case) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	opts := &client.Options{Proxy: client.NoProxy, Subprotocols: c.Offer, Header: http.Header{}}
	opts.Conn.PingInterval = -1 // no pings but those of the case
	if c.Count > 1 {
		opts.Conn.PingSize = control.MaxPing
	}
	if c.Origin != "" {
		opts.Header.Set("Origin", c.Origin)
	}
	pongs := make(chan control.Pong, 100)
	if c.Verb == beat {
		opts.Conn.PingInterval, opts.Conn.PingTimeout = 50*time.Millisecond, patience
		opts.Conn.Hooks.OnPong = func(_ *conn.Conn, e conn.PongEvent) {
			select {
			case pongs <- e.Pong:
			default:
			}
		}
	}
	link, resp, err := client.Dial(ctx, c.URL, opts)
	if err != nil {
		return f.refusal(c, resp, err)
	}
	defer link.CloseNow()
	if c.Verb == catalogue.Refused {
		return errors.New("the client was let in")
	}
	d := &dialled{Conn: link, ctx: ctx, pongs: pongs}
	err = errors.Join(
		differAt("client", "status", resp.StatusCode, http.StatusSwitchingProtocols),
		differAt("client", "subprotocol", link.Subprotocol(), c.Agreed),
	)
	if err == nil {
		err = d.do(c)
	}
	if c.Verb == beat {
		t.Logf("round trip %v, smoothed %v, shortest %v", d.health.RTT, d.health.Smoothed, d.health.Shortest)
	}
	return err
}

// refusal judges a response that opened no connection.
func (f *foreign) refusal(c *catalogue.Case, resp *http.Response, err error) error {
	var refused *client.HandshakeError
	if !errors.As(err, &refused) || resp == nil {
		return fmt.Errorf("the client cannot connect: %w", err)
	}
	body, readErr := io.ReadAll(resp.Body)
	text := strings.TrimSpace(string(body))
	if refused.Status == http.StatusNotImplemented && text != "" {
		return cannot(text)
	}
	if c.Verb != catalogue.Refused {
		return fmt.Errorf("the client was refused: %w: %q", err, text)
	}
	wires := f.tap.find(c.Target())
	if len(wires) != 1 || !strings.HasPrefix(wires[0].answer(), "HTTP/1.1 403 ") {
		return fmt.Errorf("%d connections at the tap, and no 403", len(wires))
	}
	return errors.Join(readErr,
		differAt("client", "status of the error", refused.Status, http.StatusForbidden),
		differAt("client", "status", resp.StatusCode, http.StatusForbidden),
		differAt("client", "presence of a body", text != "", true),
	)
}

// dialled is our end of a connection to a foreign server.
type dialled struct {
	*conn.Conn
	ctx    context.Context
	pongs  chan control.Pong // answers to probes
	health control.Health    // after that
}

func (d *dialled) expect(typ conn.Type, p []byte) error {
	got, q, err := d.ReadMessage(d.ctx)
	if err != nil {
		return err
	}
	return differAt("client", "message", digestOf(got, q), digestOf(typ, p))
}

func (d *dialled) echo(typ conn.Type, p []byte) error {
	if err := d.Write(d.ctx, typ, p); err != nil {
		return err
	}
	return d.expect(typ, p)
}

func (d *dialled) hello() error { return d.echo(conn.Text, []byte(catalogue.Hello)) }

// do does what a case is about, to the end of the connection.
func (d *dialled) do(c *catalogue.Case) error {
	code, reason := frame.CloseNormal, ""
	var err error
	switch c.Verb {
	case catalogue.Echo, catalogue.Reassemble:
		typ := conn.Binary
		if c.IsText() {
			typ = conn.Text
		}
		err = d.echo(typ, c.Payload())
	case catalogue.Burst:
		err = d.burst(c)
	case catalogue.Fragments:
		err = d.fragments(c)
	case catalogue.Ping:
		err = d.ping(c)
	case catalogue.Pinged:
		err = d.expect(conn.Text, []byte("pinged"))
	case catalogue.Subprotocol:
		err = d.hello()
	case beat:
		err = d.beat(c)
	case catalogue.Close:
		code, reason = conn.CloseCode(c.Told()), c.Reason
		err = d.hello()
	case catalogue.Closed:
		return d.endsWith(&conn.CloseError{Code: conn.CloseCode(c.Told()), Reason: c.Reason, Remote: true})
	case catalogue.Lost:
		return d.endsWith(&conn.CloseError{Code: frame.CloseAbnormal, Remote: true})
	case catalogue.Vanish:
		return errors.Join(d.hello(), d.CloseNow())
	default:
		err = fmt.Errorf("no such verb: %s", c.Verb)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.Close(d.ctx, code, reason); err != nil {
		return err
	}
	if took := time.Since(began); took > soon {
		return fmt.Errorf("the client took %v to close", took)
	}
	return d.endsWith(&conn.CloseError{Code: code, Reason: reason})
}

func (d *dialled) burst(c *catalogue.Case) error {
	numbered := func(i int) []byte { return fmt.Appendf(nil, "message %d", i) }
	for i := range c.Count {
		if err := d.Write(d.ctx, conn.Text, numbered(i)); err != nil {
			return err
		}
	}
	for i := range c.Count {
		if err := d.expect(conn.Text, numbered(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *dialled) fragments(c *catalogue.Case) error {
	w, err := d.Writer(d.ctx, conn.Text)
	if err != nil {
		return err
	}
	for _, part := range c.Parts() {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return d.expect(conn.Text, c.Payload())
}

// ping pings from as many goroutines as there are pings.
func (d *dialled) ping(c *catalogue.Case) error {
	failed := make([]error, c.Count)
	var all sync.WaitGroup
	for i := range failed {
		all.Go(func() {
			pong, err := d.Ping(d.ctx)
			failed[i] = errors.Join(err, answers(pong))
		})
	}
	all.Wait()
	return errors.Join(errors.Join(failed...), d.hello())
}

// answers checks that a pong is to exactly our ping.
func answers(pong control.Pong) error {
	if !pong.Exact || pong.Empty || pong.RTT <= 0 {
		return fmt.Errorf("not the pong to our ping: %+v", pong)
	}
	return nil
}

// beat leaves it to the monitor to say something, Count times.
func (d *dialled) beat(c *catalogue.Case) error {
	if err := d.hello(); err != nil {
		return err
	}
	for range c.Count {
		select {
		case pong := <-d.pongs:
			if err := answers(pong); err != nil {
				return err
			}
		case <-d.Done():
			return d.Err()
		case <-d.ctx.Done():
			return errors.New("no answers to our probes")
		}
	}
	d.health = d.Health()
	if h := d.health; h.State > control.Probing || h.RTT <= 0 || h.Smoothed <= 0 || h.Missed > 0 {
		return fmt.Errorf("a healthy connection: %+v", h)
	}
	return nil
}

// endsWith waits for the end of the connection and checks how it was told, to a
// reader and to everybody else.
func (d *dialled) endsWith(want *conn.CloseError) error {
	began := time.Now()
	typ, p, err := d.ReadMessage(d.ctx)
	if err == nil {
		return fmt.Errorf("%v after the end", digestOf(typ, p))
	}
	if late := time.Since(began); late > soon {
		return fmt.Errorf("the client noticed only %v later", late)
	}
	return errors.Join(ended(want, err), ended(want, d.Err()))
}

func ended(want *conn.CloseError, err error) error {
	var end *conn.CloseError
	if !errors.As(err, &end) {
		return fmt.Errorf("end at the client: %w, not %w", err, want)
	}
	abnormal := want.Code == frame.CloseAbnormal
	if end.Code != want.Code || end.Reason != want.Reason || end.Remote != want.Remote ||
		abnormal != (end.Err != nil) || conn.NormalEnd(err) != want.Code.Normal() {
		return fmt.Errorf("end at the client: %+v, not %+v", *end, *want)
	}
	return nil
}
