package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxDemos is how many demo peers there may be.
const maxDemos = 20

// startDemo connects one more demo peer to where the request came in, and
// answers with its number.
func (p *page) startDemo(r *http.Request, _ url.Values) (any, error) {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return nil, errors.New("demo peers connect over TCP only")
	}
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		p.beforeShutdown.Do(func() { srv.RegisterOnShutdown(p.releaseDemos) })
	}
	d := &demoPeer{token: rand.Text(), opened: make(chan uint64, 1)}
	if err := p.admitDemo(d); err != nil {
		return nil, err
	}
	if err := d.dial(r.Context(), addr, r.TLS != nil); err != nil {
		p.forgetDemo(d)
		return nil, &refusal{http.StatusBadGateway, "the demo peer could not connect: " + err.Error()}
	}
	go func() {
		d.run()
		p.forgetDemo(d)
	}()
	select {
	case id := <-d.opened:
		return struct {
			Peer uint64 `json:"peer"`
		}{id}, nil
	case <-time.After(demoTimeout):
		d.cut()
		return nil, &refusal{http.StatusGatewayTimeout, "the server did not open the demo peer"}
	}
}

// admitDemo takes up a demo peer that is about to connect.
func (p *page) admitDemo(d *demoPeer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return errors.New("the server is shutting down")
	}
	if len(p.demos) >= maxDemos {
		return fmt.Errorf("there are %d demo peers, and no more may be: cut one first", maxDemos)
	}
	p.demos[d.token] = d
	return nil
}

func (p *page) forgetDemo(d *demoPeer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.demos, d.token)
}

// releaseDemos lets no demo peer begin, and those that stall read the Close
// frame that is coming.
func (p *page) releaseDemos() {
	p.mu.Lock()
	p.down = true
	var demos []*demoPeer
	for _, e := range p.open {
		if d := e.Value.(*watched).demo; d != nil {
			demos = append(demos, d)
		}
	}
	p.mu.Unlock()
	for _, d := range demos {
		d.resume()
	}
}

// tell makes a handler of something to do with a demo peer.
func (p *page) tell(do func(*demoPeer)) http.Handler {
	return answering(func(_ *http.Request, query url.Values) (any, error) {
		w, err := p.numbered(query)
		if err != nil {
			return nil, err
		}
		if w.demo == nil {
			return nil, &refusal{http.StatusForbidden, "this connection is none of the demo peers"}
		}
		do(w.demo)
		return struct {
			Peer uint64 `json:"peer"`
		}{w.id}, nil
	})
}
