package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
	"github.com/wirebeat/wirebeat/frame"
)

// These tests are of the program: wirebeat ping.

// runPing returns what it prints and its exit code.
func runPing(t *testing.T, args ...string) (out string, exit int) {
	t.Helper()
	path, err := wirebeat()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err = command{path: path, args: append([]string{"ping"}, args...)}.run(ctx)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return out, failed.ExitCode()
	}
	require.NoError(t, err)
	return out, 0
}

var (
	pongLine   = regexp.MustCompile(`(?m)^(\d+) bytes from 127\.0\.0\.1:\d+: seq=(\d+) time=(\d+\.\d+) ms(.*)$`)
	pingResult = regexp.MustCompile(`(?m)^(\d+) pings sent, (\d+) received, (\d+)% loss`)
	pingTimes  = regexp.MustCompile(`(?m)^rtt min/avg/max/mdev = \d+\.\d+/\d+\.\d+/\d+\.\d+/\d+\.\d+ ms$`)
)

// requirePongs checks the lines of this many pongs, and the summary.
func requirePongs(t *testing.T, out string, count, size int, remark string) {
	t.Helper()
	t.Log("\n" + out)
	lines := pongLine.FindAllStringSubmatch(out, -1)
	require.Len(t, lines, count, "%s", out)
	for i, line := range lines {
		require.Equal(t, []string{fmt.Sprint(size), fmt.Sprint(i + 1), remark}, []string{line[1], line[2], line[4]}, "%s", out)
		require.NotEqual(t, "0.000", line[3], "%s", out)
	}
	summary := pingResult.FindStringSubmatch(out)
	require.Len(t, summary, 4, "%s", out)
	require.Equal(t, []string{fmt.Sprint(count), fmt.Sprint(count), "0"}, summary[1:])
	require.Regexp(t, pingTimes, out)
}

func TestOurPingShowsRoundTripsToForeignServers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ws", "Bun"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, registry[place(name)])
			out, exit := runPing(t, "-c", "3", "-i", "100ms", "ws://"+f.plain+"/echo?case=ping")
			require.Zero(t, exit, "%s", out)
			requirePongs(t, out, 3, 8, "")
			select {
			case s := <-f.of("ping"):
				require.Equal(t, 1000, s.Code, "the end at the server")
				require.Empty(t, s.Messages)
			case <-time.After(patience):
				require.FailNow(t, "the server saw no end of it")
			}
		})
	}
}

// rawServer runs a function for each connection, and returns its address.
func rawServer(t *testing.T, serve func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				serve(nc, bufio.NewReader(nc))
			}()
		}
	}()
	return ln.Addr().String()
}

func acceptRaw(nc net.Conn, r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		handshake.AcceptKey(request.Header.Get("Sec-WebSocket-Key")))
	return err == nil
}

// pongEmpty answers pings, but not with what they carry.
func pongEmpty(nc net.Conn, r *bufio.Reader) {
	for open := acceptRaw(nc, r); open; {
		var head [6]byte // of a masked frame of at most 125 bytes
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, r, int64(head[1]&0x7f)); err != nil {
			return
		}
		switch frame.Opcode(head[0] & 0x0f) {
		case frame.Ping:
			_, _ = io.WriteString(nc, "\x8a\x00")
		case frame.Close:
			_, _ = io.WriteString(nc, "\x88\x02\x03\xe8")
			return
		}
	}
}

func TestOurPingSaysThatAPongIsEmpty(t *testing.T) {
	t.Parallel()
	// It is taken for an answer only while a single ping is out.
	out, exit := runPing(t, "-c", "3", "-i", "500ms", "ws://"+rawServer(t, pongEmpty))
	require.Zero(t, exit, "%s", out)
	requirePongs(t, out, 3, 0, " (empty payload)")
}

func TestOurPingDoesNotWaitForABlackHole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		serve  func(net.Conn, *bufio.Reader)
		within time.Duration
		want   string
	}{
		{"that connects and is silent from then on", func(nc net.Conn, r *bufio.Reader) {
			acceptRaw(nc, r)
			_, _ = io.Copy(io.Discard, r)
		}, 4 * time.Second, "2 pings sent, 0 received, 100% loss"},
		{"that never answers at all", func(_ net.Conn, r *bufio.Reader) {
			_, _ = io.Copy(io.Discard, r)
		}, 12 * time.Second, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, err := wirebeat() // not to be counted
			require.NoError(t, err, path)
			began := time.Now()
			out, exit := runPing(t, "-c", "2", "-i", "100ms", "-W", "300ms", "ws://"+rawServer(t, test.serve))
			took := time.Since(began)
			t.Logf("after %v:\n%s", took, out)
			require.Equal(t, 1, exit)
			require.Less(t, took, test.within)
			require.Contains(t, out, test.want)
			require.NotRegexp(t, pongLine, out)
		})
	}
}
