// Command wirebeat is an echo server to look at and to test against.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `wirebeat speaks WebSocket (RFC 6455).

  wirebeat serve [flags]      an echo server, with a page at / for a browser

wirebeat COMMAND --help lists the flags of a command.
`

// errUsage is an error that was explained to the user already.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command line and returns the exit code: 0, 1 for a failure, 2
// for a command line that makes no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	var err error
	switch args[0] {
	case "serve":
		err = serve(ctx, args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
	case "ping", "connect":
		err = unsupported("the command " + args[0])
	default:
		err = misuse("unknown command %q; wirebeat help lists them", args[0])
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(stderr, "wirebeat:", err)
	var m misuseError
	if errors.As(err, &m) {
		return 2
	}
	return 1
}

// misuseError is an error in the command line.
type misuseError string

func (e misuseError) Error() string { return string(e) }

func misuse(format string, args ...any) error { return misuseError(fmt.Sprintf(format, args...)) }

// unsupported is the error for what the contract of the command line has and
// this build has not: it is never ignored.
func unsupported(what string) error { return misuse("%s is not supported by this build", what) }
