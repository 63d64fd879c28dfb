package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "-peer" { // see startChild
		fmt.Fprintln(os.Stderr, servePeer(os.Args[2]))
		os.Exit(1)
	}
	switch err := benchmark(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

var errFailed = errors.New("some peers failed: they have no figures")

func benchmark(args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	rep := newReport(o)
	if o.engineOnly {
		rep.Engine = measureEngines(o, stderr)
	} else {
		if o.verbose {
			fmt.Fprintf(stderr, "about %v to go\n", o.duration().Round(time.Second))
		}
		if rep.Loopback, err = measureLoopback(o, stderr); err != nil {
			return err
		}
	}
	if err := rep.print(stdout); err != nil {
		return err
	}
	if o.json != "" {
		if err := rep.save(o.json); err != nil {
			return err
		}
	}
	if rep.failed() {
		return errFailed
	}
	return nil
}
