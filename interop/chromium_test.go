package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/wirebeat/wirebeat/interop/catalogue"
)

const chromiumName = "Chromium"

// A browser sends the origin of its page, so each case runs on a page of the
// host that it connects to, or on purpose on one of another.
func TestABrowserAndOurServerUnderstandEachOther(t *testing.T) {
	t.Parallel()
	for _, entry := range entries {
		t.Run(entry, func(t *testing.T) {
			pages := http.FileServerFS(os.DirFS("peers"))
			elsewhere := httptest.NewServer(pages)
			defer elsewhere.Close()
			s := serveSubject(t, entry, pages)
			b := startBrowser(t, chromiumName)

			cases := s.cases()
			at := make(map[string][]catalogue.Case)
			said := &reports{of: make(map[string]report)}
			for _, c := range cases {
				switch c.Verb {
				case catalogue.Vanish:
				case catalogue.Refused:
					at[elsewhere.URL] = append(at[elsewhere.URL], c)
				default:
					at[s.origin(&c)] = append(at[s.origin(&c)], c)
				}
			}
			for origin, some := range at {
				b.visit(t, origin+"/chromium/")
				b.runCases(t, some, said)
			}
			for _, c := range cases {
				if c.Verb == catalogue.Vanish {
					b.visit(t, s.origin(&c)+"/chromium/")
					b.evaluate(t, onPage("leaveOpen", c), nil)
					b.kill(t)
					said.of[c.Name] = report{Case: c.Name, OK: true, at: time.Now()}
				}
			}
			s.judge(t, chromiumName, cases, said)
		})
	}
}

// runCases has the page run cases.
func (b *browser) runCases(t *testing.T, cases []catalogue.Case, said *reports) {
	t.Helper()
	var lines []json.RawMessage
	b.evaluate(t, onPage("runCases", cases), &lines)
	for _, line := range lines {
		said.add(chromiumName, line)
	}
}

// onPage calls a function of the page's module.
func onPage(function string, argument any) string {
	text, err := json.Marshal(argument)
	if err != nil {
		panic(err) // a case is plain data
	}
	return fmt.Sprintf(`import("/chromium/peer.mjs").then(peer => peer.%s(%s))`, function, text)
}
