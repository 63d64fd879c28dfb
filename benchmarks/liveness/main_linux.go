package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const wirebeatName = "wirebeat"

type scenario struct {
	name string
	run  func(ctx context.Context, r *rig) error
}

var scenarios = []scenario{
	{"stall", stall},
	{"death", death},
	{"mass", mass},
	{"writeonly", writeOnly},
	{"slow", slow},
	{"cost", cost},
	{"pings", pings},
	{"flood", flood},
	{"loss", loss},
}

// Children are killed when the thread ends that started them, so it has to be
// the one that lasts.
func init() { runtime.LockOSThread() }

func main() {
	switch {
	case len(os.Args) == 9 && os.Args[1] == "-serve":
		fmt.Fprintln(os.Stderr, runServer(os.Args[2], os.Args[3], os.Args[4:]))
		os.Exit(1)
	case len(os.Args) == 5 && os.Args[1] == "-keep":
		exit(runKeeper(os.Args[2:]))
	case len(os.Args) == 6 && os.Args[1] == "-bill":
		exit(runBill(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := measure(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "liveness:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A rig is what all scenarios share.
type rig struct {
	out, log io.Writer
	idioms   []idiom
	command  string

	quick, verbose    bool
	conns, rounds     int
	interval, timeout time.Duration
	minutes           float64
	losses            string
	delay, jitter     time.Duration
	rate              int
	write             time.Duration

	failures *[]string
	given    map[string]bool
}

func measure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	r := &rig{out: stdout, log: stderr, given: map[string]bool{}, failures: new([]string)}
	fs := flag.NewFlagSet("liveness", flag.ContinueOnError)
	fs.SetOutput(stderr)
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	chosen := fs.String("scenario", "", "what to measure, separated by commas: "+strings.Join(names, ", ")+" (default all)")
	peers := fs.String("peers", "", "servers, separated by commas (default all; with -quick wirebeat and gorilla)")
	fs.BoolVar(&r.quick, "quick", false, "small and short: does everything run, and is nothing grossly wrong?")
	fs.BoolVar(&r.verbose, "v", false, "say more")
	fs.IntVar(&r.conns, "conns", 1000, "connections of a server; those of cost are its own")
	fs.IntVar(&r.rounds, "rounds", 0, "how often to repeat (default depends on the scenario)")
	fs.DurationVar(&r.interval, "interval", 500*time.Millisecond, "wirebeat's ping interval; other servers get the same mean detection")
	fs.DurationVar(&r.timeout, "timeout", time.Second, "wirebeat's ping timeout")
	fs.Float64Var(&r.minutes, "minutes", 10, "how long loss measures, for each rate")
	fs.StringVar(&r.losses, "loss", "10,20", "per cent of packets that loss drops, each way")
	fs.DurationVar(&r.delay, "delay", 20*time.Millisecond, "of the relay, each way")
	fs.DurationVar(&r.jitter, "jitter", 10*time.Millisecond, "up to so much more")
	fs.IntVar(&r.rate, "rate", 20000, "pings a second of flood")
	fs.DurationVar(&r.write, "write-timeout", 0, "wirebeat's write timeout in slow (default 1.5 × timeout; with the default times its default)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	fs.Visit(func(f *flag.Flag) { r.given[f.Name] = true })
	if r.quick {
		for name, set := range map[string]func(){
			"conns":    func() { r.conns = 100 },
			"interval": func() { r.interval = 200 * time.Millisecond },
			"timeout":  func() { r.timeout = 400 * time.Millisecond },
			"peers":    func() { *peers = wirebeatName + ",gorilla" },
		} {
			if !r.given[name] {
				set()
			}
		}
	}
	if r.conns < 10 || r.rounds < 0 || r.interval < 10*time.Millisecond || r.timeout < 10*time.Millisecond || r.minutes <= 0 {
		return errors.New("-conns must be 10 or more, times 10 ms or more, -minutes above 0")
	}
	var err error
	if r.idioms, err = pick(*peers); err != nil {
		return err
	}
	r.command = "go run -C benchmarks ./liveness " + strings.Join(args, " ")
	if *chosen == "" {
		*chosen = strings.Join(names, ",")
	}
	for name := range strings.SplitSeq(*chosen, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return fmt.Errorf("no scenario %q; there are %s", name, strings.Join(names, ", "))
		}
		switch err := scenarios[i].run(ctx, r); {
		case isAbsent(err) && os.Getenv("CI") != "true":
			fmt.Fprintf(r.out, "%s skipped: %v\n", name, err)
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(*r.failures) > 0 {
		return errors.New("targets missed:\n  " + strings.Join(*r.failures, "\n  "))
	}
	return nil
}

// pick selects idioms by a list of names; wirebeat comes first.
func pick(list string) ([]idiom, error) {
	slices.SortFunc(idioms, func(a, b idiom) int {
		if (a.name == wirebeatName) != (b.name == wirebeatName) {
			if a.name == wirebeatName {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	if list == "" {
		return idioms, nil
	}
	var picked []idiom
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(idioms, func(d idiom) bool { return d.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no server %q here", name)
		}
		picked = append(picked, idioms[i])
	}
	return picked, nil
}

// each runs a part of a scenario for every server, each a fresh process. What
// cannot run here is left out.
func (r *rig) each(ctx context.Context, namespace, host string, o serveOptions, part func(f *fleet) error) error {
	for _, d := range r.idioms {
		srv, err := startProcess(d.name, namespace, host, o)
		if isAbsent(err) && os.Getenv("CI") != "true" {
			r.note("%s left out: %v", d.name, err)
			continue
		}
		if err != nil {
			return err
		}
		f := newFleet(srv)
		start := time.Now()
		err = part(f)
		f.close()
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		r.note("%s took %v", d.name, time.Since(start).Round(time.Second))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) scaled() serveOptions {
	return serveOptions{interval: r.interval, timeout: r.timeout}
}

// tick is that of wirebeat's clock with these times.
func (o serveOptions) tick() time.Duration {
	return max(min(100*time.Millisecond, o.interval/20, o.timeout/20), time.Millisecond)
}

// settle is how long connections get to have had their first pings.
func (r *rig) settle(o serveOptions) time.Duration { return 3 * o.interval }

func (r *rig) roundsOr(n int) int {
	switch {
	case r.rounds > 0:
		return r.rounds
	case r.quick:
		return 1
	}
	return n
}

func (r *rig) about(format string, args ...any) {
	fmt.Fprintf(r.out, "\n`%s`\n\n%s\n", strings.TrimSpace(r.command), fmt.Sprintf(format, args...))
}

func (r *rig) note(format string, args ...any) {
	if r.verbose {
		fmt.Fprintf(r.log, format+"\n", args...)
	}
}

// expect notes a target that was missed. The rest is measured nevertheless.
func (r *rig) expect(ok bool, format string, args ...any) {
	if !ok {
		*r.failures = append(*r.failures, fmt.Sprintf(format, args...))
	}
}

// expectTime is expect for what a busy machine may miss, and -quick does not
// judge.
func (r *rig) expectTime(ok bool, format string, args ...any) {
	r.expect(ok || r.quick, format, args...)
}

// counter is one number of a server's statistics.
func counter(stats, name string) string {
	var all map[string]any
	if json.Unmarshal([]byte(stats), &all) != nil || all[name] == nil {
		return "–"
	}
	return fmt.Sprint(all[name])
}
