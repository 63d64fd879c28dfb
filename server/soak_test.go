package server_test

import (
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// descriptors is how many files are open, or 0 where that cannot be known.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func TestNothingIsLeftOfManyConnectionsHoweverTheyEnd(t *testing.T) {
	cycles := 10_000
	if raceEnabled || testing.Short() {
		cycles = 1000
	}
	log := &lines{}
	s := echoServer(server.Options{Log: logTo(log)})
	var opened, closed atomic.Int64
	s.Events.Open = func(*server.Peer) { opened.Add(1) }
	s.Events.Close = func(*server.Peer, error) { closed.Add(1) }
	addr := serve(t, s)
	connect(t, addr).nc.Close()

	goroutines, files := runtime.NumGoroutine(), descriptors()
	big := bin(pattern(200_000))
	start := time.Now()
	endings := []func(c *client){
		func(c *client) { // a reset
			c.nc.(*net.TCPConn).SetLinger(0)
		},
		func(c *client) { // a half-close
			require.NoError(c.t, c.nc.(*net.TCPConn).CloseWrite())
			c.ended()
		},
		func(c *client) { // gone while the server writes, and has read half a message
			c.trySend(big + big[:1000])
		},
		func(c *client) {
			c.send(closing(1000, ""))
			c.expectClose(1000, "")
		},
		func(c *client) {
			c.send(masked(0x83, ""))
			c.expectCode(1002)
		},
		func(c *client) { // a reset in the middle of a frame
			c.nc.(*net.TCPConn).SetLinger(0)
			c.trySend(big[:70_000])
		},
	}
	slots := make(chan struct{}, 32)
	for i := range cycles {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			nc, err := net.Dial("tcp", addr)
			require.NoError(goroutineT{t}, err)
			defer nc.Close()
			c := talk(plainT{goroutineT{t}}, nc)
			c.send(valid.String(), text("x"))
			c.accepted()
			c.expect(frame.Text, "x")
			endings[i%len(endings)](c)
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	took := time.Since(start)
	require.Eventually(t, func() bool {
		return closed.Load() == int64(cycles)+1 && runtime.NumGoroutine() <= goroutines+1 && descriptors() <= files
	}, patience, 20*time.Millisecond)
	require.EqualValues(t, cycles+1, opened.Load())
	require.NotContains(t, strings.ToLower(log.String()), "panic")
	require.Less(t, took, 15*time.Second)
	t.Logf("%d connections in %v", cycles, took)
}

// plainT keeps nothing for the end of the test.
type plainT struct{ goroutineT }

func (plainT) Cleanup(func()) {}
