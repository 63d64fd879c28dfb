package interop

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of results into README.md")

// cell is how one case went.
type cell struct {
	peer      string
	direction string
	name      string
	entry     string // which way into our server, if it matters
	err       error
	cannot    string // why the peer cannot do it, if so
}

// errFailed is the error of a cell whose test says more.
var errFailed = errors.New("failed")

// The directions of the table.
const (
	ourServer = "our server, its client"
	ourClient = "our client, its server"
)

// directions are those that a peer has.
func (p *peer) directions() []string {
	if p.server != nil {
		return []string{ourServer, ourClient}
	}
	return []string{ourServer}
}

// results is what TestMain reports.
var results ledger

type ledger struct {
	mu       sync.Mutex
	cells    []cell
	versions map[string]string
	absent   map[string]string // peers and why they were not run
}

func (l *ledger) add(c cell) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cells = append(l.cells, c)
}

func (l *ledger) version(peer, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.versions == nil {
		l.versions = make(map[string]string)
	}
	l.versions[peer] = version
}

// skip notes why a peer did not run.
func (l *ledger) skip(peer, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.absent == nil {
		l.absent = make(map[string]string)
	}
	l.absent[peer] = why
}

// ran lists the peers of which anything is known.
func (l *ledger) ran() (names []string) {
	for _, c := range l.cells {
		names = append(names, c.peer)
	}
	for name := range l.absent {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// table is the results as Markdown, in the order of the peers.
func (l *ledger) table() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	b.WriteString("| peer | version | direction | passed | cannot be run |\n|---|---|---|---|---|\n")
	for _, name := range order(l.ran()) {
		if why, ok := l.absent[name]; ok {
			fmt.Fprintf(&b, "| %s | – | – | not run | %s |\n", name, why)
			continue
		}
		for _, direction := range []string{ourServer, ourClient} {
			l.row(&b, name, direction)
		}
	}
	return b.String()
}

// few cases that cannot be run are listed by name.
const few = 5

// row writes what a peer did in a direction. Cases that go both ways into the
// server count twice, but a reason why they cannot be run does not.
func (l *ledger) row(b *bytes.Buffer, peer, direction string) {
	passed, ran := 0, 0
	var reasons []string
	why := make(map[string][]string)
	for _, c := range l.cells {
		if c.peer != peer || c.direction != direction {
			continue
		}
		if c.cannot == "" {
			ran++
			if c.err == nil {
				passed++
			}
			continue
		}
		if !slices.Contains(reasons, c.cannot) {
			reasons = append(reasons, c.cannot)
		}
		if !slices.Contains(why[c.cannot], c.name) {
			why[c.cannot] = append(why[c.cannot], c.name)
		}
	}
	if ran == 0 && len(reasons) == 0 {
		return
	}
	for i, reason := range reasons {
		names := strings.Join(why[reason], ", ")
		if len(why[reason]) > few {
			names = fmt.Sprintf("%d others", len(why[reason]))
		}
		reasons[i] = names + ": " + reason
	}
	fmt.Fprintf(b, "| %s | %s | %s | %d/%d | %s |\n", peer, cmp.Or(l.versions[peer], "–"), direction, passed, ran, strings.Join(reasons, "; "))
}

// order sorts the names of peers as the registry has them.
func order(names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return names
}

func place(name string) int {
	return slices.IndexFunc(registry, func(p *peer) bool { return p.name == name })
}

const (
	beginTable = "<!-- results, written by go test -update -->\n"
	endTable   = "<!-- end of results -->\n"
)

// written puts the table into the text of README.md.
func written(readme, table, heading string) (string, error) {
	before, rest, ok := strings.Cut(readme, beginTable)
	_, after, ok2 := strings.Cut(rest, endTable)
	if !ok || !ok2 {
		return "", errors.New("README.md has no place for the results")
	}
	return before + beginTable + "\n" + heading + "\n\n" + table + "\n" + endTable + after, nil
}

func (l *ledger) has(peer, direction string) bool {
	return slices.ContainsFunc(l.cells, func(c cell) bool { return c.peer == peer && c.direction == direction })
}

// record writes the table into README.md, but not if it tells only a part.
func (l *ledger) record(table string) error {
	for _, p := range registry {
		for _, direction := range p.directions() {
			if _, skipped := l.absent[p.name]; !skipped && !l.has(p.name, direction) {
				return fmt.Errorf("README.md stays as it is: %s, %s was not run", p.name, direction)
			}
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	heading := fmt.Sprintf("%s, %s, %s/%s:", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	text, err := written(string(readme), table, heading)
	if err != nil {
		return err
	}
	return os.WriteFile("README.md", []byte(text), 0o644)
}

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if scratch, err = os.MkdirTemp("", "wirebeat-interop-"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	// Only the peers read their programs. Having looked at them, go test knows
	// that a result is out of date when they change.
	err = filepath.WalkDir("peers", func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	status := 1
	if err != nil {
		fmt.Println(err)
	} else {
		status = m.Run()
	}
	os.RemoveAll(scratch)
	if len(results.ran()) > 0 {
		table := results.table()
		fmt.Printf("\n%s\n", table)
		if *update && status == 0 {
			if err := results.record(table); err != nil {
				fmt.Println(err)
				status = 1
			}
		}
	}
	os.Exit(status)
}
