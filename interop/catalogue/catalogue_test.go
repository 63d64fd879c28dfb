package catalogue_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/interop/catalogue"
)

func TestNoTwoCasesHaveTheSameName(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range catalogue.Cases("http://127.0.0.1:1") {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
	}
}

func TestACaseSurvivesJSONAndAURL(t *testing.T) {
	for _, c := range catalogue.Cases("http://127.0.0.1:1") {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		var again catalogue.Case
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, c, again)

		require.NotContains(t, c.Target(), "+")
		u, err := url.Parse("ws://127.0.0.1:1" + c.Target())
		require.NoError(t, err)
		require.Equal(t, c.Name, u.Query().Get("case"))
		require.Equal(t, c.Target(), u.RequestURI())
	}
}

func TestReasonsFitIntoACloseFrame(t *testing.T) {
	longest := 0
	for _, c := range catalogue.Cases("") {
		longest = max(longest, len(c.Reason))
		require.True(t, utf8.ValidString(c.Reason))
	}
	require.Equal(t, 123, longest, "the longest possible is among them")
}

func TestPayloadsHaveTheSizesOfTheirNames(t *testing.T) {
	for name, size := range map[string]int{
		"empty text": 0, "empty binary": 0, "125 bytes": 125, "126 bytes": 126,
		"65,535 bytes": 65535, "65,536 bytes": 65536, "1 MiB": 1 << 20, "1 MiB of text": 1 << 20,
	} {
		c := find(t, name)
		require.Len(t, c.Payload(), size, name)
		require.Equal(t, strings.Contains(name, "text"), c.IsText(), name)
	}
}

func TestFragmentsAreCutWithinCharactersAndOneIsEmpty(t *testing.T) {
	c := find(t, "fragments to the server")
	parts := c.Parts()
	require.Len(t, parts, 4)
	whole := ""
	for _, part := range parts {
		whole += string(part)
	}
	require.Equal(t, string(c.Payload()), whole)
	require.True(t, utf8.ValidString(whole))
	require.False(t, utf8.Valid(parts[0]))
	require.Empty(t, parts[1])
	require.False(t, utf8.Valid(parts[2]))
	require.False(t, utf8.Valid(parts[3]))
}

func TestTheCaseThatMayEndAPeerIsTheLast(t *testing.T) {
	cases := catalogue.Cases("")
	for i, c := range cases {
		require.Equal(t, i == len(cases)-1, c.Verb == catalogue.Vanish)
	}
}

func find(t *testing.T, name string) *catalogue.Case {
	for _, c := range catalogue.Cases("") {
		if c.Name == name {
			return &c
		}
	}
	require.FailNow(t, "no such case", name)
	return nil
}
