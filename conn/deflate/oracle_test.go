package deflate_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// These tests hold negotiation against the sentences of RFC 7692 §7.1 one by
// one, for all there is to say.

// "a decimal integer value without leading zeroes between 8 to 15, inclusive".
var windowBits = regexp.MustCompile(`^(8|9|1[0-5])$`)

// said is what an offer or a response says; nil if it is not valid.
type said map[string]string

func read(params []string, offer bool) said {
	s := said{}
	for _, param := range params {
		key, value, valued := strings.Cut(param, "=")
		if _, twice := s[key]; twice {
			return nil
		}
		s[key] = value
		fine := false
		switch key {
		case "server_no_context_takeover", "client_no_context_takeover":
			fine = !valued
		case "server_max_window_bits":
			fine = windowBits.MatchString(value)
		case "client_max_window_bits":
			fine = windowBits.MatchString(value) || offer && !valued
		}
		if !fine {
			return nil
		}
	}
	return s
}

func (s said) has(key string) bool { _, ok := s[key]; return ok }

// bits is the window that a parameter limits.
func (s said) bits(key string) (bits int) {
	if _, err := fmt.Sscan(s[key], &bits); err != nil {
		return 15
	}
	return bits
}

// wants is the window of a policy.
func wants(d deflate.Direction) int {
	if d.Bits == 0 {
		return 15
	}
	return d.Bits
}

// judge holds the answer of a server against an offer and its own policy.
func judge(t testing.TB, p *deflate.Policy, offer said, response string, got deflate.Params) {
	t.Helper()
	list, ok := handshake.Extensions([]string{response})
	require.True(t, ok && len(list) == 1 && list[0][0] == "permessage-deflate", response)
	answer := read(list[0][1:], false)
	require.NotNil(t, answer, response)

	// §7.1.1.1: "A server accepts an extension negotiation offer that includes
	// the "server_no_context_takeover" extension parameter by including the
	// "server_no_context_takeover" extension parameter in the corresponding
	// extension negotiation response". It may do so without, if it wants.
	require.Equal(t, offer.has("server_no_context_takeover") || p.Server.NoTakeover, answer.has("server_no_context_takeover"), response)
	// §7.1.1.2: it may include "client_no_context_takeover" in any response; in
	// one to an offer with it, both save memory.
	require.Equal(t, offer.has("client_no_context_takeover") || p.Client.NoTakeover, answer.has("client_no_context_takeover"), response)
	// §7.1.2.1: "with the same or smaller value as the offer", and in any
	// response, if it wants.
	require.LessOrEqual(t, answer.bits("server_max_window_bits"), offer.bits("server_max_window_bits"), response)
	if offer.has("server_max_window_bits") {
		require.True(t, answer.has("server_max_window_bits"), response)
	}
	require.Equal(t, min(wants(p.Server), offer.bits("server_max_window_bits")), answer.bits("server_max_window_bits"), response)
	// §7.1.2.2: only in a response to an offer with it, and not above its value.
	if offer.has("client_max_window_bits") {
		require.Equal(t, min(wants(p.Client), offer.bits("client_max_window_bits")), answer.bits("client_max_window_bits"), response)
	} else {
		require.False(t, answer.has("client_max_window_bits"), response)
	}

	require.Equal(t, meaning(answer), got, response)
}

// meaning is what a response makes both ends do.
func meaning(answer said) deflate.Params {
	return deflate.Params{
		Server: deflate.Direction{NoTakeover: answer.has("server_no_context_takeover"), Bits: answer.bits("server_max_window_bits")},
		Client: deflate.Direction{NoTakeover: answer.has("client_no_context_takeover"), Bits: answer.bits("client_max_window_bits")},
	}
}

// confirmable tells whether a response answers the offer of a client.
func confirmable(p *deflate.Policy, answer said) bool {
	switch {
	case answer == nil:
		return false
	case p.Server.NoTakeover && !answer.has("server_no_context_takeover"):
		return false
	case wants(p.Server) < 15 && !answer.has("server_max_window_bits"):
		return false
	}
	return answer.bits("server_max_window_bits") <= wants(p.Server) &&
		(!answer.has("client_max_window_bits") || answer.bits("client_max_window_bits") <= wants(p.Client))
}

// understood is what a client makes of a response: it also keeps to what it has
// offered as hints.
func understood(p *deflate.Policy, answer said) deflate.Params {
	want := meaning(answer)
	want.Client.NoTakeover = want.Client.NoTakeover || p.Client.NoTakeover
	want.Client.Bits = min(want.Client.Bits, wants(p.Client))
	return want
}

