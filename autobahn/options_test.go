package main

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCatalogue(t *testing.T) {
	for _, c := range []struct {
		name             string
		include, exclude []string
		want             int
	}{
		{"sections 1 to 10 are 301 cases", splitList(defaultCases), nil, 301},
		{"naming the empty sections changes nothing", splitList("1.*,2.*,3.*,4.*,5.*,6.*,7.*,8.*,9.*,10.*,11.*"), nil, 301},
		{"the whole suite is 517 cases", []string{"*"}, nil, 517},
		{"compression is 216 cases", []string{"12.*", "13.*"}, nil, 216},
		{"a section does not match by prefix", []string{"1.*"}, nil, 16},
		{"an id is one case though others start like it", []string{"5.1"}, nil, 1},
		{"overlapping patterns count once", []string{"9.*", "9.1.*", "9.1.1"}, nil, 54},
		{"exclusion takes away", []string{"9.*"}, []string{"9.1.*"}, 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids, err := resolveCases(c.include, c.exclude)
			require.NoError(t, err)
			require.Len(t, ids, c.want)
			require.IsIncreasing(t, ranks(ids))
		})
	}
	for name, patterns := range map[string][2][]string{
		"a pattern that matches nothing is an error":    {{"1.*", "14.*"}, nil},
		"a bare section is an error":                    {{"9"}, nil},
		"an exclusion that matches nothing is an error": {{"1.*"}, {"1.9.*"}},
		"nothing left to run is an error":               {{"1.*"}, {"*"}},
		"an empty section alone is an error":            {{"8.*"}, nil},
		"no pattern is an error":                        {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := resolveCases(patterns[0], patterns[1])
			require.Error(t, err)
		})
	}
}

// ranks shows by compareIDs that ids are in order: each gets its index or, when out of order, -1.
func ranks(ids []string) []int {
	r := make([]int, len(ids))
	for i := range ids {
		r[i] = i
		if i > 0 && compareIDs(ids[i-1], ids[i]) >= 0 {
			r[i] = -1
		}
	}
	return append([]int{-2}, r...)
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string // part of the error, empty for none
	}{
		{"no flag at all is fine", nil, ""},
		{"all of ours", []string{"--entry", "raw,stream", "--pong", "auto,strict,coalesce", "--jobs", "2"}, ""},
		{"a foreign server", []string{"--url", "a=ws://127.0.0.1:1", "--url", "ws://127.0.0.1:2/x?y=z"}, ""},
		{"a foreign server that coalesces", []string{"--url", "ws://127.0.0.1:1", "--pong", "coalesce"}, ""},
		{"a foreign server has one pong mode", []string{"--url", "ws://127.0.0.1:1", "--pong", "auto,strict"}, "give one"},
		{"a foreign server has no entry", []string{"--url", "ws://127.0.0.1:1", "--entry", "raw"}, "choose one"},
		{"an unknown entry", []string{"--entry", "udp"}, "--entry udp"},
		{"an unknown pong mode", []string{"--pong", "never"}, "--pong never"},
		{"no entry", []string{"--entry", ","}, "empty"},
		{"an unknown role", []string{"--role", "proxy"}, "--role proxy"},
		{"no role", []string{"--role", ""}, "empty"},
		{"a foreign server in the role that it has", []string{"--url", "ws://127.0.0.1:1", "--role", "server"}, ""},
		{"a foreign server is no client", []string{"--url", "ws://127.0.0.1:1", "--role", "client"}, "is a server"},
		{"an entry of a role that is left out", []string{"--role", "client", "--entry", "messages,raw"}, "--entry raw is of the role server"},
		{"a role without an entry", []string{"--role", "client,server", "--entry", "raw"}, "none of the role client"},
		{"a stray argument", []string{"1.*"}, "unexpected"},
		{"a time limit of nothing", []string{"--timeout", "0s"}, "positive"},
		{"an unknown case", []string{"--cases", "99.*"}, "no case"},
		{"an unknown flag", []string{"--fast"}, "not defined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseOptions(c.args, io.Discard)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestEntries(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"both roles are tested in every way", nil, []string{"messages", "stream", "nethttp", "raw"}},
		{"and so when both are named", []string{"--role", "client,server"}, []string{"messages", "stream", "nethttp", "raw"}},
		{"a role has its own entries", []string{"--role", "client"}, []string{"messages", "stream"}},
		{"so has the other", []string{"--role", "server"}, []string{"nethttp", "raw"}},
		{"an entry says which role is meant", []string{"--entry", "raw"}, []string{"raw"}},
		{"entries of both roles mean both", []string{"--entry", "raw,stream"}, []string{"raw", "stream"}},
		{"role and entry may agree", []string{"--role", "client", "--entry", "stream"}, []string{"stream"}},
		{"a foreign server leaves none of ours", []string{"--url", "ws://127.0.0.1:1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := parseOptions(c.args, io.Discard)
			require.NoError(t, err)
			require.Equal(t, c.want, o.entries)
		})
	}
}

func TestForeign(t *testing.T) {
	for s, want := range map[string]agent{
		"ws://h:1":         {name: "h:1", role: roleServer, url: "ws://h:1", pong: "auto"},
		"n=ws://h:1":       {name: "n", role: roleServer, url: "ws://h:1", pong: "auto"},
		"ws://h:1/p?a=b":   {name: "h:1", role: roleServer, url: "ws://h:1/p?a=b", pong: "auto"},
		"n=wss://h/p?a=b=": {name: "n", role: roleServer, url: "wss://h/p?a=b=", pong: "auto"},
	} {
		t.Run(s+" is taken", func(t *testing.T) {
			got, err := parseForeign(s, pongAuto)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	for _, s := range []string{"", "h:1", "http://h:1", "ws://", "n=h:1"} {
		t.Run(s+" is refused", func(t *testing.T) {
			_, err := parseForeign(s, pongAuto)
			require.Error(t, err)
		})
	}
}

func TestSpec(t *testing.T) {
	t.Run("the spec names each agent and only ids", func(t *testing.T) {
		got := asJSON(t, newClientSpec("/out", []agent{{name: "a", url: "ws://h:1"}, {name: "b", url: "ws://h:2"}}, []string{"1.1.1"}))
		require.Equal(t, map[string]any{
			"outdir": "/out",
			"servers": []any{
				map[string]any{"agent": "a", "url": "ws://h:1"}, map[string]any{"agent": "b", "url": "ws://h:2"}},
			"cases": []any{"1.1.1"}, "exclude-cases": []any{}, "exclude-agent-cases": map[string]any{},
		}, got)
	})
	t.Run("the spec of a server names its address and only ids", func(t *testing.T) {
		require.Equal(t, map[string]any{
			"outdir": "/out", "url": "ws://127.0.0.1:1",
			"cases": []any{"1.1.1"}, "exclude-cases": []any{}, "exclude-agent-cases": map[string]any{},
		}, asJSON(t, newServerSpec("/out", "ws://127.0.0.1:1", []string{"1.1.1"})))
	})
}

func asJSON(t *testing.T, v any) (got map[string]any) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &got))
	return got
}
