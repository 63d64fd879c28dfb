package main

import (
	"cmp"
	"container/list"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

const (
	maxListed      = 200 // open connections in an answer
	maxEnded       = 100 // and those that have ended,
	showEnded      = 10 * time.Second
	maxTransitions = 100
	maxPath        = 80 // bytes of a path
)

// watched is an open connection.
type watched struct {
	id     uint64 // counts connections
	peer   *server.Peer
	remote string
	opened time.Time
	demo   *demoPeer // whose connection it is, if it is one of them
}

// roster is what the page knows of the connections of the server. page.mu guards
// all but conn.
type roster struct {
	conn conn.Options // of the server

	open  map[*server.Peer]*list.Element // of order
	order list.List                      // *watched, newest first
	count uint64                         // of those ever opened
	ended []peerRow                      // oldest first
	log   []transition                   // oldest first
	noted uint64                         // of the transitions there ever were
}

// peerRow is what the table shows of a connection.
type peerRow struct {
	ID        uint64  `json:"id"`
	Remote    string  `json:"remote"`
	Path      string  `json:"path"`
	Mine      bool    `json:"mine,omitzero"` // of the page that asks
	Demo      string  `json:"demo,omitzero"` // running or stalled
	State     string  `json:"state"`
	Age       int64   `json:"age_ms"`
	Silent    int64   `json:"silent_ms"`
	RTT       int64   `json:"rtt_us,omitzero"`
	Smoothed  int64   `json:"smoothed_us,omitzero"`
	Missed    int     `json:"missed"`
	Coalesced uint64  `json:"coalesced"`
	Ended     *ending `json:"ended,omitzero"`
}

// ending is how a connection ended.
type ending struct {
	Ago     int64  `json:"ago_ms"`
	Cause   string `json:"cause"`
	Verdict string `json:"verdict,omitzero"` // if its peer was given up
	Silence int64  `json:"silence_ms,omitzero"`

	at time.Time
}

// transition is a line of the page's log of what became of peers.
type transition struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Peer     uint64    `json:"peer,omitzero"` // none for "mass"
	Remote   string    `json:"remote,omitzero"`
	What     string    `json:"what"` // suspect, recovered, dead or mass
	Silence  int64     `json:"silence_ms,omitzero"`
	Verdict  string    `json:"verdict,omitzero"`
	Missed   int       `json:"missed,omitzero"`
	Suspects int       `json:"suspects,omitzero"` // with "mass", of Total
	Total    int       `json:"total,omitzero"`
}

// hooks note the transitions of peers; death is noted when it is certain.
func (p *page) hooks() control.Hooks[*server.Peer] {
	return control.Hooks[*server.Peer]{
		OnSuspect: func(peer *server.Peer, silence time.Duration) {
			p.note(peer, transition{What: "suspect", Silence: silence.Milliseconds()})
		},
		OnRecovered: func(peer *server.Peer, downtime time.Duration) {
			p.note(peer, transition{What: "recovered", Silence: downtime.Milliseconds()})
		},
		OnMassSuspect: func(m control.Mass) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.append(transition{What: "mass", Suspects: m.Suspects, Total: m.Total})
		},
	}
}

// note adds what became of an open connection to the log.
func (p *page) note(peer *server.Peer, t transition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.open[peer]; e != nil {
		w := e.Value.(*watched)
		t.Peer, t.Remote = w.id, w.remote
		p.append(t)
	}
}

// append adds to the log. p.mu is held.
func (p *page) append(t transition) {
	p.noted++
	t.Seq, t.At = p.noted, time.Now().UTC().Truncate(time.Millisecond)
	if len(p.log) == maxTransitions {
		p.log = slices.Delete(p.log, 0, 1)
	}
	p.log = append(p.log, t)
}

// watch notes a connection that was opened. p.mu is held.
func (p *page) watch(peer *server.Peer) {
	p.count++
	w := &watched{id: p.count, peer: peer, remote: peer.RemoteAddr().String(), opened: time.Now()}
	if r := peer.Request(); r != nil && r.URL.RawQuery != "" {
		w.demo = p.demos[r.URL.Query().Get("demo")]
	}
	if w.demo != nil {
		select {
		case w.demo.opened <- w.id:
		default:
			w.demo = nil // it is another's already
		}
	}
	p.open[peer] = p.order.PushFront(w)
}

