package deflate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// withoutDistances is a message with a block that has no code of distances, and
// uses one: text of n bytes, and then three from a distance of this code.
func withoutDistances(n int, code uint) []byte {
	var w bitWriter
	w.put(4, 3)
	w.put(258-257, 5)
	w.put(0, 5)
	w.put(18-4, 4)
	// Lengths of codes: 18 is '0', 0 '10', 1 '110', 2 '111'.
	for at := range 18 {
		w.put(map[int]uint{2: 1, 3: 2, 15: 3, 17: 3}[at], 3)
	}
	zeros := func(n int) {
		w.code(0, 1)
		w.put(uint(n-11), 7)
	}
	zeros('a')
	w.code(6, 3) // 'a' has one bit
	zeros(138)
	zeros(256 - 'a' - 1 - 138)
	w.code(7, 3) // the end has two
	w.code(7, 3) // three bytes as well
	w.code(2, 2) // and the only distance none
	for range n {
		w.code(0, 1)
	}
	w.code(3, 2)
	w.put(code, 9)
	w.put(0, 13) // bits of the distance, if it takes some
	w.code(2, 2)
	w.put(0, 3)
	return w.b
}

// withoutLengths is a message with a block whose code for the lengths of codes is
// empty, and which uses it.
func withoutLengths(code uint) []byte {
	var w bitWriter
	w.put(4, 3)
	w.put(0, 5)
	w.put(0, 5)
	w.put(15, 4)
	for range 19 {
		w.put(0, 3)
	}
	for range 300 {
		w.put(code, 9)
	}
	w.put(0, 3)
	return w.b
}

// A Reader that has read somebody else's message has its codes.
func TestAPooledReaderTellsNothing(t *testing.T) {
	p := &pool{}
	d := deflate.Direction{Bits: 15}
	said := func(message []byte) string {
		text, err := inflate(deflate.NewReceiver(d, p), message)
		return fmt.Sprintf("%q, %v", text, err)
	}
	for seed := range uint64(less(5, 2)) {
		other := deflate.NewSender(d, 9, p).Append(nil, words(rand.New(rand.NewPCG(seed, 1)), 300+int(seed)*1000), true)
		for code := range uint(512) {
			for _, message := range [][]byte{withoutDistances(300, code), withoutLengths(code)} {
				_, err := inspect(message, nil, 1000)
				require.Error(t, err, "the oracle")
				p.reader = nil
				alone := said(message)
				p.reader = nil
				said(other)
				require.Equal(t, alone, said(message), "what others have said shows, of %b", code)
				require.Equal(t, alone, said(message), "what it has said itself shows, of %b", code)
			}
		}
	}
}
