package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-quick", "-seconds=0.5", "-json=x", "-peers=gobwas,gws"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 1, o.rounds)
	require.Equal(t, 500*time.Millisecond, o.seconds, "what is given wins over -quick")
	require.Equal(t, "gws", o.base)
	require.Equal(t, "go run -C benchmarks . -peers=gobwas,gws -quick=true -seconds=0.5", o.command)

	o, err = parseOptions([]string{"-peers=coder,gobwas"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "coder", o.base, "without gws the first is the base")

	for _, bad := range [][]string{
		{"-rounds=0"}, {"-seconds=0"}, {"-seconds=NaN"}, {"-warmup=-1"}, {"-peers=nobody"}, {"-engine", "-peers=bare-net"},
		{"-base=nobody"}, {"-scenarios=1"}, {"-cpus=0"}, {"-cpus=0,1,2"}, {"-cpus=0,-1"}, {"-cpus=0,99999"}, {"extra"},
	} {
		_, err := parseOptions(bad, io.Discard)
		require.Error(t, err, bad)
	}
}

func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	r := newReport(options{rounds: 2, base: "gws", command: "the command"})
	r.Loopback = []row[result]{{Scenario: "binary:1x1@1", Series: []series[result]{
		{Name: "gws", Runs: []result{{MessagesPerCPUSecond: 1e5}, {MessagesPerCPUSecond: 2e5}}},
		{Name: "x", Runs: []result{{MessagesPerCPUSecond: 25e5, PongsPerPing: 1}, {MessagesPerCPUSecond: 5e6}}},
		{Name: "y", Error: "byte 7 of the answer is wrong"},
	}}}
	r.Engine = []row[cost]{{Scenario: "16 B", Series: []series[cost]{{Name: "z", Runs: []cost{{12.5, 1}}}}}}
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	require.Regexp(t, `binary:1x1@1 +150 +3750 +FAILED\n`, out.String())
	require.Regexp(t, `binary:1x1@1 +1\.00 +25\.0 +FAILED\n`, out.String())
	require.Regexp(t, `16 B +12\.5\n`, out.String())
	require.Regexp(t, `16 B +-\n`, out.String(), "no base, no ratio")
	require.Contains(t, out.String(), "FAILED binary:1x1@1 y: byte 7 of the answer is wrong\n")
	require.Contains(t, out.String(), "the command\n")
	require.True(t, r.failed())

	require.NoError(t, r.save(file))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var again report
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, r.Loopback, again.Loopback)
	require.Equal(t, r.Engine, again.Engine)
}
