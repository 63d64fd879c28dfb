package deflate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

const name = deflate.Name

// header reads lines of Sec-WebSocket-Extensions.
func header(t testing.TB, lines ...string) [][]string {
	list, ok := handshake.Extensions(lines)
	require.True(t, ok, "the header breaks the grammar: %q", lines)
	return list
}

// way is a Direction, in short: 15 is a window with takeover, -15 without.
func way(bits int) deflate.Direction {
	if bits < 0 {
		return deflate.Direction{NoTakeover: true, Bits: -bits}
	}
	return deflate.Direction{Bits: bits}
}

func policy(server, client int) *deflate.Policy {
	return &deflate.Policy{Server: way(server), Client: way(client)}
}

func params(server, client int) deflate.Params {
	return deflate.Params{Server: way(server), Client: way(client)}
}

func TestAServerAnswersAnOffer(t *testing.T) {
	for _, c := range []struct {
		policy          *deflate.Policy
		offer, response string
		params          deflate.Params
	}{
		// A policy without wishes.
		{policy(0, 0), "", "", params(15, 15)},
		{policy(15, 15), "", "", params(15, 15)},
		{policy(0, 0), "server_no_context_takeover", "server_no_context_takeover", params(-15, 15)},
		{policy(0, 0), "client_no_context_takeover", "client_no_context_takeover", params(15, -15)},
		{policy(0, 0), "server_max_window_bits=8", "server_max_window_bits=8", params(8, 15)},
		{policy(0, 0), "server_max_window_bits=12", "server_max_window_bits=12", params(12, 15)},
		{policy(0, 0), "server_max_window_bits=15", "server_max_window_bits=15", params(15, 15)},
		{policy(0, 0), "client_max_window_bits", "", params(15, 15)},
		{policy(0, 0), "client_max_window_bits=8", "client_max_window_bits=8", params(15, 8)},
		{policy(0, 0), "client_max_window_bits=15", "client_max_window_bits=15", params(15, 15)},
		{policy(0, 0), "client_max_window_bits=9; server_max_window_bits=10; client_no_context_takeover; server_no_context_takeover",
			"server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9", params(-10, -9)},

		// No takeover.
		{policy(-15, 15), "", "server_no_context_takeover", params(-15, 15)},
		{policy(15, -15), "", "client_no_context_takeover", params(15, -15)},
		{policy(-15, -15), "server_no_context_takeover", "server_no_context_takeover; client_no_context_takeover", params(-15, -15)},

		// What the server sends, which the client need not have asked for.
		{policy(9, 15), "", "server_max_window_bits=9", params(9, 15)},
		{policy(9, 15), "server_max_window_bits=8", "server_max_window_bits=8", params(8, 15)},
		{policy(9, 15), "server_max_window_bits=9", "server_max_window_bits=9", params(9, 15)},
		{policy(9, 15), "server_max_window_bits=10", "server_max_window_bits=9", params(9, 15)},

		// What the client sends, which only the client can let the server choose.
		{policy(15, 9), "", "", params(15, 15)},
		{policy(15, 9), "server_max_window_bits=9", "server_max_window_bits=9", params(9, 15)},
		{policy(15, 9), "client_max_window_bits", "client_max_window_bits=9", params(15, 9)},
		{policy(15, 9), "client_max_window_bits=8", "client_max_window_bits=8", params(15, 8)},
		{policy(15, 9), "client_max_window_bits=10", "client_max_window_bits=9", params(15, 9)},
		{policy(-8, -8), "client_max_window_bits", "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8", params(-8, -8)},
	} {
		offer, response := name, name
		if c.offer != "" {
			offer += "; " + c.offer
		}
		if c.response != "" {
			response += "; " + c.response
		}
		t.Run(offer, func(t *testing.T) {
			got, answer, ok := c.policy.Accept(header(t, offer))
			require.True(t, ok)
			require.Equal(t, response, answer)
			require.Equal(t, c.params, got)
		})
	}
}

