package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACommandLineThatMakesNoSenseIsExplained(t *testing.T) {
	tests := []struct {
		name string
		args string
		says string
	}{
		{"no command", "", "wirebeat serve"},
		{"an unknown command", "sevre", `"sevre"`},
		{"an unknown flag", "serve --foo", "foo"},
		{"an argument", "serve here", `"here"`},
		{"a flag behind an argument", "serve x --listen 127.0.0.1:0", `"x"`},
		{"an engine that is not there", "serve --engine threads", "threads"},
		{"a pong mode that is not there", "serve --pong never", "auto, strict or coalesce"},
		{"no number", "serve --max-message many", "max-message"},
		{"a limit of nothing", "serve --max-message 0", "--max-message"},
		{"a negative limit", "serve --max-message -1", "--max-message"},
		{"a negative rate", "serve --control-rate -1", "--control-rate"},
		{"no duration", "serve --ping-interval 5", "ping-interval"},
		{"a certificate without a key", "serve --tls-cert x", "--tls-key"},
		{"a key without a certificate", "serve --tls-key x", "--tls-cert"},
		{"an origin with a path", "serve --origin https://example.com/", "example.com"},
		{"an origin of ws", "serve --origin ws://example.com", "ws"},
		{"a subprotocol that is no token", "serve --subprotocol a,b", "a,b"},
		{"a subprotocol twice", "serve --subprotocol a --subprotocol a", "twice"},
		{"a value is missing", "serve --listen", "listen"},
		{"no boolean", "serve --compression=maybe", "compression"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := command(strings.Fields(test.args)...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, test.says)
		})
	}
}

// A flag that this build cannot honour must not be ignored. Whoever makes one
// work moves it to a test of its work.
func TestAFlagThatThisBuildCannotHonourIsAnError(t *testing.T) {
	for _, args := range []string{
		"ping ws://127.0.0.1:1/", "connect ws://127.0.0.1:1/",
		"serve --engine reactor", "serve --compression", "serve --compression=true",
		"serve --ping-interval 5s", "serve --ping-timeout 1s", "serve --text-heartbeat",
	} {
		t.Run(args, func(t *testing.T) {
			code, stdout, stderr := command(append(strings.Fields(args), "--listen", "127.0.0.1:0")...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "not supported by this build")
		})
	}
}

func TestAFlagThatTurnsOffWhatThisBuildHasNotIsHonoured(t *testing.T) {
	for _, args := range []string{
		"--ping-interval -1s", "--ping-timeout -1s", "--compression=false", "--engine goroutine", "--text-heartbeat=false",
	} {
		t.Run(args, func(t *testing.T) {
			code, stdout, stderr := command(append(append([]string{"serve"}, strings.Fields(args)...), "--listen", "127.0.0.1:0")...)
			require.Equal(t, 0, code, stderr)
			require.Contains(t, stdout, "listening on ws://127.0.0.1:")
		})
	}
}

func TestHelpListsEveryFlagAndIsNoFailure(t *testing.T) {
	flags := []string{
		"listen", "engine", "compression", "max-message", "ping-interval", "ping-timeout", "pong", "control-rate",
		"origin", "subprotocol", "text-heartbeat", "tls-cert", "tls-key", "v",
	}
	for _, help := range []string{"--help", "-h", "-help"} {
		code, stdout, stderr := command("serve", help)
		require.Zero(t, code)
		for _, name := range flags {
			require.Regexp(t, `(?m)^\s+-{1,2}`+name+`\b`, stdout+stderr)
		}
		require.Contains(t, stdout+stderr, "127.0.0.1:9001")
		require.Contains(t, stdout+stderr, "1048576")
	}
	for _, help := range []string{"help", "--help", "-h"} {
		code, stdout, stderr := command(help)
		require.Zero(t, code)
		require.Contains(t, stdout, "wirebeat serve")
		require.Empty(t, stderr)
	}
}

// What was asked for goes to stdout, so that it can be piped into a pager.
func TestHelpGoesToStdout(t *testing.T) {
	_, stdout, stderr := command("serve", "--help")
	require.Contains(t, stdout, "listen")
	require.Empty(t, stderr)
}

func TestWhatCannotBeDoneIsAFailure(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	tests := map[string][]string{
		"the address is taken":           {"--listen", taken.Addr().String()},
		"the address is none":            {"--listen", "nonsense"},
		"the port is none":               {"--listen", "127.0.0.1:99999"},
		"the certificate does not exist": {"--tls-cert", empty + "x", "--tls-key", empty},
		"the certificate is empty":       {"--tls-cert", empty, "--tls-key", empty},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(append([]string{"serve"}, args...)...)
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.True(t, strings.HasPrefix(stderr, "wirebeat: "), stderr)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}
