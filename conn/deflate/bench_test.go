package deflate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// traffic is messages like those of an application: the same fields, other
// values.
func traffic(size int) (messages [][]byte) {
	random := rand.New(rand.NewPCG(9, 9))
	for range max(8, 128<<10/size) { // more than a window
		var b []byte
		for len(b) < size {
			b = fmt.Appendf(b, `{"seq":%d,"type":"order","symbol":"%c%c%c","price":%d.%02d,"user":"%08x"},`,
				random.IntN(1e6), 'A'+rune(random.IntN(26)), 'A'+rune(random.IntN(26)), 'A'+rune(random.IntN(26)),
				random.IntN(1000), random.IntN(100), random.Uint32())
		}
		messages = append(messages, b[:size])
	}
	return messages
}

func forTraffic(b *testing.B, run func(b *testing.B, d deflate.Direction, messages [][]byte, rest bool)) {
	for _, mode := range []string{"no takeover", "takeover", "takeover with rests"} {
		for _, size := range []int{128, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%d", mode, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				run(b, deflate.Direction{NoTakeover: mode == "no takeover", Bits: 15}, traffic(size), mode != "takeover")
			})
		}
	}
}

func BenchmarkSender(b *testing.B) {
	forTraffic(b, func(b *testing.B, d deflate.Direction, messages [][]byte, rest bool) {
		s := deflate.NewSender(d, 0, &pool{})
		var dst []byte
		sent, i := 0, 0
		for b.Loop() {
			dst = s.Append(dst[:0], messages[i%len(messages)], true)
			if rest {
				s.Rest()
			}
			sent += len(dst)
			i++
		}
		b.ReportMetric(float64(sent)/float64(i), "wire-B/op")
	})
}

func BenchmarkReceiver(b *testing.B) {
	forTraffic(b, func(b *testing.B, d deflate.Direction, messages [][]byte, rest bool) {
		if !rest && !d.NoTakeover {
			b.Skip("a Receiver has no rests")
		}
		p := &pool{}
		s, r := deflate.NewSender(d, 0, p), deflate.NewReceiver(d, p)
		o := &output{limit: 1 << 20, most: 32 << 10}
		// What comes before the second round comes before it again.
		var compressed [][]byte
		for range 2 {
			compressed = compressed[:0]
			for _, m := range messages {
				compressed = append(compressed, s.Append(nil, m, true))
				o.b = o.b[:0]
				if err := r.Inflate(compressed[len(compressed)-1], o); err != nil {
					b.Fatal(err)
				}
			}
		}
		i := 0
		for b.Loop() {
			o.b = o.b[:0]
			if err := r.Inflate(compressed[i%len(compressed)], o); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
