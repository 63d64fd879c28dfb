package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
)

// zlibs are the programs that have zlib, which is what most others compress with.
var zlibs = []struct {
	name, interpreter, script string
}{
	{"zlib in Node", "node", "node.mjs"},
	{"zlib in Python", "python3", "python.py"},
}

// deflateTask is a connection's messages in one direction, for zlib to inflate or
// to deflate.
type deflateTask struct {
	Do       string   `json:"do"`
	Bits     int      `json:"bits"`
	Takeover bool     `json:"takeover"`
	Level    int      `json:"level"`
	Memory   int      `json:"memory"`
	Strategy int      `json:"strategy"`
	Piece    int      `json:"piece"` // in which zlib puts out what it inflates
	Messages [][]byte `json:"messages"`

	name      string
	direction deflate.Direction
	texts     [][]byte // what the messages say
}

type deflateResult struct {
	Version  string   `json:"version"`
	Error    string   `json:"error"`
	Messages [][]byte `json:"messages"`
}

func TestZlibInflatesWhatWeDeflate(t *testing.T) {
	var tasks []*deflateTask
	for bits := 8; bits <= 15; bits++ {
		levels := []int{1} // smaller windows have but one
		if bits == 15 {
			levels = []int{-2, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		}
		for _, noTakeover := range []bool{false, true} {
			for _, level := range levels {
				d := deflate.Direction{NoTakeover: noTakeover, Bits: bits}
				random := rand.New(rand.NewPCG(uint64(bits), uint64(level)))
				task := &deflateTask{
					Do: "inflate", Bits: bits, Takeover: !noTakeover, Piece: smallPiece, direction: d,
					name:  fmt.Sprintf("%d bits, takeover %v, level %d", bits, !noTakeover, level),
					texts: saidTexts(random, bits, 24),
				}
				if level == deflate.DefaultLevel && !noTakeover && bits%7 == 1 { // 8 and 15
					task.texts = append(task.texts, saidTexts(random, 8, 1000)...)
				}
				sender := deflate.NewSender(d, level, &oneCodec{})
				for _, text := range task.texts {
					task.Messages = append(task.Messages, deflated(sender, random, text))
				}
				tasks = append(tasks, task)
			}
		}
	}
	tasks = append(tasks, hugeTask())
	withZlib(t, tasks, func(t *testing.T, task *deflateTask, results [][]byte) {
		for i, text := range task.texts {
			require.True(t, bytes.Equal(text, results[i]), "message %d of %d bytes", i, len(text))
		}
	})
}

func TestWeInflateWhatZlibDeflates(t *testing.T) {
	const byDefault, filtered, huffmanOnly, runs, fixed = 0, 1, 2, 3, 4
	var tasks []*deflateTask
	for bits := 8; bits <= 15; bits++ {
		for _, takeover := range []bool{true, false} {
			for _, how := range []struct{ level, memory, strategy int }{
				{6, 8, byDefault}, {1, 1, byDefault}, {9, 9, byDefault}, {0, 8, byDefault},
				{6, 8, filtered}, {6, 2, huffmanOnly}, {6, 8, runs}, {6, 8, fixed},
			} {
				random := rand.New(rand.NewPCG(uint64(bits), uint64(how.level)))
				count := 20
				if how.level == 6 && how.strategy == byDefault && takeover && bits%7 == 1 {
					count = 1000
				}
				task := &deflateTask{
					// zlib has no raw deflate of 8 bits, but with 9 it refers no further
					// than 250 back.
					Do: "deflate", Bits: max(9, bits), Takeover: takeover,
					Level: how.level, Memory: how.memory, Strategy: how.strategy,
					name:      fmt.Sprintf("%d bits, takeover %v, level %d, memory %d, strategy %d", bits, takeover, how.level, how.memory, how.strategy),
					direction: deflate.Direction{NoTakeover: !takeover, Bits: bits},
				}
				task.texts = saidTexts(random, bits, count)
				task.Messages = task.texts
				tasks = append(tasks, task)
			}
		}
	}
	huge := hugeTask()
	huge.Do, huge.Level, huge.Memory, huge.Messages = "deflate", 6, 8, huge.texts
	tasks = append(tasks, huge)
	withZlib(t, tasks, func(t *testing.T, task *deflateTask, results [][]byte) {
		receiver := deflate.NewReceiver(task.direction, &oneCodec{})
		for i, text := range task.texts {
			out := &textOutput{}
			require.NoError(t, receiver.Inflate(results[i], out), "message %d of %d bytes", i, len(text))
			require.True(t, bytes.Equal(text, out.b), "message %d of %d bytes", i, len(text))
		}
	})
}

// withZlib runs the tasks in each program and calls check with the result of each.
func withZlib(t *testing.T, tasks []*deflateTask, check func(t *testing.T, task *deflateTask, results [][]byte)) {
	t.Parallel()
	for _, z := range zlibs {
		t.Run(z.name, func(t *testing.T) {
			path, err := find(z.interpreter)
			if err != nil {
				unavailable(t, z.name, err)
			}
			c := command{
				path: path,
				args: []string{filepath.Join("peers", "zlib", z.script)},
				env:  []string{"PYTHONDONTWRITEBYTECODE=1"},
			}
			results, err := c.deflate(t.Context(), tasks)
			require.NoError(t, err)
			t.Logf("zlib %s", results[0].Version)
			require.Len(t, results, 1+len(tasks))
			for i, task := range tasks {
				t.Run(task.name, func(t *testing.T) {
					result := results[1+i]
					require.Empty(t, result.Error)
					require.Len(t, result.Messages, len(task.texts))
					check(t, task, result.Messages)
				})
			}
		})
	}
}

// deflate gives a program its tasks and returns what it says: first its version,
// then a result for each.
func (c command) deflate(ctx context.Context, tasks []*deflateTask) (results []deflateResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	var in bytes.Buffer
	for _, task := range tasks {
		if err := json.NewEncoder(&in).Encode(task); err != nil {
			return nil, err
		}
	}
	cmd, stderr := c.prepare(ctx)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		return nil, explained(ctx, err, stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var result deflateResult
		switch err := decoder.Decode(&result); {
		case errors.Is(err, io.EOF) && len(results) > 0:
			return results, nil
		case err != nil:
			return nil, explained(ctx, err, stderr)
		}
		results = append(results, result)
	}
}

// smallPiece makes zlib look into its window, not into what it has just put out.
const smallPiece = 64

// saidTexts are texts of all sizes around the window's, of all kinds.
func saidTexts(random *rand.Rand, bits, count int) (texts [][]byte) {
	size := 1 << bits
	// What comes again at a distance that is just within the window, or not.
	near, far := saidNoise(random, size-1), saidNoise(random, size+1)
	for i := range count {
		n := random.IntN(1 << random.IntN(bits+2))
		text := []byte{} // nil would be null
		switch i % 8 {
		case 0, 1, 2:
			text = saidWords(random, n)
		case 3:
			text = saidNoise(random, n)
		case 4:
			text = bytes.Repeat(near, 2)[:size+min(n, size-2)]
		case 5:
			text = bytes.Repeat(far, 2)[:size+min(n, size)]
		case 6:
			text = bytes.Repeat([]byte{0, 0, 0xff, 0xff}, n/4)
		}
		texts = append(texts, text)
	}
	return texts
}

func saidWords(random *rand.Rand, n int) []byte {
	b := []byte{}
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"item %d","ok":%v},`, random.IntN(1000), random.IntN(50), random.IntN(2) == 0)
	}
	return b[:n]
}

func saidNoise(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// hugeTask has messages of up to 8 MiB.
func hugeTask() *deflateTask {
	random := rand.New(rand.NewPCG(1, 8<<20))
	task := &deflateTask{
		Do: "inflate", Bits: 15, Takeover: true, Piece: 1 << 20, name: "8 MiB",
		direction: deflate.Direction{Bits: 15},
		texts:     [][]byte{saidWords(random, 8<<20), {}, saidWords(random, 1<<20), saidNoise(random, 2<<20), {'x'}},
	}
	sender := deflate.NewSender(task.direction, 0, &oneCodec{})
	for _, text := range task.texts {
		task.Messages = append(task.Messages, deflated(sender, random, text))
	}
	return task
}

// deflated compresses a message, at times in parts.
func deflated(sender *deflate.Sender, random *rand.Rand, text []byte) []byte {
	message := []byte{}
	for random.IntN(3) == 0 {
		n := random.IntN(len(text) + 1)
		message = sender.Append(message, text[:n], false)
		text = text[n:]
	}
	message = sender.Append(message, text, true)
	if random.IntN(3) == 0 {
		sender.Rest()
	}
	return message
}

// oneCodec is a deflate.Pool for one connection.
type oneCodec struct {
	writer *deflate.Writer
	reader *deflate.Reader
}

func (o *oneCodec) GetWriter(bits, level int) *deflate.Writer { return o.writer }
func (o *oneCodec) PutWriter(w *deflate.Writer)               { o.writer = w }
func (o *oneCodec) GetReader() *deflate.Reader                { return o.reader }
func (o *oneCodec) PutReader(r *deflate.Reader)               { o.reader = r }

// textOutput takes any text.
type textOutput struct {
	b    []byte
	room [32 << 10]byte
}

func (o *textOutput) Room() ([]byte, error) { return o.room[:], nil }
func (o *textOutput) Bytes() []byte         { return o.b }

func (o *textOutput) Add(n int) error {
	o.b = append(o.b, o.room[:n]...)
	return nil
}
