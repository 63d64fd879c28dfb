package frame_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func naiveMask(b []byte, key [4]byte, pos int) {
	for i := range b {
		b[i] ^= key[(pos+i)%4]
	}
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestMaskIsTheByteLoop(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	const margin = 16
	for n := range 201 {
		for pos := range 4 {
			for align := range 8 {
				got := random(margin + align + n + margin)
				want := bytes.Clone(got)
				start := margin + align
				naiveMask(want[start:start+n], key, pos)
				next := frame.Mask(got[start:start+n], key, pos)
				if !bytes.Equal(want, got) || next != (pos+n)%4 {
					t.Fatalf("length %d, position %d, alignment %d: next %d", n, pos, align, next)
				}
			}
		}
	}
}

func TestMaskTakesPositionsModuloFour(t *testing.T) {
	for pos := range 4 {
		a, b := random(37), random(37)
		frame.Mask(a, key, pos)
		require.Equal(t, (pos+37)%4, frame.Mask(b, key, pos+4*100_001))
		require.Equal(t, a, b)
	}
}

func TestMaskOfNothingIsNothing(t *testing.T) {
	for pos := range 4 {
		require.Equal(t, pos, frame.Mask(nil, key, pos))
		require.Equal(t, pos, frame.Mask([]byte{}, key, pos))
	}
}

func TestMaskTwiceIsTheOriginal(t *testing.T) {
	b := random(1000)
	frame.Mask(b, key, 3)
	require.NotEqual(t, random(1000), b)
	frame.Mask(b, key, 3)
	require.Equal(t, random(1000), b)
}

func TestMaskComposesAcrossPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		n := rng.IntN(400)
		want, got := random(n), random(n)
		start := rng.IntN(4)
		end := frame.Mask(want, key, start)
		pos := start
		from := 0
		for _, cut := range append(randomCuts(rng, n), n) {
			pos = frame.Mask(got[from:cut], key, pos)
			from = cut
		}
		require.Equal(t, want, got)
		require.Equal(t, end, pos)
	}
}
