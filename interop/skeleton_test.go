package interop

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// These tests are of the tests: that a cell fails when it should.

// seen is a subject that saw a case in some way.
func seen(c *catalogue.Case, v view) *subject {
	s := &subject{plain: "plain", wired: "wired", views: map[string]*view{c.Name: &v}}
	v.done = make(chan struct{})
	close(v.done)
	return s
}

func TestACellPassesOnlyIfBothEndsSawWhatTheyShould(t *testing.T) {
	hello := digestOf(conn.Text, []byte("hello"))
	left := &conn.CloseError{Code: 3000, Reason: "r", Remote: true}
	lost := &conn.CloseError{Code: frame.CloseAbnormal, Remote: true, Err: errors.New("EOF")}
	now := time.Now()
	closes := catalogue.Case{Name: "c", Verb: catalogue.Close, Code: 3000, Reason: "r"}
	pinged := catalogue.Case{Name: "c", Verb: catalogue.Pinged, Count: 2}
	normal := &conn.CloseError{Code: 1000, Remote: true}
	fine := report{OK: true, at: now}
	for _, test := range []struct {
		name string
		c    catalogue.Case
		v    view
		said report
		want string // of the error; "" passes
	}{
		{"all is well", closes, view{opened: 1, messages: []digest{hello}, end: left}, fine, ""},
		{"the client complains", closes, view{opened: 1, messages: []digest{hello}, end: left}, report{Error: "oh"}, "the client: oh"},
		{"no connection", closes, view{end: left}, fine, "0 connections"},
		{"two connections", closes, view{opened: 2, messages: []digest{hello}, end: left}, fine, "2 connections"},
		{"a message too few", closes, view{opened: 1, end: left}, fine, "messages at the server"},
		{"another message", closes, view{opened: 1, messages: []digest{digestOf(conn.Binary, []byte("hello"))}, end: left}, fine, "messages"},
		{"another code", closes, view{opened: 1, messages: []digest{hello}, end: &conn.CloseError{Code: 3001, Reason: "r", Remote: true}}, fine, "end at the server"},
		{"another reason", closes, view{opened: 1, messages: []digest{hello}, end: &conn.CloseError{Code: 3000, Remote: true}}, fine, "end at the server"},
		{"no answer to Close", closes, view{opened: 1, messages: []digest{hello}, end: &conn.CloseError{Code: 3000, Reason: "r", Remote: true, Err: errors.New("late")}}, fine, "end at the server"},
		{"a failed send", closes, view{opened: 1, messages: []digest{hello}, end: left, sendErr: errors.New("full")}, fine, "full"},
		{"a subprotocol from nowhere", closes, view{opened: 1, subprotocol: "x", messages: []digest{hello}, end: left}, fine, "subprotocol"},
		{"pongs", pinged, view{opened: 1, pongs: []control.Pong{{}, {Exact: true}}, end: normal}, fine, ""},
		{"a pong too few", pinged, view{opened: 1, pongs: []control.Pong{{Exact: true}}, end: normal}, fine, "1 pongs"},
		{"no exact pong", pinged, view{opened: 1, pongs: []control.Pong{{}, {}}, end: normal}, fine, "0 of them exact"},
		{"noticed soon", catalogue.Case{Name: "c", Verb: catalogue.Vanish}, view{opened: 1, messages: []digest{hello}, end: lost, ended: now.Add(time.Second)}, fine, ""},
		{"noticed late", catalogue.Case{Name: "c", Verb: catalogue.Vanish}, view{opened: 1, messages: []digest{hello}, end: lost, ended: now.Add(time.Minute)}, fine, "only 1m0s later"},
		{"a Close frame of one that vanished", catalogue.Case{Name: "c", Verb: catalogue.Vanish}, view{opened: 1, messages: []digest{hello}, end: normal}, fine, "end at the server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := &reports{of: map[string]report{"c": test.said}}
			how := seen(&test.c, test.v).outcome("peer", &test.c, said)
			if test.want == "" {
				require.NoError(t, how.err)
			} else {
				require.ErrorContains(t, how.err, test.want)
			}
		})
	}
}

func TestACaseThatThePeerDoesNotTellFails(t *testing.T) {
	c := &catalogue.Case{Name: "c", Verb: catalogue.Echo}
	require.Error(t, seen(c, view{}).outcome("peer", c, &reports{}).err)
}

