package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// running is how long a peer may take for all cases.
const running = 90 * time.Second

func TestForeignClientsAndOurServerUnderstandEachOther(t *testing.T) {
	for _, p := range registry {
		if p.client == nil {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			program, err := p.client()
			if err != nil {
				unavailable(t, p.name, err)
			}
			for _, entry := range entries {
				t.Run(entry, func(t *testing.T) {
					s := serveSubject(t, entry, nil)
					cases := s.cases()
					reports := askClient(t, p.name, program, cases)
					s.judge(t, p.name, cases, reports)
				})
			}
		})
	}
}

// report is what a peer says of a case, or of itself.
type report struct {
	Version string `json:"version"`
	Case    string `json:"case"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Skip    string `json:"skip"`

	at time.Time
}

// reports is what a peer said of all cases.
type reports struct {
	of   map[string]report
	fail error // of the program
}

// askClient has a program run cases.
func askClient(t *testing.T, name string, program command, cases []catalogue.Case) *reports {
	t.Helper()
	text, err := json.Marshal(cases)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "cases.json")
	require.NoError(t, os.WriteFile(file, text, 0o644))

	ctx, cancel := context.WithTimeout(t.Context(), running)
	defer cancel()
	said := &reports{of: make(map[string]report)}
	err = program.with("client", file).lines(ctx, func(line []byte) { said.add(name, line) })
	said.fail = errors.Join(said.fail, err)
	return said
}

// add takes a line that a peer printed.
func (r *reports) add(name string, line []byte) {
	said := report{at: time.Now()}
	if err := json.Unmarshal(line, &said); err != nil {
		r.fail = errors.Join(r.fail, fmt.Errorf("the peer said %q: %w", line, err))
		return
	}
	if said.Version != "" {
		results.version(name, said.Version)
		return
	}
	if _, again := r.of[said.Case]; again {
		r.fail = errors.Join(r.fail, fmt.Errorf("the peer told %q twice", said.Case))
	}
	r.of[said.Case] = said
}

// outcome is how a case went, as both ends tell.
func (s *subject) outcome(name string, c *catalogue.Case, said *reports) cell {
	how := cell{peer: name, direction: ourServer, entry: s.entry, name: c.Name}
	r, told := said.of[c.Name]
	switch {
	case told && r.Skip != "":
		how.cannot = r.Skip
		return how
	case !told:
		how.err = errors.New("the client did not tell")
		return how
	case !r.OK:
		how.err = errors.New("the client: " + r.Error)
	}
	how.err = errors.Join(how.err, s.verdict(c, r.at))
	return how
}

// judge makes a test of each case. It passes if the peer and the server agree
// that all went as it should.
func (s *subject) judge(t *testing.T, name string, cases []catalogue.Case, said *reports) {
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			how := s.outcome(name, c, said)
			results.add(how)
			require.NoError(t, how.err)
			if how.cannot != "" {
				t.Skip(how.cannot)
			}
		})
	}
	require.NoError(t, said.fail, "the program of the peer")
}
