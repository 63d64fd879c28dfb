package deflate_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// pool keeps one of each kind, so that everything is used again.
type pool struct {
	writers map[[2]int]*deflate.Writer
	reader  *deflate.Reader
}

func (p *pool) GetWriter(bits, level int) *deflate.Writer {
	w := p.writers[[2]int{bits, level}]
	delete(p.writers, [2]int{bits, level})
	return w
}

func (p *pool) PutWriter(w *deflate.Writer) {
	if p.writers == nil {
		p.writers = make(map[[2]int]*deflate.Writer)
	}
	p.writers[[2]int{w.Bits(), w.Level()}] = w
}

func (p *pool) GetReader() (r *deflate.Reader) {
	r, p.reader = p.reader, nil
	return r
}

func (p *pool) PutReader(r *deflate.Reader) { p.reader = r }

var errLimit = errors.New("too big")

// output is a message of a limited size.
type output struct {
	b     []byte
	room  []byte
	most  int // of room at a time, 1000 if 0
	limit int
}

func (o *output) Room() ([]byte, error) {
	if n := cmp.Or(o.most, 1000); len(o.room) != n {
		o.room = make([]byte, n)
	}
	return o.room, nil
}

func (o *output) Bytes() []byte { return o.b }

func (o *output) Add(n int) error {
	o.b = append(o.b, o.room[:n]...)
	if len(o.b) > o.limit {
		return errLimit
	}
	return nil
}

// less returns the smaller number where everything takes ten times as long.
func less(n, withRaceDetector int) int {
	if raceEnabled {
		return withRaceDetector
	}
	return n
}

func inflate(r *deflate.Receiver, message []byte) ([]byte, error) {
	o := &output{limit: 64 << 20}
	err := r.Inflate(message, o)
	return o.b, err
}

// words is text that compresses like text.
func words(random *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"item %d"},`, random.IntN(1000), random.IntN(50))
	}
	return b[:n]
}

// "7.2.3. Examples" of RFC 7692.
func TestTheExamplesOfTheRFCInflate(t *testing.T) {
	for name, c := range map[string]struct {
		message string
		want    string
	}{
		"one block":            {"\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello"},
		"no compression":       {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"},
		"BFINAL":               {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"},
		"two blocks":           {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"},
		"empty":                {"\x00", ""},
		"empty, final block":   {"\x03\x00\x00", ""},
		"several final blocks": {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "HelloHello"},
	} {
		t.Run(name, func(t *testing.T) {
			r := deflate.NewReceiver(deflate.Direction{Bits: 15}, &pool{})
			got, err := inflate(r, []byte(c.message))
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
			for n := range len(c.message) {
				r := deflate.NewReceiver(deflate.Direction{Bits: 15}, &pool{})
				if got, err := inflate(r, []byte(c.message[:n])); err == nil {
					require.NotEqual(t, c.want+"x", string(got)+"x", "truncated at %d", n)
				}
			}
		})
	}
	t.Run("with context takeover", func(t *testing.T) {
		r := deflate.NewReceiver(deflate.Direction{Bits: 15}, &pool{})
		for _, message := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"} {
			got, err := inflate(r, []byte(message))
			require.NoError(t, err)
			require.Equal(t, "Hello", string(got))
		}
	})
}
