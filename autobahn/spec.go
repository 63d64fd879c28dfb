package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// An agent is one thing the suite is run against.
type agent struct {
	name string // its name in the report
	url  string
	pong string // which table of expectations it is judged by
}

// parseForeign reads the value of --url: [NAME=]ws://host:port[/path]. Without a name the host and port serve.
func parseForeign(s, pong string) (agent, error) {
	name, target, named := strings.Cut(s, "=")
	if !named || strings.Contains(name, ":") {
		name, target = "", s
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "ws" && u.Scheme != "wss") {
		return agent{}, fmt.Errorf("--url %s: want [NAME=]ws://host:port", s)
	}
	if name == "" {
		name = u.Host
	}
	return agent{name: name, url: target, pong: pong}, nil
}

// clientSpec is the file that `wstest -m fuzzingclient` takes. Agents are run one after another.
type clientSpec struct {
	Outdir  string       `json:"outdir"`
	Servers []specServer `json:"servers"`
	Cases   []string     `json:"cases"`
	// The suite reads these two without asking whether they are there.
	ExcludeCases      []string            `json:"exclude-cases"`
	ExcludeAgentCases map[string][]string `json:"exclude-agent-cases"`
}

type specServer struct {
	Agent string `json:"agent"`
	URL   string `json:"url"`
}

func newClientSpec(outdir string, agents []agent, cases []string) ([]byte, error) {
	s := clientSpec{Outdir: outdir, Cases: cases, ExcludeCases: []string{}, ExcludeAgentCases: map[string][]string{}}
	for _, a := range agents {
		s.Servers = append(s.Servers, specServer{a.name, a.url})
	}
	return json.MarshalIndent(s, "", "  ")
}

// deal spreads agents over at most n runs.
func deal(agents []agent, n int) [][]agent {
	n = max(1, min(n, len(agents)))
	runs := make([][]agent, n)
	for i, a := range agents {
		runs[i%n] = append(runs[i%n], a)
	}
	return runs
}
