package handshake_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func TestTheResponseInItsFixedOrder(t *testing.T) {
	a := &handshake.Accepted{Accept: sampleAccept, Subprotocol: "chat", Offered: []string{"x", "chat"},
		Extensions: []string{"never; repeated"}, Negotiated: `permessage-deflate; a="1"`}
	extra := http.Header{"X-B": {"2", "3"}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "X-A": {"\xc3\xa4\t b"}, "X-Empty": {""}, "X-None": {}}
	for range 20 {
		got, err := handshake.AppendResponse([]byte("before|"), a, extra)
		require.NoError(t, err)
		require.Equal(t, "before|HTTP/1.1 101 Switching Protocols\r\n"+
			"Upgrade: websocket\r\n"+
			"Connection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: "+sampleAccept+"\r\n"+
			"Sec-WebSocket-Protocol: chat\r\n"+
			"Sec-WebSocket-Extensions: permessage-deflate; a=\"1\"\r\n"+
			"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"+
			"X-A: \xc3\xa4\t b\r\n"+
			"X-B: 2\r\n"+
			"X-B: 3\r\n"+
			"X-Empty: \r\n"+
			"\r\n", string(got))
	}
}

func TestAResponseWithoutSubprotocolAndExtensionsHasNoSuchField(t *testing.T) {
	a := requireAccepted(t, request(with("Sec-WebSocket-Protocol", "a"), with("Sec-WebSocket-Extensions", "b")), nil)
	got, err := handshake.AppendResponse(nil, a, nil)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+sampleAccept+"\r\n\r\n", string(got))
}

func TestAServerMayChooseAnotherSubprotocolThatWasOffered(t *testing.T) {
	a := requireAccepted(t, request(with("Sec-WebSocket-Protocol", "a, b")), &handshake.Policy{Subprotocols: []string{"a"}})
	a.Subprotocol = "b"
	got, err := handshake.AppendResponse(nil, a, nil)
	require.NoError(t, err)
	require.Contains(t, string(got), "\r\nSec-WebSocket-Protocol: b\r\n")
}

func TestAResponseThatWouldBeWrongIsNotWritten(t *testing.T) {
	good := handshake.Accepted{Accept: sampleAccept}
	tests := []struct {
		name  string
		edit  func(*handshake.Accepted)
		extra map[string][]string
		want  string
	}{
		{"no accept value", func(a *handshake.Accepted) { a.Accept = "" }, nil, "does not come from a key"},
		{"an accept value with a line break", func(a *handshake.Accepted) { a.Accept = sampleAccept[:26] + "\r\n" }, nil, "does not come from a key"},
		{"a subprotocol that was not offered", func(a *handshake.Accepted) { a.Subprotocol = "b" }, nil, `did not offer subprotocol "b"`},
		{"a subprotocol that is no token", func(a *handshake.Accepted) {
			a.Subprotocol, a.Offered = "a\r\nX: y", []string{"a\r\nX: y"}
		}, nil, `did not offer subprotocol "a\r\nX: y"`},
		{"malformed extensions", func(a *handshake.Accepted) { a.Negotiated = "a;" }, nil, `"a;" are malformed`},
		{"extensions with a line break", func(a *handshake.Accepted) { a.Negotiated = "a\r\nX: y" }, nil, "are malformed"},
		{"a bad field", func(*handshake.Accepted) {}, http.Header{"X": {"a\nb"}}, "control character"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := good
			test.edit(&a)
			got, err := handshake.AppendResponse([]byte("before"), &a, test.extra)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "handshake: ")
			require.Equal(t, "before", string(got))
		})
	}
}

func TestExtraFieldsThatWouldBreakTheResponseAreRejected(t *testing.T) {
	require.NoError(t, handshake.ValidateExtra(nil))
	require.NoError(t, handshake.ValidateExtra(http.Header{"Set-Cookie": {"a=b; Path=/", "c=d"}, "Date": {"x"}, "Server": {""}, "x-small": {"\xff"}}))
	for _, name := range []string{"Upgrade", "upgrade", "Connection", "CONNECTION", "Content-Length", "Transfer-Encoding", "transfer-encoding",
		"Sec-WebSocket-Accept", "Sec-Websocket-Protocol", "sec-websocket-extensions", "Sec-WebSocket-Version", "Sec-WebSocket-"} {
		require.ErrorContains(t, handshake.ValidateExtra(map[string][]string{name: {"x"}}), name+" is set by the handshake itself")
	}
	for _, name := range []string{"", " ", "A B", "A:", "A\r\nB", "A\x00", "A\xc3\xa4", "A(", `A"`} {
		require.ErrorContains(t, handshake.ValidateExtra(map[string][]string{name: {"x"}}), fmt.Sprintf("name %q is not a token", name))
	}
	for c := range 256 {
		err := handshake.ValidateExtra(map[string][]string{"X": {"fine", "a" + string([]byte{byte(c)}) + "b"}})
		if c < ' ' && c != '\t' || c == 0x7f {
			require.ErrorContains(t, err, "the value of header field X has a control character")
		} else {
			require.NoError(t, err)
		}
	}
}

