package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// A run is one process of the suite, and the agents that it tests one after another. They have one role.
type run struct {
	role   string
	agents []agent
	report string // the directory of its report
	spec   string // the directory of its spec
}

// plan deals the agents of each role to at most jobs runs. reports and work have a directory for each, but the
// report of a run that is the only one is in reports itself.
func plan(agents []agent, jobs int, reports, work string) []run {
	var runs []run
	for _, role := range roles {
		var group []agent
		for _, a := range agents {
			if a.role == role {
				group = append(group, a)
			}
		}
		dealt := deal(group, jobs)
		for i, agents := range dealt {
			name := role
			if len(dealt) > 1 {
				name += "-" + strconv.Itoa(i+1)
			}
			runs = append(runs, run{role, agents, filepath.Join(reports, name), filepath.Join(work, name)})
		}
	}
	if len(runs) == 1 {
		runs[0].report = reports
	}
	return runs
}

// deal spreads agents over at most n runs.
func deal(agents []agent, n int) [][]agent {
	n = min(n, len(agents))
	dealt := make([][]agent, n)
	for i, a := range agents {
		dealt[i%n] = append(dealt[i%n], a)
	}
	return dealt
}

// doAll does all runs, jobs at a time.
func (s suite) doAll(ctx context.Context, runs []run, jobs int, cases []string, notes, echo io.Writer) error {
	errs := make([]error, len(runs))
	queue := make(chan int)
	var wg sync.WaitGroup
	for range min(jobs, len(runs)) {
		wg.Go(func() {
			for i := range queue {
				errs[i] = s.do(ctx, runs[i], cases, notes, echo)
			}
		})
	}
	for i := range runs {
		queue <- i
	}
	close(queue)
	wg.Wait()
	return errors.Join(errs...)
}

// do does a run of the suite and leaves its report where the run says.
func (s suite) do(ctx context.Context, r run, cases []string, notes, echo io.Writer) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, d := range []string{r.report, r.spec} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// An index of an earlier run must not be judged when this one writes none.
	if err := os.Remove(filepath.Join(r.report, indexFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if r.role == roleClient {
		return s.runClients(ctx, r, cases, notes, echo)
	}
	p, err := s.fuzzingClient(r.spec, r.report, r.agents, cases)
	if err != nil {
		return err
	}
	return p.run(ctx, echo)
}
