package main

import (
	encoding "encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseScenario(t *testing.T) {
	for text, want := range map[string]scenario{
		"1x125":            {binary, 1, 125, 100},
		"64x16":            {binary, 64, 16, 50},
		"text:32x1K@7":     {text, 32, 1024, 7},
		"ping:64x125@50":   {ping, 64, 125, 50},
		"binary:1x16M@1":   {binary, 1, 16 << 20, 1},
		"binary:4x16M@100": {binary, 4, 16 << 20, 100},
	} {
		s, err := parseScenario(text)
		require.NoError(t, err, text)
		require.Equal(t, want, s, text)
		again, err := parseScenario(s.String())
		require.NoError(t, err, text)
		require.Equal(t, s, again, "String must read back")
	}
	for _, bad := range []string{
		"", "x", "1x", "x1", "1x1x1", "0x1", "1x0", "1x1@0", "-1x1", "1x1G", "close:1x1", "1x17M", "5x16M",
		"4097x1", "1x1@99999", "ping:1x126", "ping:1x1", "1x9999999999", " 1x1",
	} {
		_, err := parseScenario(bad)
		require.Error(t, err, bad)
	}
	_, err := parseScenarios("1x125,binary:1x125@100")
	require.ErrorContains(t, err, "twice")
	for _, list := range []string{defaultScenarios, quickScenarios} {
		_, err := parseScenarios(list)
		require.NoError(t, err)
	}
}

func TestBatchesHoldWhatTheRFCSays(t *testing.T) {
	for _, s := range []scenario{
		{binary, 3, 1, 1}, {binary, 2, 125, 1}, {text, 2, 126, 1}, {ping, 5, 125, 1},
		{binary, 1, 65535, 1}, {binary, 2, 65536, 1},
	} {
		t.Run(s.String(), func(t *testing.T) {
			b := newBatch(s, false, rand.NewChaCha8([32]byte{1}))
			out, exp := b.out, b.exp
			for i := range s.depth {
				var payload, answer []byte
				payload, out = cutFrame(t, out, askOp[s.kind], true)
				answer, exp = cutFrame(t, exp, answerOp[s.kind], false)
				require.Len(t, payload, s.size)
				require.Equal(t, payload, answer)
				if s.kind != text && s.size >= 2 {
					require.Equal(t, uint16(i), encoding.BigEndian.Uint16(payload))
				}
				if s.kind == text {
					for _, c := range payload {
						require.True(t, c >= ' ' && c <= '~')
					}
				}
			}
			require.Empty(t, out)
			require.Empty(t, exp)
			raw := newBatch(s, true, rand.NewChaCha8([32]byte{1}))
			require.Equal(t, b.out, raw.out)
			require.Equal(t, raw.out, raw.exp)
		})
	}
}

// cutFrame takes the first frame off b, and unmasks it.
func cutFrame(t *testing.T, b []byte, op byte, masked bool) (payload, rest []byte) {
	require.Equal(t, 0x80|op, b[0])
	require.Equal(t, masked, b[1]&0x80 != 0)
	n, b := int(b[1]&0x7f), b[2:]
	switch n {
	case 126:
		n, b = int(encoding.BigEndian.Uint16(b)), b[2:]
		require.GreaterOrEqual(t, n, 126)
	case 127:
		n, b = int(encoding.BigEndian.Uint64(b)), b[8:]
		require.GreaterOrEqual(t, n, 1<<16)
	}
	var key [4]byte
	if masked {
		b = b[copy(key[:], b):]
	}
	payload = make([]byte, n)
	for i := range payload {
		payload[i] = b[i] ^ key[i&3]
	}
	return payload, b[n:]
}
