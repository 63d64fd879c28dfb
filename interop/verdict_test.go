package interop

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// soon is how long after a client vanished the server may find out.
const soon = 3 * time.Second

// verdict tells what was wrong with a case as the server saw it. told is when
// the client said that it was done.
func (s *subject) verdict(c *catalogue.Case, told time.Time) error {
	if c.Verb == catalogue.Refused {
		return s.refused(c)
	}
	v := s.view(c.Name)
	select {
	case <-v.done:
	case <-time.After(patience):
		return errors.New("the server saw no end of it")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.opened != 1 {
		return fmt.Errorf("the server saw %d connections", v.opened)
	}
	var end *conn.CloseError
	if !errors.As(v.end, &end) {
		return fmt.Errorf("the server saw an end that is no CloseError: %v", v.end)
	}
	if c.Verb == catalogue.Subprotocol && c.Agreed == "" && len(c.Offer) > 0 {
		// A client that insists on a subprotocol ends the connection as it likes.
		return differ("subprotocol", v.subprotocol, "")
	}
	return errors.Join(
		v.sendErr,
		differ("subprotocol", v.subprotocol, c.Agreed),
		differ("messages", fmt.Sprint(v.messages), fmt.Sprint(expected(c))),
		ends(c, end, v.ended.Sub(told)),
		ponged(c, v),
		s.onTheWire(c),
	)
}

func differ(what string, got, want any) error { return differAt("server", what, got, want) }

// differAt tells what was wrong at one of the two ends.
func differAt(end, what string, got, want any) error {
	if got != want {
		return fmt.Errorf("%s at the %s: %v, not %v", what, end, got, want)
	}
	return nil
}

// expected is what the server gets in a case.
func expected(c *catalogue.Case) (messages []digest) {
	typ := conn.Binary
	if c.IsText() {
		typ = conn.Text
	}
	switch c.Verb {
	case catalogue.Echo, catalogue.Fragments, catalogue.Reassemble:
		return []digest{digestOf(typ, c.Payload())}
	case catalogue.Burst:
		for i := range c.Count {
			messages = append(messages, digestOf(conn.Text, []byte("message "+strconv.Itoa(i))))
		}
	case catalogue.Ping, catalogue.Close, catalogue.Vanish, catalogue.Subprotocol:
		return []digest{digestOf(conn.Text, []byte(catalogue.Hello))}
	}
	return messages
}

// ends checks how a connection ended, and late how long after the client said
// so.
func ends(c *catalogue.Case, end *conn.CloseError, late time.Duration) error {
	want := conn.CloseError{Code: frame.CloseNormal, Remote: true}
	switch c.Verb {
	case catalogue.Close:
		want.Code, want.Reason = conn.CloseCode(c.Told()), c.Reason
	case catalogue.Closed:
		want = conn.CloseError{Code: conn.CloseCode(c.Told()), Reason: c.Reason}
	case catalogue.Lost:
		want = conn.CloseError{Code: frame.CloseAbnormal}
	case catalogue.Vanish:
		want.Code = frame.CloseAbnormal
		if late > soon {
			return fmt.Errorf("the server noticed only %v later", late)
		}
	}
	abnormal := want.Code == frame.CloseAbnormal
	if end.Code != want.Code || end.Reason != want.Reason || end.Remote != want.Remote ||
		abnormal != (end.Err != nil) || conn.NormalEnd(end) != want.Code.Normal() {
		return fmt.Errorf("end at the server: %+v, not %+v", *end, want)
	}
	return nil
}

// ponged checks what answered our pings. A peer may answer only the newest of
// several, which then speaks for those before it.
func ponged(c *catalogue.Case, v *view) error {
	if c.Verb != catalogue.Pinged {
		return nil
	}
	exact := 0
	for _, pong := range v.pongs {
		if pong.Exact {
			exact++
		}
	}
	if len(v.pongs) != c.Count || exact == 0 || v.pongErr != nil {
		return fmt.Errorf("%d pings at the server: %d pongs, %d of them exact: %v", c.Count, len(v.pongs), exact, v.pongErr)
	}
	return nil
}

// refused checks that a case was answered with 403.
func (s *subject) refused(c *catalogue.Case) error {
	w, err := s.tap.only(c)
	if err != nil {
		return err
	}
	if answer := w.answer(); !strings.HasPrefix(answer, "HTTP/1.1 "+strconv.Itoa(http.StatusForbidden)+" ") {
		return fmt.Errorf("the server answered %q", answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.views[c.Name]; v != nil && v.opened > 0 {
		return errors.New("the server opened the connection")
	}
	return nil
}

// onTheWire checks the frames of a case that is about frames.
func (s *subject) onTheWire(c *catalogue.Case) error {
	if s.host(c) != s.wired {
		return nil
	}
	in, out, err := s.tap.frames(c)
	if err != nil {
		return err
	}
	return framesOf(c, in, out)
}

// framesOf checks what the client (in) and the server (out) put on the wire.
func framesOf(c *catalogue.Case, in, out []seenFrame) error {
	for _, f := range in {
		if !f.Masked {
			return fmt.Errorf("the client sent a frame without a mask: %v", f.Opcode)
		}
	}
	for _, f := range out {
		if f.Masked || f.RSV != 0 {
			return fmt.Errorf("the server sent a frame with a mask or reserved bits: %v", f.Opcode)
		}
	}
	switch c.Verb {
	case catalogue.Fragments:
		if n := dataFrames(in); n < 2 {
			return errors.New("the client did not send fragments")
		}
	case catalogue.Reassemble:
		if dataFrames(out) < 2 {
			return errors.New("the server did not send fragments")
		}
	case catalogue.Ping:
		pings, pongs := ofKind(in, frame.Ping), ofKind(out, frame.Pong)
		if len(pings) != c.Count || !slices.Equal(pings, pongs) {
			return fmt.Errorf("%d pings %q were answered by %d pongs %q", len(pings), pings, len(pongs), pongs)
		}
	}
	return nil
}
