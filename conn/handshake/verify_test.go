package handshake_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// response returns the answer to the key of offer, changed by edits.
func response(edits ...func(*handshake.Response)) *handshake.Response {
	r := &handshake.Response{
		Status: 101, Major: 1, Minor: 1,
		Header: http.Header{
			"Upgrade":              {"websocket"},
			"Connection":           {"Upgrade"},
			"Sec-Websocket-Accept": {sampleAccept},
		},
	}
	for _, edit := range edits {
		edit(r)
	}
	return r
}

// saying replaces the lines of a field; without lines it removes the field.
func saying(name string, lines ...string) func(*handshake.Response) {
	return func(r *handshake.Response) {
		name := http.CanonicalHeaderKey(name)
		if len(lines) == 0 {
			delete(r.Header, name)
			return
		}
		r.Header[name] = lines
	}
}

func status(n int) func(*handshake.Response) {
	return func(r *handshake.Response) { r.Status = n }
}

func version(major, minor int) func(*handshake.Response) {
	return func(r *handshake.Response) { r.Major, r.Minor = major, minor }
}

// everything is an offer of two subprotocols and three extensions.
func everything() *handshake.Offer {
	return offer(offeringSubprotocols("chat", "superchat"), offeringExtensions(`x; a=1, permessage-deflate; client_max_window_bits, y;b="w"`))
}

