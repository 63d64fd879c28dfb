package main

import (
	"container/list"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/server"
)

//go:embed page
var pageFiles embed.FS

// pageRoutes are the files of the page. Their types are said here as what
// package mime says depends on the machine.
var pageRoutes = []struct{ path, file, contentType string }{
	{"/{$}", "page/index.html", "text/html; charset=utf-8"},
	{"/page.css", "page/page.css", "text/css; charset=utf-8"},
	{"/page.js", "page/page.js", "text/javascript; charset=utf-8"},
	{"/log.js", "page/log.js", "text/javascript; charset=utf-8"},
	{"/chart.js", "page/chart.js", "text/javascript; charset=utf-8"},
	{"/bytes.js", "page/bytes.js", "text/javascript; charset=utf-8"},
	{"/peers.css", "page/peers.css", "text/css; charset=utf-8"},
	{"/peers.js", "page/peers.js", "text/javascript; charset=utf-8"},
	{"/row.js", "page/row.js", "text/javascript; charset=utf-8"},
	{"/spark.js", "page/spark.js", "text/javascript; charset=utf-8"},
	{"/transitions.js", "page/transitions.js", "text/javascript; charset=utf-8"},
	{"/driver.js", "page/driver.js", "text/javascript; charset=utf-8"},
	{"/icon.svg", "page/icon.svg", "image/svg+xml"},
}

// pageHeader is in every response. The policy has no 'unsafe-inline', so what a
// peer sends can neither run nor style anything even if the script let it
// become markup.
var pageHeader = map[string]string{
	"Cache-Control": "no-store",
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
}

// pagePingTimeout is how long the page waits for a pong.
const pagePingTimeout = 5 * time.Second

// page is the live page and its API. JavaScript sees no control frames, so the
// page connects with an id of its own making in the query (?page=ID) and asks
// for what only the server can do with the connection of that id:
//
//	POST /api/ping?page=ID                      ping it; answers with the round trip
//	POST /api/close?page=ID&code=1000&reason=…  close it; code 1005 sends none
//	GET  /api/peer?page=ID                      what is known of it
//
// Knowing an id is what entitles to use it: it is 128 random bits.
//
// Of all connections of the server, which have numbers, it shows the lives to
// who looks at it on the machine of the server, and it can add demo peers (see demoPeer) that can be told how to behave:
//
//	GET  /api/peers[?page=ID]                   all connections, their transitions, counters
//	POST /api/close?peer=N&code=1000&reason=…   close one
//	POST /api/demo                              connect a demo peer; answers with its number
//	POST /api/stall?peer=N                      have one neither read nor answer
//	POST /api/resume?peer=N                     and do so again
//	POST /api/cut?peer=N                        have one reset its connection
type page struct {
	handler     http.Handler
	pingTimeout time.Duration

	beforeShutdown sync.Once // registers releaseDemos

	mu    sync.Mutex
	peers map[string]*server.Peer // the open ones that have an id
	demos map[string]*demoPeer    // by token, also those that are connecting
	down  bool                    // no demo peer may begin
	roster
}

func newPage() *page {
	p := &page{
		pingTimeout: pagePingTimeout,
		peers:       make(map[string]*server.Peer),
		demos:       make(map[string]*demoPeer),
		roster:      roster{open: make(map[*server.Peer]*list.Element)},
	}
	mux := http.NewServeMux()
	for _, route := range pageRoutes {
		mux.HandleFunc("GET "+route.path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", route.contentType)
			http.ServeFileFS(w, r, pageFiles, route.file)
		})
	}
	mux.Handle("POST /api/ping", p.about(p.ping))
	mux.HandleFunc("POST /api/close", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("peer") {
			onlyHere(answering(p.closePeer)).ServeHTTP(w, r)
		} else {
			p.about(p.close).ServeHTTP(w, r)
		}
	})
	mux.Handle("GET /api/peer", p.about(p.health))
	mux.Handle("GET /api/peers", onlyHere(answering(p.listPeers)))
	mux.Handle("POST /api/demo", onlyHere(answering(p.startDemo)))
	mux.Handle("POST /api/stall", onlyHere(p.tell((*demoPeer).stall)))
	mux.Handle("POST /api/resume", onlyHere(p.tell((*demoPeer).resume)))
	mux.Handle("POST /api/cut", onlyHere(p.tell((*demoPeer).cut)))

	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, nil, &refusal{http.StatusForbidden, "this may be asked by pages of this server only"})
	}))
	p.handler = sameOrigin.Handler(mux)
	return p
}

