package frame_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

var key = [4]byte{1, 2, 3, 4}

func TestHeaderOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name string
		h    frame.Header
		wire []byte
	}{
		{"an empty continuation", frame.Header{}, []byte{0, 0}},
		{"an empty ping", frame.Header{Fin: true, Opcode: frame.Ping}, []byte{0x89, 0}},
		{"the longest 7-bit length", frame.Header{Fin: true, Opcode: frame.Text, Length: 125}, []byte{0x81, 125}},
		{"the shortest 16-bit length", frame.Header{Opcode: frame.Text, Length: 126}, []byte{0x01, 126, 0, 126}},
		{"256 bytes as in RFC 6455 §5.7", frame.Header{Fin: true, Opcode: frame.Binary, Length: 256}, []byte{0x82, 0x7e, 0x01, 0x00}},
		{"the longest 16-bit length", frame.Header{Opcode: frame.Binary, Length: 65535}, []byte{0x02, 126, 0xff, 0xff}},
		{"the shortest 64-bit length, 64 KiB as in RFC 6455 §5.7", frame.Header{Fin: true, Opcode: frame.Binary, Length: 65536}, []byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}},
		{"the longest length", frame.Header{Fin: true, Opcode: frame.Binary, Length: 1<<63 - 1}, []byte{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"a masked empty frame", frame.Header{Fin: true, Opcode: frame.Pong, Masked: true, Key: key}, []byte{0x8a, 0x80, 1, 2, 3, 4}},
		{"a masked 7-bit length", frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: key, Length: 5}, []byte{0x81, 0x85, 1, 2, 3, 4}},
		{"a masked 16-bit length", frame.Header{Opcode: frame.Text, Masked: true, Key: key, Length: 300}, []byte{0x01, 0xfe, 1, 44, 1, 2, 3, 4}},
		{"a masked 64-bit length", frame.Header{Fin: true, Opcode: frame.Close, Masked: true, Key: key, Length: 1 << 32}, []byte{0x88, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}},
		{"RSV1", frame.Header{Fin: true, RSV: frame.RSV1, Opcode: frame.Text, Length: 1}, []byte{0xc1, 1}},
		{"all reserved bits and a reserved opcode", frame.Header{Fin: true, RSV: 0x70, Opcode: 0xf, Length: 1}, []byte{0xff, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.wire, frame.AppendHeader(nil, c.h))
			require.Equal(t, append([]byte("before"), c.wire...), frame.AppendHeader([]byte("before"), c.h))
			require.LessOrEqual(t, len(c.wire), frame.MaxHeader)

			for _, tail := range []string{"", "payload that is none of its business"} {
				h, n, err := frame.ParseHeader(append(c.wire[:len(c.wire):len(c.wire)], tail...))
				require.NoError(t, err)
				require.Equal(t, len(c.wire), n)
				require.Equal(t, c.h, h)
			}
			for cut := range c.wire {
				h, n, err := frame.ParseHeader(c.wire[:cut])
				require.NoError(t, err)
				require.Zero(t, n)
				require.Zero(t, h)
			}
		})
	}
}

func TestHeaderIgnoresBitsThatHaveNoPlace(t *testing.T) {
	require.Equal(t, []byte{0x42, 0}, frame.AppendHeader(nil, frame.Header{RSV: 0xcf, Opcode: 0xf2}))
}

func TestHeaderLengthsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		wire   []byte
		reason string
	}{
		{"0 in 16 bits", []byte{0x82, 126, 0, 0}, "shortest form"},
		{"125 in 16 bits", []byte{0x82, 126, 0, 125}, "shortest form"},
		{"0 in 64 bits", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, "shortest form"},
		{"126 in 64 bits", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 126}, "shortest form"},
		{"65535 in 64 bits", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, "shortest form"},
		{"65535 in 64 bits, masked", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, "shortest form"},
		{"2⁶³", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, "most significant bit"},
		{"2⁶⁴-1", []byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "most significant bit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, n, err := frame.ParseHeader(c.wire)
			require.ErrorContains(t, err, c.reason)
			require.Equal(t, frame.CloseProtocolError, code(err))
			require.Zero(t, n)
			require.Zero(t, h)
			for cut := range c.wire {
				_, n, err := frame.ParseHeader(c.wire[:cut])
				require.NoError(t, err)
				require.Zero(t, n)
			}
		})
	}
}

func TestEvery16BitLengthIsItsOwnOrRefused(t *testing.T) {
	for length := range 1 << 16 {
		wire := binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(length))
		h, n, err := frame.ParseHeader(wire)
		if length < 126 {
			require.Error(t, err)
			continue
		}
		if err != nil || n != 4 || h.Length != uint64(length) || len(frame.AppendHeader(nil, h)) != 4 {
			t.Fatalf("length %d gives %v, %d, %v", length, h, n, err)
		}
	}
}

func TestHeaderCostsNoAllocation(t *testing.T) {
	buf := make([]byte, 0, frame.MaxHeader)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := frame.AppendHeader(buf, frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: key, Length: 1 << 20})
		if _, n, err := frame.ParseHeader(b); n != len(b) || err != nil {
			panic("no header")
		}
	}))
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x81, 0x85, 1, 2, 3, 4})
	f.Add([]byte{0x82, 126, 0, 126})
	f.Add([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4})
	f.Add([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff})
	f.Add([]byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := frame.ParseHeader(b)
		if err != nil {
			require.Zero(t, n)
			require.Equal(t, frame.CloseProtocolError, code(err))
			return
		}
		if n == 0 {
			require.Less(t, len(b), frame.MaxHeader)
			return
		}
		require.Less(t, h.Length, uint64(1)<<63)
		require.Equal(t, b[:n], frame.AppendHeader(nil, h), "there is one way to write a header")
		again, m, err := frame.ParseHeader(b[:n])
		require.NoError(t, err)
		require.Equal(t, n, m)
		require.Equal(t, h, again)
	})
}
