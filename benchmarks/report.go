package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// A report is everything that was measured, and all that is needed to measure it again.
type report struct {
	Machine  string        `json:"machine"`
	Modules  []string      `json:"modules"` // versions of what was compared
	Command  string        `json:"command"`
	Rounds   int           `json:"rounds"`
	Seconds  float64       `json:"seconds"`
	Warmup   float64       `json:"warmup"`
	Base     string        `json:"base"`
	Loopback []row[result] `json:"loopback,omitempty"`
	Engine   []row[cost]   `json:"engine,omitempty"`

	placement string
}

func newReport(o options) *report {
	r := &report{
		Machine: fmt.Sprintf("%s, %d CPUs, %s, %s %s/%s",
			cpuModel(), runtime.NumCPU(), kernel(), runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Command:   o.command,
		Rounds:    o.rounds,
		Seconds:   o.seconds.Seconds(),
		Warmup:    o.warmup.Seconds(),
		Base:      o.base,
		placement: fmt.Sprintf("server on CPU %d with GOMAXPROCS=1, generator on CPU %d", o.serverCPU, o.generatorCPU),
	}
	if o.serverCPU == o.generatorCPU {
		r.placement += " (they share it: latencies and messages per second mean little)"
	}
	if o.engineOnly {
		r.Seconds, r.Warmup, r.placement = o.engineTime.Seconds(), 0, "in memory, GOMAXPROCS=1"
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			r.Modules = append(r.Modules, m.Path+" "+m.Version)
		}
	}
	return r
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (r *report) save(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func (r *report) failed() bool { return anyFailed(r.Loopback) || anyFailed(r.Engine) }

func anyFailed[R any](rows []row[R]) bool {
	for _, row := range rows {
		for _, s := range row.Series {
			if s.Error != "" {
				return true
			}
		}
	}
	return false
}

func perCPU(r result) float64 { return r.MessagesPerCPUSecond / 1e3 }
func nanos(c cost) float64    { return c.Nanoseconds }

func (r *report) print(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "machine   %s\nplacement %s\nmethod    medians of %d interleaved rounds, %gs each after %gs\ncommand   %s\n",
		r.Machine, r.placement, r.Rounds, r.Seconds, r.Warmup, r.Command)
	if len(r.Loopback) > 0 {
		matrix(out, "thousand messages per second of server CPU time", r.Loopback, func(s, _ series[result]) string {
			return figure(median(s.values(perCPU)))
		}, r.Base)
		matrix(out, "the same as a multiple of "+r.Base+" (median of the rounds' ratios)", r.Loopback, func(s, base series[result]) string {
			return ratio(s.values(perCPU), base.values(perCPU))
		}, r.Base)
		r.details(out)
	}
	if len(r.Engine) > 0 {
		matrix(out, "ns of CPU a message", r.Engine, func(s, _ series[cost]) string {
			return figure(median(s.values(nanos)))
		}, r.Base)
		matrix(out, "the same as a multiple of "+r.Base+" (median of the rounds' ratios)", r.Engine, func(s, base series[cost]) string {
			return ratio(s.values(nanos), base.values(nanos))
		}, r.Base)
		matrix(out, "allocations a message", r.Engine, func(s, _ series[cost]) string {
			return fmt.Sprintf("%.2f", median(s.values(func(c cost) float64 { return c.Allocations })))
		}, r.Base)
	}
	errorsOf(out, r.Loopback)
	errorsOf(out, r.Engine)
	return out.Flush()
}

// matrix prints a row a scenario and a column a peer.
func matrix[R any](out io.Writer, title string, rows []row[R], cell func(s, base series[R]) string, base string) {
	fmt.Fprintf(out, "\n%s\n", title)
	t := table(out)
	fmt.Fprint(t, "scenario\t")
	for _, s := range rows[0].Series {
		fmt.Fprintf(t, "%s\t", s.Name)
	}
	fmt.Fprintln(t)
	for _, row := range rows {
		fmt.Fprintf(t, "%s\t", row.Scenario)
		for _, s := range row.Series {
			if s.Error != "" {
				fmt.Fprint(t, "FAILED\t")
			} else {
				fmt.Fprintf(t, "%s\t", cell(s, row.base(base)))
			}
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // out keeps its first error for its own Flush
}

func (r *report) details(out io.Writer) {
	fmt.Fprint(out, "\ndetails: k/CPUs thousand messages per CPU second, spread (max-min)/median of it, "+
		"k/s thousand messages per second, load CPU seconds of the server per second, round trips of a batch in µs\n")
	t := table(out)
	fmt.Fprint(t, "scenario\tpeer\tk/CPUs\tspread\tk/s\tload\tp50\tp99\tpongs/ping\t\n")
	for _, row := range r.Loopback {
		for _, s := range row.Series {
			if s.Error != "" {
				continue
			}
			m := func(of func(result) float64) float64 { return median(s.values(of)) }
			pongs := "-"
			if p := m(func(r result) float64 { return r.PongsPerPing }); p > 0 {
				pongs = fmt.Sprintf("%.3f", p)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%.0f%%\t%s\t%.2f\t%.0f\t%.0f\t%s\t\n", row.Scenario, s.Name,
				figure(m(perCPU)), 100*spread(s.values(perCPU)),
				figure(m(func(r result) float64 { return r.MessagesPerSecond / 1e3 })),
				m(func(r result) float64 { return r.ServerLoad }),
				m(func(r result) float64 { return r.P50 }), m(func(r result) float64 { return r.P99 }), pongs)
		}
	}
	_ = t.Flush()
}

func errorsOf[R any](out io.Writer, rows []row[R]) {
	for _, row := range rows {
		for _, s := range row.Series {
			if s.Error != "" {
				fmt.Fprintf(out, "\nFAILED %s %s: %s\n", row.Scenario, s.Name, s.Error)
			}
		}
	}
}

func table(out io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// figure shows three digits or more.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(v, base []float64) string {
	if len(base) == 0 {
		return "-"
	}
	return figure(medianRatio(v, base))
}
