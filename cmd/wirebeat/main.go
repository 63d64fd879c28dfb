// Command wirebeat has an echo server to look at and to test against, a ping,
// and a client for pipes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

const usage = `wirebeat speaks WebSocket (RFC 6455).

  wirebeat serve [flags]         an echo server, with a page at / for a browser
  wirebeat ping URL [flags]      the round trip to a server, like ping(8)
  wirebeat connect URL [flags]   sends lines of stdin, prints messages to stdout

wirebeat COMMAND --help lists the flags of a command.
`

// These were explained to the user already.
var (
	errUsage  = errors.New("usage")
	errFailed = errors.New("failed")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not ask
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the command line and returns the exit code: 0, 1 for a failure, 2
// for a command line that makes no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	var err error
	switch args[0] {
	case "serve":
		err = serve(ctx, args[1:], stdout, stderr)
	case "ping":
		err = ping(ctx, args[1:], stdout, stderr)
	case "connect":
		err = connect(ctx, args[1:], stdin, stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
	default:
		err = misuse("unknown command %q; wirebeat help lists them", args[0])
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, errFailed):
		return 1
	}
	complain(stderr, err)
	var m misuseError
	if errors.As(err, &m) {
		return 2
	}
	return 1
}

// complain prints an error on one line, and as text only: a part of it may be
// what a server sent.
func complain(stderr io.Writer, err error) {
	var line strings.Builder
	for _, r := range err.Error() {
		if strconv.IsPrint(r) {
			line.WriteRune(r)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	fmt.Fprintln(stderr, "wirebeat:", line.String())
}

// misuseError is an error in the command line.
type misuseError string

func (e misuseError) Error() string { return string(e) }

func misuse(format string, args ...any) error { return misuseError(fmt.Sprintf(format, args...)) }

// unsupported is the error for what the contract of the command line has and
// this build has not: it is never ignored.
func unsupported(what string) error { return misuse("%s is not supported by this build", what) }
