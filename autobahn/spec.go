package main

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

func newClientSpec(outdir string, agents []agent, cases []string) clientSpec {
	s := clientSpec{Outdir: outdir, Cases: cases, ExcludeCases: []string{}, ExcludeAgentCases: map[string][]string{}}
	for _, a := range agents {
		s.Servers = append(s.Servers, specServer{a.name, a.url})
	}
	return s
}

// serverSpec is the file that `wstest -m fuzzingserver` takes. It learns the names of the agents from them.
type serverSpec struct {
	URL               string              `json:"url"`
	Outdir            string              `json:"outdir"`
	Cases             []string            `json:"cases"`
	ExcludeCases      []string            `json:"exclude-cases"`
	ExcludeAgentCases map[string][]string `json:"exclude-agent-cases"`
}

func newServerSpec(outdir, url string, cases []string) serverSpec {
	return serverSpec{URL: url, Outdir: outdir, Cases: cases, ExcludeCases: []string{}, ExcludeAgentCases: map[string][]string{}}
}
