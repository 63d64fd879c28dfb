package conn_test

import (
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/conn/endpoint"
)

func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	return len(files)
}

func TestConnectionsLeaveNothingBehind(t *testing.T) {
	r := &rig{T: t}
	opts := must((&conn.Options{Driver: &conn.Driver{}, CloseTimeout: 100 * time.Millisecond}).Shared())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	ctx := t.Context()
	ways := []func(c *conn.Conn, client net.Conn){
		func(c *conn.Conn, nc net.Conn) { // a reset
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) { // a half-close
			nc.(*net.TCPConn).CloseWrite()
			nc.SetReadDeadline(time.Now().Add(time.Second))
			nc.Read(make([]byte, 1))
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) { // an end during a write
			go c.Write(ctx, conn.Binary, make([]byte, 5<<20))
			go c.Write(ctx, conn.Binary, make([]byte, 5<<20))
			go c.Flush(ctx)
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) { // a half-close that reads nothing, during a write
			go c.Write(ctx, conn.Binary, make([]byte, 5<<20))
			go c.Write(ctx, conn.Binary, make([]byte, 5<<20))
			nc.(*net.TCPConn).CloseWrite()
			<-c.Done()
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) { // a ping that has no answer
			go c.Ping(ctx)
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) { // by us, without an answer
			go c.Close(ctx, 1000, "")
			<-c.Done()
			nc.Close()
		},
		func(c *conn.Conn, nc net.Conn) {
			c.CloseNow()
			nc.Close()
		},
		nil, // by both, as it should be
	}
	const cycles = 2000
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for i := range cycles {
		a, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		b, err := ln.Accept()
		require.NoError(t, err)
		c := must(conn.New(b, conn.Start{}, opts))
		go echo(ctx, c)
		way := ways[i%len(ways)]
		if i%160 != 5 && i%len(ways) == 5 {
			way = ways[6] // that one takes its time
		}
		if way == nil {
			client := must(conn.New(a, conn.Start{Role: endpoint.Client}, opts))
			requireEcho(r, client, pattern(100))
			require.NoError(t, client.Close(ctx, 1000, ""))
			continue
		}
		_, err = a.Write((&peer{client: true}).text("hello"))
		require.NoError(t, err)
		_, err = a.Read(make([]byte, 7))
		require.NoError(t, err)
		way(c, a)
		<-c.Done()
	}
	settle(t, func() bool { return runtime.NumGoroutine() <= goroutines && openFiles() <= files })
}

// settle waits until something is so, which it must be in a while.
func settle(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			require.FailNow(t, "something is left", "%d goroutines, %d files\n%s", runtime.NumGoroutine(), openFiles(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
