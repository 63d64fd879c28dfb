package main

import (
	"fmt"
	"net/url"
	"strings"
)

// An agent is one thing that the suite tests.
type agent struct {
	name  string // its name in the report
	role  string
	pong  string // which table of expectations it is judged by
	url   string // of a server
	entry string // of one of ours
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
	return agent{name: name, role: roleServer, url: target, pong: pong}, nil
}

// startAgents starts what is to be tested: servers wait for the suite from now on, clients are only named, for
// the suite has to be there before them. stop is never nil.
func (o options) startAgents() (agents []agent, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, u := range o.urls {
		a, err := parseForeign(u, o.pongs[0])
		if err != nil {
			return nil, stop, err
		}
		for _, b := range agents {
			if a.name == b.name {
				return nil, stop, fmt.Errorf("--url: two servers are named %s", a.name)
			}
		}
		agents = append(agents, a)
	}
	for _, entry := range o.entries {
		for _, pong := range o.pongs {
			a := agent{name: "wirebeat-" + entry + "-" + pong, role: roleOf(entry), pong: pong, entry: entry}
			switch a.role {
			case roleClient:
				a.name = "wirebeat-client-" + entry + "-" + pong
			case roleServer:
				addr, stopOne, err := startServerAgent(entry, pong)
				if err != nil {
					return nil, stop, fmt.Errorf("agent %s: %w", a.name, err)
				}
				stops = append(stops, stopOne)
				a.url = "ws://" + addr
			}
			agents = append(agents, a)
		}
	}
	return agents, stop, nil
}
