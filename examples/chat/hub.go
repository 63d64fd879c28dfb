package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

const (
	maxRooms   = 1000
	maxMembers = 500 // of a room
)

// hub is who is where. One lock guards all of it, and is held while events are
// sent, so that all members of a room get the same in the same order: sending
// does not wait for anybody.
type hub struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// room is the connections in it, and how many each user has.
type room struct {
	members map[*server.Peer]struct{}
	users   map[string]int
}

// seat is the value of a peer that is in a room.
type seat struct{ room, user string }

func newHub() *hub { return &hub{rooms: make(map[string]*room)} }

func (h *hub) join(p *server.Peer, name, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[name]
	if r == nil && len(h.rooms) < maxRooms {
		r = &room{make(map[*server.Peer]struct{}), make(map[string]int)}
		h.rooms[name] = r
	}
	if r == nil || len(r.members) >= maxMembers {
		p.Close(1013, "no more room")
		return // and without a seat
	}
	p.SetValue(seat{name, user})
	r.users[user]++
	if r.users[user] == 1 {
		r.broadcast(event{Kind: "join", User: user})
	}
	r.members[p] = struct{}{}
	send(p, event{Kind: "users", Users: slices.Sorted(maps.Keys(r.users))}.message())
}

func (h *hub) leave(p *server.Peer) {
	s, ok := p.Value().(seat)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[s.room]
	delete(r.members, p)
	if r.users[s.user]--; r.users[s.user] == 0 {
		delete(r.users, s.user)
		r.broadcast(event{Kind: "leave", User: s.user})
	}
	if len(r.members) == 0 {
		delete(h.rooms, s.room)
	}
}

// say is called for each message.
func (h *hub) say(p *server.Peer, typ conn.Type, data []byte) {
	s, ok := p.Value().(seat)
	switch {
	case !ok:
		return // turned away; this was under way
	case typ != conn.Text:
		p.Close(1003, "text only")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms[s.room].broadcast(event{Kind: "say", User: s.user, Text: string(data)})
}

// broadcast sends an event to all members. The hub is locked.
func (r *room) broadcast(e event) {
	m := e.message()
	for p := range r.members {
		send(p, m)
	}
}
