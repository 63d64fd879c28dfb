package catalogue

import (
	"strconv"
	"strings"
)

// Subprotocols is what a server speaks, in its order of preference.
var Subprotocols = []string{"beat.v2", "beat.v1"}

// WrongOrigin is of a page that no server here knows.
const WrongOrigin = "http://elsewhere.example"

// mixed is 10 bytes: characters of one to four.
const mixed = "aé世🎉"

// Cases returns all cases; origin is that of a page of the server itself. A
// peer runs them in this order, so the one that may end it comes last.
func Cases(origin string) []Case {
	cases := []Case{
		{Name: "text", Verb: Echo, Text: "Grüße, 世界 🎉", Repeat: 1},
		{Name: "binary", Verb: Echo, Size: 256},
		{Name: "empty text", Verb: Echo, Repeat: 1},
		{Name: "empty binary", Verb: Echo},
		{Name: "125 bytes", Verb: Echo, Size: 125},
		{Name: "126 bytes", Verb: Echo, Size: 126},
		{Name: "65,535 bytes", Verb: Echo, Size: 65535},
		{Name: "65,536 bytes", Verb: Echo, Size: 65536},
		{Name: "1 MiB", Verb: Echo, Size: 1 << 20},
		{Name: "1 MiB of text", Verb: Echo, Text: "0123456789abcdé", Repeat: 1 << 16},
		{Name: "a hundred messages at once", Verb: Burst, Count: 100},
		// Within é and 🎉, and late enough for those that cut at 128 KiB.
		{Name: "fragments to the server", Verb: Fragments, Text: mixed, Repeat: 30_000, Splits: []int{100_002, 100_002, 200_008}},
		{Name: "fragments to the client", Verb: Reassemble, Text: mixed, Repeat: 40_000},
		{Name: "ping to the server", Verb: Ping, Text: "größer", Count: 1},
		{Name: "ten pings to the server", Verb: Ping, Text: strings.Repeat("p", 120), Count: 10},
		{Name: "ping to the client", Verb: Pinged, Count: 1},
		{Name: "ten pings to the client", Verb: Pinged, Count: 10},
	}
	for _, end := range []struct {
		code   int
		reason string
	}{{1000, "done"}, {1001, "going"}, {3000, "a framework's"}, {4999, "Tschüß, 再见 👋"}, {0, ""}} {
		cases = append(cases, Case{Name: "client closes with " + codeName(end.code), Verb: Close, Code: end.code, Reason: end.reason})
	}
	for _, end := range []struct {
		code   int
		reason string
	}{{1000, "done"}, {1001, "restarting"}, {1008, "not like this"}, {1011, ""}, {4000, strings.Repeat("再见 ", 17) + "👋"}, {0, ""}} {
		cases = append(cases, Case{Name: "server closes with " + codeName(end.code), Verb: Closed, Code: end.code, Reason: end.reason})
	}
	return append(cases,
		Case{Name: "subprotocol", Verb: Subprotocol, Offer: []string{"beat.v1", "beat.v2"}, Agreed: "beat.v2"},
		Case{Name: "no subprotocol", Verb: Subprotocol},
		Case{Name: "no subprotocol in common", Verb: Subprotocol, Offer: []string{"waltz"}},
		Case{Name: "own origin", Verb: Echo, Text: "same origin", Repeat: 1, Origin: origin},
		Case{Name: "wrong origin", Verb: Refused, Origin: WrongOrigin},
		Case{Name: "server vanishes", Verb: Lost},
		Case{Name: "client vanishes", Verb: Vanish},
	)
}

func codeName(code int) string {
	if code == 0 {
		return "no code"
	}
	return itoa(code)
}

func itoa(n int) string { return strconv.Itoa(n) }
