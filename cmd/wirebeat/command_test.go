package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		{"an interval of nothing", "serve --ping-interval 5ms", "shorter than 10 ms"},
		{"a timeout of ages", "serve --ping-timeout 200h", "longer than a week"},
		{"a certificate without a key", "serve --tls-cert x", "--tls-key"},
		{"a key without a certificate", "serve --tls-key x", "--tls-cert"},
		{"an origin with a path", "serve --origin https://example.com/", "example.com"},
		{"an origin of ws", "serve --origin ws://example.com", "ws"},
		{"a subprotocol that is no token", "serve --subprotocol a,b", "a,b"},
		{"a subprotocol twice", "serve --subprotocol a --subprotocol a", "twice"},
		{"a value is missing", "serve --listen", "listen"},
		{"no boolean", "serve --compression=maybe", "compression"},

		{"nothing to ping", "ping -c 1", "URL"},
		{"two things to ping", "ping ws://a -c 1 ws://b", `"ws://b"`},
		{"an unknown flag of ping", "ping ws://a --foo", "foo"},
		{"a flag that is an argument", "ping -- ws://a -c", `"-c"`},
		{"a negative count", "ping ws://a -c -1", "-c must"},
		{"no count", "ping ws://a -c many", "-c"},
		{"an interval of nothing", "ping ws://a -i 0", "-i must"},
		{"a negative interval", "ping ws://a -i -1s", "-i must"},
		{"no interval", "ping ws://a -i soon", "0.2"},
		{"an endless interval", "ping ws://a -i Inf", "0.2"},
		{"too small a ping", "ping ws://a -s 7", "8 bytes"},
		{"too large a ping", "ping ws://a -s 126", "at most 125"},
		{"no size", "ping ws://a -s large", "-s"},
		{"a wait of nothing", "ping ws://a -W 0", "-W must"},
		{"another scheme", "ping ftp://a", `"ftp"`},
		{"no URL", "ping a", "ws://"},
		{"a URL with a fragment", "ping ws://a/#b", "fragment"},

		{"nothing to connect to", "connect", "URL"},
		{"two things to connect to", "connect ws://a ws://b", `"ws://b"`},
		{"another scheme to connect to", "connect unix://a", `"unix"`},
		{"a header without a value", "connect ws://a --header Cookie", `"Cookie"`},
		{"a header without a name", "connect ws://a --header :x", `":x"`},
		{"a header whose name is no token", "connect ws://a --header a/b:c", "a/b"},
		{"a header of the handshake", "connect ws://a --header Upgrade:x", "Upgrade"},
		{"two hosts", "connect ws://a --header Host:b --header Host:c", "Host"},
		{"two origins", "connect ws://a --header Origin:b --origin c", "Origin"},
		{"no origin", "connect ws://a --origin=", "--origin"},
		{"a subprotocol to offer that is no token", "connect ws://a --subprotocol a,b", "a,b"},
		{"a subprotocol to offer twice", "connect ws://a --subprotocol a --subprotocol a", "twice"},
		{"a limit of nothing on messages", "connect ws://a --max-message 0", "--max-message"},
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
		"serve --listen 127.0.0.1:0 --engine reactor", "connect --reconnect ws://127.0.0.1:1/",
	} {
		t.Run(args, func(t *testing.T) {
			code, stdout, stderr := command(strings.Fields(args)...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "not supported by this build")
		})
	}
}

func TestAFlagThatTurnsSomethingOffOrSaysTheDefault(t *testing.T) {
	for _, args := range []string{
		"--ping-interval -1s", "--ping-timeout -1s", "--compression=false", "--engine goroutine", "--text-heartbeat=false",
		"--compression=true", "--compression", "--ping-interval 0", "--ping-timeout 0",
	} {
		t.Run(args, func(t *testing.T) {
			code, stdout, stderr := command(append(append([]string{"serve"}, strings.Fields(args)...), "--listen", "127.0.0.1:0")...)
			require.Equal(t, 0, code, stderr)
			require.Contains(t, stdout, "listening on ws://127.0.0.1:")
		})
	}
}

func TestHelpListsEveryFlagAndIsNoFailure(t *testing.T) {
	tests := []struct{ command, flags, says string }{
		{"serve", "listen engine compression max-message ping-interval ping-timeout pong control-rate " +
			"origin subprotocol text-heartbeat tls-cert tls-key v", "127.0.0.1:9001 1048576"},
		{"ping", "c i s W", "URL 8 125 1s 10s ping(8)"},
		{"connect", "echo subprotocol header origin compression max-message reconnect", "URL 1048576 stdin binary hexadecimal"},
	}
	for _, test := range tests {
		for _, help := range []string{"--help", "-h", "-help", "ws://a --help"} {
			if test.command == "serve" {
				help = strings.TrimPrefix(help, "ws://a ")
			}
			code, stdout, _ := command(append([]string{test.command}, strings.Fields(help)...)...)
			require.Zero(t, code)
			for _, name := range strings.Fields(test.flags) {
				require.Regexp(t, `(?m)^\s+-{1,2}`+name+`\b`, stdout)
			}
			for _, text := range strings.Fields(test.says) {
				require.Contains(t, stdout, text)
			}
		}
	}
	for _, help := range []string{"help", "--help", "-h"} {
		code, stdout, stderr := command(help)
		require.Zero(t, code)
		for _, test := range tests {
			require.Contains(t, stdout, "wirebeat "+test.command)
		}
		require.Empty(t, stderr)
	}
}

// What was asked for goes to stdout, so that it can be piped into a pager.
func TestHelpGoesToStdout(t *testing.T) {
	for name, says := range map[string]string{"serve": "listen", "ping": "-W", "connect": "echo"} {
		_, stdout, stderr := command(name, "--help")
		require.Contains(t, stdout, says)
		require.Empty(t, stderr)
	}
}

func TestFlagsStandBeforeAndBehindTheArgument(t *testing.T) {
	url := "ws://" + start(t).addr + "/"
	for _, args := range []string{
		"ping -c 2 -i 1ms URL", "ping URL -c 2 -i 1ms", "ping -c 2 URL -i 1ms", "ping -c=2 -i 0.001 -- URL", "ping --c 2 URL --i=1ms --",
	} {
		t.Run(args, func(t *testing.T) {
			p := launch(t, nil, strings.Fields(strings.ReplaceAll(args, "URL", url))...)
			require.Zero(t, p.wait(t), "%s", &p.stderr)
			require.Contains(t, p.stdout.String(), "2 pings sent, 2 received")
		})
	}
}

func TestPeriodsAreDurationsOrSeconds(t *testing.T) {
	for v, want := range map[string]time.Duration{
		"200ms": 200 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "2m": 2 * time.Minute,
		"0.2": 200 * time.Millisecond, "3": 3 * time.Second, ".5": 500 * time.Millisecond, "0": 0, "-1": -time.Second,
	} {
		var p period
		require.NoError(t, p.Set(v))
		require.Equal(t, want, time.Duration(p))
	}
	for _, v := range []string{"", "s", "1 s", "NaN", "Inf", "-Inf", "1e10", "1e400"} {
		require.Error(t, new(period).Set(v), v)
	}
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