// invalid are parameters that neither an offer nor a response may have.
var invalid = []string{
	"server_max_window_bits",
	"server_max_window_bits=",
	"server_max_window_bits=0",
	"server_max_window_bits=7",
	"server_max_window_bits=16",
	"server_max_window_bits=08",
	"server_max_window_bits=010",
	"server_max_window_bits=+8",
	"server_max_window_bits=-8",
	"server_max_window_bits= 8",
	"server_max_window_bits=8 ",
	"server_max_window_bits=8.0",
	"server_max_window_bits=0x8",
	"server_max_window_bits=1e1",
	"server_max_window_bits=8=8",
	"server_max_window_bits=\"8\"",
	"server_max_window_bits=\u0668",
	"server_max_window_bits=true",
	"server_max_window_bits=18446744073709551624",
	"server_max_window_bits=" + strings.Repeat("1", 100_000),
	"client_max_window_bits=",
	"client_max_window_bits=0",
	"client_max_window_bits=7",
	"client_max_window_bits=16",
	"client_max_window_bits=08",
	"client_max_window_bits=+8",
	"client_max_window_bits=4294967304",
	"server_no_context_takeover=",
	"server_no_context_takeover=true",
	"server_no_context_takeover=15",
	"client_no_context_takeover=",
	"client_no_context_takeover=1",
	"Server_No_Context_Takeover",
	"SERVER_MAX_WINDOW_BITS=10",
	"client_max_window_bits_=10",
	"max_window_bits=10",
	"mux",
	"",
	"=",
	"=8",
	strings.Repeat("x", 100_000),
}

// known are parameters that both may have.
var known = []string{"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits=10", "client_max_window_bits=10"}

func short(s string) string { return s[:min(len(s), 50)] }

func TestAServerDeclinesAnInvalidOffer(t *testing.T) {
	decline := func(t *testing.T, offer ...string) {
		got, response, ok := policy(0, 0).Accept([][]string{append([]string{name}, offer...)})
		require.False(t, ok)
		require.Empty(t, response)
		require.Zero(t, got)
		// The next one is taken.
		_, response, ok = policy(0, 0).Accept([][]string{append([]string{name}, offer...), {name}})
		require.True(t, ok)
		require.Equal(t, name, response)
	}
	for _, param := range invalid {
		t.Run(short(param), func(t *testing.T) {
			decline(t, param)
			for i := range known {
				if !strings.HasPrefix(known[i], strings.TrimRight(param, "=0123456789")) {
					decline(t, known[i], param)
					decline(t, param, known[i])
				}
			}
		})
	}
	for _, param := range append(known, "client_max_window_bits") {
		t.Run("twice "+param, func(t *testing.T) {
			decline(t, param, param)
			decline(t, param, "server_no_context_takeover", "client_no_context_takeover", param)
		})
	}
	t.Run("twice, with different values", func(t *testing.T) {
		decline(t, "server_max_window_bits=10", "server_max_window_bits=11")
		decline(t, "client_max_window_bits", "client_max_window_bits=11")
		decline(t, "client_max_window_bits=11", "client_max_window_bits")
	})
}