// all are the combinations of one of each group; "" stands for none.
func all(groups ...[]string) (lists [][]string) {
	lists = [][]string{nil}
	for _, group := range groups {
		var longer [][]string
		for _, list := range lists {
			for _, s := range group {
				if s == "" {
					longer = append(longer, list)
				} else {
					longer = append(longer, append(list[:len(list):len(list)], s))
				}
			}
		}
		lists = longer
	}
	return lists
}

func values(key string, bits ...string) []string {
	list := []string{"", key}
	for _, v := range bits {
		list = append(list, key+"="+v)
	}
	return list
}

// sayings are all lists of parameters, with values as given.
func sayings(bits ...string) [][]string {
	return all([]string{"", "server_no_context_takeover"}, []string{"", "client_no_context_takeover"},
		values("server_max_window_bits", bits...), values("client_max_window_bits", bits...))
}

func policies() (list []*deflate.Policy) {
	var ways []deflate.Direction
	for _, bits := range []int{0, 8, 9, 10, 11, 12, 13, 14, 15} {
		ways = append(ways, deflate.Direction{Bits: bits}, deflate.Direction{Bits: bits, NoTakeover: true})
	}
	for _, server := range ways {
		for _, client := range ways {
			list = append(list, &deflate.Policy{Server: server, Client: client})
		}
	}
	return list
}

func TestEachOfferAndEachPolicyAgreeByTheBook(t *testing.T) {
	offers := sayings("7", "8", "9", "10", "11", "12", "13", "14", "15", "16")
	accepted := 0
	for i, offered := range offers {
		valid := read(offered, true)
		for j, p := range policies() {
			if (raceEnabled || testing.Short()) && (i+j)%7 != 0 {
				continue
			}
			got, response, ok := p.Accept([][]string{{"mux"}, append([]string{name}, offered...)})
			if ok != (valid != nil) {
				require.Failf(t, "accepted or declined", "%v by %+v", offered, p)
			}
			if ok && (i*7+j)%5 == 0 { // the judge is slow
				judge(t, p, valid, response, got)
				accepted++
			}
		}
	}
	require.Greater(t, accepted, 1000)
}

func TestEachResponseIsConfirmedByTheBook(t *testing.T) {
	answers := sayings("7", "8", "9", "10", "14", "15", "16")
	for i, answered := range answers {
		valid := read(answered, false)
		for j, p := range policies() {
			if (raceEnabled || testing.Short()) && (i+j)%7 != 0 {
				continue
			}
			got, ok, err := p.Confirm([][]string{append([]string{name}, answered...)})
			if !confirmable(p, valid) {
				if err != deflate.ErrResponse || ok || got != (deflate.Params{}) {
					require.Failf(t, "confirmed", "%v by %+v", answered, p)
				}
				continue
			}
			if err != nil || !ok || got != understood(p, valid) {
				require.Failf(t, "not confirmed", "%v by %+v: %+v, %v", answered, p, got, err)
			}
		}
	}
}

// honours tells whether what is sent keeps to what one end wants of it.
func honours(d, want deflate.Direction) bool {
	return d.Bits >= 8 && d.Bits <= wants(want) && (d.NoTakeover || !want.NoTakeover)
}

func TestOurClientAndOurServerAlwaysAgree(t *testing.T) {
	list := policies()
	for i, client := range list {
		offer := client.Offer()
		offered := header(t, offer)
		require.NotNil(t, read(offered[0][1:], true), offer)
		for j, server := range list {
			if (raceEnabled || testing.Short()) && (i+j)%7 != 0 {
				continue
			}
			atServer, response, ok := server.Accept(offered)
			answered, grammatical := handshake.Extensions([]string{response})
			atClient, used, err := client.Confirm(answered)
			switch {
			case !ok || !grammatical || err != nil || !used:
				require.Failf(t, "no agreement", "%q, %q: %v", offer, response, err)
			case atServer != atClient:
				require.Failf(t, "different minds", "%q, %q: %+v, %+v", offer, response, atServer, atClient)
			}
			for _, want := range []*deflate.Policy{client, server} {
				if !honours(atClient.Server, want.Server) || !honours(atClient.Client, want.Client) {
					require.Failf(t, "not what is wanted", "%q, %q: %+v of %+v", offer, response, atClient, want)
				}
			}
			// And no more than that.
			least := deflate.Params{
				Server: deflate.Direction{NoTakeover: client.Server.NoTakeover || server.Server.NoTakeover, Bits: min(wants(client.Server), wants(server.Server))},
				Client: deflate.Direction{NoTakeover: client.Client.NoTakeover || server.Client.NoTakeover, Bits: min(wants(client.Client), wants(server.Client))},
			}
			if atClient != least {
				require.Failf(t, "less than there could be", "%q, %q: %+v", offer, response, atClient)
			}
		}
	}
}
