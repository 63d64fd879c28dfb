package deflate_test

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// bomb is 64 KiB that say n bytes.
func bomb(n int) []byte {
	var b bytes.Buffer
	w, _ := stdflate.NewWriter(&b, stdflate.BestCompression)
	zeros := make([]byte, 1<<16)
	for ; n > 0; n -= len(zeros) {
		_, _ = w.Write(zeros[:min(n, len(zeros))])
	}
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// meter is an Output that keeps the end of what it gets.
type meter struct {
	room  [32 << 10]byte
	n     int
	limit int
	calls int
}

func (m *meter) Room() ([]byte, error) { return m.room[:], nil }
func (m *meter) Bytes() []byte         { return m.room[:min(m.n, len(m.room))] }

func (m *meter) Add(n int) error {
	m.calls++
	if m.n += n; m.n > m.limit {
		return errLimit
	}
	return nil
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestABombIsNotInflatedBeyondTheLimit(t *testing.T) {
	message := bomb(less(60<<20, 6<<20))
	require.Less(t, len(message), 64<<10)
	for _, limit := range []int{0, 1, 1 << 10, 32 << 10, 1 << 20, 4 << 20} {
		m := &meter{limit: limit}
		p := &pool{}
		start := time.Now()
		total := allocated(func() {
			r := deflate.NewReceiver(deflate.Direction{Bits: 15}, p)
			require.ErrorIs(t, r.Inflate(message, m), errLimit)
		})
		require.LessOrEqual(t, m.n, limit+32<<10)
		require.LessOrEqual(t, total, uint64(256<<10), "whatever the limit")
		require.Less(t, time.Since(start), 2*time.Second)
	}
}

func TestMillionsOfEmptyBlocksCostLinearTime(t *testing.T) {
	empty := func(kind string, n int) []byte {
		var w bitWriter
		for range n {
			switch kind {
			case "stored":
				w.b, w.n = append(w.b, 0, 0, 0, 0xff, 0xff), w.n+40
			case "fixed":
				w.put(2, 3)
				w.code(0, 7)
			}
		}
		w.put(0, 3)
		return w.b
	}
	for _, kind := range []string{"stored", "fixed"} {
		t.Run(kind, func(t *testing.T) {
			cost := func(n int) time.Duration {
				message := empty(kind, n)
				best := time.Hour
				for range 3 {
					m := &meter{}
					start := time.Now()
					require.NoError(t, deflate.NewReceiver(deflate.Direction{Bits: 15}, shared).Inflate(message, m))
					best = min(best, time.Since(start))
					require.Zero(t, m.calls)
				}
				return best
			}
			// Of quadratic cost the second would be 256 times the first.
			few, many := cost(less(1<<16, 1<<12)), cost(less(1<<20, 1<<16))
			require.Less(t, many, 100*few+10*time.Millisecond)
			require.Less(t, many, 2*time.Second)
		})
	}
}

// The dearest blocks for their length: the code of each has to be set up, and
// says nothing.
func TestBlocksWithCodesOfTheirOwnCostLinearTime(t *testing.T) {
	one := dearBlock()
	times := func(n int) []byte {
		var w bitWriter
		for range n {
			for i := range one.n {
				w.put(uint(one.b[i/8]>>(i%8)&1), 1)
			}
		}
		w.put(0, 3)
		return w.b
	}
	message := times(less(2000, 200))
	_, err := inspect(times(3), nil, 0)
	require.NoError(t, err, "the oracle")
	m := &meter{}
	start := time.Now()
	r := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
	require.NoError(t, r.Inflate(message, m))
	took := time.Since(start)
	require.Less(t, took, 2*time.Second)
	t.Logf("%d bytes in %v", len(message), took)
	require.Less(t, allocated(func() { _ = r.Inflate(message, m) }), uint64(2*len(message)+1<<16))
}

// dearBlock is a dynamic block without text with as many long codes as there can
// be.
func dearBlock() *bitWriter {
	// The end has one bit, so half of the 2^15 leaves are left for the others.
	lengths := make([]int, 286)
	lengths[256] = 1
	left, n := 1<<14, 285
	for i := range lengths {
		if i == 256 {
			continue
		}
		n--
		// The shortest code that leaves a leaf for each of the others.
		for length := 2; length <= 15; length++ {
			if leaves := 1 << (15 - length); left-leaves >= n && (n > 0 || left == leaves) {
				lengths[i] = length
				left -= leaves
				break
			}
		}
	}
	var w bitWriter
	w.put(4, 3)
	w.put(286-257, 5)
	w.put(0, 5)
	w.put(15, 4)
	for i := range 19 { // each length of a code in four bits, no repetitions
		w.put(uint(4*min(1, i/3)), 3)
	}
	for _, n := range lengths {
		w.code(uint16(n), 4)
	}
	w.code(1, 4) // the only distance
	w.code(0, 1) // the end
	return &w
}

func TestAnErrorOfTheOutputEndsTheInflating(t *testing.T) {
	message := bomb(1 << 20)
	errRoom := errors.New("no room")
	for name, c := range map[string]struct {
		to   *failing
		want error
	}{
		"in Room, at once":        {&failing{rooms: 0, adds: 100, err: errRoom}, errRoom},
		"in Room, later":          {&failing{rooms: 3, adds: 100, err: errRoom}, errRoom},
		"in Add, at once":         {&failing{rooms: 100, adds: 0, err: errLimit}, errLimit},
		"in Add, later":           {&failing{rooms: 100, adds: 3, err: errLimit}, errLimit},
		"EOF is an error as well": {&failing{rooms: 3, adds: 3, err: io.EOF}, io.EOF},
		"no room and no error":    {&failing{rooms: 3, adds: 3}, io.ErrShortBuffer},
	} {
		t.Run(name, func(t *testing.T) {
			r := deflate.NewReceiver(deflate.Direction{Bits: 15}, shared)
			require.Equal(t, c.want, r.Inflate(message, c.to))
			got, err := inflate(deflate.NewReceiver(deflate.Direction{Bits: 15}, shared), []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
			require.NoError(t, err, "another connection with the same Reader")
			require.Equal(t, "Hello", string(got))
		})
	}
}

// failing is an Output with so many calls that succeed.
type failing struct {
	rooms, adds int
	err         error
	room        [100]byte
}

func (f *failing) Bytes() []byte { return nil }

func (f *failing) Room() ([]byte, error) {
	if f.rooms--; f.rooms < 0 {
		return nil, f.err
	}
	return f.room[:], nil
}

func (f *failing) Add(int) error {
	if f.adds--; f.adds < 0 {
		return f.err
	}
	return nil
}

func TestAnyRoomDoes(t *testing.T) {
	text := words(rand.New(rand.NewPCG(2, 2)), 100_000)
	d := deflate.Direction{Bits: 15}
	for _, most := range []int{1, 7, 1000, 32 << 10, 1 << 20} {
		s, r := deflate.NewSender(d, 0, shared), deflate.NewReceiver(d, shared)
		for range 3 {
			o := &output{limit: 1 << 20, most: most}
			require.NoError(t, r.Inflate(s.Append(nil, text, true), o))
			require.True(t, bytes.Equal(text, o.b), most)
		}
	}
}

// With room for more than 32 KiB no more is taken at a time.
func TestNoMoreThan32KiBAreAddedAtATime(t *testing.T) {
	o := &biggest{}
	require.NoError(t, deflate.NewReceiver(deflate.Direction{NoTakeover: true, Bits: 15}, shared).Inflate(bomb(1<<20), o))
	require.Equal(t, 32<<10, o.most)
}

type biggest struct {
	room [1 << 20]byte
	most int
}

func (o *biggest) Room() ([]byte, error) { return o.room[:], nil }
func (o *biggest) Bytes() []byte         { return nil }

func (o *biggest) Add(n int) error {
	o.most = max(o.most, n)
	return nil
}

func TestLittleIsKeptBetweenMessages(t *testing.T) {
	const connections = 12
	random := rand.New(rand.NewPCG(4, 4))
	text := words(random, 300_000)
	for bits := 8; bits <= 15; bits += less(1, 7) {
		for _, noTakeover := range []bool{false, true} {
			d := deflate.Direction{NoTakeover: noTakeover, Bits: bits}
			most := 33 << 10
			if noTakeover {
				most = 1 << 10
			}
			p := &pool{}
			var senders []*deflate.Sender
			perSender := kept(connections, func() {
				s := deflate.NewSender(d, 0, p)
				for n := 1; n < 50_000; n = n*3/2 + random.IntN(100) {
					s.Append(nil, text[:n], true)
					s.Rest()
				}
				senders = append(senders, s)
			})
			require.LessOrEqual(t, perSender, most, "%+v", d)
			plainText := plain(text[:700])
			var receivers []*deflate.Receiver
			perReceiver := kept(connections, func() {
				r := deflate.NewReceiver(d, p)
				common.limit, common.most = 1<<20, 32<<10
				for range 60 {
					common.b = common.b[:0]
					require.NoError(t, r.Inflate(plainText, common))
				}
				receivers = append(receivers, r)
			})
			require.LessOrEqual(t, perReceiver, most, "%+v", d)
			runtime.KeepAlive(senders)
			runtime.KeepAlive(receivers)
		}
	}
}

// kept returns how much memory a call of f leaves behind.
func kept(calls int, f func()) int {
	f() // fills the pool
	before := heap()
	for range calls {
		f()
	}
	return max(0, heap()-before) / calls
}

func heap() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func TestAWriterKeepsNothingOfItsSender(t *testing.T) {
	p := &pool{}
	text := words(rand.New(rand.NewPCG(4, 4)), 100_000)
	d := deflate.Direction{Bits: 15}
	func() {
		s := deflate.NewSender(d, 0, p)
		s.Append(nil, text, true)
		s.Rest() // so that the next message needs a dictionary
		b := s.Append(make([]byte, 0, 4000), text[:1000], true)
		dst := weak.Make(&b[0])
		runtime.GC()
		require.Nil(t, dst.Value(), "the Sender keeps what it has appended to")
		s.Rest()
	}()
	before := heap()
	other := deflate.NewSender(deflate.Direction{NoTakeover: true, Bits: 15}, 0, p)
	other.Append(nil, text, true)
	other.Rest()
	require.Less(t, before-heap(), 16<<10, "the Writer kept a dictionary")
	runtime.KeepAlive(p)
	runtime.KeepAlive(text)
}

func TestAReaderKeepsNoLargeMessage(t *testing.T) {
	p := &pool{}
	noise := make([]byte, 8<<20+1)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	message := plain(noise)
	before := heap()
	require.NoError(t, deflate.NewReceiver(deflate.Direction{NoTakeover: true, Bits: 15}, p).Inflate(message, &meter{limit: 1 << 30}))
	require.Less(t, heap()-before, 256<<10)
	// The message is copied, once.
	got := int(allocated(func() {
		require.NoError(t, deflate.NewReceiver(deflate.Direction{NoTakeover: true, Bits: 15}, p).Inflate(message, &meter{limit: 1 << 30}))
	}))
	require.Less(t, got, len(message)+128<<10)
	runtime.KeepAlive(p)
}

func TestMessagesAllocateNothing(t *testing.T) {
	text := words(rand.New(rand.NewPCG(5, 5)), 2000)
	for bits := 8; bits <= 15; bits += less(1, 7) {
		for _, noTakeover := range []bool{false, true} {
			d := deflate.Direction{NoTakeover: noTakeover, Bits: bits}
			p := &pool{}
			s, r := deflate.NewSender(d, 0, p), deflate.NewReceiver(d, p)
			o := &output{b: make([]byte, 0, 4000), limit: 4000, most: 2000}
			dst := make([]byte, 0, 4000)
			both := func(rest bool) func() {
				return func() {
					dst = s.Append(dst[:0], text, true)
					if rest {
						s.Rest()
					}
					o.b = o.b[:0]
					if err := r.Inflate(dst, o); err != nil {
						panic(err)
					}
				}
			}
			for range 100 {
				both(true)()
			}
			require.Zero(t, testing.AllocsPerRun(50, both(true)), "%+v", d)
			require.Zero(t, testing.AllocsPerRun(50, both(false)), "%+v", d)
		}
	}
}