func TestTheFirstOfferThatCanBeAcceptedIs(t *testing.T) {
	for lines, want := range map[string]string{
		"":  "-",
		",": "-",
		"x-permessage-deflate, permessage-bzip2, mux; max-channels=4":          "-",
		"x-webkit-deflate-frame, x-permessage-deflate; client_max_window_bits": "-",
		"Permessage-Deflate":                                                "-",
		"PERMESSAGE-DEFLATE":                                                "-",
		"permessage-deflate-":                                               "-",
		"permessage-deflate; mux":                                           "-",
		"permessage-deflate; mux, permessage-deflate":                       "",
		"mux, permessage-deflate":                                           "",
		"x-permessage-deflate, permessage-deflate":                          "",
		"permessage-deflate, permessage-deflate":                            "",
		"mux; permessage-deflate":                                           "-",
		"mux; a=b;c,permessage-deflate;\tserver_no_context_takeover\t,mux":  "; server_no_context_takeover",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": "; server_max_window_bits=10",
		"permessage-deflate, permessage-deflate; server_max_window_bits=10": "",
		"permessage-deflate; server_max_window_bits=16, permessage-deflate; client_max_window_bits=8":                    "; client_max_window_bits=8",
		"permessage-deflate; server_max_window_bits, mux, permessage-deflate; x=y\nbzip2, permessage-deflate":            "",
		"permessage-deflate; x\npermessage-deflate; y\npermessage-deflate; server_max_window_bits=9\n" + name:            "; server_max_window_bits=9",
		"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10, " + name + "; client_max_window_bits": "",
		// "value" may be quoted: RFC 6455 §9.1.
		`permessage-deflate; server_max_window_bits="10"`:                                  "; server_max_window_bits=10",
		`permessage-deflate; server_max_window_bits = "\1\0" ; client_max_window_bits="8"`: "; server_max_window_bits=10; client_max_window_bits=8",
		`permessage-deflate; server_max_window_bits="16"`:                                  "-",
		`permessage-deflate; server_max_window_bits="010"`:                                 "-",
		`permessage-deflate; server_no_context_takeover="true"`:                            "-",
	} {
		t.Run(lines, func(t *testing.T) {
			var list [][]string
			if strings.Trim(lines, ",") != "" {
				list = header(t, strings.Split(lines, "\n")...)
			}
			got, response, ok := policy(0, 0).Accept(list)
			require.Equal(t, want != "-", ok)
			if ok {
				require.Equal(t, name+want, response)
			} else {
				require.Empty(t, response)
				require.Zero(t, got)
			}
		})
	}
	t.Run("what has no name", func(t *testing.T) {
		_, _, ok := policy(0, 0).Accept([][]string{nil, {}, {""}})
		require.False(t, ok)
		_, _, ok = policy(0, 0).Accept([][]string{nil, {name}})
		require.True(t, ok)
	})
}

func TestAClientOffersWhatItWants(t *testing.T) {
	for _, c := range []struct {
		policy *deflate.Policy
		want   string
	}{
		{&deflate.Policy{}, "; client_max_window_bits"},
		{policy(15, 15), "; client_max_window_bits"},
		{policy(-15, 15), "; server_no_context_takeover; client_max_window_bits"},
		{policy(15, -15), "; client_no_context_takeover; client_max_window_bits"},
		{policy(8, 15), "; server_max_window_bits=8; client_max_window_bits"},
		{policy(15, 8), "; client_max_window_bits=8"},
		{policy(-14, -9), "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=14; client_max_window_bits=9"},
	} {
		require.Equal(t, name+c.want, c.policy.Offer())
	}
}

