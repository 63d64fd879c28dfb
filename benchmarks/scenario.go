package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

type kind int

const (
	binary kind = iota
	text
	ping
)

var kindNames = [...]string{"binary", "text", "ping"}

func (k kind) String() string { return kindNames[k] }

// A scenario is a shape of load: every one of conns connections writes depth
// frames of size payload bytes in one write, awaits the answers, and repeats.
type scenario struct {
	kind               kind
	depth, size, conns int
}

const defaultScenarios = "binary:1x125@100,binary:64x125@50,binary:64x16@50,binary:32x1K@50," +
	"ping:64x125@50,binary:1x16K@50,binary:1x1M@10"

// quickScenarios take every path of the generator in a moment.
const quickScenarios = "binary:1x125@10,binary:64x16@4,text:8x1K@4,ping:64x125@4,binary:1x70K@2"

const (
	maxDepth = 4096
	maxConns = 15000
	maxBatch = 64 << 20
)

func (s scenario) String() string {
	return fmt.Sprintf("%v:%dx%s@%d", s.kind, s.depth, sizeString(s.size), s.conns)
}

func sizeString(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "M"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "K"
	}
	return strconv.Itoa(n)
}

var scenarioForm = regexp.MustCompile(`^(?:(binary|text|ping):)?(\d{1,9})x(\d{1,9})([KM]?)(?:@(\d{1,9}))?$`)

// parseScenario reads KIND:DEPTHxSIZE@CONNS. KIND is binary unless given, SIZE
// may end in K or M, and CONNS is 100 for depth 1 and 50 otherwise.
func parseScenario(text string) (scenario, error) {
	m := scenarioForm.FindStringSubmatch(text)
	if m == nil {
		return scenario{}, fmt.Errorf("scenario %q: want KIND:DEPTHxSIZE@CONNS, as in ping:64x125@50; "+
			"KIND is binary, text or ping", text)
	}
	var s scenario
	for k, name := range kindNames {
		if m[1] == name {
			s.kind = kind(k)
		}
	}
	// The form allows nine digits at most, so Atoi cannot fail.
	s.depth, _ = strconv.Atoi(m[2])
	s.size, _ = strconv.Atoi(m[3])
	switch m[4] {
	case "K":
		s.size <<= 10
	case "M":
		s.size <<= 20
	}
	s.conns = 50
	if s.depth == 1 {
		s.conns = 100
	}
	if m[5] != "" {
		s.conns, _ = strconv.Atoi(m[5])
	}
	return s, s.check()
}

func (s scenario) check() error {
	switch {
	case s.depth < 1 || s.depth > maxDepth:
		return fmt.Errorf("scenario %v: depth must be 1 to %d", s, maxDepth)
	case s.conns < 1 || s.conns > maxConns:
		return fmt.Errorf("scenario %v: connections must be 1 to %d", s, maxConns)
	case s.size < 1 || s.size > maxMessage:
		return fmt.Errorf("scenario %v: a message must have 1 byte to %d MiB", s, maxMessage>>20)
	case s.depth*s.size > maxBatch:
		return fmt.Errorf("scenario %v: a batch must not exceed %d MiB", s, maxBatch>>20)
	case s.kind == ping && (s.size < 2 || s.size > 125):
		return fmt.Errorf("scenario %v: a ping carries its number, so 2 to 125 bytes", s)
	}
	return nil
}

func parseScenarios(list string) ([]scenario, error) {
	var all []scenario
	seen := map[scenario]bool{}
	for item := range strings.SplitSeq(list, ",") {
		s, err := parseScenario(item)
		if err != nil {
			return nil, err
		}
		if seen[s] {
			return nil, fmt.Errorf("scenario %v is named twice", s)
		}
		seen[s] = true
		all = append(all, s)
	}
	return all, nil
}