func TestTheWireIsJudgedByItsFrames(t *testing.T) {
	client := func(op frame.Opcode, payload string) seenFrame {
		return seenFrame{frame.Header{Opcode: op, Masked: true}, payload}
	}
	server := func(op frame.Opcode, payload string) seenFrame {
		return seenFrame{frame.Header{Opcode: op}, payload}
	}
	fragments := &catalogue.Case{Verb: catalogue.Fragments}
	require.NoError(t, framesOf(fragments, []seenFrame{client(frame.Text, ""), client(frame.Ping, ""), client(frame.Continuation, "")}, nil))
	require.Error(t, framesOf(fragments, []seenFrame{client(frame.Text, ""), client(frame.Text, "")}, nil))
	require.Error(t, framesOf(fragments, []seenFrame{server(frame.Text, ""), client(frame.Continuation, "")}, nil), "no mask")

	pings := &catalogue.Case{Verb: catalogue.Ping, Count: 2}
	both := []seenFrame{client(frame.Ping, "a"), client(frame.Ping, "b")}
	require.NoError(t, framesOf(pings, both, []seenFrame{server(frame.Pong, "a"), server(frame.Pong, "b")}))
	require.Error(t, framesOf(pings, both, []seenFrame{server(frame.Pong, "b"), server(frame.Pong, "a")}))
	require.Error(t, framesOf(pings, both, []seenFrame{server(frame.Pong, "b")}))
	require.Error(t, framesOf(pings, both[:1], []seenFrame{server(frame.Pong, "a")}))

	in, err := parseFrames([]byte("GET / HTTP/1.1\r\n\r\n\x01\x82abcd\x09\x0b\x80\x01x\x81"))
	require.NoError(t, err)
	require.Len(t, in, 2, "the last one is cut short")
	require.Equal(t, "hi", in[0].payload)
	require.Equal(t, "x", in[1].payload)
	require.Equal(t, 2, dataFrames(in))
}

func TestAPeerThatPrintsNonsenseOrTellsACaseTwiceFails(t *testing.T) {
	for _, lines := range [][]string{{"Segmentation fault"}, {`{"case":"a","ok":true}`, `{"case":"a","ok":true}`}} {
		said := &reports{of: make(map[string]report)}
		for _, line := range lines {
			said.add("peer", []byte(line))
		}
		require.Error(t, said.fail)
	}
}

func TestAPeerThatHangsIsKilledWithAllThatItStarted(t *testing.T) {
	shell, err := find("sh")
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var lines []string
	began := time.Now()
	err = command{path: shell, args: []string{"-c", "echo begun; echo trouble >&2; sleep 60 & sleep 60"}}.lines(ctx, func(line []byte) {
		lines = append(lines, string(line))
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "trouble")
	require.Equal(t, []string{"begun"}, lines)
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestAProgramThatDoesNotBuildIsNotAbsent(t *testing.T) {
	_, err := find("no-such-program")
	require.ErrorAs(t, err, &absent{})
	err = build(".", "./no-such-package")
	require.Error(t, err)
	require.False(t, errors.As(err, &absent{}))
}

func TestTheTableTellsWhatPassedAndWhatCannotBeRun(t *testing.T) {
	var l ledger
	l.version("gws", "v1")
	l.skip(curlName, "no curl")
	for _, entry := range entries {
		l.add(cell{peer: "gws", direction: ourServer, entry: entry, name: "a"})
		l.add(cell{peer: "gws", direction: ourServer, entry: entry, name: "b", cannot: "no such thing"})
		l.add(cell{peer: "ws", direction: ourServer, entry: entry, name: "a", err: errFailed})
	}
	require.Equal(t, "| peer | version | direction | passed | cannot be run |\n|---|---|---|---|---|\n"+
		"| ws | – | our server, its client | 0/2 |  |\n"+
		"| gws | v1 | our server, its client | 2/2 | b: no such thing |\n"+
		"| curl | – | – | not run | no curl |\n", l.table())
	require.Error(t, l.record("table"), "not every peer has run")
}

func TestTheReadmeHasAPlaceForTheTable(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	once, err := written(string(readme), "| table |\n", "today:")
	require.NoError(t, err)
	require.Contains(t, once, "\ntoday:\n\n| table |\n\n")
	twice, err := written(once, "| table |\n", "today:")
	require.NoError(t, err)
	require.Equal(t, once, twice)
	_, err = written("nothing", "", "")
	require.Error(t, err)
}
