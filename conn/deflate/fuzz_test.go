package deflate_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/handshake"
)

// policyOf makes a policy of any number.
func policyOf(n uint16) *deflate.Policy {
	list := policies()
	return list[int(n)%len(list)]
}

func FuzzAccept(f *testing.F) {
	for _, header := range []string{
		"permessage-deflate",
		"permessage-deflate; client_max_window_bits",
		`mux; a=b, permessage-deflate; server_max_window_bits="10"; client_no_context_takeover`,
		"permessage-deflate; server_max_window_bits=08, permessage-deflate; server_no_context_takeover; client_max_window_bits=9",
		"permessage-deflate; x, x-permessage-deflate, permessage-deflate; client_max_window_bits=\"1\\5\"",
	} {
		f.Add(header, uint16(0))
		f.Add(header, uint16(77))
	}
	f.Fuzz(func(t *testing.T, header string, n uint16) {
		list, ok := handshake.Extensions([]string{header})
		if !ok {
			return
		}
		p := policyOf(n)
		got, response, ok := p.Accept(list)
		for _, extension := range list {
			if extension[0] != "permessage-deflate" {
				continue
			}
			if offer := read(extension[1:], true); offer != nil {
				require.True(t, ok)
				judge(t, p, offer, response, got)
				return
			}
		}
		require.False(t, ok)
		require.Empty(t, response)
		require.Zero(t, got)
	})
}

func FuzzConfirm(f *testing.F) {
	for _, header := range []string{
		"permessage-deflate",
		"permessage-deflate; client_max_window_bits",
		"permessage-deflate; client_max_window_bits=10; server_max_window_bits=9; client_no_context_takeover; server_no_context_takeover",
		"permessage-deflate, mux, permessage-deflate",
		"mux; a=b",
	} {
		f.Add(header, uint16(0))
		f.Add(header, uint16(77))
	}
	f.Fuzz(func(t *testing.T, header string, n uint16) {
		list, ok := handshake.Extensions([]string{header})
		if !ok {
			return
		}
		p := policyOf(n)
		got, ok, err := p.Confirm(list)
		var want deflate.Params
		used, valid := 0, true
		for _, extension := range list {
			if extension[0] == "permessage-deflate" {
				answer := read(extension[1:], false)
				used, valid = used+1, valid && confirmable(p, answer)
				want = understood(p, answer)
			}
		}
		switch {
		case used == 0:
			require.NoError(t, err)
			require.False(t, ok)
			require.Zero(t, got)
		case used > 1 || !valid:
			require.ErrorIs(t, err, deflate.ErrResponse)
			require.False(t, ok)
			require.Zero(t, got)
		default:
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, got)
		}
	})
}

func FuzzInflate(f *testing.F) {
	for _, sample := range samples() {
		f.Add(sample.message, sample.message, uint8(0))
		f.Add(sample.message[:len(sample.message)/2], []byte("\x00"), uint8(15))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []byte("\xf2\x00\x11\x00\x00"), uint8(7))
	f.Add([]byte("\x00\x04\x00\xfb\xff"), []byte("\x01\x04\x00\xfb\xff"), uint8(3))
	f.Add(bomb(1<<20), []byte("\x02\x00"), uint8(4))
	f.Fuzz(func(t *testing.T, first, second []byte, mode uint8) {
		const limit = 64 << 10
		d := deflate.Direction{Bits: 8 + int(mode&7), NoTakeover: mode&8 != 0}
		r := deflate.NewReceiver(d, shared)
		var before []byte
		for _, message := range [][]byte{first, second} {
			o := &output{limit: limit, most: 1 + int(mode)<<6}
			err := r.Inflate(message, o)
			require.LessOrEqual(t, len(o.b), limit+32<<10)
			s, want := inspect(message, before, limit)
			if s.codeless && want != nil {
				return // a Receiver may read on with codes of an earlier block
			}
			if err != nil {
				// The oracle may meet the limit and the Receiver the error first,
				// or the other way round; but only one of an error and the end.
				require.True(t, errors.Is(err, deflate.ErrCorrupt) || errors.Is(err, errLimit), "%v", err)
				require.Error(t, want)
				return
			}
			require.NoError(t, want)
			require.True(t, bytes.Equal(s.message(), o.b))
			if !d.NoTakeover {
				before = append(before, o.b...)
				before = before[max(0, len(before)-1<<d.Bits):]
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello, Hello, Hello"), uint16(0), uint16(3))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 300), uint16(0xffff), uint16(700))
	f.Add(bytes.Repeat([]byte{0, 0, 0xff, 0xff}, 100), uint16(0x1234), uint16(40))
	f.Fuzz(func(t *testing.T, text []byte, mode, size uint16) {
		d := deflate.Direction{Bits: 8 + int(mode&7), NoTakeover: mode&8 != 0}
		level := []int{0, -2, 1, 2, 3, 4, 5, 6, 7, 9}[int(mode>>4)%10]
		s, r := deflate.NewSender(d, level, shared), deflate.NewReceiver(d, shared)
		var before []byte
		for i := 0; i < 3 || len(text) > 0; i++ {
			p := text[:min(len(text), int(size))]
			if i > 8 {
				p = text
			}
			text = text[len(p):]
			var message []byte
			if mode>>(8+i%4)&1 != 0 {
				message = s.Append(message, p[:len(p)/2], false)
				message = s.Append(message, p[len(p)/2:], true)
			} else {
				message = s.Append(message, p, true)
			}
			if mode>>(12+i%4)&1 != 0 {
				s.Rest()
			}
			got, err := inflate(r, message)
			require.NoError(t, err)
			require.True(t, bytes.Equal(p, got))
			if d.NoTakeover {
				before = nil
			}
			found, err := inspect(message, before, len(p))
			require.NoError(t, err)
			require.LessOrEqual(t, found.furthest, 1<<d.Bits)
			require.True(t, bytes.Equal(p, found.message()))
			before = append(before, p...)
		}
		s.Rest()
	})
}
