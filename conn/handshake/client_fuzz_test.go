package handshake_test

import (
	"bufio"
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

var extensionName = regexp.MustCompile(`(?:^|,)[ \t,]*(` + tokenExpr + `)`)

// A response, whatever it is, opens a connection only with what RFC 6455 §4.1
// asks for, and never with anything that was not offered.
func FuzzVerify(f *testing.F) {
	add := func(protocols, extensions string, lines ...string) {
		f.Add(protocols, extensions, strings.Join(lines, "\r\n")+"\r\n\r\n")
	}
	good := []string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + sampleAccept}
	add("", "", good...)
	add("a,b", "x;y=1", append(good, "Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: x;y=2,,x")...)
	add("a", "=", append(good, "Sec-WebSocket-Protocol:", "Sec-WebSocket-Extensions: y")...)
	add("", "", append(good, "Upgrade: websocket")...)
	add("", "", "HTTP/1.0 101", "Upgrade: WebSocket", "Connection: a", "Connection: , upgrade", "Sec-WebSocket-Accept: "+sampleAccept)
	add("a", "", "HTTP/1.1 200 OK")
	f.Fuzz(func(t *testing.T, protocols, extensions, input string) {
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(input)), nil)
		if err != nil {
			return
		}
		o := offer(offeringSubprotocols(strings.Split(protocols, ",")...), offeringExtensions(extensions))
		r := &handshake.Response{Status: resp.StatusCode, Major: resp.ProtoMajor, Minor: resp.ProtoMinor, Header: resp.Header}
		agreed, err := handshake.Verify(r, o)
		if err != nil {
			require.Nil(t, agreed)
			require.Regexp(t, `^[ -~]+$`, err.Error())
			return
		}
		require.Equal(t, 101, resp.StatusCode)
		require.True(t, resp.ProtoAtLeast(1, 1))
		require.Len(t, resp.Header["Upgrade"], 1)
		require.Regexp(t, `^[ \t]*(?i:websocket)[ \t]*$`, strings.ReplaceAll(resp.Header.Get("Upgrade"), "\u212a", "?"))
		require.Regexp(t, `(?i)(^|,)[ \t]*upgrade[ \t]*(,|$)`, strings.Join(resp.Header["Connection"], ","))
		require.Equal(t, []string{sampleAccept}, resp.Header["Sec-Websocket-Accept"])

		if lines := resp.Header["Sec-Websocket-Protocol"]; len(lines) == 0 {
			require.Empty(t, agreed.Subprotocol)
		} else {
			require.Equal(t, lines, []string{agreed.Subprotocol})
			require.Contains(t, strings.Split(protocols, ","), agreed.Subprotocol)
		}
		require.Equal(t, resp.Header["Sec-Websocket-Extensions"], agreed.Extensions)
		for _, line := range agreed.Extensions {
			for _, name := range extensionName.FindAllStringSubmatch(line, -1) {
				require.Contains(t, extensions, name[1])
			}
		}
		if len(agreed.Extensions) > 0 {
			require.Regexp(t, extensionList, extensions, "what was offered could be sent")
		}
	})
}

// What AppendRequest writes is one request, with nothing in it that was not
// asked for.
func FuzzAppendRequest(f *testing.F) {
	f.Add("/chat?a=b", "example.com:80", "chat", "x;y", "Origin", "http://example.com")
	f.Add("/ HTTP/1.1\r\nX: y", "a\r\nb", "a\r\nb", "a\r\nb", "a\r\nb", "a\r\nb")
	f.Add("//a", "[::1]:1", "a b", `x;y="z"`, "sec-websocket-key", "")
	f.Add("/%", "a:", "", "", "Cookie", "\x80\t")
	f.Fuzz(func(t *testing.T, target, hostLine, protocol, extensions, name, value string) {
		o := offer(offeringTarget(target), offeringHost(hostLine), offeringExtensions(extensions), offeringField(name, value))
		if protocol != "" {
			o.Subprotocols = []string{protocol}
		}
		sent, err := handshake.AppendRequest(nil, o)
		if err != nil {
			require.Empty(t, sent)
			return
		}
		require.True(t, bytes.HasSuffix(sent, []byte("\r\n\r\n")))
		lines := strings.Split(strings.TrimSuffix(string(sent), "\r\n\r\n"), "\r\n")
		want := []string{"GET " + target + " HTTP/1.1", "Host: " + hostLine, "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Key: " + sampleKey, "Sec-WebSocket-Version: 13"}
		if protocol != "" {
			want = append(want, "Sec-WebSocket-Protocol: "+protocol)
		}
		if extensions != "" {
			want = append(want, "Sec-WebSocket-Extensions: "+extensions)
		}
		require.Equal(t, append(want, name+": "+value), lines)
		require.Equal(t, len(lines)+1, strings.Count(string(sent), "\n"))
		require.Equal(t, len(lines)+1, strings.Count(string(sent), "\r"))
	})
}

// How the input is cut makes no difference to a Block.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\nA: b\r\n\r\n\x81\x00"), []byte{1, 2, 3})
	f.Add([]byte("a\n\nb"), []byte{0})
	f.Add([]byte("\r\r\n\r\n"), []byte{255, 1})
	f.Add([]byte(linedBlock(129, "\n")), []byte{100})
	f.Add([]byte(paddedBlock(handshake.MaxBlock)), []byte{})
	f.Add([]byte(paddedBlock(handshake.MaxBlock+1)), []byte{250})
	f.Fuzz(func(t *testing.T, input, sizes []byte) {
		want := collect(t, string(input), atOnce)
		for _, size := range []func(int) int{byBytes, func(i int) int {
			if len(sizes) == 0 {
				return 1 << 10
			}
			return int(sizes[i%len(sizes)])
		}} {
			got := collect(t, string(input), size)
			require.Equal(t, want.complete, got.complete)
			require.Equal(t, want.err, got.err)
			require.Equal(t, want.block, got.block)
			if want.complete {
				require.Equal(t, string(input), got.block+got.rest+string(input[len(input)-got.unread:]))
			}
		}

		// The end is the first line that is empty.
		lines := slices.Collect(bytes.Lines(input))
		end := slices.IndexFunc(lines, func(line []byte) bool { return string(line) == "\n" || string(line) == "\r\n" })
		size := 0
		for i, line := range lines {
			if size += len(line); i == end {
				break
			}
		}
		require.Equal(t, end >= 0 && end <= handshake.MaxLines+1 && size <= handshake.MaxBlock, want.complete)
		if want.complete {
			require.Equal(t, string(input[:size]), want.block)
		}
	})
}
