package conn

import (
	"context"
	"sync"
	"time"
)

// deadline gives contexts that end at a time which can be moved while they are
// in use, as the deadlines of a net.Conn can. The zero value is not set.
type deadline struct {
	mu      sync.Mutex
	current *moving
}

// moving is a context whose end can be moved until it has come.
type moving struct {
	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
	done  chan struct{}
	ended bool
	funcs map[*func()]struct{} // to call at the end
}

// context is for the next call.
func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		d.current = &moving{done: make(chan struct{})}
	}
	return d.current
}

// set moves the deadline of the calls under way and of those to come.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil || !d.current.move(t) {
		d.current = &moving{done: make(chan struct{})}
		d.current.move(t)
	}
}

// move returns false if the end has come already.
func (m *moving) move(t time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
	m.at = t
	if t.IsZero() {
		return true
	}
	if wait := time.Until(t); wait > 0 {
		m.timer = time.AfterFunc(wait, m.expire)
	} else {
		m.end()
	}
	return true
}

func (m *moving) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended && !m.at.IsZero() && !time.Now().Before(m.at) { // else it was moved in this moment
		m.end()
	}
}

func (m *moving) end() {
	m.ended = true
	close(m.done)
	for f := range m.funcs {
		go (*f)()
	}
	m.funcs = nil
}

// AfterFunc lets context.AfterFunc do without a goroutine that waits.
func (m *moving) AfterFunc(f func()) (stop func() bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		go f()
		return func() bool { return false }
	}
	if m.funcs == nil {
		m.funcs = make(map[*func()]struct{})
	}
	m.funcs[&f] = struct{}{}
	return func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		_, ok := m.funcs[&f]
		delete(m.funcs, &f)
		return ok
	}
}

func (m *moving) Done() <-chan struct{} { return m.done }

func (m *moving) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return context.DeadlineExceeded
	}
	return nil
}

func (m *moving) Deadline() (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at, !m.at.IsZero()
}

func (m *moving) Value(any) any { return nil }
