package conn_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
)

const (
	stoppedEnv      = "WIREBEAT_TEST_STOPPED"
	stoppedTimeout  = 600 * time.Millisecond
	stoppedInterval = 100 * time.Millisecond
)

// TestTheProcessThatIsStopped is the other process of the test that follows: it
// connects as often as a line says so, and tells who is dead.
func TestTheProcessThatIsStopped(t *testing.T) {
	addr := os.Getenv(stoppedEnv)
	if addr == "" {
		t.Skip("run by another test")
	}
	var mu sync.Mutex
	say := func(c *conn.Conn, what any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println("#", c.LocalAddr(), what)
	}
	opts := must((&conn.Options{PingInterval: stoppedInterval, PingTimeout: stoppedTimeout, WriteTimeout: stoppedTimeout,
		OnEnd: func(c *conn.Conn, err error) { say(c, err) },
	}).Shared())
	for range 40 {
		nc, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		c := must(conn.New(nc, conn.Start{Role: endpoint.Server}, opts))
		go echo(t.Context(), c)
	}
	io.Copy(io.Discard, os.Stdin)
}

func TestAProcessThatIsStoppedTakesNobodyForDead(t *testing.T) {
	t.Parallel()
	inRealTime(t)
	r := &rig{T: t}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestTheProcessThatIsStopped$")
	child.Env = append(os.Environ(), stoppedEnv+"="+ln.Addr().String())
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer func() {
		child.Process.Signal(syscall.SIGCONT)
		in.Close()
		child.Wait()
	}()
	var mu sync.Mutex
	ended := make(map[string]string)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			if line, ok := strings.CutPrefix(s.Text(), "# "); ok {
				addr, why, _ := strings.Cut(line, " ")
				mu.Lock()
				ended[addr] = why
				mu.Unlock()
			}
		}
	}()
	var people []*person
	for range 40 {
		nc, err := ln.Accept()
		require.NoError(t, err)
		defer nc.Close()
		people = append(people, (&peer{t: r, nc: nc, r: newReader(nc), client: true}).answering())
	}
	time.Sleep(stoppedTimeout / 2) // all have answered
	for i, factor := range []float64{.8, 1.4, 3} {
		dying := people[i*4 : i*4+4]
		for _, p := range dying[:2] {
			p.mute.Store(true) // before
		}
		time.Sleep(stoppedInterval)
		require.NoError(t, child.Process.Signal(syscall.SIGSTOP))
		time.Sleep(time.Duration(factor * float64(stoppedTimeout) / 2))
		for _, p := range dying[2:] {
			p.mute.Store(true) // and meanwhile
		}
		time.Sleep(time.Duration(factor * float64(stoppedTimeout) / 2))
		require.NoError(t, child.Process.Signal(syscall.SIGCONT))
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(ended) >= (i+1)*len(dying)
		}, patience, stoppedInterval)
		time.Sleep(stoppedTimeout / 2) // for others, who should live
		mu.Lock()
		require.Len(t, ended, (i+1)*len(dying), "%v", ended)
		for _, p := range dying {
			require.Contains(t, ended[p.nc.RemoteAddr().String()], control.PeerStalled.String())
		}
		mu.Unlock()
	}
}
