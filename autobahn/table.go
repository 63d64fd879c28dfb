package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeTable prints a judgement by section. OTHER collects WRONG CODE, UNCLEAN, FAILED BY CLIENT, verdicts the
// gate does not know and cases missing from the report.
func writeTable(w io.Writer, j judgement) error {
	fmt.Fprintf(w, "%s\n", j.agent)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "section\tcases\tOK\tNON-STRICT\tFAILED\tUNIMPLEMENTED\tINFORMATIONAL\tOTHER\tseconds\t")
	for _, t := range append(j.sections[:len(j.sections):len(j.sections)], j.total) {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", t.section, t.cases, t.ok, t.nonStrict,
			t.failed, t.unimplemented, t.info, t.other, t.spent.Seconds())
	}
	return tw.Flush()
}

// writeBad lists every bad case with the suite's own words about it, read from the report in dir.
func writeBad(w io.Writer, dir string, j judgement) {
	if len(j.bad) == 0 {
		return
	}
	fmt.Fprintf(w, "%s: %d bad\n", j.agent, len(j.bad))
	var missing []string
	for _, b := range j.bad {
		if b.missing {
			missing = append(missing, b.id)
		}
	}
	if len(missing) > 0 {
		// One line: a server that goes away early would fill the screen.
		fmt.Fprintf(w, "  %d missing from the report: %s\n", len(missing), strings.Join(missing, " "))
	}
	for _, b := range j.bad {
		if b.missing {
			continue
		}
		fmt.Fprintf(w, "  %-7s %s\n", b.id, b.why)
		fmt.Fprintf(w, "          verdict:  %s, close %s\n", b.result.Behavior, b.result.BehaviorClose)
		d, err := readDetail(dir, b.result)
		if err != nil {
			fmt.Fprintf(w, "          no detail: %v\n", err)
			continue
		}
		for _, l := range []struct{ name, text string }{
			{"result", d.Result}, {"close", d.ResultClose}, {"case", d.Description}, {"expected", d.Expectation},
		} {
			if l.text != "" {
				fmt.Fprintf(w, "          %-9s %s\n", l.name+":", l.text)
			}
		}
	}
}

// closing sums up all agents: a line for people and, last, one that test machinery knows.
func closing(js []judgement, version string, seconds float64) string {
	var cases, bad, info int
	for _, j := range js {
		cases += j.total.cases
		bad += len(j.bad)
		info += j.total.info
	}
	word := "FAIL"
	if allPassed(js) {
		word = "PASS"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s, %d cases, %d informational, %d bad, %.1f s\n", word, version,
		agentCount(len(js)), cases, info, bad, seconds)
	fmt.Fprintf(&b, "%d passed, %d failed\n", max(cases-bad, 0), bad)
	return b.String()
}

func agentCount(n int) string {
	if n == 1 {
		return "1 agent"
	}
	return fmt.Sprintf("%d agents", n)
}
