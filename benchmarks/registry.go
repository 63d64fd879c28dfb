package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// maxMessage is the largest message of any scenario; peers set their limits by it.
const maxMessage = 16 << 20

// A peer is a server under test. It owns ln and serves until the process ends;
// returning at all is a failure.
type peer struct {
	name  string
	raw   bool // echoes bytes, speaks neither HTTP nor frames: a floor
	serve func(ln net.Listener) error
}

// An engine echoes every message that it reads from nc, with the type it came
// in, until Read returns io.EOF; what it returns then does not matter. A Read
// yields what a kernel would have waiting: up to 64 masked frames, cut where the
// buffer ends. Answers may be held back, but not across a Read. What is written
// before the first Read (the answer to a handshake) is not looked at.
type engine struct {
	name string
	run  func(nc net.Conn) error
}

// The registries are filled by init functions, one file a library, and are
// never changed afterwards.
var (
	peers   []peer
	engines []engine
)

// register adds an echo server to the loopback part.
func register(name string, serve func(ln net.Listener) error) {
	peers = append(peers, peer{name: name, serve: serve})
}

// registerRaw adds a server that echoes raw bytes.
func registerRaw(name string, serve func(ln net.Listener) error) {
	peers = append(peers, peer{name: name, raw: true, serve: serve})
}

// registerEngine adds an engine to the in-memory part.
func registerEngine(name string, run func(nc net.Conn) error) {
	engines = append(engines, engine{name: name, run: run})
}

func (p peer) String() string   { return p.name }
func (e engine) String() string { return e.name }

// pick selects by a comma-separated list of names, in its order; an empty list
// means all, by name.
func pick[T fmt.Stringer](all []T, list string) ([]T, error) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b T) int { return strings.Compare(a.String(), b.String()) })
	if list == "" {
		return all, nil
	}
	var picked []T
	for name := range strings.SplitSeq(list, ",") {
		has := func(t T) bool { return t.String() == name }
		i := slices.IndexFunc(all, has)
		if i < 0 {
			return nil, fmt.Errorf("no %q here; there are %v", name, all)
		}
		if slices.ContainsFunc(picked, has) {
			return nil, fmt.Errorf("%q is named twice", name)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}