func TestTheFirstBadFieldByNameIsReported(t *testing.T) {
	for range 20 {
		require.ErrorContains(t, handshake.ValidateExtra(http.Header{"C": {"\n"}, "B": {"\n"}, "A": {"fine"}}), "field B ")
	}
}

func TestARefusalIsAWholeResponse(t *testing.T) {
	got, err := handshake.AppendRefusal([]byte("before|"), 403, "This origin may not connect.", nil)
	require.NoError(t, err)
	require.Equal(t, "before|HTTP/1.1 403 Forbidden\r\n"+
		"Connection: close\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n"+
		"X-Content-Type-Options: nosniff\r\n"+
		"Content-Length: 29\r\n"+
		"\r\n"+
		"This origin may not connect.\n", string(got))
}

func TestARefusalOfTheVersionNamesTheRightOne(t *testing.T) {
	refusal := requireRefused(t, 426, request(with("Sec-WebSocket-Version", "8")), nil)
	got, err := handshake.AppendRefusal(nil, refusal.Status, refusal.Reason, refusal.Header)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 426 Upgrade Required\r\n"+
		"Connection: close\r\n"+
		"Connection: Upgrade\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n"+
		"X-Content-Type-Options: nosniff\r\n"+
		"Content-Length: 46\r\n"+
		"Sec-WebSocket-Version: 13\r\n"+
		"Upgrade: websocket\r\n"+
		"\r\n"+
		"Sec-WebSocket-Version must be 13, given once.\n", string(got))
}

func TestEveryRefusalIsReadByAnHTTPClient(t *testing.T) {
	for status := 200; status < 600; status++ {
		reason := "line one\r\nX: line two \xc3\xa4"
		raw, err := handshake.AppendRefusal(nil, status, reason, http.Header{"Retry-After": {"5"}, "Location": {"https://a/"}})
		if status == 204 || status == 205 || status == 304 {
			require.ErrorContains(t, err, fmt.Sprint(status))
			continue
		}
		require.NoError(t, err)
		rest := bufio.NewReader(bytes.NewReader(raw))
		response, err := http.ReadResponse(rest, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, reason+"\n", string(body))
		require.Equal(t, status, response.StatusCode)
		require.True(t, response.Close)
		require.Equal(t, "5", response.Header.Get("Retry-After"))
		require.Empty(t, response.Header.Get("X"))
		require.Zero(t, rest.Buffered())
		if text := response.Status[4:]; text != "" && status != 413 && status != 414 && status != 431 {
			require.Equal(t, http.StatusText(status), text)
		}
	}
}

func TestARefusalThatWouldBeWrongIsNotWritten(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header map[string][]string
		want   string
	}{
		{"status 0", 0, nil, "status 0 "},
		{"status 100", 100, nil, "status 100 "},
		{"status 101", 101, nil, "status 101 "},
		{"status 204", 204, nil, "status 204 "},
		{"status 600", 600, nil, "status 600 "},
		{"a status below zero", -400, nil, "status -400 "},
		{"Connection", 400, http.Header{"Connection": {"keep-alive"}}, "set by the handshake itself"},
		{"Content-Length", 400, http.Header{"content-length": {"0"}}, "set by the handshake itself"},
		{"Content-Type", 400, http.Header{"Content-Type": {"text/html"}}, "set by the handshake itself"},
		{"Transfer-Encoding", 400, http.Header{"Transfer-Encoding": {"chunked"}}, "set by the handshake itself"},
		{"X-Content-Type-Options", 400, http.Header{"X-Content-Type-Options": {"x"}}, "set by the handshake itself"},
		{"a line break in a value", 400, http.Header{"X": {"a\r\nB: c"}}, "control character"},
		{"a line break in a name", 400, http.Header{"X: a\r\nB": {"c"}}, "is not a token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := handshake.AppendRefusal([]byte("before"), test.status, "reason", test.header)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, "before", string(got))
		})
	}
}

func TestTheResponseIsReadByAnHTTPClient(t *testing.T) {
	a := requireAccepted(t, browser(), &handshake.Policy{Subprotocols: []string{"echo"}})
	raw, err := handshake.AppendResponse(nil, a, http.Header{"X-A": {"b"}})
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	require.NoError(t, err)
	require.Equal(t, 101, response.StatusCode)
	require.Equal(t, http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {sampleAccept},
		"Sec-Websocket-Protocol": {"echo"}, "X-A": {"b"}}, response.Header)
}
