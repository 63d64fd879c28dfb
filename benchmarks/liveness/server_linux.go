package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An idiom is a server that watches its peers the way its library's
// documentation shows.
type idiom struct {
	name  string
	serve func(ln net.Listener, o serveOptions) error
}

// The idioms are filled by init functions, one file a library.
var idioms []idiom

// serveOptions are what the rig wants of a server. Interval and timeout are
// wirebeat's; the other idioms derive times of the same mean detection.
type serveOptions struct {
	interval, timeout time.Duration
	write             time.Duration // wirebeat's WriteTimeout; 0 is the default
	every             time.Duration // above 0: the application writes that often and does not read
	controlRate       int
}

// mean is how long it takes on average to find a peer that died at any moment:
// half an interval until it is asked, and the timeout.
func (o serveOptions) mean() time.Duration { return o.interval/2 + o.timeout }

// pongWait is the read deadline of gorilla's chat example with that mean: pongs
// come every 9/10 of it, so a death is found 10/10 to 1/10 after it happened.
func (o serveOptions) pongWait() time.Duration {
	return time.Duration(math.Round(float64(o.mean()) / 0.55))
}

// sweep is the period of ws's isAlive sweep with that mean: a dead peer is found
// at the second sweep after its death.
func (o serveOptions) sweep() time.Duration { return o.mean() * 2 / 3 }

func (o serveOptions) args() []string {
	return []string{o.interval.String(), o.timeout.String(), o.write.String(), o.every.String(), strconv.Itoa(o.controlRate)}
}

func parseServeOptions(args []string) (o serveOptions, err error) {
	if len(args) != 5 {
		return o, errors.New("wants five arguments")
	}
	for i, d := range []*time.Duration{&o.interval, &o.timeout, &o.write, &o.every} {
		if *d, err = time.ParseDuration(args[i]); err != nil {
			return o, err
		}
	}
	o.controlRate, err = strconv.Atoi(args[4])
	return o, err
}

// runServer is the child's side. It serves until its standard input ends, so
// that it cannot outlive whoever started it.
func runServer(name, addr string, args []string) error {
	i := slices.IndexFunc(idioms, func(d idiom) bool { return d.name == name })
	if i < 0 {
		return fmt.Errorf("no idiom %q", name)
	}
	o, err := parseServeOptions(args)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	say("%s", ln.Addr())
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			say("stats %s", stats())
		}
		os.Exit(0)
	}()
	if err := idioms[i].serve(ln, o); err != nil {
		return err
	}
	return fmt.Errorf("%s stopped serving", name)
}

// stats is what the server has to say about itself.
var stats = func() string { return "{}" }

var saying sync.Mutex

func say(format string, args ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Printf(format+"\n", args...)
}

// sayEnd reports that the server gave up a connection, and when: by the clock
// that all processes of a machine share.
func sayEnd(remote net.Addr, err error) {
	_, port, _ := strings.Cut(remote.String(), ":")
	reason := "closed"
	if err != nil {
		reason = strings.ReplaceAll(err.Error(), "\n", " ")
	}
	say("end %s %d %s", port, monotonic(), reason)
}

func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // always there
	}
	return time.Duration(ts.Nano())
}

// order is the text message that asks a server for a large one: "send N".
const order = "send "

// ordered returns the answer to a message: itself, or what it asks for.
func ordered(message []byte) (answer []byte, large bool) {
	n, ok := strings.CutPrefix(string(message[:min(len(message), 32)]), order)
	if !ok {
		return message, false
	}
	size, err := strconv.Atoi(n)
	if err != nil {
		return message, false
	}
	return make([]byte, size), true
}

// readAll reads one message into buf.
func readAll(buf []byte, r io.Reader) ([]byte, error) {
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
