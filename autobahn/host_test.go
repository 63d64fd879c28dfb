package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClientRole(t *testing.T) {
	both, one := []string{"--role", "client", "--pong", "auto"}, []string{"--entry", "messages", "--pong", "auto"}
	with := func(args []string, more ...string) []string { return append(args[:len(args):len(args)], more...) }
	for _, c := range []struct {
		name string
		how  string
		args []string
		code int
		want string
	}{
		{"clients that echo pass", "good", both, exitPass, "\n32 passed, 0 failed\n"},
		{"in two runs as well", "good", with(both, "--jobs", "2"), exitPass, "\n32 passed, 0 failed\n"},
		{"both roles are judged together", "good", []string{"--entry", "stream,raw"}, exitPass, "\n64 passed, 0 failed\n"},
		{"a mode is judged by its own table", "good", []string{"--entry", "stream", "--pong", "coalesce", "--cases", "2.*"},
			exitFail, "must not answer every ping"},
		{"a client that fails a case fails", "objects", both, exitFail, "\n30 passed, 2 failed\n"},
		{"a client that is refused fails that case and goes on", "refuses", one, exitFail, "\n15 passed, 1 failed\n"},
		{"a refusal is told", "refuses", one, exitFail, "wirebeat-client-messages-auto: case 1.1.3: "},
		{"a suite that dies is an error with its last words", "dies", one, exitError, "no module named twisted"},
		{"a crash midway is an error with the case", "crashes", one, exitError, "case 1.1.5"},
		{"and with its last words", "crashes", both, exitError, "Traceback: out of memory"},
		{"a suite that leaves midway is an error", "leaves", one, exitError, "ended before it was asked to"},
		{"a case that does not end is ended by the time limit", "stalls", with(one, "--timeout", "2s"), exitError,
			"case 1.1.4: the time limit of 2s is over"},
		{"so is a suite that never listens", "waits", with(one, "--timeout", "1s"), exitError, "time limit of 1s is over"},
		{"a suite without a report is an error", "silent", one, exitError, "wrote no index"},
		{"a suite with other cases is an error", "miscounts", one, exitError, "15 cases, not the 16"},
		{"a port that is taken is changed for another", "taken once", one, exitPass, "\n16 passed, 0 failed\n"},
		{"but not for ever", "taken", one, exitError, "somebody else listens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := playGate(t, t.Context(), c.how, c.args...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.want)
		})
	}
	t.Run("each role leaves its report where it can be found", func(t *testing.T) {
		dir := t.TempDir()
		code, out := playGate(t, t.Context(), "good", "--entry", "messages,raw", "--pong", "auto", "--report", dir)
		require.Equal(t, exitPass, code, out)
		require.FileExists(t, filepath.Join(dir, roleClient, indexFile))
		require.FileExists(t, filepath.Join(dir, roleServer, indexFile))
	})
}

// fakeServer is a fuzzing server that nobody has started yet.
func fakeServer(t *testing.T, how string) (p *process, addr string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	addr, err = freeAddr()
	require.NoError(t, err)
	p, err = suite{wstest: self}.fuzzingServer(t.TempDir(), t.TempDir(), "ws://"+addr, mustResolve(t, "1.*"))
	require.NoError(t, err)
	p.env = append(p.env, fakeEnv+"="+how, "GORACE=atexit_sleep_ms=0")
	return p, addr
}

func TestHost(t *testing.T) {
	t.Run("the suite listens during the visit and is gone afterwards", func(t *testing.T) {
		p, addr := fakeServer(t, "good")
		require.NoError(t, p.host(t.Context(), addr, time.Minute, nil, func(context.Context) error {
			nc, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			return nc.Close()
		}))
		_, err := net.Dial("tcp", addr)
		require.Error(t, err)
	})
	t.Run("the suite is gone after a visit that fails as well", func(t *testing.T) {
		p, addr := fakeServer(t, "good")
		failed := errors.New("failed")
		err := p.host(t.Context(), addr, time.Minute, nil, func(context.Context) error { return failed })
		require.ErrorIs(t, err, failed)
		require.ErrorContains(t, err, "running good")
		_, err = net.Dial("tcp", addr)
		require.Error(t, err)
	})
	t.Run("a suite that never listens is not waited for without end", func(t *testing.T) {
		p, addr := fakeServer(t, "waits")
		err := p.host(t.Context(), addr, 200*time.Millisecond, nil, func(context.Context) error {
			t.Error("visited")
			return nil
		})
		require.ErrorContains(t, err, "does not listen on "+addr)
	})
	t.Run("the end of the suite ends the visit", func(t *testing.T) {
		p, addr := fakeServer(t, "crashes")
		err := p.host(t.Context(), addr, time.Minute, nil, func(ctx context.Context) error {
			_, err := http.Get("http://" + addr + "/runCase?case=5")
			require.Error(t, err)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		require.ErrorContains(t, err, "out of memory")
		require.ErrorContains(t, err, "ended before it was asked to")
	})
	t.Run("a program that is not there is an error", func(t *testing.T) {
		p := &process{name: filepath.Join(t.TempDir(), "gone")}
		require.Error(t, p.host(t.Context(), "127.0.0.1:1", time.Minute, nil, nil))
	})
}
