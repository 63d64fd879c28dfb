package main

import (
	"fmt"
	"slices"
	"time"
)

// The pong modes an agent runs in, as `wirebeat serve --pong` has them.
const (
	pongAuto     = "auto"
	pongStrict   = "strict"
	pongCoalesce = "coalesce"
)

// These three have no right or wrong: RFC 6455 leaves open what an endpoint does with frames after its own
// Close (7.1.6) and with close codes out of every range (7.13.1, 7.13.2), and the suite hard-codes the verdict.
var mayBeInformational = map[string]bool{"7.1.6": true, "7.13.1": true, "7.13.2": true}

// accept says whether a case's verdicts are what the mode promises, and if not, why.
func accept(pong, id string, r caseResult) error {
	if !r.Behavior.known() {
		return fmt.Errorf("unknown behavior %q", r.Behavior)
	}
	if !r.BehaviorClose.known() {
		return fmt.Errorf("unknown behaviorClose %q", r.BehaviorClose)
	}
	if pong == pongCoalesce {
		switch id {
		case "2.10":
			// Ten pings in one go, a pong for each expected. Coalescing answers the newest only, as RFC 6455
			// §5.5.3 allows; an OK here would mean that the mode did nothing.
			if r.Behavior == OK {
				return fmt.Errorf("OK, but a coalescing agent must not answer every ping")
			}
			if r.BehaviorClose != OK {
				return fmt.Errorf("behaviorClose is %s", r.BehaviorClose)
			}
			return nil
		case "2.11":
			// The same pings in chops of one octet: which of them arrive together is chance.
			return nil
		}
	}
	for _, v := range []struct {
		name string
		got  verdict
	}{{"behavior", r.Behavior}, {"behaviorClose", r.BehaviorClose}} {
		if v.got == OK || v.got == Informational && mayBeInformational[id] {
			continue
		}
		return fmt.Errorf("%s is %s", v.name, v.got)
	}
	return nil
}

// A badCase is a case that does not pass, and why.
type badCase struct {
	id      string
	result  caseResult
	why     string
	missing bool // the report has no such case
}

// tally counts the cases of one section by verdict. A case counts once, by its behavior, or by its
// behaviorClose when the behavior is OK.
type tally struct {
	section                                                string
	cases                                                  int // asked for
	ok, nonStrict, failed, unimplemented, info, other, bad int
	spent                                                  time.Duration
}

func (t *tally) count(r caseResult) {
	v := r.Behavior
	if v == OK {
		v = r.BehaviorClose
	}
	switch v {
	case OK:
		t.ok++
	case NonStrict:
		t.nonStrict++
	case Failed:
		t.failed++
	case Unimplemented:
		t.unimplemented++
	case Informational:
		t.info++
	default:
		t.other++
	}
	t.spent += r.duration()
}

func (t *tally) add(u tally) {
	t.cases += u.cases
	t.ok += u.ok
	t.nonStrict += u.nonStrict
	t.failed += u.failed
	t.unimplemented += u.unimplemented
	t.info += u.info
	t.other += u.other
	t.bad += u.bad
	t.spent += u.spent
}

// A judgement is what the gate says about one agent.
type judgement struct {
	agent    string
	sections []tally
	total    tally
	bad      []badCase
}

func (j judgement) passed() bool { return len(j.bad) == 0 && j.total.cases > 0 }

// judge holds one agent's results against the cases that were asked for. What is missing is bad, and so is
// what nobody asked for: either means that the report is not the one of this run.
func judge(agent, pong string, asked []string, results map[string]caseResult) judgement {
	j := judgement{agent: agent, total: tally{section: "all"}}
	at := map[string]int{}
	for _, id := range asked {
		s := section(id)
		if _, seen := at[s]; !seen {
			at[s] = len(j.sections)
			j.sections = append(j.sections, tally{section: s})
		}
		t := &j.sections[at[s]]
		t.cases++
		r, present := results[id]
		if !present {
			t.other++
			t.bad++
			j.bad = append(j.bad, badCase{id: id, why: "missing from the report", missing: true})
			continue
		}
		t.count(r)
		if err := accept(pong, id, r); err != nil {
			t.bad++
			j.bad = append(j.bad, badCase{id: id, result: r, why: err.Error()})
		}
	}
	for _, t := range j.sections {
		j.total.add(t)
	}
	for id, r := range results {
		if !slices.Contains(asked, id) {
			j.total.bad++
			j.bad = append(j.bad, badCase{id: id, result: r, why: "in the report, but nobody asked for it"})
		}
	}
	slices.SortFunc(j.bad, func(a, b badCase) int { return compareIDs(a.id, b.id) })
	return j
}

// allPassed is false for no judgement at all: nothing was tested then.
func allPassed(js []judgement) bool {
	for _, j := range js {
		if !j.passed() {
			return false
		}
	}
	return len(js) > 0
}
