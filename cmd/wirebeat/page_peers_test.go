package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

// listing is an answer of GET /api/peers.
type listing struct {
	Peers       []peerRow
	More        int
	Transitions []transition
	Demos       struct{ Now, Most int }
	Interval    int64 `json:"interval_ms"`
	Timeout     int64 `json:"timeout_ms"`
	Driver      conn.Stats
}

func (l *listing) find(remote string) *peerRow {
	i := slices.IndexFunc(l.Peers, func(r peerRow) bool { return r.Remote == remote })
	if i < 0 {
		return nil
	}
	return &l.Peers[i]
}

func listPage(t *testing.T, addr, query string) (l listing) {
	t.Helper()
	got := askPage(t, "GET", addr, "/api/peers"+query)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.NoError(t, json.Unmarshal([]byte(got.Body), &l))
	return l
}

// awaitPage lists until something is seen.
func awaitPage(t *testing.T, addr string, seen func(l *listing) bool) (l listing) {
	t.Helper()
	for end := time.Now().Add(pagePatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if l = listPage(t, addr, ""); seen(&l) {
			return l
		}
	}
	require.FailNow(t, "it does not happen", "%+v", l)
	return l
}

// pageQuick is an echo whose peers die soon.
func pageQuick(t *testing.T) (addr string, driver *conn.Driver) {
	driver = &conn.Driver{}
	return servePage(t, newEcho(server.Options{Conn: conn.Options{
		PingInterval: 50 * time.Millisecond, PingTimeout: 400 * time.Millisecond, Driver: driver,
	}}, slog.New(slog.DiscardHandler))), driver
}

func TestPagePeersAreListedNewestFirst(t *testing.T) {
	addr := pageEcho(t)
	require.Contains(t, askPage(t, "GET", addr, "/api/peers").Body, `{"peers":[],"more":0,"transitions":[],`)
	first := visit(t, addr, "page="+pageA)
	reads(t, first)
	second := visit(t, addr, "x=y")
	reads(t, second)

	l := listPage(t, addr, "?page="+pageA)
	require.Len(t, l.Peers, 2)
	require.Equal(t, []uint64{2, 1}, []uint64{l.Peers[0].ID, l.Peers[1].ID})
	require.Equal(t, second.LocalAddr().String(), l.Peers[0].Remote)
	require.Equal(t, first.LocalAddr().String(), l.Peers[1].Remote)
	for i, row := range l.Peers {
		require.Equal(t, "alive", row.State)
		require.Equal(t, "/some/path", row.Path)
		require.Equal(t, i == 1, row.Mine)
		require.Empty(t, row.Demo)
		require.Nil(t, row.Ended)
		require.GreaterOrEqual(t, row.Age, row.Silent)
	}
	require.False(t, listPage(t, addr, "?page="+pageB).Peers[1].Mine)
	require.EqualValues(t, control.DefaultInterval.Milliseconds(), l.Interval)
	require.EqualValues(t, control.DefaultTimeout.Milliseconds(), l.Timeout)

	require.Equal(t, http.StatusOK, askPage(t, "POST", addr, "/api/ping?page="+pageA).Status)
	l = listPage(t, addr, "")
	row := l.find(first.LocalAddr().String())
	require.NotZero(t, row.RTT)
	require.NotZero(t, row.Smoothed)
}

func TestPagePeersTellWhatIsOff(t *testing.T) {
	addr := servePage(t, newEcho(server.Options{Conn: conn.Options{PingInterval: -1, PingTimeout: -time.Hour}}, slog.New(slog.DiscardHandler)))
	l := listPage(t, addr, "")
	require.EqualValues(t, -1, l.Interval)
	require.EqualValues(t, -1, l.Timeout)
}

func TestPagePeersAreTheNewestAndACountOfTheRest(t *testing.T) {
	addr := pageEcho(t)
	const extra = 3
	for range maxListed + extra {
		join(t, addr)
	}
	l := awaitPage(t, addr, func(l *listing) bool { return len(l.Peers)+l.More == maxListed+extra })
	require.Len(t, l.Peers, maxListed)
	require.Equal(t, extra, l.More)
	require.EqualValues(t, maxListed+extra, l.Peers[0].ID)
	require.EqualValues(t, extra+1, l.Peers[maxListed-1].ID)
}

