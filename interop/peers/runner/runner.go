// Package runner runs cases of the catalogue with a WebSocket library for Go,
// and is all of a peer's program but what differs between libraries.
package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// Conn is a connection of a library.
type Conn interface {
	Send(ctx context.Context, text bool, p []byte) error
	// SendFragments sends a text in fragments, cut like this if it can.
	SendFragments(ctx context.Context, parts [][]byte) error
	// Receive returns a message, or an *End.
	Receive(ctx context.Context) (text bool, p []byte, err error)
	// Ping sends pings at once, says Hello, and returns the payloads of the
	// pongs that came before the echo.
	Ping(ctx context.Context, payloads []string) (pongs []string, err error)
	// SendPings sends pings at once. The pongs are told while the connection is
	// read, one after the other.
	SendPings(ctx context.Context, payloads []string, ponged func(payload string)) error
	// Close closes and returns how it was answered. The code may be 1005.
	Close(ctx context.Context, code int, reason string) error
	// Vanish closes the socket.
	Vanish() error
	Subprotocol() string
}

// End is how a connection ended.
type End struct {
	Code   int
	Reason string
}

func (e *End) Error() string { return fmt.Sprintf("closed with %d %q", e.Code, e.Reason) }

// Refusal is the status of an answer to the handshake that was not 101.
type Refusal int

func (r Refusal) Error() string { return "refused with " + strconv.Itoa(int(r)) }

// Library is what differs.
type Library struct {
	Module string // whose version is told
	Dial   func(ctx context.Context, url string, offer []string, origin string) (Conn, error)
	// Cannot says why the library cannot do a case, if so.
	Cannot func(c *catalogue.Case) string
	// OwnPings: the payloads of pings are the library's, which compares them.
	OwnPings bool
	// Insists: Dial fails if the server chose no subprotocol.
	Insists bool
	// Hasty: Close does not wait for the answer.
	Hasty bool

	// Accept answers a client, also if it refuses. Chosen has the subprotocol.
	Accept func(w http.ResponseWriter, r *http.Request) (Conn, error)
	// CannotServe says why the library cannot do what a path asks for, if so.
	CannotServe func(path string, code int) string
	// OwnOrigins: Accept refuses foreign origins.
	OwnOrigins bool
}

const patience = 10 * time.Second

