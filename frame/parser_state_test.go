package frame_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestParserErrorsStay(t *testing.T) {
	for _, c := range parserCases {
		if c.code == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			p := frame.NewParser(c.rules)
			require.Equal(t, c.code, feed(t, &p, c.in).code)
			_, _, first := p.Next(nil)
			require.Error(t, first)
			for _, b := range [][]byte{{}, {0x81}, {0x81, 0x00}, {0x81, 0x80, 0, 0, 0, 0}, {0x00, 0x00}, frames(0x89, long[:20])} {
				part, n, err := p.Next(bytes.Clone(b))
				require.Same(t, first, err)
				require.Zero(t, n)
				require.True(t, part.None())
			}
			require.Zero(t, p.Remaining())
		})
	}
}

func TestRemainingIsWhatTheFrameStillLacks(t *testing.T) {
	for _, r := range []frame.Rules{{}, {Masked: true}} {
		in := append(encode(0x02, long, r.Masked), encode(0x89, "ping", r.Masked)...)
		in = append(in, encode(0x80, "", r.Masked)...)
		ends := []int{len(encode(0x02, long, r.Masked)), len(in) - len(encode(0x80, "", r.Masked)), len(in)}
		lengths := []int{len(long), 4, 0}
		p := frame.NewParser(r)
		require.Zero(t, p.Remaining())
		frameNo, start := 0, 0
		for i := range in {
			_, n, err := p.Next(bytes.Clone(in[i : i+1]))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			pos := i + 1
			head := ends[frameNo] - start - lengths[frameNo]
			want := 0
			if pos >= start+head {
				want = ends[frameNo] - pos
			}
			require.EqualValues(t, want, p.Remaining(), "after byte %d", pos)
			if pos == ends[frameNo] {
				start = pos
				frameNo++
			}
		}
	}
}

func TestInMessageLastsFromTheFirstHeaderToTheLastByte(t *testing.T) {
	in := frames(0x01, "a", 0x89, "b", 0x80, "c", 0x81, "d")
	open := map[int]bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 11: true}
	p := frame.NewParser(frame.Rules{})
	require.False(t, p.InMessage())
	for i := range in {
		_, _, err := p.Next(in[i : i+1])
		require.NoError(t, err)
		require.Equal(t, open[i+1], p.InMessage(), "after byte %d", i+1)
	}
}

func TestCompleteSeesWhereAFrameEnds(t *testing.T) {
	for _, r := range []frame.Rules{{}, {Masked: true}} {
		for _, payload := range []string{"", "a", long[:125], long[:126], string(make([]byte, 70_000))} {
			in := encode(0x82, payload, r.Masked)
			end := len(in)
			in = append(in, encode(0x89, "after", r.Masked)...)
			step := max(1, end/300)
			for taken := 0; taken < end; taken += step {
				p := frame.NewParser(r)
				require.Zero(t, feed(t, &p, in[:taken]).code)
				require.False(t, p.Complete(in[taken:taken]))
				require.False(t, p.Complete(in[taken:end-1]), "taken %d of %d", taken, end)
				require.True(t, p.Complete(in[taken:end]), "taken %d of %d", taken, end)
				require.True(t, p.Complete(in[taken:]), "taken %d of %d", taken, end)
			}
			p := frame.NewParser(r)
			require.Zero(t, feed(t, &p, in[:end]).code)
			require.False(t, p.Complete(nil))
			require.False(t, p.Complete(in[end:len(in)-1]))
			require.True(t, p.Complete(in[end:]))
		}
	}
}

func TestCompleteDoesNotWaitForAnIllegalLength(t *testing.T) {
	for _, in := range [][]byte{
		{0x82, 126, 0, 125},
		{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
		{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		for n := range in {
			p := frame.NewParser(frame.Rules{})
			require.Zero(t, feed(t, &p, in[:n]).code)
			require.True(t, p.Complete(in[n:]))
			require.False(t, p.Complete(in[n:len(in)-1]))
		}
	}
}

func TestCompleteChangesNothing(t *testing.T) {
	in := masked(0x01, "Hel", 0x89, "ping", 0x80, "lo")
	before := bytes.Clone(in)
	p := frame.NewParser(server)
	for i := range in {
		p.Complete(in[i:])
		require.Equal(t, before[i:], in[i:])
		_, _, err := p.Next(bytes.Clone(in[i : i+1]))
		require.NoError(t, err)
	}
	require.False(t, p.InMessage())
}

func TestWholeFramesCostNoAllocation(t *testing.T) {
	for name, in := range map[string][]byte{
		"messages":       masked(0x81, "Hello", 0x82, long, 0x81, ""),
		"fragments":      masked(0x01, "Hel", 0x00, "κ", 0x80, "lo"),
		"control frames": masked(0x89, "ping", 0x8a, "", 0x88, "\x03\xe8bye"),
	} {
		t.Run(name, func(t *testing.T) {
			p := frame.NewParser(server)
			scratch := make([]byte, len(in))
			require.Zero(t, testing.AllocsPerRun(200, func() {
				copy(scratch, in)
				for rest := scratch; len(rest) > 0; {
					_, n, err := p.Next(rest)
					if err != nil {
						panic(err)
					}
					rest = rest[n:]
				}
			}))
		})
	}
}

func TestPiecesOfControlFramesAreCollectedInOneAllocation(t *testing.T) {
	p := frame.NewParser(frame.Rules{})
	in := frames(0x89, long[:125])
	run := func() {
		for i := range in {
			if _, _, err := p.Next(in[i : i+1]); err != nil {
				panic(err)
			}
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run), "the buffer is made once for a parser")
}

func TestRefusingAFrameCostsNoAllocation(t *testing.T) {
	in := []byte{0x83, 0x00}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p := frame.NewParser(frame.Rules{})
		if _, _, err := p.Next(in); err == nil {
			panic("not refused")
		}
	}))
}

func TestPayloadIsUnmaskedInPlace(t *testing.T) {
	in := masked(0x82, "abcdef")
	p := frame.NewParser(server)
	part, n, err := p.Next(in)
	require.NoError(t, err)
	require.Equal(t, len(in), n)
	require.Same(t, &in[6], &part.Payload[0])
	require.Equal(t, "abcdef", string(in[6:]))
}
