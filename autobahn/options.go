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

// The two ways into our server.
const (
	entryNetHTTP = "nethttp" // through net/http
	entryRaw     = "raw"     // straight from the listener
)

const roleServer = "server"

const defaultImage = "crossbario/autobahn-testsuite:25.10.1"

type options struct {
	suite, wstest, image string
	role                 string
	entries, pongs       []string
	urls                 []string
	cases                []string
	report               string
	timeout              time.Duration
	jobs                 int
	verbose              bool
}

const usage = `Runs the Autobahn suite against wirebeat and judges its report: go run ./autobahn [flags]

Exit status: 0 every case is as promised, 1 some are not, 2 the suite could not be run.

`

// parseOptions reads the command line. flag.ErrHelp means that help was printed.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var entry, pong, cases, exclude string
	fs := flag.NewFlagSet("autobahn", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.suite, "suite", suiteAuto, "where the suite comes from: auto, wstest, python or docker")
	fs.StringVar(&o.wstest, "wstest", "", "`path` of wstest; wins over --suite and $"+wstestEnv)
	fs.StringVar(&o.image, "image", defaultImage, "Docker `image` for --suite docker")
	fs.StringVar(&o.role, "role", roleServer, "what of ours is tested: server")
	fs.StringVar(&entry, "entry", entryNetHTTP+","+entryRaw, "ways into the server, a `list` of nethttp, raw")
	fs.StringVar(&pong, "pong", pongAuto+","+pongStrict, "pong modes, a `list` of auto, strict, coalesce")
	fs.Func("url", "judge a foreign server at `[NAME=]ws://host:port` instead of ours (repeatable)", func(s string) error {
		o.urls = append(o.urls, s)
		return nil
	})
	fs.StringVar(&cases, "cases", defaultCases, "cases to run, a `list` of ids and patterns")
	fs.StringVar(&exclude, "exclude", "", "cases to leave out, a `list` of ids and patterns")
	fs.StringVar(&o.report, "report", "", "keep the suite's report in `dir`")
	fs.DurationVar(&o.timeout, "timeout", 15*time.Minute, "limit for everything")
	fs.IntVar(&o.jobs, "jobs", 1, "run the agents in up to `n` processes of the suite at a time")
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
	if o.entries, err = choices("--entry", entry, entryNetHTTP, entryRaw); err != nil {
		return options{}, err
	}
	if o.pongs, err = choices("--pong", pong, pongAuto, pongStrict, pongCoalesce); err != nil {
		return options{}, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if len(o.urls) > 0 {
		if set["entry"] {
			return options{}, errors.New("--entry is about our server and --url about another one: choose one")
		}
		if !set["pong"] {
			o.pongs = []string{pongAuto}
		}
		if len(o.pongs) > 1 {
			return options{}, errors.New("--pong with --url says which mode the foreign server is in: give one")
		}
	}
	if o.role != roleServer {
		return options{}, fmt.Errorf("--role %s: want server", o.role)
	}
	if o.timeout <= 0 || o.jobs < 1 {
		return options{}, errors.New("--timeout and --jobs must be positive")
	}
	return o, nil
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
