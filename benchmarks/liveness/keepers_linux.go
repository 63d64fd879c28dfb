package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/control/wheel"
)

// active is when a peer that sends all the time was last heard: its reader has
// stored a moment within the last second.
func active(now time.Duration, s *lastSeen, id int) time.Duration {
	s.at.Store(int64(now) - int64(id%1000)*int64(time.Millisecond))
	return max(time.Duration(s.at.Load()), 0)
}

// keepWheel does what conn.Driver does: a tick, a wheel, and a monitor for each
// connection that is due.
func keepWheel(conns []lastSeen, interval time.Duration, fired *atomic.Int64) any {
	const tick = 100 * time.Millisecond
	bounds, err := control.Bounds{Interval: interval}.Settle()
	if err != nil {
		panic(err) // a constant
	}
	w := wheel.New(0)
	monitors := make([]control.Monitor, len(conns))
	var mu sync.Mutex
	const opened = 2 * time.Second // after the start, when the first ping was due
	base := time.Now().Add(-opened)
	set := func(id int32, at time.Duration) { w.Set(id, uint32((at+tick-1)/tick)) }
	for id := range conns {
		w.Add()
		m := &monitors[id]
		m.Open(0)
		m.Look(opened, &bounds, uint32(id), control.Sight{})
		m.Look(opened, &bounds, uint32(id), control.Sight{Inbound: opened}) // answered
		// As if it had been open for a while: due at some time of the interval.
		set(int32(id), opened+interval*time.Duration(id)/time.Duration(len(conns)))
	}
	go func() {
		var due []int32
		for range time.Tick(tick) {
			mu.Lock()
			now := time.Since(base)
			w.Advance(uint32(now/tick), func(id int32) { due = append(due, id) })
			mu.Unlock()
			mu.Lock()
			for _, id := range due {
				m := &monitors[id]
				inbound := active(now, &conns[id], int(id))
				set(id, m.Due(now, inbound, &bounds, uint32(id)))
			}
			fired.Add(int64(len(due)))
			due = due[:0]
			mu.Unlock()
		}
	}()
	return []any{w, monitors}
}

func keepAfterFunc(conns []lastSeen, interval time.Duration, fired *atomic.Int64) any {
	base := time.Now()
	timers := make([]*time.Timer, len(conns))
	for id := range conns {
		timers[id] = time.AfterFunc(time.Second+interval*time.Duration(id)/time.Duration(len(conns)), func() {
			now := time.Since(base)
			timers[id].Reset(active(now, &conns[id], id) + interval - now)
			fired.Add(1)
		})
	}
	return timers
}

func keepTicker(conns []lastSeen, interval time.Duration, fired *atomic.Int64) any {
	base := time.Now()
	for id := range conns {
		go func() {
			time.Sleep(time.Second + interval*time.Duration(id)/time.Duration(len(conns)))
			fired.Add(1)
			for range time.Tick(interval) {
				if now := time.Since(base); active(now, &conns[id], id) < now-interval {
					panic("unreachable")
				}
				fired.Add(1)
			}
		}()
	}
	return nil
}
