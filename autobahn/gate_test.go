package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// playGate runs the gate with the fake suite.
func playGate(t *testing.T, ctx context.Context, how string, args ...string) (int, string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(fakeEnv, how)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake would take a second to exit under -race
	var out strings.Builder
	code := gate(ctx, append([]string{"--wstest", self, "--cases", "1.*"}, args...), &out, &out)
	return code, out.String()
}

func TestGate(t *testing.T) {
	const one, two = "a=ws://127.0.0.1:1", "b=ws://127.0.0.1:2"
	for _, c := range []struct {
		name string
		how  string
		args []string
		code int
		want string
	}{
		{"a good report passes", "good", []string{"--url", one}, exitPass, "\n16 passed, 0 failed\n"},
		{"two agents are judged each for itself", "good", []string{"--url", one, "--url", two}, exitPass, "\n32 passed, 0 failed\n"},
		{"two agents in two runs as well", "good", []string{"--url", one, "--url", two, "--jobs", "2"}, exitPass, "\n32 passed, 0 failed\n"},
		{"a report that lacks one case fails", "short", []string{"--url", one, "--url", two}, exitFail, "\n31 passed, 1 failed\n"},
		{"a report that lacks an agent fails", "absent", []string{"--url", one, "--url", two}, exitFail, "\n16 passed, 16 failed\n"},
		{"a suite that dies is an error with its last words", "dies", []string{"--url", one}, exitError, "no module named twisted"},
		{"a suite without a report is an error", "silent", []string{"--url", one}, exitError, "wrote no index"},
		{"a suite over its time is ended", "waits", []string{"--url", one, "--timeout", "1s"}, exitError, "time limit of 1s is over"},
		{"two servers of one name are an error", "good", []string{"--url", one, "--url", one}, exitError, "named a"},
		{"help is no error", "good", []string{"--help"}, exitPass, "go run ./autobahn"},
		{"a wrong flag is an error", "good", []string{"--suite=none", "--wstest="}, exitError, "--suite none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := playGate(t, t.Context(), c.how, c.args...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.want)
		})
	}
	t.Run("the report of an earlier run is not judged", func(t *testing.T) {
		dir := t.TempDir()
		code, out := playGate(t, t.Context(), "good", "--url", one, "--report", dir)
		require.Equal(t, exitPass, code, out)
		require.FileExists(t, filepath.Join(dir, indexFile))
		code, out = playGate(t, t.Context(), "silent", "--url", one, "--report", dir)
		require.Equal(t, exitError, code, out)
	})
	t.Run("a temporary report is removed", func(t *testing.T) {
		t.Setenv("TMPDIR", t.TempDir())
		code, out := playGate(t, t.Context(), "good", "--url", one)
		require.Equal(t, exitPass, code, out)
		left, err := os.ReadDir(os.Getenv("TMPDIR"))
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("an interrupt ends a suite that does not listen", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes the whole grace period")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		seen := &watcher{word: "running hangs", call: func() { cancel(errors.New("interrupted")) }}
		self, err := os.Executable()
		require.NoError(t, err)
		start := time.Now()
		p := &process{name: self, args: []string{"-m", "fuzzingclient", "-s", emptySpec(t)}, env: []string{fakeEnv + "=hangs"}}
		require.ErrorContains(t, p.run(ctx, seen), "interrupted")
		require.Less(t, time.Since(start), 30*time.Second)
	})
}

// watcher calls once something was written that contains word.
type watcher struct {
	word string
	call func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.word) {
		w.call()
	}
	return len(p), nil
}

func emptySpec(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(newClientSpec(t.TempDir(), nil, nil))
	require.NoError(t, err)
	p := filepath.Join(t.TempDir(), specFile)
	require.NoError(t, os.WriteFile(p, b, 0o600))
	return p
}

func TestFindSuite(t *testing.T) {
	executable := func(dir, name string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte("#!/bin/sh\n"), 0o755))
		return p
	}
	onPath, cache, named := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("PATH", "")
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv(wstestEnv, "")
	find := func(kind, path string) (suite, error) { return findSuite(t.Context(), kind, path, "image") }

	t.Run("nothing there is an error that says what was tried", func(t *testing.T) {
		_, err := find(suiteAuto, "")
		for _, s := range []string{wstestEnv, "install.sh", "docker"} {
			require.ErrorContains(t, err, s)
		}
	})
	built := executable(cache, "wirebeat/autobahn/bin/wstest")
	t.Run("the environment of install.sh serves when PATH has none", func(t *testing.T) {
		s, err := find(suiteAuto, "")
		require.NoError(t, err)
		require.Equal(t, suite{wstest: built}, s)
	})
	p := executable(onPath, "wstest")
	t.Setenv("PATH", onPath)
	t.Run("PATH comes before the environment", func(t *testing.T) {
		s, err := find(suiteAuto, "")
		require.NoError(t, err)
		require.Equal(t, suite{wstest: p}, s)
		s, err = find(suitePython, "")
		require.NoError(t, err)
		require.Equal(t, suite{wstest: built}, s)
	})
	v := executable(named, "my-wstest")
	t.Run("the variable comes before PATH, the flag before the variable", func(t *testing.T) {
		t.Setenv(wstestEnv, v)
		s, err := find(suiteAuto, "")
		require.NoError(t, err)
		require.Equal(t, suite{wstest: v}, s)
		s, err = find(suiteAuto, built)
		require.NoError(t, err)
		require.Equal(t, suite{wstest: built}, s)
	})
	t.Run("a relative path is made absolute, for the suite runs elsewhere", func(t *testing.T) {
		t.Chdir(named)
		s, err := find(suiteAuto, "./my-wstest")
		require.NoError(t, err)
		require.True(t, filepath.IsAbs(s.wstest), s.wstest)
	})
	t.Run("a variable that names nothing is an error, not a reason to look further", func(t *testing.T) {
		t.Setenv(wstestEnv, filepath.Join(named, "gone"))
		_, err := find(suiteAuto, "")
		require.ErrorContains(t, err, "gone")
	})
	t.Run("docker mounts the spec and the report and runs as us", func(t *testing.T) {
		s := suite{docker: "docker", image: "image:1"}
		for _, c := range []struct {
			mode  string
			build func(dir string) (*process, error)
		}{
			{"fuzzingclient -s /spec/spec.json", func(dir string) (*process, error) {
				return s.fuzzingClient(dir, "/somewhere", []agent{{name: "a", url: "ws://h:1"}}, []string{"1.1.1"})
			}},
			{"fuzzingserver -s /spec/spec.json --webport 0", func(dir string) (*process, error) {
				return s.fuzzingServer(dir, "/somewhere", "ws://h:1", []string{"1.1.1"})
			}},
		} {
			dir := t.TempDir()
			pr, err := c.build(dir)
			require.NoError(t, err)
			line := strings.Join(pr.args, " ")
			require.Contains(t, line, "--network host")
			require.Contains(t, line, "-v /somewhere:/report")
			require.True(t, strings.HasSuffix(line, "image:1 wstest -m "+c.mode), line)
			b, err := os.ReadFile(filepath.Join(dir, specFile))
			require.NoError(t, err)
			require.Contains(t, string(b), `"outdir": "/report"`)
			require.Contains(t, string(b), `"url": "ws://h:1"`)
		}
	})
}
