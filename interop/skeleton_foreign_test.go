package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// told is a foreign server that printed these lines.
func told(t *testing.T, sights ...sight) *foreign {
	f := &foreign{plain: "plain", wired: "wired", sights: make(map[string]chan sight)}
	for _, s := range sights {
		line, err := json.Marshal(s)
		require.NoError(t, err)
		f.note(string(line))
	}
	return f
}

func TestACellOfAForeignServerPassesOnlyIfItSawWhatItShould(t *testing.T) {
	hello := []string{digestOf(conn.Text, []byte(catalogue.Hello)).line()}
	closes := catalogue.Case{Name: "c", Verb: catalogue.Close, Code: 3000, Reason: "r"}
	closed := catalogue.Case{Name: "c", Verb: catalogue.Closed, Code: 1008}
	vanish := catalogue.Case{Name: "c", Verb: catalogue.Vanish}
	for _, test := range []struct {
		name string
		c    catalogue.Case
		saw  sight
		done time.Duration // before that
		want string        // of the error; "" passes
	}{
		{"all is well", closes, sight{Messages: hello, Code: 3000, Reason: "r"}, 0, ""},
		{"a message too few", closes, sight{Code: 3000, Reason: "r"}, 0, "messages at the server"},
		{"another message", closes, sight{Messages: []string{"text 5 00"}, Code: 3000, Reason: "r"}, 0, "messages at the server"},
		{"another type", closes, sight{Messages: []string{strings.Replace(hello[0], "text", "binary", 1)}, Code: 3000, Reason: "r"}, 0, "messages at the server"},
		{"another code", closes, sight{Messages: hello, Code: 3001, Reason: "r"}, 0, "end at the server"},
		{"another reason", closes, sight{Messages: hello, Code: 3000}, 0, "end at the server"},
		{"an abnormal end", closes, sight{Messages: hello, Code: 1006, Error: "EOF"}, 0, "EOF"},
		{"a subprotocol from nowhere", closes, sight{Messages: hello, Code: 3000, Reason: "r", Protocol: "x"}, 0, "subprotocol"},
		{"seen late", closes, sight{Messages: hello, Code: 3000, Reason: "r"}, time.Minute, "noticed only"},
		{"answered", closed, sight{Code: 1008}, 0, ""},
		{"answered with something else", closed, sight{Code: 1000}, 0, "end at the server"},
		{"noticed", vanish, sight{Messages: hello, Code: 1006}, time.Second, ""},
		{"noticed late", vanish, sight{Messages: hello, Code: 1006}, time.Minute, "noticed only"},
		{"a Close frame of a client that vanished", vanish, sight{Messages: hello, Code: 1005}, 0, "end at the server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.saw.Case = "c"
			f := told(t, test.saw)
			err := f.verdict(&test.c, time.Now().Add(-test.done))
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
			require.NoError(t, f.rest())
		})
	}
}

func TestConnectionsThatNobodyMadeAreAnError(t *testing.T) {
	c := &catalogue.Case{Name: "c", Verb: catalogue.Lost}
	f := told(t, sight{Case: "c"}, sight{Case: "c"})
	require.NoError(t, f.verdict(c, time.Now()))
	require.ErrorContains(t, f.rest(), "1 connections too many")

	f = told(t, sight{Case: "wrong origin"})
	require.NoError(t, f.verdict(&catalogue.Case{Name: "wrong origin", Verb: catalogue.Refused}, time.Now()))
	require.Error(t, f.rest())

	f = told(t)
	f.note("Segmentation fault")
	require.ErrorContains(t, f.rest(), "Segmentation fault")
}

func TestOurEndIsJudgedAsWell(t *testing.T) {
	want := &conn.CloseError{Code: 3000, Reason: "r", Remote: true}
	require.NoError(t, ended(want, &conn.CloseError{Code: 3000, Reason: "r", Remote: true}))
	for _, err := range []error{
		nil,
		io.EOF,
		&conn.CloseError{Code: 3001, Reason: "r", Remote: true},
		&conn.CloseError{Code: 3000, Remote: true},
		&conn.CloseError{Code: 3000, Reason: "r"},
		&conn.CloseError{Code: 3000, Reason: "r", Remote: true, Err: io.EOF},
	} {
		require.Error(t, ended(want, err))
	}
	lost := &conn.CloseError{Code: frame.CloseAbnormal, Remote: true}
	require.NoError(t, ended(lost, &conn.CloseError{Code: frame.CloseAbnormal, Remote: true, Err: io.EOF}))
	require.Error(t, ended(lost, lost), "with nothing to say why")

	require.NoError(t, answers(control.Pong{RTT: 1, Exact: true}))
	for _, pong := range []control.Pong{{}, {RTT: 1}, {Exact: true}, {RTT: 1, Exact: true, Empty: true}} {
		require.Error(t, answers(pong))
	}
}

func TestARefusalIsOneOnlyWithItsStatusAndABody(t *testing.T) {
	refused := &catalogue.Case{Name: "c", Verb: catalogue.Refused}
	f := &foreign{tap: &tap{seen: []*wire{{
		in:  []byte("GET " + refused.Target() + " HTTP/1.1\r\n\r\n"),
		out: []byte("HTTP/1.1 403 Forbidden\r\n\r\n"),
	}}}}
	answer := func(c *catalogue.Case, status int, body string) error {
		resp := &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader([]byte(body)))}
		return f.refusal(c, resp, &client.HandshakeError{Status: status})
	}
	require.NoError(t, answer(refused, 403, "not you"))
	require.ErrorContains(t, answer(refused, 403, ""), "body")
	require.ErrorContains(t, answer(refused, 401, "not you"), "401")
	require.ErrorContains(t, answer(&catalogue.Case{Verb: catalogue.Echo}, 403, "not you"), "not you")
	require.Error(t, f.refusal(refused, nil, context.DeadlineExceeded))

	var why cannot
	require.ErrorAs(t, answer(refused, 501, "no such API\n"), &why)
	require.Equal(t, "no such API", string(why))
	require.False(t, errors.As(answer(refused, 501, ""), &why), "without a reason")
}

func TestTheTableNeedsBothDirectionsOfAPeer(t *testing.T) {
	var l ledger
	for _, p := range registry {
		l.add(cell{peer: p.name, direction: ourServer, name: "a"})
	}
	require.ErrorContains(t, l.record("table"), "ws, "+ourClient)
	l.add(cell{peer: "ws", direction: ourClient, name: "b"})
	require.Contains(t, l.table(), "| ws | – | our server, its client | 1/1 |  |\n| ws | – | our client, its server | 1/1 |  |\n")
	require.ErrorContains(t, l.record("table"), "Bun, "+ourClient)
}
