package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func mustResolve(t *testing.T, patterns ...string) []string {
	t.Helper()
	ids, err := resolveCases(patterns, nil)
	require.NoError(t, err)
	return ids
}

// index builds index.json for one agent: every id OK, then the changes "id": "BEHAVIOR/CLOSE". An empty change
// leaves the case out.
func index(agent string, ids []string, changes map[string]string) []byte {
	var entries []string
	for _, id := range ids {
		verdicts, changed := changes[id]
		if !changed {
			verdicts = "OK/OK"
		}
		if verdicts == "" {
			continue
		}
		behavior, closed, _ := strings.Cut(verdicts, "/")
		entries = append(entries, fmt.Sprintf(
			`%q: {"behavior": %q, "behaviorClose": %q, "duration": 2, "remoteCloseCode": 1000, "reportfile": "%s_case_%s.json"}`,
			id, behavior, closed, agent, strings.ReplaceAll(id, ".", "_")))
	}
	return fmt.Appendf(nil, `{%q: {%s}}`, agent, strings.Join(entries, ",\n"))
}

func TestJudge(t *testing.T) {
	all := splitList(defaultCases)
	for _, c := range []struct {
		name    string
		pong    string
		cases   []string
		changes map[string]string
		bad     []string // ids
		why     string   // part of the first reason
	}{
		{name: "301 cases that are OK pass", pong: pongAuto, cases: all},
		{name: "the three open questions may be informational", pong: pongStrict, cases: all, changes: map[string]string{
			"7.1.6": "INFORMATIONAL/INFORMATIONAL", "7.13.1": "INFORMATIONAL/INFORMATIONAL", "7.13.2": "INFORMATIONAL/OK"}},
		{name: "informational anywhere else is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"7.1.5": "INFORMATIONAL/OK", "9.1.1": "OK/INFORMATIONAL"},
			bad:     []string{"7.1.5", "9.1.1"}, why: "behavior is INFORMATIONAL"},
		{name: "the three open questions may be nothing but OK or informational", pong: pongAuto, cases: all,
			changes: map[string]string{"7.1.6": "FAILED/INFORMATIONAL", "7.13.1": "NON-STRICT/OK", "7.13.2": "INFORMATIONAL/UNCLEAN"},
			bad:     []string{"7.1.6", "7.13.1", "7.13.2"}, why: "behavior is FAILED"},
		{name: "non-strict is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"6.4.1": "NON-STRICT/OK"}, bad: []string{"6.4.1"}, why: "behavior is NON-STRICT"},
		{name: "failed is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"10.1.1": "FAILED/OK", "1.1.1": "FAILED/FAILED"}, bad: []string{"1.1.1", "10.1.1"}},
		{name: "unimplemented is bad", pong: pongAuto, cases: []string{"12.*"},
			changes: map[string]string{"12.1.1": "UNIMPLEMENTED/OK"}, bad: []string{"12.1.1"}},
		{name: "an OK behavior with a bad close is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"3.1": "OK/UNCLEAN", "3.2": "OK/WRONG CODE", "3.3": "OK/FAILED BY CLIENT", "3.4": "OK/FAILED"},
			bad:     []string{"3.1", "3.2", "3.3", "3.4"}, why: "behaviorClose is UNCLEAN"},
		{name: "a verdict nobody knows is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"4.1.1": "SPLENDID/OK", "4.1.2": "OK/", "4.1.3": "ok/OK"},
			bad:     []string{"4.1.1", "4.1.2", "4.1.3"}, why: `unknown behavior "SPLENDID"`},
		{name: "a missing case is bad", pong: pongAuto, cases: all,
			changes: map[string]string{"9.8.6": ""}, bad: []string{"9.8.6"}, why: "missing"},
		{name: "auto and strict owe a pong for each ping of 2.10", pong: pongAuto, cases: []string{"2.*"},
			changes: map[string]string{"2.10": "FAILED/OK", "2.11": "FAILED/OK"}, bad: []string{"2.10", "2.11"}},
		{name: "coalesce must not answer each ping of 2.10", pong: pongCoalesce, cases: []string{"2.*"},
			bad: []string{"2.10"}, why: "must not answer every ping"},
		{name: "coalesce passes with 2.10 failed and 2.11 failed", pong: pongCoalesce, cases: all,
			changes: map[string]string{"2.10": "FAILED/OK", "2.11": "FAILED/OK", "7.1.6": "INFORMATIONAL/INFORMATIONAL"}},
		{name: "coalesce passes with 2.11 OK or broken", pong: pongCoalesce, cases: []string{"2.10", "2.11"},
			changes: map[string]string{"2.10": "FAILED/OK", "2.11": "FAILED/UNCLEAN"}},
		{name: "coalesce must still end 2.10 cleanly", pong: pongCoalesce, cases: []string{"2.*"},
			changes: map[string]string{"2.10": "FAILED/UNCLEAN"}, bad: []string{"2.10"}, why: "behaviorClose is UNCLEAN"},
		{name: "coalesce excuses no missing case", pong: pongCoalesce, cases: []string{"2.*"},
			changes: map[string]string{"2.10": "", "2.11": ""}, bad: []string{"2.10", "2.11"}, why: "missing"},
		{name: "coalesce excuses no unknown verdict", pong: pongCoalesce, cases: []string{"2.*"},
			changes: map[string]string{"2.10": "MAYBE/OK", "2.11": "MAYBE/OK"}, bad: []string{"2.10", "2.11"}, why: "unknown"},
		{name: "coalesce excuses nothing outside 2.10 and 2.11", pong: pongCoalesce, cases: all,
			changes: map[string]string{"2.10": "FAILED/OK", "2.9": "FAILED/OK", "5.1": "NON-STRICT/OK"}, bad: []string{"2.9", "5.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids := mustResolve(t, c.cases...)
			rep, err := parseReport(index("x", ids, c.changes))
			require.NoError(t, err)
			j := judge("x", c.pong, ids, rep["x"])
			var bad []string
			for _, b := range j.bad {
				bad = append(bad, b.id)
			}
			require.Equal(t, c.bad, bad)
			require.Equal(t, len(c.bad) == 0, j.passed())
			require.Equal(t, len(c.bad) == 0, allPassed([]judgement{j}))
			require.Equal(t, len(ids), j.total.cases)
			if c.why != "" {
				require.Contains(t, j.bad[0].why, c.why)
			}
		})
	}
}

func TestJudgeShortReports(t *testing.T) {
	ids := mustResolve(t, splitList(defaultCases)...)
	t.Run("a report without the agent fails every case", func(t *testing.T) {
		rep, err := parseReport(index("somebody else", ids, nil))
		require.NoError(t, err)
		j := judge("x", pongAuto, ids, rep["x"])
		require.False(t, j.passed())
		require.Len(t, j.bad, 301)
	})
	t.Run("an empty report fails every case", func(t *testing.T) {
		rep, err := parseReport([]byte(`{}`))
		require.NoError(t, err)
		require.Len(t, judge("x", pongAuto, ids, rep["x"]).bad, 301)
	})
	t.Run("a report of one section fails the others", func(t *testing.T) {
		rep, err := parseReport(index("x", mustResolve(t, "1.*"), nil))
		require.NoError(t, err)
		require.Len(t, judge("x", pongAuto, ids, rep["x"]).bad, 301-16)
	})
	t.Run("a case that nobody asked for fails", func(t *testing.T) {
		rep, err := parseReport(index("x", mustResolve(t, "1.*", "2.1"), nil))
		require.NoError(t, err)
		j := judge("x", pongAuto, mustResolve(t, "1.*"), rep["x"])
		require.Len(t, j.bad, 1)
		require.Equal(t, "2.1", j.bad[0].id)
	})
	t.Run("nothing asked and nothing judged is no pass", func(t *testing.T) {
		require.False(t, judge("x", pongAuto, nil, nil).passed())
		require.False(t, allPassed(nil))
	})
	t.Run("an index that is no JSON is an error", func(t *testing.T) {
		for _, s := range []string{"", "{", "[]", `{"x": {"1.1.1": "OK"}}`} {
			_, err := parseReport([]byte(s))
			require.Error(t, err, s)
		}
	})
}

func TestTable(t *testing.T) {
	ids := mustResolve(t, "1.1.*", "2.*", "7.1.*")
	changes := map[string]string{"1.1.1": "NON-STRICT/OK", "1.1.2": "FAILED/FAILED", "1.1.3": "UNIMPLEMENTED/OK",
		"1.1.4": "OK/WRONG CODE", "1.1.5": "", "7.1.6": "INFORMATIONAL/INFORMATIONAL"}
	rep, err := parseReport(index("x", ids, changes))
	require.NoError(t, err)
	j := judge("x", pongAuto, ids, rep["x"])

	t.Run("each section counts each case once", func(t *testing.T) {
		require.Len(t, j.sections, 3)
		for _, s := range append(j.sections, j.total) {
			require.Equal(t, s.cases, s.ok+s.nonStrict+s.failed+s.unimplemented+s.info+s.other, s.section)
		}
		require.Equal(t, 3, j.sections[0].ok)
		require.Equal(t, 2, j.sections[0].other)
		require.Equal(t, 1, j.sections[2].info)

		var b strings.Builder
		require.NoError(t, writeTable(&b, j))
		require.Regexp(t, `(?m)^ +1 +8 +3 +1 +1 +1 +0 +2 +0\.0$`, b.String())
		require.Regexp(t, `(?m)^ +all +25 +19 `, b.String())
	})

	t.Run("a bad case is shown with the suite's own words", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x_case_1_1_2.json"), []byte(`{"result": "Actual events differ.",
			"resultClose": "dropped", "expectation": "Echo of<br><br>the   message &amp; a close.", "description": "Send a < b"}`), 0o600))
		var b strings.Builder
		writeBad(&b, dir, j)
		require.Contains(t, b.String(), "x: 5 bad")
		require.Contains(t, b.String(), "1 missing from the report: 1.1.5")
		require.Contains(t, b.String(), "verdict:  FAILED, close FAILED")
		require.Contains(t, b.String(), "Actual events differ.")
		require.Contains(t, b.String(), "expected: Echo of the message & a close.")
		require.Contains(t, b.String(), "Send a < b")
		require.Contains(t, b.String(), "no detail")
	})

	t.Run("the closing lines count passed and failed cases of all agents", func(t *testing.T) {
		text := closing([]judgement{j, judge("y", pongAuto, ids, rep["x"])}, "suite", 1.5)
		require.True(t, strings.HasPrefix(text, "FAIL: suite, 2 agents, 50 cases, 2 informational, 10 bad, 1.5 s\n"), text)
		require.True(t, strings.HasSuffix(text, "\n40 passed, 10 failed\n"), text)
		require.True(t, strings.HasPrefix(closing(nil, "suite", 0), "FAIL"))
	})
}
