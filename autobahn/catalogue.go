package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// catalogue lists every case of AutobahnTestSuite 25.10.1: a group and how many cases it has, numbered from 1.
// The gate keeps its own list so that the number of cases in a report is checked against something the suite
// did not say itself.
var catalogue = []struct {
	group string
	cases int
}{
	{"1.1", 8}, {"1.2", 8},
	{"2", 11},
	{"3", 7},
	{"4.1", 5}, {"4.2", 5},
	{"5", 20},
	{"6.1", 3}, {"6.2", 4}, {"6.3", 2}, {"6.4", 4}, {"6.5", 5}, {"6.6", 11}, {"6.7", 4}, {"6.8", 2},
	{"6.9", 4}, {"6.10", 3}, {"6.11", 5}, {"6.12", 8}, {"6.13", 5}, {"6.14", 10}, {"6.15", 1}, {"6.16", 3},
	{"6.17", 5}, {"6.18", 5}, {"6.19", 5}, {"6.20", 7}, {"6.21", 8}, {"6.22", 34}, {"6.23", 7},
	{"7.1", 6}, {"7.3", 6}, {"7.5", 1}, {"7.7", 13}, {"7.9", 9}, {"7.13", 2},
	{"9.1", 6}, {"9.2", 6}, {"9.3", 9}, {"9.4", 9}, {"9.5", 6}, {"9.6", 6}, {"9.7", 6}, {"9.8", 6},
	{"10.1", 1},
	{"12.1", 18}, {"12.2", 18}, {"12.3", 18}, {"12.4", 18}, {"12.5", 18},
	{"13.1", 18}, {"13.2", 18}, {"13.3", 18}, {"13.4", 18}, {"13.5", 18}, {"13.6", 18}, {"13.7", 18},
}

// defaultCases are the 301 cases of the protocol proper; 12 and 13 are about compression. The suite has no
// section 8 or 11.
const defaultCases = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*"

// allCases returns the ids of the whole catalogue in order.
func allCases() []string {
	var ids []string
	for _, g := range catalogue {
		for n := 1; n <= g.cases; n++ {
			ids = append(ids, g.group+"."+strconv.Itoa(n))
		}
	}
	return ids
}

// resolveCases turns patterns into case ids. A `*` stands for any run of characters and a pattern must cover
// the whole id: the suite's own patterns match prefixes, so that `1*` there means section 10, 12 and 13 as
// well. The suite is therefore handed ids and never a pattern.
func resolveCases(include, exclude []string) ([]string, error) {
	in, err := matchCases(include)
	if err != nil {
		return nil, err
	}
	out, err := matchCases(exclude)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range allCases() {
		if in[id] && !out[id] {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("no case is left to run")
	}
	return ids, nil
}

func matchCases(patterns []string) (map[string]bool, error) {
	matched := map[string]bool{}
	for _, p := range patterns {
		re, err := regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$")
		if err != nil {
			return nil, err
		}
		hits := 0
		for _, id := range allCases() {
			if re.MatchString(id) {
				matched[id] = true
				hits++
			}
		}
		// A typo must not shrink a run in silence; `8.*` in a list of all sections is none.
		if hits == 0 && p != "8.*" && p != "11.*" {
			return nil, fmt.Errorf("%q matches no case of the suite (a section is written like 9.*)", p)
		}
	}
	return matched, nil
}

// section is the part of an id before the first dot.
func section(id string) string {
	s, _, _ := strings.Cut(id, ".")
	return s
}

// compareIDs orders case ids by number: 2.9 before 2.10.
func compareIDs(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM != nil || errN != nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(m, n)
	})
}
