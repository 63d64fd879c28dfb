package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"
)

// engineScenarios are batches as a kernel would have them waiting.
var engineScenarios = []scenario{
	{binary, 64, 16, 1},
	{binary, 64, 125, 1},
	{binary, 64, 1024, 1},
}

// measureEngines measures every engine in memory.
func measureEngines(o options, progress io.Writer) []row[cost] {
	// With one P, nothing of an engine runs beside it, and the clock of the
	// process counts it all.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	names := make([]string, len(o.engines))
	for i, e := range o.engines {
		names[i] = e.name
	}
	var rows []row[cost]
	for _, s := range engineScenarios {
		b := newBatch(s, false, rand.NewChaCha8([32]byte{byte(s.size)}))
		turns := make([]int, len(o.engines))
		all := interleave(names, o.rounds, func(i, round int) (c cost, err error) {
			defer func() {
				if err != nil {
					fmt.Fprintf(progress, "%v round %d %s: FAILED: %v\n", s, round+1, names[i], err)
				}
			}()
			e := o.engines[i]
			if turns[i] == 0 {
				if err := verifyEngine(e, &b); err != nil {
					return cost{}, err
				}
				if turns[i], err = calibrate(e, &b, o.engineTime); err != nil {
					return cost{}, err
				}
			}
			c, _, err = timeEngine(e, &b, s.depth, turns[i])
			return c, err
		})
		rows = append(rows, row[cost]{Scenario: fmt.Sprintf("%v %d B", s.kind, s.size), Series: all})
	}
	return rows
}

// verifyEngine compares every byte of the answers, with frames whole and cut
// everywhere. Times are taken only of an engine that passed.
func verifyEngine(e engine, b *batch) error {
	for _, readMax := range []int{len(b.out), 1, 7, 997} {
		nc := &memoryConn{batch: b, turns: 5, readMax: readMax, compare: true, begin: func() {}, end: func() {}}
		if err := nc.verdict(e.run(nc)); err != nil {
			return fmt.Errorf("reads of at most %d bytes: %w", readMax, err)
		}
	}
	return nil
}

// calibrate returns how often an engine must answer the batch to be busy for about d.
func calibrate(e engine, b *batch, d time.Duration) (int, error) {
	const limit = 1 << 26
	for turns := 16; ; turns *= 4 {
		_, took, err := timeEngine(e, b, 1, turns)
		if err != nil {
			return 0, err
		}
		if took >= d/16 || turns >= limit {
			return max(1, int(float64(turns)*float64(d)/float64(max(took, 1)))), nil
		}
	}
}

func timeEngine(e engine, b *batch, depth, turns int) (cost, time.Duration, error) {
	var before, after runtime.MemStats
	var from, to time.Duration
	runtime.GC() // not the garbage of the one before
	nc := &memoryConn{
		batch: b,
		turns: turns,
		begin: func() { runtime.ReadMemStats(&before); from = ownCPU() },
		end:   func() { to = ownCPU(); runtime.ReadMemStats(&after) },
	}
	if err := nc.verdict(e.run(nc)); err != nil {
		return cost{}, 0, err
	}
	messages := float64(turns) * float64(depth)
	return cost{
		Nanoseconds: float64((to - from).Nanoseconds()) / messages,
		Allocations: float64(after.Mallocs-before.Mallocs) / messages,
	}, to - from, nil
}