// onlyHere lets through what this machine asks: the connections of others are
// nobody's business elsewhere.
func onlyHere(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().Unmap().IsLoopback() {
			answerJSON(w, nil, &refusal{http.StatusForbidden, "the server shows its other connections on its own machine only"})
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range pageHeader {
		w.Header().Set(name, value)
	}
	p.handler.ServeHTTP(w, r)
}

// opened remembers a peer. An id that is in use stays with the peer that had it
// first, whose owner would be deceived otherwise.
func (p *page) opened(peer *server.Peer) {
	id, ok := peerID(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch(peer)
	if ok && p.peers[id] == nil {
		p.peers[id] = peer
	}
}

// closed forgets a peer, some time after it has shown how it ended.
func (p *page) closed(peer *server.Peer, err error) {
	id, ok := peerID(peer)
	p.mu.Lock()
	if ok && p.peers[id] == peer { // not if another had the id first
		delete(p.peers, id)
	}
	w := p.unwatch(peer, err)
	p.mu.Unlock()
	if w != nil && w.demo != nil {
		w.demo.cut() // which does not read, perhaps, that it is over
	}
}

func (p *page) find(id string) *server.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers[id]
}

// peerID returns the id that a peer gave itself in its handshake.
func peerID(peer *server.Peer) (id string, ok bool) {
	r := peer.Request()
	if r == nil {
		return "", false
	}
	return pageID(r.URL.Query())
}

// pageID returns the one id that a query has: 32 lowercase hex digits.
func pageID(query url.Values) (id string, ok bool) {
	ids := query["page"]
	if len(ids) != 1 || len(ids[0]) != 32 || strings.Trim(ids[0], "0123456789abcdef") != "" {
		return "", false
	}
	return ids[0], true
}

// refusal is an error that says with which status it is answered.
type refusal struct {
	status int
	reason string
}

func (e *refusal) Error() string { return e.reason }

// answering makes a handler of what returns the answer.
func answering(do func(r *http.Request, query url.Values) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := do(r, r.URL.Query())
		answerJSON(w, answer, err)
	})
}

// about makes a handler of something to do with the peer of a page. What it
// returns is the answer.
func (p *page) about(do func(r *http.Request, query url.Values, peer *server.Peer) (any, error)) http.Handler {
	return answering(func(r *http.Request, query url.Values) (any, error) {
		id, ok := pageID(query)
		if !ok {
			return nil, &refusal{http.StatusBadRequest, "page must be an id of 32 lowercase hex digits"}
		}
		peer := p.find(id)
		if peer == nil {
			return nil, &refusal{http.StatusNotFound, "no open connection has this id"}
		}
		return do(r, query, peer)
	})
}

// answerJSON answers with err, if it is one, and else with answer.
func answerJSON(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusConflict // the state of the connection forbids it
		var refused *refusal
		if errors.As(err, &refused) {
			status = refused.status
		}
		answer = struct {
			Error string `json:"error"`
		}{err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) // fails only when nobody listens any more
}

// ping answers with how long the peer took to answer a ping.
func (p *page) ping(r *http.Request, _ url.Values, peer *server.Peer) (any, error) {
	type result struct {
		pong control.Pong
		err  error
	}
	done := make(chan result, 1)
	peer.Ping(func(pong control.Pong, err error) { done <- result{pong, err} })
	ctx, cancel := context.WithTimeout(r.Context(), p.pingTimeout)
	defer cancel()
	select {
	case res := <-done:
		if res.err != nil {
			return nil, res.err
		}
		return struct {
			RTT   int64 `json:"rtt_us"`
			Exact bool  `json:"exact"` // otherwise rtt_us is an upper bound
		}{res.pong.RTT.Microseconds(), res.pong.Exact}, nil
	case <-ctx.Done():
		return nil, &refusal{http.StatusGatewayTimeout, "no pong came within " + p.pingTimeout.String()}
	}
}

// close starts the closing handshake, and does not wait for its end.
func (p *page) close(_ *http.Request, query url.Values, peer *server.Peer) (any, error) {
	reason := query.Get("reason")
	code, err := strconv.ParseUint(query.Get("code"), 10, 16)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "code must be a number"}
	}
	if state := peer.Health().State; state == control.Ending || state == control.Finished {
		return nil, conn.ErrClosed
	}
	if err := peer.Close(conn.CloseCode(code), reason); err != nil {
		return nil, &refusal{http.StatusBadRequest,
			"code must be one that may be sent, or 1005 without a reason; the reason at most 123 bytes of UTF-8"}
	}
	return struct {
		Code   uint64 `json:"code"`
		Reason string `json:"reason"`
	}{code, reason}, nil
}

// health answers with what is known of the peer.
func (p *page) health(_ *http.Request, _ url.Values, peer *server.Peer) (any, error) {
	h := peer.Health()
	since := time.Since(h.LastInbound)
	return struct {
		State       string    `json:"state"`
		LastInbound time.Time `json:"last_inbound"`
		Silent      int64     `json:"silent_ms"` // since LastInbound
		RTT         int64     `json:"rtt_us,omitzero"`
		Outstanding int       `json:"outstanding"`
		Coalesced   uint64    `json:"coalesced"`
		Strikes     uint64    `json:"strikes"`
	}{h.State.String(), h.LastInbound, since.Milliseconds(), h.RTT.Microseconds(), h.Outstanding, h.Coalesced, h.Strikes}, nil
}
