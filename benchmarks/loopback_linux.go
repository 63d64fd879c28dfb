package main

import (
	"fmt"
	"io"
	"time"
)

// measureLoopback measures every peer in every scenario, each run against a
// fresh process.
func measureLoopback(o options, progress io.Writer) ([]row[result], error) {
	if err := pinProcess(o.generatorCPU); err != nil {
		return nil, err
	}
	names := make([]string, len(o.peers))
	for i, p := range o.peers {
		names[i] = p.name
	}
	var rows []row[result]
	for _, s := range o.scenarios {
		all := interleave(names, o.rounds, func(i, round int) (result, error) {
			r, err := measurePeer(o.peers[i], s, o)
			switch {
			case err != nil:
				fmt.Fprintf(progress, "%v round %d %s: FAILED: %v\n", s, round+1, names[i], err)
			case o.verbose:
				fmt.Fprintf(progress, "%v round %d %s: %.0f thousand messages per CPU second\n",
					s, round+1, names[i], r.MessagesPerCPUSecond/1e3)
			}
			return r, err
		})
		rows = append(rows, row[result]{Scenario: s.String(), Series: all})
	}
	return rows, nil
}

func measurePeer(p peer, s scenario, o options) (result, error) {
	c, err := startChild(p.name, o.serverCPU)
	if err != nil {
		return result{}, err
	}
	r, err := load{
		scenario:  s,
		raw:       p.raw,
		addr:      c.addr,
		warmup:    o.warmup,
		measure:   o.seconds,
		serverCPU: func() (time.Duration, error) { return processCPU(c.pid()) },
	}.run()
	c.stop()
	if err != nil {
		err = c.explain(err)
	}
	return r, err
}