type report struct {
	Case  string `json:"case"`
	OK    bool   `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
	Skip  string `json:"skip,omitempty"`
}

// Main is the program: client CASES, or server SUBPROTOCOL,…, which in Go are
// those of the catalogue.
func Main(lib *Library) {
	if err := lib.main(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (lib *Library) main(args []string) error {
	if len(args) != 2 || args[0] != "client" && args[0] != "server" {
		return errors.New("usage: client CASES, or server SUBPROTOCOL,…")
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]string{"version": lib.version()}); err != nil {
		return err
	}
	if args[0] == "server" {
		return lib.serve(out)
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	var cases []catalogue.Case
	if err := json.Unmarshal(text, &cases); err != nil {
		return err
	}
	for i := range cases {
		if err := out.Encode(lib.run(&cases[i])); err != nil {
			return err
		}
	}
	return nil
}

func (lib *Library) version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == lib.Module {
			return dep.Version
		}
	}
	return "unknown"
}

// run runs one case.
func (lib *Library) run(c *catalogue.Case) report {
	if lib.Cannot != nil {
		if why := lib.Cannot(c); why != "" {
			return report{Case: c.Name, Skip: why}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1) // not every library minds ctx
	go func() { done <- lib.do(ctx, c) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = errors.New("took too long")
	}
	if err != nil {
		return report{Case: c.Name, Error: err.Error()}
	}
	return report{Case: c.Name, OK: true}
}

func (lib *Library) do(ctx context.Context, c *catalogue.Case) error {
	conn, err := lib.Dial(ctx, c.URL, c.Offer, c.Origin)
	switch {
	case c.Verb == catalogue.Refused:
		return want(err, Refusal(403))
	case c.Verb == catalogue.Subprotocol && lib.Insists && len(c.Offer) > 0 && c.Agreed == "":
		if err == nil {
			return errors.New("connected without a subprotocol")
		}
		return nil
	case err != nil:
		return err
	}
	if conn.Subprotocol() != c.Agreed {
		return fmt.Errorf("subprotocol %q, not %q", conn.Subprotocol(), c.Agreed)
	}
	end, err := lib.talk(ctx, conn, c)
	if err != nil || end == nil {
		return err
	}
	told := &End{Code: c.Told()}
	if c.Verb != catalogue.Close {
		told.Code = 1000
	}
	err = conn.Close(ctx, end.Code, end.Reason)
	if lib.Hasty {
		return err
	}
	var answer *End
	if !errors.As(err, &answer) {
		return fmt.Errorf("no answer to Close: %w", err)
	}
	if answer.Code != told.Code {
		return fmt.Errorf("answer to Close: %w", answer)
	}
	return nil
}

// talk does what the case is about, and returns how to close after that.
func (lib *Library) talk(ctx context.Context, conn Conn, c *catalogue.Case) (*End, error) {
	normally := &End{Code: 1000}
	switch c.Verb {
	case catalogue.Echo, catalogue.Reassemble:
		return normally, errors.Join(conn.Send(ctx, c.IsText(), c.Payload()), expect(ctx, conn, c.IsText(), c.Payload()))
	case catalogue.Burst:
		for i := range c.Count {
			if err := conn.Send(ctx, true, numbered(i)); err != nil {
				return nil, err
			}
		}
		for i := range c.Count {
			if err := expect(ctx, conn, true, numbered(i)); err != nil {
				return nil, err
			}
		}
		return normally, nil
	case catalogue.Fragments:
		return normally, errors.Join(conn.SendFragments(ctx, c.Parts()), expect(ctx, conn, true, c.Payload()))
	case catalogue.Ping:
		var payloads []string
		for i := range c.Count {
			payloads = append(payloads, c.Text+strconv.Itoa(i))
		}
		pongs, err := conn.Ping(ctx, payloads)
		if err != nil {
			return nil, err
		}
		if len(pongs) != c.Count || !lib.OwnPings && !slices.Equal(pongs, payloads) {
			return nil, fmt.Errorf("pongs %q to %q", pongs, payloads)
		}
		return normally, nil
	case catalogue.Pinged:
		return normally, expect(ctx, conn, true, []byte("pinged"))
	case catalogue.Close:
		return &End{Code: c.Told(), Reason: c.Reason}, Hello(ctx, conn)
	case catalogue.Closed, catalogue.Lost:
		_, _, err := conn.Receive(ctx)
		if c.Verb == catalogue.Lost {
			return nil, lost(err)
		}
		return nil, want(err, &End{c.Told(), c.Reason})
	case catalogue.Vanish:
		if err := Hello(ctx, conn); err != nil {
			return nil, err
		}
		return nil, conn.Vanish()
	case catalogue.Subprotocol:
		return normally, Hello(ctx, conn)
	}
	return nil, fmt.Errorf("no such verb: %s", c.Verb)
}

func numbered(i int) []byte { return []byte("message " + strconv.Itoa(i)) }

// Ping is the method of a Conn that has the other one.
func Ping(ctx context.Context, conn Conn, payloads []string) (pongs []string, err error) {
	err = conn.SendPings(ctx, payloads, func(payload string) { pongs = append(pongs, payload) })
	if err == nil {
		err = Hello(ctx, conn)
	}
	return pongs, err
}

// Hello sends a text and gets it back.
func Hello(ctx context.Context, conn Conn) error {
	p := []byte(catalogue.Hello)
	return errors.Join(conn.Send(ctx, true, p), expect(ctx, conn, true, p))
}

func expect(ctx context.Context, conn Conn, text bool, p []byte) error {
	gotText, got, err := conn.Receive(ctx)
	if err != nil {
		return err
	}
	if gotText != text || !bytes.Equal(got, p) {
		return fmt.Errorf("got %d other bytes (text: %t) than the %d sent (text: %t)", len(got), gotText, len(p), text)
	}
	return nil
}

// want checks that err is what was to come.
func want(err, expected error) error {
	if err == nil {
		return errors.New("no error")
	}
	if got := innermost(err); got.Error() != expected.Error() {
		return fmt.Errorf("%w, and not %w", err, expected)
	}
	return nil
}

// innermost finds what the adapters make of a library's error.
func innermost(err error) error {
	var end *End
	var refusal Refusal
	switch {
	case errors.As(err, &end):
		return end
	case errors.As(err, &refusal):
		return refusal
	}
	return err
}

// lost checks that err is an end without a Close frame: 1006, or one that is
// told by no code.
func lost(err error) error {
	var end *End
	if err == nil || errors.As(err, &end) && end.Code != 1006 {
		return fmt.Errorf("not an abnormal end: %w", err)
	}
	return nil
}
