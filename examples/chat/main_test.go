package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

// start runs the program and returns its address. ctx ends before the test does.
func start(t *testing.T) (ctx context.Context, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- run(ctx, smallBuffers{ln}) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return ctx, ln.Addr().String()
}

// smallBuffers is a listener whose connections take little that is not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if tc, ok := nc.(*net.TCPConn); ok {
		err = errors.Join(err, tc.SetWriteBuffer(16<<10))
	}
	return nc, err
}

// user is a client of the chat.
type user struct {
	*conn.Conn
	ctx context.Context
}

func enter(ctx context.Context, addr, room, nick string) (user, error) {
	c, _, err := client.Dial(ctx, "ws://"+addr+"/"+room+"?nick="+nick, nil)
	return user{c, ctx}, err
}

func mustEnter(t *testing.T, ctx context.Context, addr, room, nick string) user {
	t.Helper()
	u, err := enter(ctx, addr, room, nick)
	require.NoError(t, err)
	t.Cleanup(func() { u.CloseNow() })
	return u
}

func (u user) next() (e event, err error) {
	_, data, err := u.ReadMessage(u.ctx)
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	return e, err
}

func (u user) expect(t *testing.T, want event) {
	t.Helper()
	got, err := u.next()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (u user) say(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, u.Write(u.ctx, conn.Text, []byte(text)))
}

// end reads to the end of the connection.
func (u user) end(t *testing.T) conn.CloseCode {
	t.Helper()
	for {
		if _, err := u.next(); err != nil {
			var end *conn.CloseError
			require.ErrorAs(t, err, &end)
			return end.Code
		}
	}
}

func TestPeopleComeTalkAndGo(t *testing.T) {
	ctx, addr := start(t)
	ann := mustEnter(t, ctx, addr, "lobby", "ann")
	ann.expect(t, event{Kind: "users", Users: []string{"ann"}})
	bob := mustEnter(t, ctx, addr, "lobby", "bob")
	bob.expect(t, event{Kind: "users", Users: []string{"ann", "bob"}})
	ann.expect(t, event{Kind: "join", User: "bob"})

	elsewhere := mustEnter(t, ctx, addr, "attic", "bob")
	elsewhere.expect(t, event{Kind: "users", Users: []string{"bob"}})
	elsewhere.say(t, "nobody here?")
	elsewhere.expect(t, event{Kind: "say", User: "bob", Text: "nobody here?"})

	ann.say(t, "<b>hello</b>")
	for _, u := range []user{ann, bob} {
		u.expect(t, event{Kind: "say", User: "ann", Text: "<b>hello</b>"})
	}

	second := mustEnter(t, ctx, addr, "lobby", "bob") // a user who is there already
	second.expect(t, event{Kind: "users", Users: []string{"ann", "bob"}})
	require.NoError(t, second.Close(ctx, 1000, ""))
	bob.say(t, "still here")
	ann.expect(t, event{Kind: "say", User: "bob", Text: "still here"})

	bob.CloseNow() // without a Close frame, as if bob's machine had died
	ann.expect(t, event{Kind: "leave", User: "bob"})
}

func TestAMemberWhoDoesNotReadHoldsNobodyUp(t *testing.T) {
	ctx, addr := start(t)
	slow := mustEnter(t, ctx, addr, "lobby", "slow")
	slow.expect(t, event{Kind: "users", Users: []string{"slow"}})
	ann := mustEnter(t, ctx, addr, "lobby", "ann")
	ann.expect(t, event{Kind: "users", Users: []string{"ann", "slow"}})

	// More than all buffers on the way and the backlog hold.
	text := strings.Repeat("x", maxText)
	for range (8 << 20) / maxText {
		ann.say(t, text)
		ann.expect(t, event{Kind: "say", User: "ann", Text: text})
	}
	require.Equal(t, conn.CloseCode(1013), slow.end(t))
	ann.expect(t, event{Kind: "leave", User: "slow"})
}

func TestTheListOfUsersIsTrueWhoeverComesAndGoes(t *testing.T) {
	ctx, addr := start(t)
	ann := mustEnter(t, ctx, addr, "lobby", "ann")
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			for range 4 {
				u, err := enter(ctx, addr, "lobby", fmt.Sprint("guest", i%8))
				if err == nil {
					err = u.Close(ctx, 1000, "")
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	crowd.Wait()
	last := mustEnter(t, ctx, addr, "lobby", "zoe")
	present := make(map[string]bool)
	for !present["zoe"] || len(present) > 2 { // the last guests may be about to go
		e, err := ann.next()
		require.NoError(t, err)
		switch e.Kind {
		case "users":
			for _, name := range e.Users {
				present[name] = true
			}
		case "join":
			require.False(t, present[e.User], "%s came twice", e.User)
			present[e.User] = true
		case "leave":
			require.True(t, present[e.User], "%s left twice", e.User)
			delete(present, e.User)
		}
	}
	require.True(t, present["ann"])
	last.CloseNow()
	ann.expect(t, event{Kind: "leave", User: "zoe"})
}

func TestWhatIsNoChatIsRefused(t *testing.T) {
	ctx, addr := start(t)
	for path, status := range map[string]int{
		"/lobby":                   http.StatusBadRequest,
		"/lobby?nick=":             http.StatusBadRequest,
		"/lobby?nick=%00":          http.StatusBadRequest,
		"/no/such/room?nick=ann":   http.StatusNotFound,
		"/page/chat.js?nick=ann":   http.StatusNotFound,
		"/?nick=ann":               http.StatusNotFound,
		"/lobby?nick=way-too-long": http.StatusSwitchingProtocols,
	} {
		c, resp, err := client.Dial(ctx, "ws://"+addr+path, nil)
		require.NotNil(t, resp, path)
		require.Equal(t, status, resp.StatusCode, path)
		if err == nil {
			c.CloseNow()
		}
	}

	ann := mustEnter(t, ctx, addr, "lobby", "ann")
	require.NoError(t, ann.Write(ctx, conn.Binary, []byte{1}))
	require.Equal(t, conn.CloseCode(1003), ann.end(t))

	bob := mustEnter(t, ctx, addr, "lobby", "bob")
	bob.say(t, strings.Repeat("x", maxText+1))
	require.Equal(t, conn.CloseCode(1009), bob.end(t))
}

func TestTheServerSaysGoodbye(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, ln) }()
	ann := mustEnter(t, t.Context(), ln.Addr().String(), "lobby", "ann")
	ann.expect(t, event{Kind: "users", Users: []string{"ann"}})
	stop()
	require.Equal(t, conn.CloseCode(1001), ann.end(t))
	require.NoError(t, <-done)
}

func TestThereIsAPage(t *testing.T) {
	_, addr := start(t)
	for path, want := range map[string]string{
		"/":              "<title>chat</title>", // by way of the lobby
		"/lobby":         "<title>chat</title>",
		"/page/chat.js":  "new WebSocket",
		"/page/chat.css": "#log",
	} {
		resp, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Contains(t, string(body), want)
	}
	resp, err := http.Get("http://" + addr + "/no-room.txt")
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
