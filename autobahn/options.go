package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// What of ours the suite can test.
const (
	roleClient = "client"
	roleServer = "server"
)

// The ways to use it: two into our server, and two sets of methods of a client's connection.
const (
	entryNetHTTP  = "nethttp"  // through net/http
	entryRaw      = "raw"      // straight from the listener
	entryMessages = "messages" // message by message
	entryStream   = "stream"   // piece by piece
)

var (
	roles     = []string{roleClient, roleServer}
	entriesOf = map[string][]string{
		roleClient: {entryMessages, entryStream},
		roleServer: {entryNetHTTP, entryRaw},
	}
)

func roleOf(entry string) string {
	for _, role := range roles {
		if slices.Contains(entriesOf[role], entry) {
			return role
		}
	}
	return ""
}

const defaultImage = "crossbario/autobahn-testsuite:25.10.1"

type options struct {
	suite, wstest, image string
	entries, pongs       []string // of ours; each entry is of one role
	urls                 []string
	cases                []string
	report               string
	timeout              time.Duration
	jobs                 int
	verbose              bool
}

const usage = `Runs the Autobahn suite against wirebeat and judges its report: go run ./autobahn [flags]

In the role server the suite connects to servers of ours (wstest -m fuzzingclient), in the role client clients of
ours connect to the suite (wstest -m fuzzingserver). An agent is an entry of a role in a pong mode; all agents
that the flags allow are tested, and each is judged by what its mode promises.

Exit status: 0 every case is as promised, 1 some are not, 2 the suite could not be run.

`

// parseOptions reads the command line. flag.ErrHelp means that help was printed.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var role, entry, pong, cases, exclude string
	fs := flag.NewFlagSet("autobahn", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.suite, "suite", suiteAuto, "where the suite comes from: auto, wstest, python or docker")
	fs.StringVar(&o.wstest, "wstest", "", "`path` of wstest; wins over --suite and $"+wstestEnv)
	fs.StringVar(&o.image, "image", defaultImage, "Docker `image` for --suite docker")
	fs.StringVar(&role, "role", roleClient+","+roleServer, "what of ours is tested, a `list` of client, server")
	fs.StringVar(&entry, "entry", "", "ways to use it, a `list` of messages, stream (client), nethttp, raw (server) (default all)")
	fs.StringVar(&pong, "pong", pongAuto+","+pongStrict, "pong modes, a `list` of auto, strict, coalesce")
	fs.Func("url", "judge a foreign server at `[NAME=]ws://host:port` instead of ours (repeatable)", func(s string) error {
		o.urls = append(o.urls, s)
		return nil
	})
	fs.StringVar(&cases, "cases", defaultCases, "cases to run, a `list` of ids and patterns")
	fs.StringVar(&exclude, "exclude", "", "cases to leave out, a `list` of ids and patterns")
	fs.StringVar(&o.report, "report", "", "keep the suite's report in `dir`")
	fs.DurationVar(&o.timeout, "timeout", 15*time.Minute, "limit for everything")
	fs.IntVar(&o.jobs, "jobs", 1, "run the agents of each role in up to `n` processes of the suite, n at a time")
	fs.BoolVar(&o.verbose, "v", false, "show what the suite prints")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	var err error
	if o.cases, err = resolveCases(splitList(cases), splitList(exclude)); err != nil {
		return options{}, err
	}
	if o.pongs, err = choices("--pong", pong, pongAuto, pongStrict, pongCoalesce); err != nil {
		return options{}, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if len(o.urls) > 0 {
		if set["entry"] {
			return options{}, errors.New("--entry is about our server and client and --url about another server: choose one")
		}
		if set["role"] && role != roleServer {
			return options{}, fmt.Errorf("--role %s with --url: what is tested there is a server", role)
		}
		if !set["pong"] {
			o.pongs = []string{pongAuto}
		}
		if len(o.pongs) > 1 {
			return options{}, errors.New("--pong with --url says which mode the foreign server is in: give one")
		}
	} else if o.entries, err = chooseEntries(role, entry, set["role"], set["entry"]); err != nil {
		return options{}, err
	}
	if o.timeout <= 0 || o.jobs < 1 {
		return options{}, errors.New("--timeout and --jobs must be positive")
	}
	return o, nil
}

// chooseEntries says which entries of which roles are tested. Either list may be left out.
func chooseEntries(role, entry string, roleGiven, entryGiven bool) ([]string, error) {
	chosen, err := choices("--role", role, roles...)
	if err != nil {
		return nil, err
	}
	var known, entries []string
	for _, r := range roles {
		known = append(known, entriesOf[r]...)
		if slices.Contains(chosen, r) {
			entries = append(entries, entriesOf[r]...)
		}
	}
	if !entryGiven {
		return entries, nil
	}
	if entries, err = choices("--entry", entry, known...); err != nil || !roleGiven {
		return entries, err
	}
	for _, e := range entries {
		if !slices.Contains(chosen, roleOf(e)) {
			return nil, fmt.Errorf("--entry %s is of the role %s, which --role leaves out", e, roleOf(e))
		}
	}
	for _, r := range chosen {
		if !slices.ContainsFunc(entries, func(e string) bool { return roleOf(e) == r }) {
			return nil, fmt.Errorf("--entry has none of the role %s, which --role asks for", r)
		}
	}
	return entries, nil
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// choices reads a list of which every element must be one of known; a repeated one counts once.
func choices(name, list string, known ...string) ([]string, error) {
	var chosen []string
	for _, c := range splitList(list) {
		if !slices.Contains(known, c) {
			return nil, fmt.Errorf("%s %s: want a list of %s", name, c, strings.Join(known, ", "))
		}
		if !slices.Contains(chosen, c) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	return chosen, nil
}
