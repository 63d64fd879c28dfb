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

	notes := &sharedWriter{w: stderr}
	var echo io.Writer
	if o.verbose {
		echo = notes
	}
	runs := plan(agents, o.jobs, reports, work)
	if err := s.doAll(ctx, runs, o.jobs, o.cases, notes, echo); err != nil {
		return false, err
	}

	var all []judgement
	for _, r := range runs {
		rep, err := readReport(r.report)
		if err != nil {
			return false, err
		}
		for _, a := range r.agents {
			j := judge(a.name, a.pong, o.cases, rep[a.name])
			all = append(all, j)
			fmt.Fprintln(stdout)
			if err := writeTable(stdout, j); err != nil {
				return false, err
			}
			writeBad(stdout, r.report, j)
		}
	}
	fmt.Fprintln(stdout)
	if o.report != "" {
		fmt.Fprintf(stdout, "report: %s\n", reports)
	}
	fmt.Fprint(stdout, closing(all, version, time.Since(start).Seconds()))
	return allPassed(all), nil
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