func TestResponsesThatAcceptTheOffer(t *testing.T) {
	tests := []struct {
		name string
		edit func(*handshake.Response)
		want handshake.Agreed
	}{
		{"nothing but the required fields", func(*handshake.Response) {}, handshake.Agreed{}},
		{"a later minor version", version(1, 2), handshake.Agreed{}},
		{"unknown fields", saying("X-Anything", "\x00\r\n"), handshake.Agreed{}},
		{"a length, which says nothing here", saying("Content-Length", "5"), handshake.Agreed{}},

		{"upgrade in capitals", saying("Upgrade", "WEBSOCKET"), handshake.Agreed{}},
		{"upgrade in mixed case and whitespace", saying("Upgrade", "\tWebSocket "), handshake.Agreed{}},
		{"connection in small letters", saying("Connection", "upgrade"), handshake.Agreed{}},
		{"connection in a list", saying("Connection", "keep-alive, UPGRADE"), handshake.Agreed{}},
		{"connection in a list with empty elements", saying("Connection", ",,Upgrade\t,"), handshake.Agreed{}},
		{"connection on the second line", saying("Connection", "keep-alive", "Upgrade"), handshake.Agreed{}},
		{"connection on the third line of lists", saying("Connection", "a, b", "", "c,upgrade"), handshake.Agreed{}},
		{"connection with close beside it", saying("Connection", "close, upgrade"), handshake.Agreed{}},
		{"accept in whitespace", saying("Sec-WebSocket-Accept", " \t"+sampleAccept+"\t "), handshake.Agreed{}},

		{"the first subprotocol", saying("Sec-WebSocket-Protocol", "chat"), handshake.Agreed{Subprotocol: "chat"}},
		{"the last subprotocol", saying("Sec-WebSocket-Protocol", "superchat"), handshake.Agreed{Subprotocol: "superchat"}},
		{"a subprotocol in whitespace", saying("Sec-WebSocket-Protocol", " chat\t"), handshake.Agreed{Subprotocol: "chat"}},

		{"one extension", saying("Sec-WebSocket-Extensions", "permessage-deflate"), handshake.Agreed{Extensions: []string{"permessage-deflate"}}},
		{"parameters that were not offered", saying("Sec-WebSocket-Extensions", "x; c=3"), handshake.Agreed{Extensions: []string{"x; c=3"}}},
		{"a list of extensions", saying("Sec-WebSocket-Extensions", "y, x"), handshake.Agreed{Extensions: []string{"y, x"}}},
		{"lines of extensions", saying("Sec-WebSocket-Extensions", "y;a", ",x,"), handshake.Agreed{Extensions: []string{"y;a", ",x,"}}},
		{"an extension twice, which is for the extension to judge", saying("Sec-WebSocket-Extensions", "x, x;a"), handshake.Agreed{Extensions: []string{"x, x;a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			agreed, err := handshake.Verify(response(test.edit), everything())
			require.NoError(t, err)
			require.Equal(t, &test.want, agreed)
		})
	}
}

func TestResponsesThatOpenNoConnection(t *testing.T) {
	tests := []struct {
		name string
		edit func(*handshake.Response)
		want string
	}{
		{"status 200", status(200), "status 200"},
		{"status 100", status(100), "status 100"},
		{"status 102", status(102), "status 102"},
		{"status 302", status(302), "status 302"},
		{"status 401", status(401), "status 401"},
		{"status 503", status(503), "status 503"},
		{"no status", status(0), "status 0"},
		{"a negative status", status(-101), "status -101"},
		{"HTTP/1.0", version(1, 0), "HTTP/1.1"},
		{"HTTP/0.9", version(0, 9), "HTTP/1.1"},
		{"HTTP/2", version(2, 0), "HTTP/1.1"},
		{"HTTP/3.1", version(3, 1), "HTTP/1.1"},

		{"no Upgrade", saying("Upgrade"), "Upgrade"},
		{"an empty Upgrade", saying("Upgrade", ""), "Upgrade"},
		{"another protocol", saying("Upgrade", "h2c"), "Upgrade"},
		{"a list of protocols", saying("Upgrade", "websocket, h2c"), "Upgrade"},
		{"websocket twice in a list", saying("Upgrade", "websocket, websocket"), "Upgrade"},
		{"websocket on two lines", saying("Upgrade", "websocket", "websocket"), "Upgrade"},
		{"websocket behind an empty line", saying("Upgrade", "", "websocket"), "Upgrade"},
		{"a comma behind websocket", saying("Upgrade", "websocket,"), "Upgrade"},
		{"a version of websocket", saying("Upgrade", "websocket/13"), "Upgrade"},
		{"a longer word", saying("Upgrade", "websockets"), "Upgrade"},
		{"a shorter word", saying("Upgrade", "websocke"), "Upgrade"},
		{"quotes around websocket", saying("Upgrade", `"websocket"`), "Upgrade"},
		{"a Kelvin sign in Upgrade", saying("Upgrade", "websoc\u212aet"), "Upgrade"},
		{"a no-break space in Upgrade", saying("Upgrade", "\u00a0websocket"), "Upgrade"},
		{"NUL behind websocket", saying("Upgrade", "websocket\x00"), "Upgrade"},

		{"no Connection", saying("Connection"), "Connection"},
		{"an empty Connection", saying("Connection", ""), "Connection"},
		{"only keep-alive", saying("Connection", "keep-alive"), "Connection"},
		{"a longer word in Connection", saying("Connection", "upgrades"), "Connection"},
		{"a longer word with a hyphen in Connection", saying("Connection", "no-upgrade"), "Connection"},
		{"a space in place of a comma", saying("Connection", "keep-alive upgrade"), "Connection"},
		{"quotes in Connection", saying("Connection", `"Upgrade"`), "Connection"},
		{"a word over two lines of Connection", saying("Connection", "up", "grade"), "Connection"},
		{"websocket in Connection", saying("Connection", "websocket"), "Connection"},

		{"no Accept", saying("Sec-WebSocket-Accept"), "Accept"},
		{"an empty Accept", saying("Sec-WebSocket-Accept", ""), "Accept"},
		{"the key in Accept", saying("Sec-WebSocket-Accept", sampleKey), "Accept"},
		{"the answer to another key", saying("Sec-WebSocket-Accept", handshake.AcceptKey("AAAAAAAAAAAAAAAAAAAAAA==")), "Accept"},
		{"Accept in another case", saying("Sec-WebSocket-Accept", strings.ToUpper(sampleAccept)), "Accept"},
		{"Accept without its padding", saying("Sec-WebSocket-Accept", strings.TrimRight(sampleAccept, "=")), "Accept"},
		{"Accept in the URL alphabet", saying("Sec-WebSocket-Accept", strings.ReplaceAll(sampleAccept, "+", "-")), "Accept"},
		{"the same Accept on two lines", saying("Sec-WebSocket-Accept", sampleAccept, sampleAccept), "Accept"},
		{"the same Accept in a list", saying("Sec-WebSocket-Accept", sampleAccept+", "+sampleAccept), "Accept"},
		{"a right and a wrong Accept", saying("Sec-WebSocket-Accept", sampleAccept, "x"), "Accept"},
		{"a space in Accept", saying("Sec-WebSocket-Accept", sampleAccept[:10]+" "+sampleAccept[10:]), "Accept"},
		{"a line feed behind Accept", saying("Sec-WebSocket-Accept", sampleAccept+"\n"), "Accept"},

		{"an extension that was not offered", saying("Sec-WebSocket-Extensions", "z"), "not offered"},
		{"one that is only in a quoted value of the offer", saying("Sec-WebSocket-Extensions", "w"), "not offered"},
		{"one that is only a parameter of the offer", saying("Sec-WebSocket-Extensions", "client_max_window_bits"), "not offered"},
		{"one that differs in case", saying("Sec-WebSocket-Extensions", "X"), "not offered"},
		{"one that is longer", saying("Sec-WebSocket-Extensions", "permessage-deflate2"), "not offered"},
		{"one beside another that was offered", saying("Sec-WebSocket-Extensions", "x, z"), "not offered"},
		{"one on the second line", saying("Sec-WebSocket-Extensions", "x", "z"), "not offered"},
		{"extensions that are empty", saying("Sec-WebSocket-Extensions", ""), "malformed"},
		{"extensions that are a comma", saying("Sec-WebSocket-Extensions", ","), "malformed"},
		{"extensions outside the grammar", saying("Sec-WebSocket-Extensions", "x;"), "malformed"},
		{"extensions outside the grammar on the second line", saying("Sec-WebSocket-Extensions", "x", "x;;"), "malformed"},
		{"a quoted value that does not end", saying("Sec-WebSocket-Extensions", `x;a="b`), "malformed"},
		{"a quoted value that is no token", saying("Sec-WebSocket-Extensions", `x;a="b c"`), "malformed"},

		{"a subprotocol that was not offered", saying("Sec-WebSocket-Protocol", "other"), "subprotocol"},
		{"a subprotocol in another case", saying("Sec-WebSocket-Protocol", "Chat"), "subprotocol"},
		{"a longer subprotocol", saying("Sec-WebSocket-Protocol", "chats"), "subprotocol"},
		{"an empty subprotocol", saying("Sec-WebSocket-Protocol", ""), "subprotocol"},
		{"a blank subprotocol", saying("Sec-WebSocket-Protocol", " \t"), "subprotocol"},
		{"a list of subprotocols that were offered", saying("Sec-WebSocket-Protocol", "chat, superchat"), "subprotocol"},
		{"a list of one and an empty element", saying("Sec-WebSocket-Protocol", "chat,"), "subprotocol"},
		{"two lines of subprotocols", saying("Sec-WebSocket-Protocol", "chat", "superchat"), "subprotocol"},
		{"two lines of the same subprotocol", saying("Sec-WebSocket-Protocol", "chat", "chat"), "subprotocol"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := response(test.edit)
			agreed, err := handshake.Verify(r, everything())
			require.Nil(t, agreed)
			require.ErrorContains(t, err, test.want)
			var found *handshake.ResponseError
			require.ErrorAs(t, fmt.Errorf("dial: %w", err), &found)
			require.Equal(t, r.Status, found.Status)
			require.Contains(t, err.Error(), found.Reason)
			require.Regexp(t, `^websocket: handshake failed: [ -~]+$`, err.Error())
		})
	}
}

