package frame_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/wirebeat/wirebeat/frame"
)

// FuzzParser looks for input that the parser judges otherwise when it is cut
// otherwise, or otherwise than the model.
func FuzzParser(f *testing.F) {
	for _, c := range parserCases {
		if len(c.in) > 1000 {
			continue
		}
		var flags byte
		if c.rules.Masked {
			flags |= 1
		}
		if c.rules.Compression {
			flags |= 2
		}
		if c.rules.MaxMessage > 0 || c.rules.MaxFragments > 0 || c.rules.MaxEmpty > 0 {
			flags |= 4
		}
		f.Add(c.in, flags, uint64(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, flags byte, seed uint64) {
		r := frame.Rules{Masked: flags&1 != 0, Compression: flags&2 != 0}
		if flags&4 != 0 {
			r.MaxMessage, r.MaxFragments, r.MaxEmpty = 4, 2, 1
		}
		if flags&8 != 0 {
			r.MaxMessage, r.MaxFragments, r.MaxEmpty = -1, -1, -1
		}
		want := model(r, in)
		rng := rand.New(rand.NewPCG(seed, 0))
		requireModel(t, r, in, want, nil)
		requireModel(t, r, in, want, randomCuts(rng, len(in)))
		if len(in) < 2000 {
			requireModel(t, r, in, want, everyByte(len(in)))
		}
		p := frame.NewParser(r)
		p.Complete(bytes.Clone(in))
	})
}
