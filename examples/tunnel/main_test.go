package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// rig is a target, and a tunnel to it.
type rig struct {
	target *net.TCPListener
	server string // address of the WebSocket server
	client string // address for TCP clients
	stop   func() // shuts both ends of the tunnel down
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{target: listen(t).(*net.TCPListener)}
	t.Cleanup(func() { r.target.Close() })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	serve := func(run func(context.Context, net.Listener, string) error, to string) string {
		ln := listen(t)
		go func() { done <- run(ctx, ln, to) }()
		return ln.Addr().String()
	}
	r.server = serve(runServer, r.target.Addr().String())
	r.client = serve(runClient, "ws://"+r.server+"/")
	r.stop = sync.OnceFunc(func() {
		stop()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return ln
}

// dial opens a TCP connection through the tunnel and returns both its ends.
func (r *rig) dial(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	nc, err := net.Dial("tcp", r.client)
	require.NoError(t, err)
	r.target.SetDeadline(time.Now().Add(10 * time.Second))
	far, err = r.target.AcceptTCP()
	require.NoError(t, err)
	near = nc.(*net.TCPConn)
	for _, nc := range []net.Conn{near, far} {
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { nc.Close() })
	}
	return near, far
}

func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i*7)
	}
	return b
}

// expect reads to the end, which must be a clean one.
func expect(t *testing.T, nc *net.TCPConn, want []byte) {
	t.Helper()
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	require.Equal(t, len(want), len(got))
	require.True(t, bytes.Equal(want, got))
}

// expectCut reads to the end, which must not be a clean one.
func expectCut(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	_, err := io.Copy(io.Discard, nc)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestAnAnswerComesAfterTheEndOfTheQuestion(t *testing.T) {
	near, far := start(t).dial(t)
	question, answer := pattern(5<<20), pattern(3<<20)
	go func() {
		near.Write(question)
		near.CloseWrite()
	}()
	expect(t, far, question)
	go func() {
		far.Write(answer)
		far.Close()
	}()
	expect(t, near, answer)
}

func TestTheTargetMayEndFirst(t *testing.T) {
	near, far := start(t).dial(t)
	_, err := far.Write([]byte("220 ready\r\n"))
	require.NoError(t, err)
	require.NoError(t, far.CloseWrite())
	expect(t, near, []byte("220 ready\r\n"))
	question := pattern(1 << 20)
	go func() {
		near.Write(question)
		near.Close()
	}()
	expect(t, far, question)
}

func TestBothWaysAtOnceAndSeveralConnections(t *testing.T) {
	r := start(t)
	var all sync.WaitGroup
	for range 8 {
		near, far := r.dial(t)
		for _, nc := range []*net.TCPConn{near, far} {
			data := pattern(1 << 20)
			all.Go(func() {
				nc.Write(data)
				nc.CloseWrite()
			})
			all.Go(func() {
				sum := sha256.New()
				if _, err := io.Copy(sum, nc); err != nil {
					t.Error(err)
				}
				if [32]byte(sum.Sum(nil)) != sha256.Sum256(data) {
					t.Error("other bytes came out than went in")
				}
			})
		}
	}
	all.Wait()
}

func TestAResetIsNotTakenForAnEnd(t *testing.T) {
	for _, name := range []string{"of the client", "of the target"} {
		t.Run(name, func(t *testing.T) {
			near, far := start(t).dial(t)
			if name == "of the target" {
				near, far = far, near
			}
			_, err := near.Write([]byte("half a"))
			require.NoError(t, err)
			_, err = io.ReadFull(far, make([]byte, 6))
			require.NoError(t, err)
			reset(near)
			expectCut(t, far)
		})
	}
}

func TestAResetAfterTheOtherWayHasEnded(t *testing.T) {
	near, far := start(t).dial(t)
	require.NoError(t, near.CloseWrite())
	expect(t, far, nil)
	reset(far)
	expectCut(t, near)
}

func TestNothingLeaksWhenOneSideDoesNotRead(t *testing.T) {
	before := runtime.NumGoroutine()
	r := start(t)
	near, far := r.dial(t)
	var stuck sync.WaitGroup
	for _, nc := range []*net.TCPConn{near, far} {
		stuck.Go(func() {
			for err := error(nil); err == nil; {
				_, err = nc.Write(make([]byte, 1<<20))
			}
		})
	}
	reset(near) // while both ways are full
	stuck.Wait()
	r.stop()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before }, 5*time.Second, 5*time.Millisecond)
}

func TestShutdownCutsWhatIsOpen(t *testing.T) {
	r := start(t)
	near, far := r.dial(t)
	_, err := near.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(far, make([]byte, 1))
	require.NoError(t, err)
	r.stop()
	expectCut(t, near)
	expectCut(t, far)
}

func TestShutdownCutsWhatHasEndedOneWay(t *testing.T) {
	r := start(t)
	near, far := r.dial(t)
	require.NoError(t, near.CloseWrite())
	expect(t, far, nil)
	r.stop()
	expectCut(t, near)
	_, err := far.Write([]byte("x")) // it has nothing to read any more
	require.Error(t, err)
}

func TestATargetThatCannotBeReached(t *testing.T) {
	r := start(t)
	r.target.Close()
	dialInVain(t, r.client)
}

func TestAServerThatCannotBeReached(t *testing.T) {
	nobody := listen(t)
	nobody.Close()
	ln := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runClient(ctx, ln, "ws://"+nobody.Addr().String()+"/") }()
	dialInVain(t, ln.Addr().String())
	stop()
	require.NoError(t, <-done)
}

// dialInVain opens a connection that is reset at once, maybe before the call
// that opens it has returned.
func dialInVain(t *testing.T, addr string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	expectCut(t, nc.(*net.TCPConn))
}

func TestTheServerWantsItsSubprotocolAndItsChunks(t *testing.T) {
	r := start(t)
	c, _, err := client.Dial(t.Context(), "ws://"+r.server+"/", nil)
	require.NoError(t, err)
	_, _, err = c.ReadMessage(t.Context())
	requireCode(t, 1008, err)

	for _, rogue := range []struct {
		typ  conn.Type
		data []byte
		code conn.CloseCode
	}{
		{conn.Text, []byte("hello"), 1003},
		{conn.Binary, []byte{0xff, 0xff}, 1011},
	} {
		c, _, err := client.Dial(t.Context(), "ws://"+r.server+"/", &client.Options{Subprotocols: []string{subprotocol}})
		require.NoError(t, err)
		r.target.SetDeadline(time.Now().Add(10 * time.Second))
		far, err := r.target.AcceptTCP()
		require.NoError(t, err)
		require.NoError(t, c.Write(t.Context(), rogue.typ, rogue.data))
		_, _, err = c.ReadMessage(t.Context())
		requireCode(t, rogue.code, err)
		far.SetDeadline(time.Now().Add(10 * time.Second))
		expectCut(t, far)
		far.Close()
	}
}

func requireCode(t *testing.T, want conn.CloseCode, err error) {
	t.Helper()
	var end *conn.CloseError
	require.ErrorAs(t, err, &end)
	require.Equal(t, want, end.Code, end.Error())
}
