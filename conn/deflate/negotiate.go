package deflate

import (
	"errors"
	"strconv"
	"strings"
)

// Name is what the extension is called in Sec-WebSocket-Extensions.
const Name = "permessage-deflate"

// The parameters of RFC 7692 §7.1.
const (
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverBits       = "server_max_window_bits"
	clientBits       = "client_max_window_bits"
)

const (
	minBits = 8
	maxBits = 15
)

// Direction is how the messages of one end are compressed.
type Direction struct {
	// NoTakeover: each message is compressed on its own. Otherwise it may refer
	// to those before it.
	NoTakeover bool
	// Bits is the base-2 logarithm of how far back a message refers, 8 to 15;
	// 0 stands for 15.
	Bits int
}

// Params is what both ends have agreed on.
type Params struct {
	Server, Client Direction // what each sends
}

// Policy is what one end wants.
type Policy struct {
	Server, Client Direction
}

// Check reports bits that cannot be.
func (p *Policy) Check() error {
	for _, bits := range []int{p.Server.Bits, p.Client.Bits} {
		if bits != 0 && (bits < minBits || bits > maxBits) {
			return errors.New("deflate: window bits of " + strconv.Itoa(bits) + ": RFC 7692 has 8 to 15")
		}
	}
	return nil
}

func orMax(bits int) int {
	if bits == 0 {
		return maxBits
	}
	return bits
}

// Accept picks the first offer that a server can accept and returns what to
// answer. The offers are the extensions that a client offered: each its name
// and its parameters, as "name" or "name=value". ok is false if the extension
// is not to be used.
func (p *Policy) Accept(offers [][]string) (params Params, response string, ok bool) {
	for _, offer := range offers {
		if len(offer) == 0 || offer[0] != Name {
			continue
		}
		// "A server MUST decline an extension negotiation offer for this
		// extension if any of the following conditions are met": an unknown
		// parameter, an invalid value, several of the same name. RFC 7692 §7
		if asked, valid := parse(offer[1:], true); valid {
			params, response = p.accept(asked)
			return params, response, true
		}
	}
	return Params{}, "", false
}

func (p *Policy) accept(asked parameters) (params Params, response string) {
	var b strings.Builder
	b.WriteString(Name)
	params.Server = Direction{asked.serverNoTakeover || p.Server.NoTakeover, orMax(p.Server.Bits)}
	params.Client = Direction{asked.clientNoTakeover || p.Client.NoTakeover, maxBits}
	if params.Server.NoTakeover {
		b.WriteString("; " + serverNoTakeover)
	}
	if params.Client.NoTakeover {
		b.WriteString("; " + clientNoTakeover)
	}
	// "A server accepts an extension negotiation offer with this parameter by
	// including the "server_max_window_bits" extension parameter in the
	// extension negotiation response to send back to the client with the same
	// or smaller value as the offer." §7.1.2.1
	if asked.serverBits != 0 {
		params.Server.Bits = min(params.Server.Bits, asked.serverBits)
	}
	if asked.serverBits != 0 || params.Server.Bits < maxBits {
		b.WriteString("; " + serverBits + "=" + strconv.Itoa(params.Server.Bits))
	}
	// "If a received extension negotiation offer doesn't have the
	// "client_max_window_bits" extension parameter, the corresponding extension
	// negotiation response to the offer MUST NOT include the
	// "client_max_window_bits" extension parameter." §7.1.2.2
	if asked.hasClientBits {
		params.Client.Bits = orMax(p.Client.Bits)
		if asked.clientBits != 0 {
			params.Client.Bits = min(params.Client.Bits, asked.clientBits)
		}
		if asked.clientBits != 0 || params.Client.Bits < maxBits {
			b.WriteString("; " + clientBits + "=" + strconv.Itoa(params.Client.Bits))
		}
	}
	return params, b.String()
}

// Offer returns what a client offers: a value of Sec-WebSocket-Extensions.
func (p *Policy) Offer() string {
	var b strings.Builder
	b.WriteString(Name)
	if p.Server.NoTakeover {
		b.WriteString("; " + serverNoTakeover)
	}
	if p.Client.NoTakeover {
		b.WriteString("; " + clientNoTakeover)
	}
	if bits := orMax(p.Server.Bits); bits < maxBits {
		b.WriteString("; " + serverBits + "=" + strconv.Itoa(bits))
	}
	b.WriteString("; " + clientBits)
	if bits := orMax(p.Client.Bits); bits < maxBits {
		b.WriteString("=" + strconv.Itoa(bits))
	}
	return b.String()
}

// ErrResponse is for a response that does not answer the offer: "the client
// MUST _Fail the WebSocket Connection_". RFC 7692 §7
var ErrResponse = errors.New("deflate: the server's permessage-deflate does not answer the offer")

// Confirm takes the extensions of a server's response to Offer. ok is false if
// the server does not use this one.
func (p *Policy) Confirm(response [][]string) (params Params, ok bool, err error) {
	for _, extension := range response {
		if len(extension) == 0 || extension[0] != Name {
			continue
		}
		if ok {
			return Params{}, false, ErrResponse // twice
		}
		got, valid := parse(extension[1:], false)
		if !valid || got.serverBits > orMax(p.Server.Bits) || got.clientBits > orMax(p.Client.Bits) {
			return Params{}, false, ErrResponse
		}
		// "If a client's offer includes server_no_context_takeover, the server
		// accepts it by including it as well." §7.1.1.1, and the same of
		// server_max_window_bits, §7.1.2.1
		if p.Server.NoTakeover && !got.serverNoTakeover || orMax(p.Server.Bits) < maxBits && got.serverBits == 0 {
			return Params{}, false, ErrResponse
		}
		params.Server = Direction{got.serverNoTakeover, orMax(got.serverBits)}
		params.Client = Direction{got.clientNoTakeover || p.Client.NoTakeover, min(orMax(got.clientBits), orMax(p.Client.Bits))}
		ok = true
	}
	return params, ok, nil
}

// parameters of one offer or response; bits are 0 where there is no value.
type parameters struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
	hasClientBits                      bool
}

// parse reads parameters. In an offer client_max_window_bits may go without a
// value.
func parse(list []string, offer bool) (p parameters, valid bool) {
	seen := make(map[string]bool, 4)
	for _, param := range list {
		name, value, valued := strings.Cut(param, "=")
		if seen[name] {
			return p, false
		}
		seen[name] = true
		switch name {
		case serverNoTakeover:
			p.serverNoTakeover = true
		case clientNoTakeover:
			p.clientNoTakeover = true
		case serverBits:
			if p.serverBits = windowBits(value); p.serverBits == 0 {
				return p, false
			}
			continue
		case clientBits:
			p.hasClientBits = true
			p.clientBits = windowBits(value)
			if p.clientBits == 0 && (valued || !offer) {
				return p, false
			}
			continue
		default:
			return p, false
		}
		if valued {
			return p, false
		}
	}
	return p, true
}

// windowBits reads "a decimal integer value without leading zeroes between 8 to
// 15, inclusive", and returns 0 for anything else.
func windowBits(s string) int {
	for bits := minBits; bits <= maxBits; bits++ {
		if s == strconv.Itoa(bits) {
			return bits
		}
	}
	return 0
}
