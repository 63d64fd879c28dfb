// Command autobahn is the gate: it runs the real Autobahn suite against wirebeat's agents, or any other
// server, and judges the suite's report more strictly than the suite itself does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(gate(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const (
	exitPass  = 0
	exitFail  = 1
	exitError = 2
)

// gate is the whole program but for the process around it.
func gate(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitPass
	}
	if err == nil {
		var passed bool
		if passed, err = o.run(ctx, stdout, stderr); err == nil {
			if passed {
				return exitPass
			}
			return exitFail
		}
	}
	fmt.Fprintf(stderr, "autobahn: %v\n", err)
	return exitError
}

// run does everything that the options ask for and says whether every case is as promised.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the time limit of %v is over", o.timeout))
	defer cancel()
	start := time.Now()
	s, err := findSuite(ctx, o.suite, o.wstest, o.image)
	if err != nil {
		return false, err
	}
	version, err := s.version(ctx)
	if err != nil {
		return false, err
	}
	agents, stop, err := o.startAgents()
	defer stop()
	if err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "wirebeat-autobahn-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	reports := o.report
	if reports == "" {
		reports = filepath.Join(work, "report")
	}
	if reports, err = filepath.Abs(reports); err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "%s: %d cases, %s\n", version, len(o.cases), agentCount(len(agents)))

	var echo io.Writer
	if o.verbose {
		echo = &sharedWriter{w: stderr}
	}
	runs := deal(agents, o.jobs)
	dirs := make([]string, len(runs))
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, run := range runs {
		dirs[i] = reports
		if len(runs) > 1 {
			dirs[i] = filepath.Join(reports, strconv.Itoa(i+1))
		}
		wg.Go(func() {
			errs[i] = s.runInto(ctx, dirs[i], filepath.Join(work, strconv.Itoa(i+1)), run, o.cases, echo)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return false, err
	}

	var all []judgement
	for i, run := range runs {
		rep, err := readReport(dirs[i])
		if err != nil {
			return false, err
		}
		for _, a := range run {
			j := judge(a.name, a.pong, o.cases, rep[a.name])
			all = append(all, j)
			fmt.Fprintln(stdout)
			if err := writeTable(stdout, j); err != nil {
				return false, err
			}
			writeBad(stdout, dirs[i], j)
		}
	}
	fmt.Fprintln(stdout)
	if o.report != "" {
		fmt.Fprintf(stdout, "report: %s\n", reports)
	}
	fmt.Fprint(stdout, closing(all, version, time.Since(start).Seconds()))
	return allPassed(all), nil
}

// runInto runs the suite once and leaves its report in dir.
func (s suite) runInto(ctx context.Context, dir, specDir string, agents []agent, cases []string, echo io.Writer) error {
	for _, d := range []string{dir, specDir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// An index of an earlier run must not be judged when this one writes none.
	if err := os.Remove(filepath.Join(dir, indexFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	p, err := s.command(specDir, dir, agents, cases)
	if err != nil {
		return err
	}
	return p.run(ctx, echo)
}

// startAgents starts what is to be tested. stop is never nil.
func (o options) startAgents() (agents []agent, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, u := range o.urls {
		a, err := parseForeign(u, o.pongs[0])
		if err != nil {
			return nil, stop, err
		}
		for _, b := range agents {
			if a.name == b.name {
				return nil, stop, fmt.Errorf("--url: two servers are named %s", a.name)
			}
		}
		agents = append(agents, a)
	}
	if len(o.urls) > 0 {
		return agents, stop, nil
	}
	// Role client turns the direction round (wstest -m fuzzingserver) and branches off here.
	for _, entry := range o.entries {
		for _, pong := range o.pongs {
			addr, stopOne, err := startServerAgent(entry, pong)
			if err != nil {
				return nil, stop, fmt.Errorf("agent %s/%s: %w", entry, pong, err)
			}
			stops = append(stops, stopOne)
			agents = append(agents, agent{"wirebeat-" + entry + "-" + pong, "ws://" + addr, pong})
		}
	}
	return agents, stop, nil
}

// sharedWriter lets several runs write to one place.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