func TestPagePeersThatEndedAreShownForAWhile(t *testing.T) {
	p, addr, closed := pageServer(t)
	c := visit(t, addr, "page="+pageA)
	c.Close(pageContext(t), 3000, "enough")
	<-closed
	row := listPage(t, addr, "").Peers[0]
	require.NotNil(t, row.Ended)
	require.Equal(t, "closed", row.State)
	require.Equal(t, "by the peer: 3000: enough", row.Ended.Cause)
	require.Empty(t, row.Ended.Verdict)
	require.Empty(t, listPage(t, addr, "").Transitions, "nobody died")

	p.mu.Lock()
	p.ended[0].Ended.at = time.Now().Add(-showEnded)
	p.mu.Unlock()
	require.Empty(t, listPage(t, addr, "").Peers)
}

func TestPagePeersThatFallSilentAreSuspectAndThenDead(t *testing.T) {
	addr, driver := pageQuick(t)
	silent := join(t, addr)
	remote := silent.nc.LocalAddr().String()
	awaitPage(t, addr, func(l *listing) bool { row := l.find(remote); return row != nil && row.State == "suspect" })
	l := awaitPage(t, addr, func(l *listing) bool { row := l.find(remote); return row != nil && row.Ended != nil })

	row := l.find(remote)
	require.Equal(t, "dead", row.State)
	require.NotEmpty(t, row.Ended.Verdict)
	require.GreaterOrEqual(t, row.Ended.Silence, int64(400))
	require.NotZero(t, row.Missed)
	require.Len(t, l.Transitions, 2)
	dead, suspect := l.Transitions[0], l.Transitions[1]
	require.Equal(t, "suspect", suspect.What)
	require.Equal(t, "dead", dead.What)
	require.Equal(t, row.Ended.Verdict, dead.Verdict)
	require.Equal(t, row.Ended.Silence, dead.Silence)
	require.Equal(t, row.Missed, dead.Missed)
	require.Less(t, suspect.Silence, dead.Silence)
	require.False(t, dead.At.Before(suspect.At))
	for i, e := range l.Transitions {
		require.EqualValues(t, 2-i, e.Seq)
		require.Equal(t, row.ID, e.Peer)
		require.Equal(t, remote, e.Remote)
	}
	require.EqualValues(t, 1, l.Driver.Dead[dead.Verdict])
	require.Equal(t, driver.Stats().Suspected, l.Driver.Suspected)
}