func TestAClientConfirmsAResponse(t *testing.T) {
	no := deflate.Params{}
	for _, c := range []struct {
		name     string
		policy   *deflate.Policy
		response string
		params   deflate.Params // none: fails the connection
	}{
		{"nothing to say", policy(0, 0), "", params(15, 15)},
		{"all that an offer need not have", policy(0, 0), "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10", params(-9, -10)},
		{"another order", policy(0, 0), "; client_max_window_bits=10; server_max_window_bits=9; server_no_context_takeover", params(-9, 10)},
		{"quoted", policy(0, 0), `; client_max_window_bits="10"`, params(15, 10)},
		{"the largest", policy(0, 0), "; client_max_window_bits=15; server_max_window_bits=15", params(15, 15)},

		{"no answer to server_no_context_takeover", policy(-15, 15), "", no},
		{"an answer to something else", policy(-15, 15), "; client_no_context_takeover", no},
		{"server_no_context_takeover", policy(-15, 15), "; server_no_context_takeover", params(-15, 15)},

		{"no answer to client_no_context_takeover, a hint", policy(15, -15), "", params(15, -15)},
		{"client_no_context_takeover", policy(15, -15), "; client_no_context_takeover", params(15, -15)},

		{"no answer to server_max_window_bits", policy(10, 15), "", no},
		{"a larger window than offered", policy(10, 15), "; server_max_window_bits=11", no},
		{"the window that was offered", policy(10, 15), "; server_max_window_bits=10", params(10, 15)},
		{"a smaller one", policy(10, 15), "; server_max_window_bits=8", params(8, 15)},

		{"no answer to client_max_window_bits, a hint", policy(15, 10), "", params(15, 10)},
		{"a larger window of the client than offered", policy(15, 10), "; client_max_window_bits=11", no},
		{"the client's window that was offered", policy(15, 10), "; client_max_window_bits=10", params(15, 10)},
		{"a smaller one of the client", policy(15, 10), "; client_max_window_bits=8", params(15, 8)},
		{"client_max_window_bits without a value", policy(15, 15), "; client_max_window_bits", no},

		{"twice the extension", policy(0, 0), ", permessage-deflate", no},
		{"twice the extension, on two lines", policy(0, 0), "\npermessage-deflate", no},
		{"twice, the first invalid", policy(0, 0), "; mux, permessage-deflate", no},
		{"twice, the second invalid", policy(0, 0), ", permessage-deflate; mux", no},
		{"twice, around another", policy(0, 0), "; client_max_window_bits=9, mux, permessage-deflate; client_max_window_bits=9", no},
		{"another extension beside it, which is not for this package to judge", policy(0, 0), ", mux", params(15, 15)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok, err := c.policy.Confirm(header(t, strings.Split(name+c.response, "\n")...))
			require.Equal(t, c.params, got)
			if c.params == no {
				require.ErrorIs(t, err, deflate.ErrResponse)
				require.False(t, ok)
				return
			}
			require.NoError(t, err)
			require.True(t, ok)
		})
	}
}

func TestAClientFailsOnAnInvalidResponse(t *testing.T) {
	fail := func(t *testing.T, response ...string) {
		for _, p := range []*deflate.Policy{policy(0, 0), policy(-8, -8)} {
			got, ok, err := p.Confirm([][]string{append([]string{name}, response...)})
			require.ErrorIs(t, err, deflate.ErrResponse)
			require.False(t, ok)
			require.Zero(t, got)
		}
	}
	for _, param := range append(invalid, "client_max_window_bits") {
		t.Run(short(param), func(t *testing.T) {
			fail(t, param)
			fail(t, "server_no_context_takeover", "server_max_window_bits=8", param)
			fail(t, param, "server_no_context_takeover", "server_max_window_bits=8")
		})
	}
	for _, param := range known {
		t.Run("twice "+param, func(t *testing.T) { fail(t, param, param) })
	}
}

func TestWithoutTheExtensionThereIsNone(t *testing.T) {
	for _, response := range [][][]string{nil, {}, {nil}, {{"mux"}}, {{"x-permessage-deflate"}}, {{"Permessage-Deflate"}}} {
		got, ok, err := policy(-8, -8).Confirm(response)
		require.NoError(t, err)
		require.False(t, ok)
		require.Zero(t, got)
	}
}

func TestAPolicyIsChecked(t *testing.T) {
	for bits := -3; bits <= 20; bits++ {
		valid := bits == 0 || bits >= 8 && bits <= 15
		for _, p := range []deflate.Policy{{Server: deflate.Direction{Bits: bits}}, {Client: deflate.Direction{NoTakeover: true, Bits: bits}}} {
			if valid {
				require.NoError(t, p.Check(), bits)
			} else {
				require.Error(t, p.Check(), bits)
			}
		}
	}
}
