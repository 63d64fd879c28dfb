package handshake_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// collected is what a Block made of its input.
type collected struct {
	complete    bool
	err         error
	block, rest string
	unread      int
}

// collect gives input to a Block, at most size(i) bytes the i-th time.
func collect(t *testing.T, input string, size func(i int) int) collected {
	t.Helper()
	var h handshake.Block
	require.False(t, h.Started())
	for i := 0; input != ""; i++ {
		space := h.Space()
		require.NotEmpty(t, space, "a reader would get nothing for ever")
		n := copy(space[:min(len(space), max(size(i), 1))], input)
		input = input[n:]
		complete, err := h.Add(n)
		require.True(t, h.Started())
		if complete || err != nil {
			got := collected{complete: complete, err: err, unread: len(input)}
			if complete {
				require.NoError(t, err)
				got.block, got.rest = string(h.Bytes()), string(h.Rest())
			}
			return got
		}
	}
	return collected{}
}

func atOnce(int) int { return 1 << 20 }

func byBytes(int) int { return 1 }

// cutAt reads n bytes first, and then the rest.
func cutAt(n int) func(int) int {
	return func(i int) int {
		if i == 0 {
			return n
		}
		return 1 << 20
	}
}

func TestABlockEndsWithItsFirstEmptyLine(t *testing.T) {
	tests := []struct {
		name, block, rest string
	}{
		{"a response", "HTTP/1.1 101 x\r\nA: b\r\n\r\n", ""},
		{"frames behind it", "HTTP/1.1 101 x\r\nA: b\r\n\r\n", "\x81\x02hi"},
		{"empty lines behind it", "HTTP/1.1 101 x\r\n\r\n", "\r\n\r\n"},
		{"lines of line feeds only", "HTTP/1.1 101 x\nA: b\n\n", "rest\n\n"},
		{"lines of both sorts", "HTTP/1.1 101 x\r\nA: b\n\r\n", "rest"},
		{"the other way round", "HTTP/1.1 101 x\nA: b\r\n\n", "rest"},
		{"nothing but an empty line", "\r\n", "A: b\r\n\r\n"},
		{"nothing but a line feed", "\n", "\n"},
		{"a carriage return inside a line", "a\rb\r\r\nc\r\n\r\n", "d"},
		{"a line of one space", "a\r\n \r\n\r\n", "d"},
		{"a line of two carriage returns", "a\r\n\r\r\n\r\n", "d"},
		{"NUL and bytes beyond ASCII", "\x00\xff\r\n\x80\r\n\r\n", "\x00"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all := test.block + test.rest
			got := collect(t, all, atOnce)
			require.Equal(t, collected{complete: true, block: test.block, rest: test.rest}, got)
			got = collect(t, all, byBytes)
			require.Equal(t, collected{complete: true, block: test.block, unread: len(test.rest)}, got)
			for cut := range len(all) {
				got = collect(t, all, cutAt(cut))
				require.True(t, got.complete)
				require.Equal(t, test.block, got.block, "cut at %d", cut)
				require.Equal(t, test.rest, got.rest+all[len(all)-got.unread:], "cut at %d", cut)
			}
			for short := range len(test.block) {
				require.Equal(t, collected{}, collect(t, all[:short], atOnce), "truncated at %d", short)
				require.Equal(t, collected{}, collect(t, all[:short], byBytes), "truncated at %d", short)
			}
		})
	}
}

// paddedBlock is a block of this size.
func paddedBlock(size int) string {
	const start, end = "HTTP/1.1 101 x\r\nX: ", "\r\n\r\n"
	return start + strings.Repeat("x", size-len(start)-len(end)) + end
}

// linedBlock is a block with this many lines, the first not counted.
func linedBlock(n int, end string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 x" + end)
	for i := range n {
		fmt.Fprintf(&b, "X-%d: y%s", i, end)
	}
	return b.String() + end
}

