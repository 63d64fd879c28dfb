package control

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// This test is inside the package because the counter takes four billion
// probes to wrap around from outside.
func TestProbeNumbersWrapAround(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &Probes{Nonce: 7, seq: 1<<32 - 3}
	var seqs []uint32
	for range 4 {
		_, seq, ok := p.Append(nil, now)
		require.True(t, ok)
		seqs = append(seqs, seq)
	}
	require.Equal(t, []uint32{1<<32 - 2, 1<<32 - 1, 0, 1}, seqs)

	p.Sent(1<<32-1, now.Add(time.Second))
	p.Sent(1, now.Add(2*time.Second))

	var rtts []time.Duration
	payload := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 1), 7)
	p.Pong(payload, now.Add(10*time.Second), func(seq uint32, pong Pong) {
		require.Equal(t, seqs[len(rtts)], seq)
		require.Equal(t, seq == 1, pong.Exact)
		rtts = append(rtts, pong.RTT)
	})
	require.Equal(t, []time.Duration{9 * time.Second, 9 * time.Second, 8 * time.Second, 8 * time.Second}, rtts)
	require.Zero(t, p.Outstanding())
}
