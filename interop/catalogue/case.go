// Package catalogue says what wirebeat and a foreign peer do with each other,
// whichever of them is the client. The peers get it as JSON, so that they only
// know how to do a few things and nothing of the cases.
package catalogue

import (
	"bytes"
	"net/url"
	"strings"
)

// Verb is what the client does in a case. A client that is asked to send
// something ends by closing with 1000 and waiting for the answer; an echo of no
// particular payload is that of the text Hello.
type Verb string

const (
	// Echo sends the payload and gets it back.
	Echo Verb = "echo"
	// Burst sends Count text messages "message 0", … without waiting, and gets
	// them back in order.
	Burst Verb = "burst"
	// Fragments sends the payload in fragments, cut at Splits if the peer may
	// choose where, and gets it back.
	Fragments Verb = "fragments"
	// Reassemble sends the payload and gets it back in fragments.
	Reassemble Verb = "reassemble"
	// Ping sends Count pings at once, with the payload Text and a number from 0
	// on behind it, gets the same pongs, and an echo after that.
	Ping Verb = "ping"
	// Pinged is pinged Count times and then gets the text "pinged".
	Pinged Verb = "pinged"
	// Close gets an echo and closes with Code and Reason, and is answered with
	// Code. Code 0 is a Close frame without one, which is told as 1005.
	Close Verb = "close"
	// Closed is closed with Code and Reason by the server.
	Closed Verb = "closed"
	// Vanish gets an echo and ends without a Close frame.
	Vanish Verb = "vanish"
	// Lost sees the server end without a Close frame: 1006.
	Lost Verb = "lost"
	// Subprotocol offers Offer, sees Agreed chosen, and gets an echo. A client
	// that insists on one may refuse the connection if Agreed is empty.
	Subprotocol Verb = "subprotocol"
	// Refused is answered with 403 because of its Origin.
	Refused Verb = "refused"
)

// Hello is the text of an echo that is not what a case is about.
const Hello = "hello"

// NoStatus is how a Close frame without a code is told.
const NoStatus = 1005

// Case is one thing to do, on a connection of its own.
type Case struct {
	Name string `json:"case"`
	Verb Verb   `json:"verb"`
	// URL is where to connect; the catalogue leaves it to whoever uses it.
	URL string `json:"url"`

	// The payload: Text as often as Repeat says, or, if that is 0, Size bytes
	// that count up to 250 and begin again.
	Text   string `json:"text"`
	Repeat int    `json:"repeat"`
	Size   int    `json:"size"`
	Splits []int  `json:"splits"` // in bytes

	Count  int      `json:"count"`
	Code   int      `json:"code"`
	Reason string   `json:"reason"`
	Offer  []string `json:"offer"`
	Agreed string   `json:"agreed"`
	Origin string   `json:"origin"` // sent unless empty
}

// IsText reports whether the payload is text.
func (c *Case) IsText() bool { return c.Repeat > 0 }

// Payload returns what is sent.
func (c *Case) Payload() []byte {
	if c.IsText() {
		return bytes.Repeat([]byte(c.Text), c.Repeat)
	}
	b := make([]byte, c.Size)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// Parts returns the payload cut at Splits.
func (c *Case) Parts() (parts [][]byte) {
	payload, from := c.Payload(), 0
	for _, to := range append(c.Splits[:len(c.Splits):len(c.Splits)], len(payload)) {
		parts = append(parts, payload[from:to])
		from = to
	}
	return parts
}

// Target is the path and query of the case at a server, which finds in it all
// that it has to know.
func (c *Case) Target() string {
	query := url.Values{"case": {c.Name}}
	path := "/echo"
	switch c.Verb {
	case Reassemble:
		path = "/fragmented"
	case Pinged:
		path = "/ping"
		query.Set("count", itoa(c.Count))
	case Closed:
		path = "/close"
		query.Set("code", itoa(c.Told()))
		query.Set("reason", c.Reason)
	case Lost:
		path = "/abort"
	}
	// Not every peer takes a plus for a space.
	return path + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// Told is the code that an end is told that was closed with Code.
func (c *Case) Told() int {
	if c.Code == 0 {
		return NoStatus
	}
	return c.Code
}
