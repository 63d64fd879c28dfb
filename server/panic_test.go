package server_test

import (
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

const inChild = "WIREBEAT_TEST_CHILD"

// survives runs the test in a process of its own, which must not end by it.
func survives(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv(inChild) != "" {
		test(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inChild+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func panicking(r *http.Request) error {
	if r.URL.Path == "/panic" {
		panic("Authorize")
	}
	return nil
}

func checkPanicking(t *testing.T, addr string) {
	c := dial(t, addr)
	c.send(valid.set("GET /panic HTTP/1.1").String())
	c.over()
	connect(t, addr)
}

func TestAPanicOfAuthorizeBehindNetHTTPEndsOnlyItsConnection(t *testing.T) {
	checkPanicking(t, serveHTTP(t, &server.Server{Options: server.Options{Authorize: panicking}, Handle: echo}))
}

// Behind Serve nobody else recovers it.
func TestAPanicOfAuthorizeBehindServeDoesNotEndTheProcess(t *testing.T) {
	survives(t, func(t *testing.T) {
		checkPanicking(t, serve(t, &server.Server{Options: server.Options{Authorize: panicking}, Handle: echo}))
	})
}

// It is a callback of the application like the others.
func TestAPanicOfWhoWaitsForAPongDoesNotEndTheProcess(t *testing.T) {
	survives(t, func(t *testing.T) {
		addr := serve(t, &server.Server{Events: server.Events{Open: func(p *server.Peer) {
			p.Ping(func(control.Pong, error) { panic("done") })
		}, Message: func(p *server.Peer, typ conn.Type, data []byte) { p.Send(typ, data) }}})
		c := connect(t, addr)
		h, payload := c.frame()
		require.Equal(t, frame.Ping, h.Opcode)
		c.send(masked(0x8a, payload))
		c.over()
		c = connect(t, addr)
		h, _ = c.frame()
		require.Equal(t, frame.Ping, h.Opcode)
	})
}
