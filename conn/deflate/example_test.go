package deflate_test

import (
	"fmt"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// A client that wants to keep little makes the server's windows small; the
// server does the same for its own part.
func ExamplePolicy() {
	client := deflate.Policy{Server: deflate.Direction{Bits: 11}}
	server := deflate.Policy{Client: deflate.Direction{NoTakeover: true}}

	offer := client.Offer()
	fmt.Println("C:", offer)

	offers, _ := handshake.Extensions([]string{offer})
	params, response, ok := server.Accept(offers)
	fmt.Println("S:", response, ok)

	answer, _ := handshake.Extensions([]string{response})
	confirmed, ok, err := client.Confirm(answer)
	fmt.Println(confirmed == params, ok, err)
	fmt.Printf("%+v\n", params)
	// Output:
	// C: permessage-deflate; server_max_window_bits=11; client_max_window_bits
	// S: permessage-deflate; client_no_context_takeover; server_max_window_bits=11 true
	// true true <nil>
	// {Server:{NoTakeover:false Bits:11} Client:{NoTakeover:true Bits:15}}
}

// fresh is a Pool that has nothing and keeps nothing.
type fresh struct{}

func (fresh) GetWriter(bits, level int) *deflate.Writer { return nil }
func (fresh) PutWriter(*deflate.Writer)                 {}
func (fresh) GetReader() *deflate.Reader                { return nil }
func (fresh) PutReader(*deflate.Reader)                 {}

// text is an Output for messages of up to 100 bytes.
type text struct {
	b    [100]byte
	have int
}

func (t *text) Bytes() []byte { return t.b[:t.have] }

func (t *text) Room() ([]byte, error) {
	if t.have == len(t.b) {
		return nil, fmt.Errorf("more than %d bytes", len(t.b))
	}
	return t.b[t.have:], nil
}

func (t *text) Add(n int) error {
	t.have += n
	return nil
}

// The second message says no more than that it is the first.
func ExampleSender() {
	sender := deflate.NewSender(deflate.Direction{Bits: 15}, 9, fresh{})
	receiver := deflate.NewReceiver(deflate.Direction{Bits: 15}, fresh{})
	for range 2 {
		message := sender.Append(nil, []byte("a message, to be sent more than once"), true)
		var t text
		err := receiver.Inflate(message, &t)
		fmt.Println(len(message), string(t.Bytes()), err)
	}
	sender.Rest()
	// Output:
	// 38 a message, to be sent more than once <nil>
	// 4 a message, to be sent more than once <nil>
}
