package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// durations is a sample.
type durations []time.Duration

// quantile returns the smallest duration that a share q of all does not exceed.
func (d durations) quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	i := int(math.Ceil(q*float64(len(d)))) - 1
	return d[min(max(i, 0), len(d)-1)]
}

func (d durations) mean() time.Duration {
	if len(d) == 0 {
		return 0
	}
	sum := time.Duration(0)
	for _, v := range d {
		sum += v
	}
	return sum / time.Duration(len(d))
}

// within counts those of at most a limit.
func (d durations) within(limit time.Duration) (n int) {
	for _, v := range d {
		if v <= limit {
			n++
		}
	}
	return n
}

// median of numbers; 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	if m := len(v) / 2; len(v)%2 == 0 {
		return (v[m-1] + v[m]) / 2
	}
	return v[len(v)/2]
}

// A table is printed as Markdown.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch v := c.(type) {
		case time.Duration:
			row[i] = seconds(v)
		case float64:
			row[i] = figure(v)
		default:
			row[i] = fmt.Sprint(v)
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(w)
}

// seconds shows a duration to the millisecond.
func seconds(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f s", d.Seconds())
}

// figure shows three digits or more.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// percent is a share of a whole.
func percent(n, of int) string {
	if of == 0 {
		return "–"
	}
	return figure(100*float64(n)/float64(of)) + " %"
}

// mostWithin returns how many of some moments lie within one span.
func mostWithin(at durations, span time.Duration) (most int) {
	at = slices.Clone(at)
	slices.Sort(at)
	first := 0
	for i, t := range at {
		for t-at[first] >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
