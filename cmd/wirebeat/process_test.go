package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

// build makes the program, where it can be sent signals.
func build(t *testing.T) (program string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("has no SIGTERM")
	}
	program = filepath.Join(t.TempDir(), "wirebeat")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

func TestASignalEndsTheProgramWithoutAFailure(t *testing.T) {
	program := build(t)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0")
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer cmd.Process.Kill()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			addr := strings.TrimSuffix(strings.TrimPrefix(line, "listening on ws://"), "/\n")
			c := join(t, addr)
			c.send(text("x"))
			c.expect(frame.Text, "x")
			require.NoError(t, cmd.Process.Signal(signal))
			c.expectClose(1001, "")
			require.NoError(t, cmd.Wait(), "exit 0")
		})
	}
	out, err := exec.Command(program, "serve", "--nonsense").CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Equal(t, 2, err.(*exec.ExitError).ExitCode())
}

// spawn starts the program. Its stdin is open until the test ends.
func spawn(t *testing.T, program string, args ...string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(program, args...)
	cmd.Stderr = new(output)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, stdin, bufio.NewReader(out)
}

func TestPingAndConnectAreProgramsToo(t *testing.T) {
	program, url := build(t), "ws://"+start(t).addr
	t.Run("a pipe", func(t *testing.T) {
		cmd := exec.Command(program, "connect", url)
		cmd.Stdin = strings.NewReader("a\nb\n")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "a\nb\n", string(out))
	})
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run("connect ends with "+signal.String(), func(t *testing.T) {
			cmd, stdin, stdout := spawn(t, program, "connect", url)
			io.WriteString(stdin, "a\n")
			line, err := stdout.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "a\n", line)
			require.NoError(t, cmd.Process.Signal(signal))
			require.NoError(t, cmd.Wait(), "exit 0")
		})
		t.Run("ping ends with "+signal.String(), func(t *testing.T) {
			cmd, _, stdout := spawn(t, program, "ping", url, "-i", "1ms")
			for range 3 {
				_, err := stdout.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, cmd.Process.Signal(signal))
			rest, err := io.ReadAll(stdout)
			require.NoError(t, err)
			require.Contains(t, string(rest), "mdev")
			require.NoError(t, cmd.Wait(), "exit 0")
		})
	}
	t.Run("a second signal does not wait", func(t *testing.T) {
		heard := make(chan frame.Opcode, 2)
		mute := accepts(t, func(p *peer) {
			for range 2 {
				op, _, _ := p.hear()
				heard <- op
			}
			p.hold()
		})
		cmd, stdin, _ := spawn(t, program, "connect", mute)
		io.WriteString(stdin, "connected\n")
		require.Equal(t, frame.Text, <-heard)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.Equal(t, frame.Close, <-heard)
		began, ended := time.Now(), make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for err := error(nil); err == nil; { // it may still be about to let go of them
			cmd.Process.Signal(os.Interrupt)
			select {
			case err = <-ended:
				require.ErrorContains(t, err, "interrupt")
			case <-time.After(10 * time.Millisecond):
			}
			require.Less(t, time.Since(began), silenceLimit-time.Second)
		}
	})
}
