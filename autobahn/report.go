package main

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A verdict is what the suite says about one side of a case. Any other string than these is unknown to the
// gate and never passes.
type verdict string

const (
	OK             verdict = "OK"
	NonStrict      verdict = "NON-STRICT"
	Informational  verdict = "INFORMATIONAL"
	Unimplemented  verdict = "UNIMPLEMENTED"
	Failed         verdict = "FAILED"
	WrongCode      verdict = "WRONG CODE"
	Unclean        verdict = "UNCLEAN"
	FailedByClient verdict = "FAILED BY CLIENT"
)

func (v verdict) known() bool {
	switch v {
	case OK, NonStrict, Informational, Unimplemented, Failed, WrongCode, Unclean, FailedByClient:
		return true
	}
	return false
}

// A caseResult is one entry of the report's index.
type caseResult struct {
	Behavior      verdict `json:"behavior"`      // what the agent did with the case's frames
	BehaviorClose verdict `json:"behaviorClose"` // how the connection ended
	DurationMS    int64   `json:"duration"`
	ReportFile    string  `json:"reportfile"`
}

func (r caseResult) duration() time.Duration { return time.Duration(r.DurationMS) * time.Millisecond }

// A report is the suite's index: agent name to case id to result.
type report map[string]map[string]caseResult

func parseReport(index []byte) (report, error) {
	var r report
	if err := json.Unmarshal(index, &r); err != nil {
		return nil, fmt.Errorf("the report's index does not parse: %w", err)
	}
	return r, nil
}

const indexFile = "index.json"

func readReport(dir string) (report, error) {
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		return nil, fmt.Errorf("the suite wrote no index, which it does only when a run ends: %w", err)
	}
	return parseReport(b)
}

// caseDetail is the part of a case's own file that explains a bad verdict.
type caseDetail struct {
	Description string `json:"description"`
	Expectation string `json:"expectation"`
	Result      string `json:"result"`
	ResultClose string `json:"resultClose"`
}

// readDetail reads the case file that an index entry names. The name comes from a file, so only its last
// element counts.
func readDetail(dir string, r caseResult) (caseDetail, error) {
	var d caseDetail
	if r.ReportFile == "" {
		return d, fmt.Errorf("the index names no case file")
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.Base(r.ReportFile)))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("%s: %w", r.ReportFile, err)
	}
	for _, s := range []*string{&d.Description, &d.Expectation, &d.Result, &d.ResultClose} {
		*s = plainText(*s)
	}
	return d, nil
}

var htmlTag = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)

// plainText makes one line of a text that was written for the suite's HTML pages.
func plainText(s string) string {
	s = html.UnescapeString(htmlTag.ReplaceAllString(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
