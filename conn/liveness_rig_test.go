package conn_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// diary is what hooks were told, in order.
type diary struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	at   time.Time
	what string
	took time.Duration // the silence or the downtime, if there is one
	pong conn.PongEvent
}

func (d *diary) note(e entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.at = time.Now()
	d.entries = append(d.entries, e)
}

func (d *diary) hooks() conn.Hooks {
	return conn.Hooks{
		OnPing: func(_ *conn.Conn, p []byte) { d.note(entry{what: "ping " + string(p)}) },
		OnPong: func(_ *conn.Conn, pong conn.PongEvent) {
			pong.Payload = bytes.Clone(pong.Payload)
			d.note(entry{what: "pong", pong: pong})
		},
		OnMissed:    func(_ *conn.Conn, n int) { d.note(entry{what: fmt.Sprint("missed ", n)}) },
		OnSuspect:   func(_ *conn.Conn, silence time.Duration) { d.note(entry{what: "suspect", took: silence}) },
		OnRecovered: func(_ *conn.Conn, downtime time.Duration) { d.note(entry{what: "recovered", took: downtime}) },
		OnDead: func(_ *conn.Conn, err *control.DeadError) time.Duration {
			d.note(entry{what: "dead", took: err.Silence})
			return 0
		},
	}
}

// all returns the entries so far.
func (d *diary) all() []entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]entry(nil), d.entries...)
}

// names returns what was told, without pings and pongs.
func (d *diary) names() (names []string) {
	for _, e := range d.all() {
		if e.what != "pong" && e.what[:4] != "ping" {
			names = append(names, e.what)
		}
	}
	return names
}

// find returns the first entry of a name.
func (d *diary) find(t *rig, what string) entry {
	t.Helper()
	for _, e := range d.all() {
		if e.what == what {
			return e
		}
	}
	require.FailNow(t, "this was never told: "+what, "%v", d.names())
	return entry{}
}

// person is a peer that reads all the time and answers pings when it is told to.
type person struct {
	*peer
	mute  atomic.Bool // answers nothing
	pings atomic.Int64
	gone  chan struct{} // closed at the end of its connection
	end   error
}

// answering has the peer answer pings from now on.
func (p *peer) answering() *person {
	q := &person{peer: p, gone: make(chan struct{})}
	go func() {
		defer close(q.gone)
		for {
			h, payload, err := p.read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue // a quiet connection
			}
			if err != nil {
				q.end = err
				return
			}
			if h.Opcode == frame.Ping {
				q.pings.Add(1)
				if !q.mute.Load() {
					p.nc.SetWriteDeadline(time.Time{}) // that of an earlier send
					p.nc.Write(p.frame(true, frame.Pong, payload))
				}
			}
		}
	}()
	return q
}

// deaf has the peer read all the time and answer nothing.
func (p *peer) deaf() *person {
	q := p.answering()
	q.mute.Store(true)
	return q
}

func newReader(nc net.Conn) *bufio.Reader { return bufio.NewReaderSize(nc, 4<<10) }

// swallow reads and forgets, without a look at frames.
func (p *peer) swallow() { go io.Copy(io.Discard, p.nc) }

// deadOf returns why the connection ended, which must be the death of its peer.
func deadOf(t require.TestingT, err error) *control.DeadError {
	end := closeErrorOf(t, err)
	require.Equal(t, conn.CloseCode(1006), end.Code)
	require.True(t, end.Remote)
	var dead *control.DeadError
	require.True(t, errors.As(err, &dead), "%v", err)
	var timeout interface{ Timeout() bool }
	require.True(t, errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
	return dead
}

// expectDeath waits for the death of the peer.
func (t *rig) expectDeath(c *conn.Conn, within time.Duration) *control.DeadError {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(within):
		require.FailNow(t, "the peer should be dead", "%+v", c.Health())
	}
	return deadOf(t, c.Err())
}

// expectLife asserts that nothing happens to the connection for a while.
func (t *rig) expectLife(c *conn.Conn, d time.Duration) {
	t.Helper()
	select {
	case <-c.Done():
		require.FailNow(t, "the peer is not dead", "%v", c.Err())
	case <-time.After(d):
	}
}

// until waits for a condition.
func (t *rig) until(what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(t, "this never was so: "+what)
		}
	}
	t.calm() // and whoever is to be told of it was
}

// watched returns options whose peers are pinged.
func watched(interval, timeout time.Duration, hooks conn.Hooks) conn.Options {
	return conn.Options{PingInterval: interval, PingTimeout: timeout, Hooks: hooks}
}

// seconds keeps what is written in tests short.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
