package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bill is what timers of n connections cost.
type bill struct {
	CPU   float64 `json:"cpu"`   // share of one CPU
	Wakes float64 `json:"wakes"` // voluntary context switches a second
	Bytes float64 `json:"bytes"` // a connection
	Full  float64 `json:"full"`  // ms of a garbage collection
	Pause float64 `json:"pause"` // µs, the longest of its pauses
	Fired float64 `json:"fired"` // timers a second
}

// keepers are ways to notice that a connection was silent for an interval. Each
// is given connections whose peers send often, so that nothing is ever due for
// real: what is measured is looking.
var keepers = []struct {
	name string
	keep func(conns []lastSeen, interval time.Duration, fired *atomic.Int64) any
}{
	{"wheel and monitors", keepWheel},
	{"time.AfterFunc each", keepAfterFunc},
	{"goroutine and ticker each", keepTicker},
}

// lastSeen is when bytes last came, as the reader of a connection stores it.
type lastSeen struct{ at atomic.Int64 }

// cost prices the timers alone: no sockets, and processes of their own, so that
// nobody pays for the garbage of another.
func cost(ctx context.Context, r *rig) error {
	sizes, length := []int{100_000, 1_000_000}, 15*time.Second
	if r.quick {
		sizes, length = []int{10_000}, time.Second
	}
	interval := 30 * time.Second
	r.about("cost: timers of connections in memory that are never silent, looked at every %v, for %v after the first interval began. CPU in %% of one; GC is one full collection.", interval, length)
	t := newTable("connections", "timers", "fired/s", "CPU", "ratio", "wake-ups/s", "ratio", "bytes each", "full GC", "longest pause")
	for _, n := range sizes {
		var bills []bill
		for i, k := range keepers {
			b, err := bill1(ctx, i, n, interval, length)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			bills = append(bills, b)
			t.row(n, k.name, b.Fired, figure(100*b.CPU)+" %", b.CPU/bills[0].CPU, b.Wakes, b.Wakes/bills[0].Wakes, b.Bytes,
				figure(b.Full)+" ms", figure(b.Pause)+" µs")
		}
		if n == 1_000_000 {
			r.expectTime(10*bills[0].CPU <= bills[1].CPU, "the wheel's CPU time at 1,000,000 is 1/%s of AfterFunc's", figure(bills[1].CPU/bills[0].CPU))
			r.expectTime(40*bills[0].Wakes <= bills[1].Wakes, "the wheel's wake-ups at 1,000,000 are 1/%s of AfterFunc's", figure(bills[1].Wakes/bills[0].Wakes))
		}
		r.expect(bills[0].Bytes <= 96, "the wheel, a monitor and its time take %s bytes a connection", figure(bills[0].Bytes))
	}
	t.print(r.out)
	return readCost(r)
}

// bill1 has a child measure one keeper.
func bill1(ctx context.Context, keeper, n int, interval, length time.Duration) (b bill, err error) {
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	cmd := exec.CommandContext(ctx, self, "-bill", strconv.Itoa(keeper), strconv.Itoa(n), interval.String(), length.String())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(out, &b)
}

// runBill is the child's side.
func runBill(args []string) error {
	keeper, err1 := strconv.Atoi(args[0])
	n, err2 := strconv.Atoi(args[1])
	interval, err3 := time.ParseDuration(args[2])
	length, err4 := time.ParseDuration(args[3])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	var fired atomic.Int64
	conns := make([]lastSeen, n)
	before := inUse()
	kept := keepers[keeper].keep(conns, interval, &fired)
	var b bill
	b.Bytes = float64(inUse()-before)/float64(n) + 8 // the time itself

	// The timers were set to fire spread over an interval. While making a million
	// of them took long, some are behind.
	time.Sleep(2 * time.Second)
	start, cpu, wakes, count := time.Now(), ownCPU(), switches(), fired.Load()
	time.Sleep(length)
	took := time.Since(start).Seconds()
	b.CPU = (ownCPU() - cpu).Seconds() / took
	b.Wakes = float64(switches()-wakes) / took
	b.Fired = float64(fired.Load()-count) / took

	var gc debug.GCStats
	gc.PauseQuantiles = make([]time.Duration, 1)
	var full []float64
	for range 3 {
		at := time.Now()
		runtime.GC()
		full = append(full, time.Since(at).Seconds()*1e3)
	}
	debug.ReadGCStats(&gc)
	b.Full = median(full)
	for _, p := range gc.Pause[:min(3, len(gc.Pause))] {
		b.Pause = max(b.Pause, float64(p)/1e3)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(conns)
	return json.NewEncoder(os.Stdout).Encode(b)
}

// inUse is all memory that the runtime has in use, stacks included.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func ownCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err) // always there
	}
	return time.Duration(ts.Nano())
}

// switches counts how often threads of this process went to sleep, and so were
// woken.
func switches() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // always there
	}
	return u.Nvcsw
}

// readCost is what each read pays to be noticed.
func readCost(r *rig) error {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	nc, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		return err
	}
	defer nc.Close()

	var s reading
	stamp := nsEach(func() { s.note() })
	deadline := nsEach(func() { _ = nc.SetReadDeadline(time.Now().Add(time.Minute)) })
	t := newTable("a read pays", "ns", "ratio")
	t.row("a stamp of the coarse clock", stamp, 1.0)
	t.row("SetReadDeadline(time.Now().Add(…))", deadline, deadline/stamp)
	t.print(r.out)
	r.expectTime(10*stamp <= deadline, "noting a read takes 1/%s of a SetReadDeadline", figure(deadline/stamp))
	return nil
}

// reading is what conn.Conn does at a read, for which see fill there.
type reading struct {
	clock, inbound  atomic.Int64
	probing, paused atomic.Bool
}

//go:noinline
func (s *reading) note() {
	now := s.clock.Load()
	if !s.probing.Load() {
		s.inbound.Store(now)
	}
	if s.paused.Load() {
		s.paused.Store(false)
	}
}

// nsEach is the median of some runs.
func nsEach(f func()) float64 {
	const times = 100_000
	var all []float64
	for range 9 {
		start := ownCPU()
		for range times {
			f()
		}
		all = append(all, float64(ownCPU()-start)/times)
	}
	return median(all)
}