func TestTheLimitsOfABlockAreExact(t *testing.T) {
	const most = handshake.MaxBlock
	require.Len(t, paddedBlock(most), 16<<10)
	tests := []struct {
		name, input string
		want        error
	}{
		{"16 KiB", paddedBlock(most), nil},
		{"16 KiB and a byte", paddedBlock(most + 1), handshake.ErrBlockTooLarge},
		{"16 KiB and two bytes", paddedBlock(most + 2), handshake.ErrBlockTooLarge},
		{"a megabyte", paddedBlock(1 << 20), handshake.ErrBlockTooLarge},
		{"16 KiB that want one more", paddedBlock(most)[:most-1] + "x\n\n", handshake.ErrBlockTooLarge},
		{"16 KiB in line feeds, and a byte", paddedBlock(most)[:most-4] + "xxx\n\n", handshake.ErrBlockTooLarge},
		{"one line that does not end", strings.Repeat("a", most+1), handshake.ErrBlockTooLarge},
		{"128 lines", linedBlock(128, "\r\n"), nil},
		{"129 lines", linedBlock(129, "\r\n"), handshake.ErrTooManyLines},
		{"128 lines of line feeds", linedBlock(128, "\n"), nil},
		{"129 lines of line feeds", linedBlock(129, "\n"), handshake.ErrTooManyLines},
		{"lines of nothing but their ends", "a\n" + strings.Repeat(" \n", 10_000), handshake.ErrTooManyLines},
		{"129 lines that fill it as well", linedBlock(128, "\r\n")[:1000] + strings.Repeat("x\r\n", 200) + strings.Repeat("y", most), handshake.ErrTooManyLines},
	}
	sizes := map[string]func(int) int{
		"at once": atOnce, "by bytes": byBytes,
		"by 7":                func(int) int { return 7 },
		"by 1000":             func(int) int { return 1000 },
		"all but a byte":      cutAt(most - 1),
		"exactly 16 KiB":      cutAt(most),
		"in growing portions": func(i int) int { return i },
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, size := range sizes {
				got := collect(t, test.input, size)
				require.Equal(t, test.want, got.err, name)
				require.Equal(t, test.want == nil, got.complete, name)
				if test.want == nil {
					require.Equal(t, test.input, got.block, name)
					require.Empty(t, got.rest, name)
				}
			}
		})
	}
}

func TestABlockNeverAsksForMoreThanItsLimitAndAByte(t *testing.T) {
	var h handshake.Block
	total := 0
	for {
		space := h.Space()
		total += len(space)
		require.LessOrEqual(t, total, handshake.MaxBlock+1)
		if _, err := h.Add(copy(space, bytes.Repeat([]byte("a"), len(space)))); err != nil {
			require.Equal(t, handshake.ErrBlockTooLarge, err)
			break
		}
	}
	require.Equal(t, handshake.MaxBlock+1, total)
}

func TestNothingReadIsNothingAdded(t *testing.T) {
	var h handshake.Block
	for range 3 {
		require.NotEmpty(t, h.Space())
		complete, err := h.Add(0)
		require.False(t, complete)
		require.NoError(t, err)
		require.False(t, h.Started())
	}
	n := copy(h.Space(), "a\r\n\r")
	complete, err := h.Add(n)
	require.False(t, complete)
	require.NoError(t, err)
	complete, err = h.Add(0)
	require.False(t, complete, "what was there is not counted again")
	require.NoError(t, err)
	h.Space()[0] = '\n'
	complete, err = h.Add(1)
	require.True(t, complete)
	require.NoError(t, err)
	require.Equal(t, "a\r\n\r\n", string(h.Bytes()))
	require.Empty(t, h.Rest())
}

func TestWhatIsAppendedToTheBlockDoesNotOverwriteTheRest(t *testing.T) {
	var h handshake.Block
	complete, err := h.Add(copy(h.Space(), "a\r\n\r\nrest"))
	require.NoError(t, err)
	require.True(t, complete)
	_ = append(h.Bytes(), "XXXX"...)
	require.Equal(t, "rest", string(h.Rest()))
}

func TestABlockAllocatesOnceForAnOrdinaryHeader(t *testing.T) {
	input := paddedBlock(1 << 10)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		var h handshake.Block
		for i := 0; ; {
			space := h.Space()
			n := copy(space[:min(len(space), 100)], input[i:])
			i += n
			if complete, err := h.Add(n); err != nil {
				panic(err)
			} else if complete {
				return
			}
		}
	}), 1.0)
}