func TestPagePathsAreCut(t *testing.T) {
	addr := pageEcho(t)
	c := dial(t, addr)
	c.send("GET /"+strings.Repeat("%C3%A9", 100)+" HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	require.Equal(t, 101, c.response().StatusCode)
	l := awaitPage(t, addr, func(l *listing) bool { return len(l.Peers) == 1 })
	require.Equal(t, "/"+strings.Repeat("é", 39)+"…", l.Peers[0].Path)
}

func TestPageKeepsABoundedLog(t *testing.T) {
	p := newPage()
	for i := range maxTransitions + 5 {
		p.hooks().OnMassSuspect(control.Mass{Suspects: i, Total: 1000})
	}
	log := p.transitionsNow()
	require.Len(t, log, maxTransitions)
	require.EqualValues(t, maxTransitions+5, log[0].Seq)
	require.Equal(t, "mass", log[0].What)
	require.Equal(t, maxTransitions+4, log[0].Suspects)
	require.EqualValues(t, 6, log[maxTransitions-1].Seq)
}

func TestPageKeepsTheDeadRatherThanOthersThatEnded(t *testing.T) {
	p, addr, closed := pageServer(t)
	end := func() {
		c := visit(t, addr, "no=id")
		c.CloseNow()
		<-closed
	}
	end()
	p.mu.Lock()
	for len(p.ended) < maxEnded {
		p.ended = append(p.ended, peerRow{Ended: &ending{at: time.Now(), Verdict: "silent"}})
	}
	p.mu.Unlock()
	for range 2 {
		end()
		_, _, ended := p.newest()
		require.Len(t, ended, maxEnded)
		require.Empty(t, ended[maxEnded-1].Ended.Verdict)
		require.Equal(t, maxEnded-1, len(slices.DeleteFunc(ended, func(r peerRow) bool { return r.Ended.Verdict == "" })))
	}
}

func TestPageHooksOfAPeerThatIsGoneAreIgnored(t *testing.T) {
	p := newPage()
	p.hooks().OnSuspect(&server.Peer{}, time.Second)
	p.hooks().OnRecovered(&server.Peer{}, time.Second)
	p.closed(&server.Peer{}, conn.ErrClosed)
	require.Empty(t, p.transitionsNow())
}

func TestPageClosesByNumber(t *testing.T) {
	addr := pageEcho(t)
	end := reads(t, visit(t, addr, "no=id"))
	for _, test := range []struct {
		query  string
		status int
		says   string
	}{
		{"peer=&code=1000", 400, "number of a connection"},
		{"peer=-1&code=1000", 400, "number of a connection"},
		{"peer=x&code=1000", 400, "number of a connection"},
		{"peer=0&code=1000", 404, "no open connection"},
		{"peer=2&code=1000", 404, "no open connection"},
		{"peer=1", 400, "code must be"},
		{"peer=1&code=1006", 400, "code must be"},
	} {
		got := askPage(t, "POST", addr, "/api/close?"+test.query)
		require.Equal(t, test.status, got.Status, test.query)
		require.Contains(t, got.Error, test.says)
	}
	require.Empty(t, end)
	got := askPage(t, "POST", addr, "/api/close?peer=1&code=4000&reason=so")
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	var closed *conn.CloseError
	require.ErrorAs(t, <-end, &closed)
	require.EqualValues(t, 4000, closed.Code)
	require.Equal(t, "so", closed.Reason)
	awaitPage(t, addr, func(l *listing) bool { return l.Peers[0].Ended != nil })
	require.Equal(t, http.StatusNotFound, askPage(t, "POST", addr, "/api/close?peer=1&code=1000").Status)
}

// demoOf starts a demo peer and returns its number.
func demoOf(t *testing.T, addr string) (id uint64) {
	t.Helper()
	got := askPage(t, "POST", addr, "/api/demo", "Sec-Fetch-Site", "same-origin", "Origin", "http://"+addr)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	var answer struct{ Peer uint64 }
	require.NoError(t, json.Unmarshal([]byte(got.Body), &answer))
	return answer.Peer
}

// tellDemo tells a demo peer what to do.
func tellDemo(t *testing.T, addr, what string, id uint64) {
	t.Helper()
	got := askPage(t, "POST", addr, fmt.Sprintf("/api/%s?peer=%d", what, id))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
}

// awaitDemo waits until one is in a state and, if that is an end, told of.
func awaitDemo(t *testing.T, addr string, id uint64, state string) (row peerRow) {
	t.Helper()
	awaitPage(t, addr, func(l *listing) bool {
		i := slices.IndexFunc(l.Peers, func(r peerRow) bool { return r.ID == id })
		if i >= 0 {
			row = l.Peers[i]
		}
		return row.State == state && (row.Ended != nil) == (state == "dead" || state == "closed")
	})
	return row
}

func TestPageDemoPeerStallsAndRecovers(t *testing.T) {
	addr, _ := pageQuick(t)
	id := demoOf(t, addr)
	l := awaitPage(t, addr, func(l *listing) bool { return l.Peers[0].RTT > 0 })
	require.Equal(t, "running", l.Peers[0].Demo)
	require.Equal(t, 1, l.Demos.Now)
	require.Equal(t, maxDemos, l.Demos.Most)

	tellDemo(t, addr, "stall", id)
	tellDemo(t, addr, "stall", id)
	require.Equal(t, "stalled", awaitDemo(t, addr, id, "suspect").Demo)
	tellDemo(t, addr, "resume", id)
	tellDemo(t, addr, "resume", id)
	require.Equal(t, "running", awaitDemo(t, addr, id, "alive").Demo)
	l = awaitPage(t, addr, func(l *listing) bool { return len(l.Transitions) == 2 })
	require.Equal(t, "recovered", l.Transitions[0].What)
	require.NotZero(t, l.Transitions[0].Silence)
	require.Equal(t, "suspect", l.Transitions[1].What)
}

func TestPageDemoPeerStallsAndDies(t *testing.T) {
	addr, _ := pageQuick(t)
	id := demoOf(t, addr)
	tellDemo(t, addr, "stall", id)
	row := awaitDemo(t, addr, id, "dead")
	require.NotEmpty(t, row.Ended.Verdict)
	awaitPage(t, addr, func(l *listing) bool { return l.Demos.Now == 0 })
	require.Equal(t, http.StatusNotFound, askPage(t, "POST", addr, "/api/resume?peer="+strconv.FormatUint(id, 10)).Status)
}

func TestPageDemoPeerIsCutWithoutACloseFrame(t *testing.T) {
	for _, stalled := range []bool{false, true} {
		t.Run(fmt.Sprintf("stalled %v", stalled), func(t *testing.T) {
			addr := pageEcho(t)
			id := demoOf(t, addr)
			if stalled {
				tellDemo(t, addr, "stall", id)
			}
			tellDemo(t, addr, "cut", id)
			row := awaitDemo(t, addr, id, "closed")
			require.Contains(t, row.Ended.Cause, "1006")
			require.Contains(t, row.Ended.Cause, "reset")
			awaitPage(t, addr, func(l *listing) bool { return l.Demos.Now == 0 })
		})
	}
}

func TestPageDemoPeerAnswersACloseFrame(t *testing.T) {
	addr := pageEcho(t)
	id := demoOf(t, addr)
	require.Equal(t, http.StatusOK, askPage(t, "POST", addr, "/api/close?peer=1&code=4001&reason=because").Status)
	require.Equal(t, "4001: because", awaitDemo(t, addr, id, "closed").Ended.Cause)
	awaitPage(t, addr, func(l *listing) bool { return l.Demos.Now == 0 })
}

func TestPageDemoPeersAreFew(t *testing.T) {
	addr := pageEcho(t)
	for range maxDemos {
		demoOf(t, addr)
	}
	got := askPage(t, "POST", addr, "/api/demo")
	require.Equal(t, http.StatusConflict, got.Status)
	require.Contains(t, got.Error, "there are 20 demo peers")
	tellDemo(t, addr, "cut", 7)
	awaitPage(t, addr, func(l *listing) bool { return l.Demos.Now == maxDemos-1 })
	require.EqualValues(t, maxDemos+1, demoOf(t, addr))
}

func TestPageOnlyDemoPeersAreToldWhatToDo(t *testing.T) {
	addr := pageEcho(t)
	end := reads(t, visit(t, addr, "demo=guess"))
	require.Empty(t, listPage(t, addr, "").Peers[0].Demo, "it says so itself only")
	for _, what := range []string{"stall", "resume", "cut"} {
		for query, status := range map[string]int{"peer=1": 403, "peer=2": 404, "peer=x": 400, "": 400} {
			got := askPage(t, "POST", addr, "/api/"+what+"?"+query)
			require.Equal(t, status, got.Status, query)
			require.NotEmpty(t, got.Error)
		}
	}
	require.Empty(t, end)
}

func TestPageActionsAreForTheSameOrigin(t *testing.T) {
	addr := pageEcho(t)
	id := demoOf(t, addr)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "http://127.0.0.1:1"},
		{"Origin", "null"},
	} {
		for _, action := range []string{"demo", "stall?peer=1", "resume?peer=1", "cut?peer=1", "close?peer=1&code=1000"} {
			got := askPage(t, "POST", addr, "/api/"+action, header...)
			require.Equal(t, http.StatusForbidden, got.Status, "%s %s", action, header)
		}
	}
	l := listPage(t, addr, "")
	require.Len(t, l.Peers, 1)
	require.Equal(t, id, l.Peers[0].ID)
	require.Equal(t, "running", l.Peers[0].Demo)
	require.Empty(t, askPage(t, "GET", addr, "/api/peers").Header.Get("Access-Control-Allow-Origin"))
}