func TestNothingMayBeChosenFromAnOfferOfNothing(t *testing.T) {
	for _, edit := range []func(*handshake.Response){
		saying("Sec-WebSocket-Protocol", "chat"), saying("Sec-WebSocket-Protocol", ""),
		saying("Sec-WebSocket-Extensions", "permessage-deflate"), saying("Sec-WebSocket-Extensions", ""),
	} {
		_, err := handshake.Verify(response(edit), offer())
		var found *handshake.ResponseError
		require.True(t, errors.As(err, &found))
	}
}

// AppendRequest refuses such an offer; Verify must not take it for an offer of
// anything, nor look for the end of it.
func TestNothingMayBeChosenFromAMalformedOffer(t *testing.T) {
	for _, offered := range []string{"=", "x;", "x;;", ",", "\xff", `x;y="`} {
		_, err := handshake.Verify(response(saying("Sec-WebSocket-Extensions", "x")), offer(offeringExtensions(offered)))
		require.ErrorContains(t, err, "not offered", "%q", offered)
	}
	_, err := handshake.Verify(response(saying("Sec-WebSocket-Protocol", "")), offer(offeringSubprotocols("")))
	require.ErrorContains(t, err, "subprotocol")
}

func TestTheErrorOfAResponseRepeatsNothingTheServerSent(t *testing.T) {
	const mark = "Zq9"
	for _, name := range []string{"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} {
		_, err := handshake.Verify(response(saying(name, mark)), everything())
		require.Error(t, err)
		require.NotContains(t, err.Error(), mark)
	}
}

func TestVerifyLeavesTheResponseAndTheOfferAlone(t *testing.T) {
	make := func() *handshake.Response {
		return response(saying("Connection", "b, Upgrade", "a"), saying("Sec-WebSocket-Extensions", "y, x"), saying("Sec-WebSocket-Protocol", " chat"))
	}
	r, o := make(), everything()
	_, err := handshake.Verify(r, o)
	require.NoError(t, err)
	require.Equal(t, make(), r)
	require.Equal(t, everything(), o)
}

func TestEveryByteAtEveryPlaceOfAccept(t *testing.T) {
	for at := range len(sampleAccept) {
		for c := range 256 {
			accept := sampleAccept[:at] + string([]byte{byte(c)}) + sampleAccept[at+1:]
			_, err := handshake.Verify(response(saying("Sec-WebSocket-Accept", accept)), offer())
			require.Equal(t, accept == sampleAccept, err == nil, "%q", accept)
		}
	}
}

func TestTheClientsHalfAllocatesLittle(t *testing.T) {
	o := offer(offeringSubprotocols("chat", "echo"), offeringField("Origin", "http://server.example.com"))
	buf := make([]byte, 0, 512)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := handshake.AppendRequest(buf, o); err != nil {
			panic(err)
		}
	}), 10.0)
	r := response(saying("Sec-WebSocket-Protocol", "echo"))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := handshake.Verify(r, o); err != nil {
			panic(err)
		}
	}), 3.0)
}
