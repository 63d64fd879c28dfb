package frame_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// Each input ends with the first byte that breaks a rule: no byte less, no
// byte more.
func TestParserFailsOnTheFirstByteThatBreaksARule(t *testing.T) {
	inMessage := frames(0x01, "a")
	after := func(head []byte, b ...byte) []byte { return append(head[:len(head):len(head)], b...) }
	for _, c := range []struct {
		name   string
		rules  frame.Rules
		in     []byte
		code   frame.CloseCode
		reason string
	}{
		{"a reserved bit with the first octet", frame.Rules{}, []byte{0xc1}, 1002, "reserved bit"},
		{"RSV2 with the first octet despite compression", compression, []byte{0xa1}, 1002, "reserved bit"},
		{"RSV1 on a ping with the first octet", compression, []byte{0xc9}, 1002, "reserved bit"},
		{"RSV1 on a continuation with the first octet", compression, after(inMessage, 0xc0), 1002, "reserved bit"},
		{"RSV1 on a continuation of nothing with the first octet", compression, []byte{0xc0}, 1002, "reserved bit"},
		{"a reserved data opcode with the first octet", frame.Rules{}, []byte{0x83}, 1002, "reserved opcode"},
		{"a reserved control opcode with the first octet", frame.Rules{}, []byte{0x8b}, 1002, "reserved opcode"},
		{"a fragmented control frame with the first octet", frame.Rules{}, []byte{0x09}, 1002, "fragmented control"},
		{"a continuation of nothing with the first octet", frame.Rules{}, []byte{0x80}, 1002, "without a message"},
		{"a message in a message with the first octet", frame.Rules{}, after(inMessage, 0x82), 1002, "new message"},
		{"a message in a message before its mask bit", server, after(masked(0x01, "a"), 0x82), 1002, "new message"},
		{"a missing mask with the second octet", server, []byte{0x81, 0x05}, 1002, "unmasked"},
		{"a mask with the second octet", frame.Rules{}, []byte{0x81, 0x85}, 1002, "masked frame from a server"},
		{"a missing mask on a long frame with the second octet", server, []byte{0x81, 0x7e}, 1002, "unmasked"},
		{"a missing mask before the control length", server, []byte{0x89, 0x7e}, 1002, "unmasked"},
		{"a control length of 126 with the second octet", frame.Rules{}, []byte{0x89, 0x7e}, 1002, "125 bytes"},
		{"a control length of 127 with the second octet", server, []byte{0x88, 0xff}, 1002, "125 bytes"},
		{"a 16-bit length not in its shortest form with the header", frame.Rules{}, []byte{0x81, 126, 0, 125}, 1002, "shortest form"},
		{"a 64-bit length not in its shortest form with the header", frame.Rules{}, []byte{0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 1002, "shortest form"},
		{"a length of 2⁶³ with the header", frame.Rules{MaxMessage: -1}, []byte{0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 1002, "most significant bit"},
		{"a length over the limit with the header", frame.Rules{MaxMessage: 100}, []byte{0x81, 101}, 1009, "size limit"},
		{"a length over the default with the header", frame.Rules{}, []byte{0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 1}, 1009, "size limit"},
		{"a sum over the limit with the header", frame.Rules{MaxMessage: 3}, after(inMessage, 0x00, 3), 1009, "size limit"},
		{"a fragment too many with the header", frame.Rules{MaxFragments: 1}, after(inMessage, 0x00, 3), 1009, "fragments"},
		{"an empty fragment too many with the header", frame.Rules{MaxEmpty: 1}, after(frames(0x01, ""), 0x00, 0), 1009, "fragments"},
		{"a bad byte of text", frame.Rules{}, []byte{0x81, 0x7d, 'a', 0xff}, 1007, "UTF-8"},
		{"an overlong form on its second byte", frame.Rules{}, []byte{0x81, 0x7d, 'a', 0xe0, 0x9f}, 1007, "UTF-8"},
		{"a surrogate on its second byte", frame.Rules{}, []byte{0x81, 0x7d, 'a', 0xed, 0xa0}, 1007, "UTF-8"},
		{"a character above U+10FFFF on its second byte", frame.Rules{}, []byte{0x81, 0x7d, 0xf4, 0x90}, 1007, "UTF-8"},
		{"a lead byte above U+10FFFF", frame.Rules{}, []byte{0x81, 0x7d, 0xf5}, 1007, "UTF-8"},
		{"a character that breaks off on the byte after", frame.Rules{}, []byte{0x81, 0x7d, 0xe2, 0x82, 'a'}, 1007, "UTF-8"},
		{"a last character that is not whole with the last byte", frame.Rules{}, []byte{0x81, 2, 'a', 0xe2}, 1007, "UTF-8"},
		{"a last character that is not whole with an empty last fragment", frame.Rules{}, after(frames(0x01, "\xc3"), 0x80, 0), 1007, "UTF-8"},
		{"a bad byte in a second fragment", frame.Rules{}, after(frames(0x01, "\xe2\x82"), 0x00, 0x7d, 0xc0), 1007, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(c.in)
			for _, cuts := range [][]int{nil, everyByte(n - 1)} {
				p := frame.NewParser(c.rules)
				require.Zero(t, feed(t, &p, c.in[:n-1], cuts...).code, "one byte less is legal")
			}
			for _, cuts := range [][]int{nil, everyByte(n)} {
				p := frame.NewParser(c.rules)
				require.Equal(t, c.code, feed(t, &p, c.in, cuts...).code)
				_, _, err := p.Next(nil)
				require.ErrorContains(t, err, c.reason)
			}
		})
	}
}

func TestParserAllowsEachFirstOctetOnlyWhereItIsLegal(t *testing.T) {
	for _, state := range []struct {
		name   string
		rules  frame.Rules
		before []byte
		legal  string
	}{
		{"between messages", frame.Rules{}, nil, "\x01\x02\x81\x82\x88\x89\x8a"},
		{"inside a message", frame.Rules{}, frames(0x01, "a"), "\x00\x80\x88\x89\x8a"},
		{"after a fragmented message", frame.Rules{}, frames(0x01, "a", 0x80, ""), "\x01\x02\x81\x82\x88\x89\x8a"},
		{"between messages with compression", compression, nil, "\x01\x02\x81\x82\x41\x42\xc1\xc2\x88\x89\x8a"},
		{"inside a message with compression", compression, frames(0x41, "a"), "\x00\x80\x88\x89\x8a"},
	} {
		t.Run(state.name, func(t *testing.T) {
			for b0 := range 256 {
				for _, tail := range []string{"", "\x00"} {
					p := frame.NewParser(state.rules)
					require.Zero(t, feed(t, &p, state.before).code)
					_, _, err := p.Next(append([]byte{byte(b0)}, tail...))
					legal := strings.Contains(state.legal, string([]byte{byte(b0)}))
					require.Equal(t, legal, err == nil, "%#02x", b0)
				}
			}
		})
	}
}

func TestParserErrorNamesNoByteOfThePeer(t *testing.T) {
	p := frame.NewParser(frame.Rules{})
	_, _, err := p.Next(frames(0x81, "secret\xff"))
	var pe *frame.ProtocolError
	require.ErrorAs(t, err, &pe)
	require.Equal(t, frame.CloseInvalidPayload, pe.Code)
	require.Equal(t, "8.1", pe.Section)
	require.NotContains(t, err.Error(), "secret")
	require.Contains(t, err.Error(), "RFC 6455 §8.1")
}