// unwatch notes that a connection has ended. p.mu is held.
func (p *page) unwatch(peer *server.Peer, err error) (w *watched) {
	e := p.open[peer]
	if e == nil {
		return nil
	}
	delete(p.open, peer)
	w = p.order.Remove(e).(*watched)
	now := time.Now()
	row := w.row(now)
	row.Ended = &ending{at: now, Cause: strings.TrimLeft(strings.TrimPrefix(err.Error(), "websocket: closed"), ": ")}
	row.State = control.Finished.String()
	var dead *control.DeadError
	if errors.As(err, &dead) {
		row.State, row.Missed = control.Dead.String(), dead.Missed
		row.Ended.Verdict, row.Ended.Silence = dead.Verdict.String(), dead.Silence.Milliseconds()
		p.append(transition{
			Peer: w.id, Remote: w.remote, What: row.State,
			Silence: row.Ended.Silence, Verdict: row.Ended.Verdict, Missed: dead.Missed,
		})
	}
	p.dropEnded(now)
	if len(p.ended) == maxEnded { // the dead are what people came for
		i := max(0, slices.IndexFunc(p.ended, func(r peerRow) bool { return r.Ended.Verdict == "" }))
		p.ended = slices.Delete(p.ended, i, i+1)
	}
	p.ended = append(p.ended, row)
	return w
}

// dropEnded forgets connections that ended long ago. p.mu is held.
func (p *page) dropEnded(now time.Time) {
	p.ended = slices.DeleteFunc(p.ended, func(r peerRow) bool { return now.Sub(r.Ended.at) >= showEnded })
}

func (w *watched) row(now time.Time) peerRow {
	h := w.peer.Health()
	row := peerRow{
		ID:        w.id,
		Remote:    w.remote,
		State:     h.State.String(),
		Age:       now.Sub(w.opened).Milliseconds(),
		Silent:    max(0, now.Sub(h.LastInbound)).Milliseconds(),
		RTT:       h.RTT.Microseconds(),
		Smoothed:  h.Smoothed.Microseconds(),
		Missed:    h.Missed,
		Coalesced: h.Coalesced,
	}
	if r := w.peer.Request(); r != nil {
		row.Path = r.URL.Path
		if len(row.Path) > maxPath {
			row.Path = strings.ToValidUTF8(row.Path[:maxPath], "") + "…"
		}
	}
	if w.demo != nil {
		row.Demo = w.demo.doing()
	}
	return row
}

// newest returns the newest open connections, how many more there are, and
// those that have ended.
func (p *page) newest() (open []*watched, more int, ended []peerRow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.order.Front(); e != nil && len(open) < maxListed; e = e.Next() {
		open = append(open, e.Value.(*watched))
	}
	p.dropEnded(time.Now())
	return open, p.order.Len() - len(open), slices.Clone(p.ended)
}

// transitionsNow returns the log, newest first.
func (p *page) transitionsNow() []transition {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := make([]transition, 0, len(p.log))
	for _, t := range slices.Backward(p.log) {
		log = append(log, t)
	}
	return log
}

// listPeers answers with all that the page shows of the server, newest first.
func (p *page) listPeers(_ *http.Request, query url.Values) (any, error) {
	open, more, ended := p.newest()
	var mine *server.Peer
	if id, ok := pageID(query); ok {
		mine = p.find(id)
	}
	now := time.Now()
	rows := make([]peerRow, 0, len(open)+len(ended))
	for _, w := range open {
		row := w.row(now)
		row.Mine = w.peer == mine
		rows = append(rows, row)
	}
	for _, row := range ended {
		how := *row.Ended
		how.Ago = now.Sub(how.at).Milliseconds()
		row.Ended = &how
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b peerRow) int { return cmp.Compare(b.ID, a.ID) })

	p.mu.Lock()
	demos := len(p.demos)
	p.mu.Unlock()
	type limit struct {
		Now  int `json:"now"`
		Most int `json:"most"`
	}
	bounds, _ := control.Bounds{Interval: p.conn.PingInterval, Timeout: p.conn.PingTimeout}.Settle()
	return struct {
		Peers       []peerRow    `json:"peers"`
		More        int          `json:"more"` // open ones that are not among peers
		Transitions []transition `json:"transitions"`
		Demos       limit        `json:"demos"`
		Interval    int64        `json:"interval_ms"` // negative is off
		Timeout     int64        `json:"timeout_ms"`
		Driver      conn.Stats   `json:"driver"`
	}{rows, more, p.transitionsNow(), limit{demos, maxDemos}, millisOrOff(bounds.Interval), millisOrOff(bounds.Timeout), p.conn.Driver.Stats()}, nil
}

func millisOrOff(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// numbered returns the open connection whose number is in the query.
func (p *page) numbered(query url.Values) (*watched, error) {
	id, err := strconv.ParseUint(query.Get("peer"), 10, 64)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "peer must be the number of a connection"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.order.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*watched); w.id <= id {
			if w.id == id {
				return w, nil
			}
			break
		}
	}
	return nil, &refusal{http.StatusNotFound, "no open connection has this number"}
}

// closePeer closes the connection of a number, as close does that of a page.
func (p *page) closePeer(r *http.Request, query url.Values) (any, error) {
	w, err := p.numbered(query)
	if err != nil {
		return nil, err
	}
	return p.close(r, query, w.peer)
}
