package conn

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/control/wheel"
)

// tick is how precise the coarse clock and the wheel of a driver are.
const tick = 100 * time.Millisecond

// Driver is what connections share: a coarse clock, a timing wheel, memory and
// masking keys. The zero value is ready; a nil *Driver in an option stands for
// one that all of the process shares. Its goroutine runs only while
// connections exist, and ends within 100 ms of the last: a test in a bubble of
// testing/synctest wants a Driver of its own, and that much patience at its end.
// All methods may be called from any goroutine.
type Driver struct {
	clock atomic.Int64 // coarse time since base

	mu      sync.Mutex
	base    time.Time
	wheel   *wheel.Wheel
	conns   []*Conn // by identifier in the wheel
	count   int
	running bool

	pools pools
	keys  keys
}

// shared is the driver of connections that were given none.
var shared Driver

// add registers a connection.
func (d *Driver) add(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wheel == nil {
		d.base = time.Now()
		d.wheel = wheel.New(0)
	}
	d.count++
	if !d.running {
		d.running = true
		d.clock.Store(int64(time.Since(d.base)))
		go d.run()
	}
	c.id = d.wheel.Add()
	for int(c.id) >= len(d.conns) {
		d.conns = append(d.conns, nil)
	}
	d.conns[c.id] = c
}

func (d *Driver) remove(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wheel.Remove(c.id)
	d.conns[c.id] = nil
	d.count--
}

// arm has c.onTick called in about the given time, instead of when it was to
// be called before.
func (d *Driver) arm(c *Conn, in time.Duration) {
	due := uint32((d.clock.Load()+int64(in))/int64(tick)) + 1
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c.id] == c {
		d.wheel.Set(c.id, due)
	}
}

// now is the coarse time.
func (d *Driver) now() time.Time { return d.base.Add(time.Duration(d.clock.Load())) }

func (d *Driver) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var due []*Conn
	for range ticker.C {
		elapsed := time.Since(d.base)
		d.clock.Store(int64(elapsed))
		d.mu.Lock()
		d.wheel.Advance(uint32(elapsed/tick), func(id int32) { due = append(due, d.conns[id]) })
		stop := d.count == 0
		d.running = !stop
		d.mu.Unlock()
		for i, c := range due {
			c.onTick()
			due[i] = nil
		}
		due = due[:0]
		if stop {
			return
		}
	}
}

// keys gives out masking keys, having read 4 KiB of them at a time.
type keys struct {
	mu  sync.Mutex
	buf [4 << 10]byte
	n   int // not given out yet, at the end of buf
}

func (k *keys) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(p) > len(k.buf) {
		return rand.Read(p)
	}
	if k.n < len(p) {
		if _, err := rand.Read(k.buf[:]); err != nil {
			return 0, err
		}
		k.n = len(k.buf)
	}
	at := len(k.buf) - k.n
	k.n -= copy(p, k.buf[at:])
	clear(k.buf[at : at+len(p)])
	return len(p), nil
}
