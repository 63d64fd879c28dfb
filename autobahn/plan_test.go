package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlan(t *testing.T) {
	a, b, c := agent{name: "a", role: roleServer}, agent{name: "b", role: roleServer}, agent{name: "c", role: roleServer}
	d, e := agent{name: "d", role: roleClient}, agent{name: "e", role: roleClient}

	t.Run("agents are dealt to no more runs than there are agents", func(t *testing.T) {
		require.Equal(t, [][]agent{{a, b, c}}, deal([]agent{a, b, c}, 1))
		require.Equal(t, [][]agent{{a, c}, {b}}, deal([]agent{a, b, c}, 2))
		require.Equal(t, [][]agent{{a}, {b}}, deal([]agent{a, b}, 9))
		require.Empty(t, deal(nil, 2))
	})
	t.Run("the only run reports where it was told to", func(t *testing.T) {
		require.Equal(t, []run{{roleServer, []agent{a, b}, "/r", "/w/server"}}, plan([]agent{a, b}, 1, "/r", "/w"))
	})
	t.Run("a role each has a run and a report of its own", func(t *testing.T) {
		require.Equal(t, []run{
			{roleClient, []agent{d}, "/r/client", "/w/client"},
			{roleServer, []agent{a}, "/r/server", "/w/server"},
		}, plan([]agent{a, d}, 1, "/r", "/w"))
	})
	t.Run("each role has as many runs as there are jobs", func(t *testing.T) {
		require.Equal(t, []run{
			{roleClient, []agent{d}, "/r/client-1", "/w/client-1"},
			{roleClient, []agent{e}, "/r/client-2", "/w/client-2"},
			{roleServer, []agent{a, c}, "/r/server-1", "/w/server-1"},
			{roleServer, []agent{b}, "/r/server-2", "/w/server-2"},
		}, plan([]agent{a, b, c, d, e}, 2, "/r", "/w"))
	})
}

func TestNames(t *testing.T) {
	agents, stop, err := options{entries: []string{entryMessages, entryRaw}, pongs: []string{pongAuto, pongCoalesce}}.startAgents()
	defer stop()
	require.NoError(t, err)
	var names []string
	for _, a := range agents {
		names = append(names, a.name)
		require.Equal(t, a.role == roleServer, a.url != "", a.name)
	}
	require.Equal(t, []string{"wirebeat-client-messages-auto", "wirebeat-client-messages-coalesce",
		"wirebeat-raw-auto", "wirebeat-raw-coalesce"}, names)
}
