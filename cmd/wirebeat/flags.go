package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// flags is the command line of one command. Unlike those of package flag its
// flags may also stand behind the arguments.
type flags struct {
	*flag.FlagSet
	synopsis string // such as "ping URL [flags]"
	about    string // what --help says before it lists the flags
	stdout   io.Writer
}

func newFlags(synopsis, about string, stdout, stderr io.Writer) *flags {
	f := &flags{flag.NewFlagSet("wirebeat", flag.ContinueOnError), synopsis, about, stdout}
	f.SetOutput(stderr)
	f.Usage = func() {}
	return f
}

func (f *flags) command() string {
	name, _, _ := strings.Cut(f.synopsis, " ")
	return name
}

// parse returns the arguments, which must be as many as there are names for
// them. Its errors are flag.ErrHelp, when the help was asked for and is
// printed, and those of a command line that makes no sense.
func (f *flags) parse(args []string, names ...string) (arguments []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, f.explained(err)
		}
		rest := f.Args()
		if len(rest) == 0 {
			break
		}
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			arguments = append(arguments, rest...) // whatever they look like
			break
		}
		arguments = append(arguments, rest[0])
		args = rest[1:]
	}
	if len(arguments) < len(names) {
		return nil, misuse("the %s is missing: wirebeat %s", names[len(arguments)], f.synopsis)
	}
	if len(arguments) > len(names) {
		return nil, misuse("%q is an argument too many: wirebeat %s", arguments[len(names)], f.synopsis)
	}
	return arguments, nil
}

// explained prints what is still to be said about an error of package flag.
func (f *flags) explained(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(f.stdout, "wirebeat %s\n\n%s\n\n", f.synopsis, f.about)
		f.SetOutput(f.stdout)
		f.PrintDefaults()
		return err
	}
	fmt.Fprintf(f.Output(), "wirebeat %s --help lists the flags\n", f.command())
	return errUsage // package flag has said why
}

// given reports whether a flag is on the command line.
func (f *flags) given(name string) (given bool) {
	f.Visit(func(set *flag.Flag) { given = given || set.Name == name })
	return given
}

// repeated is a flag that may be given several times.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, ",") }

func (r *repeated) Set(v string) error {
	*r = append(*r, v)
	return nil
}

// period is a flag of a time that is not zero: a duration as Go spells it or,
// as with ping(8), a number of seconds.
type period time.Duration

func (p *period) String() string { return time.Duration(*p).String() }

func (p *period) Set(v string) error {
	d, err := time.ParseDuration(v)
	if seconds, notNumber := strconv.ParseFloat(v, 64); notNumber == nil && math.Abs(seconds) < math.MaxInt64/1e9 {
		d, err = time.Duration(seconds*1e9), nil
	}
	if err != nil {
		return errors.New("must be a time such as 200ms, 1.5s or, in seconds, 0.2")
	}
	*p = period(d)
	return nil
}
