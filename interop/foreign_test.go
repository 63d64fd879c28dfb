package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// foreign is a server of somebody else as our client finds it: on its own port
// and on one that is tapped.
type foreign struct {
	*process
	plain string // host and port
	wired string // those of the tap
	tap   *tap

	mu     sync.Mutex
	sights map[string]chan sight // by case
	fail   error                 // of what it prints
}

// sight is what a foreign server saw on a connection.
type sight struct {
	Case     string   `json:"case"`
	Protocol string   `json:"protocol"`
	Messages []string `json:"messages"`
	Pongs    []string `json:"pongs"`
	Code     int      `json:"code"` // 1006 if there was no Close frame
	Reason   string   `json:"reason"`
	Error    string   `json:"error"`

	at time.Time
}

// startForeign starts the server of a peer, which is told to end when the test
// does.
func startForeign(t *testing.T, p *peer) *foreign {
	t.Helper()
	program, err := p.server()
	if err != nil {
		unavailable(t, p.name, err)
	}
	f := &foreign{
		process: program.with("server", strings.Join(catalogue.Subprotocols, ",")).start(t),
		sights:  make(map[string]chan sight),
	}
	var about struct{ Version, Listening string }
	for about.Listening == "" {
		require.NoError(t, json.Unmarshal([]byte(f.line(t)), &about))
	}
	results.version(p.name, about.Version)
	f.plain = about.Listening
	f.tap = openTap(t, f.plain)
	f.wired = f.tap.Addr().String()
	told := make(chan struct{})
	go func() {
		defer close(told)
		for line := range f.lines {
			f.note(line)
		}
	}()
	t.Cleanup(func() {
		f.stdin.Close()
		require.NoError(t, f.wait(t), "%s", f.stderr)
		<-told
		require.NoError(t, f.rest(), "what the server said beside what was asked for")
	})
	return f
}

// note takes a line that the server printed.
func (f *foreign) note(line string) {
	var s sight
	err := json.Unmarshal([]byte(line), &s)
	s.at = time.Now()
	if err == nil {
		select {
		case f.of(s.Case) <- s:
			return
		default:
			err = errors.New("too many connections")
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = errors.Join(f.fail, fmt.Errorf("the server said %q: %w", line, err))
}

func (f *foreign) of(name string) chan sight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sights[name] == nil {
		f.sights[name] = make(chan sight, 10)
	}
	return f.sights[name]
}

// rest is an error if the server told of connections that nobody made.
func (f *foreign) rest() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.fail
	for name, more := range f.sights {
		if len(more) > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %d connections too many at the server", name, len(more)))
		}
	}
	return err
}

// host is where a case connects to.
func (f *foreign) host(c *catalogue.Case) string {
	switch c.Verb {
	case catalogue.Fragments, catalogue.Reassemble, catalogue.Ping, catalogue.Pinged, catalogue.Refused:
		return f.wired
	}
	return f.plain
}

// beat is a verb of ours: the client says Hello, is silent, and probes.
const beat catalogue.Verb = "beat"

// cases returns the catalogue, and more, with URLs of this server. The case in
// which the server may end is the last.
func (f *foreign) cases() (cases []catalogue.Case) {
	last := []catalogue.Case{{Name: "healthy connection stays alive", Verb: beat, Count: 5}}
	for _, c := range catalogue.Cases("http://" + f.plain) {
		if c.Verb == catalogue.Lost {
			last = append(last, c)
		} else {
			cases = append(cases, c)
		}
	}
	cases = append(cases, last...)
	for i := range cases {
		cases[i].URL = "ws://" + f.host(&cases[i]) + cases[i].Target()
	}
	return cases
}

// verdict tells what was wrong with a case as the server saw it. done is when
// our client was.
func (f *foreign) verdict(c *catalogue.Case, done time.Time) error {
	if c.Verb == catalogue.Refused {
		return nil // and rest will tell if there was a connection
	}
	var s sight
	select {
	case s = <-f.of(c.Name):
	case <-time.After(patience):
		return errors.New("the server saw no end of it")
	}
	var want []string
	for _, m := range f.expected(c) {
		want = append(want, m.line())
	}
	return errors.Join(
		differ("subprotocol", s.Protocol, c.Agreed),
		differ("messages", fmt.Sprint(s.Messages), fmt.Sprint(want)),
		s.ends(c, s.at.Sub(done)),
		f.onTheWire(c, &s),
	)
}

func (f *foreign) expected(c *catalogue.Case) []digest {
	if c.Verb == beat {
		return []digest{digestOf(conn.Text, []byte(catalogue.Hello))}
	}
	return expected(c)
}

// ends checks how the server saw the connection end, and late how long after
// our client was done.
func (s *sight) ends(c *catalogue.Case, late time.Duration) error {
	code, reason := int(frame.CloseNormal), ""
	switch c.Verb {
	case catalogue.Lost:
		return nil // it was the server itself
	case catalogue.Closed:
		code, reason = c.Told(), s.Reason // which an answer may repeat
	case catalogue.Close:
		code, reason = c.Told(), c.Reason
	case catalogue.Vanish:
		code, reason = int(frame.CloseAbnormal), s.Reason // whatever the library says
	}
	if s.Code != code || s.Reason != reason {
		return fmt.Errorf("end at the server: %d %q, not %d %q (%s)", s.Code, s.Reason, code, reason, s.Error)
	}
	if late > soon {
		return fmt.Errorf("the server noticed only %v later", late)
	}
	return nil
}

// onTheWire checks the frames of a case that is about frames.
func (f *foreign) onTheWire(c *catalogue.Case, s *sight) error {
	if f.host(c) != f.wired {
		return nil
	}
	in, out, err := f.tap.frames(c)
	if err != nil {
		return err
	}
	if c.Verb != catalogue.Pinged {
		return framesOf(c, in, out)
	}
	pings, pongs := fmt.Sprintf("%q", ofKind(out, frame.Ping)), fmt.Sprintf("%q", ofKind(in, frame.Pong))
	return errors.Join(
		framesOf(c, in, out),
		differ("number of pongs", len(s.Pongs), c.Count),
		differ("pongs", fmt.Sprintf("%q", s.Pongs), pings),
		differAt("client", "pongs", pongs, pings),
	)
}
