package conn

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time which can be moved, as the
// deadlines of a net.Conn are; moved again, it is one that has not ended. The
// zero value never ends.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	at    time.Time
	done  chan struct{}
	funcs map[*func()]struct{} // to call when it ends
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if d.done != nil {
		select {
		case <-d.done:
			d.done = nil // the next call waits for another end
		default:
		}
	}
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, d.end)
	} else {
		d.endLocked()
	}
}

func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.at.IsZero() && !time.Now().Before(d.at) { // else it was moved in this moment
		d.endLocked()
	}
}

func (d *deadline) endLocked() {
	done := d.channel()
	select {
	case <-done:
		return
	default:
	}
	close(done)
	for f := range d.funcs {
		go (*f)()
	}
	d.funcs = nil
}

func (d *deadline) channel() chan struct{} {
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

// AfterFunc lets context.AfterFunc do without a goroutine that waits.
func (d *deadline) AfterFunc(f func()) (stop func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.errLocked() != nil {
		go f()
		return func() bool { return false }
	}
	if d.funcs == nil {
		d.funcs = make(map[*func()]struct{})
	}
	key := &f
	d.funcs[key] = struct{}{}
	return func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		_, ok := d.funcs[key]
		delete(d.funcs, key)
		return ok
	}
}

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channel()
}

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errLocked()
}

func (d *deadline) errLocked() error {
	if d.done != nil {
		select {
		case <-d.done:
			return context.DeadlineExceeded
		default:
		}
	}
	return nil
}

func (d *deadline) Deadline() (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at, !d.at.IsZero()
}

func (d *deadline) Value(any) any { return nil }
