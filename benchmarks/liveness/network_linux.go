package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A network is two namespaces, one for clients and one for servers, with a
// relay in between.
type network struct {
	clientNS, serverNS string
	serverIP           string
	relay              relay
	keeper             *exec.Cmd
	keeperInput        io.Closer
}

const (
	clientIP  = "10.201.77.1"
	serverIP  = "10.201.77.2"
	tunClient = "wbclient"
	tunServer = "wbserver"
)

func newNetwork(p path) (n *network, err error) {
	if err := mayMakeNetworks(); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, absent{err}
	}
	pid := os.Getpid()
	n = &network{
		clientNS: fmt.Sprintf("wirebeat-c%d", pid),
		serverNS: fmt.Sprintf("wirebeat-s%d", pid),
		serverIP: serverIP,
	}
	if err := n.keep(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	for i, side := range []struct{ ns, dev, own, other string }{
		{n.clientNS, tunClient, clientIP, serverIP},
		{n.serverNS, tunServer, serverIP, clientIP},
	} {
		if err := ip("netns", "add", side.ns); err != nil {
			return n, absent{err}
		}
		if err := inside(side.ns, func() (err error) {
			n.relay.tun[i], err = openTUN(side.dev)
			return err
		}); err != nil {
			return n, err
		}
		for _, args := range [][]string{
			{"-n", side.ns, "addr", "add", side.own, "peer", side.other, "dev", side.dev},
			{"-n", side.ns, "link", "set", side.dev, "txqueuelen", "10000", "up"},
			{"-n", side.ns, "link", "set", "lo", "up"},
		} {
			if err := ip(args...); err != nil {
				return n, err
			}
		}
	}
	n.relay.start(p)
	return n, nil
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// keep starts a child that deletes the namespaces when this process ends,
// however that comes about.
func (n *network) keep() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	n.keeper = exec.Command(self, "-keep", n.clientNS, n.serverNS, "")
	n.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is not for it
	if n.keeperInput, err = n.keeper.StdinPipe(); err != nil {
		return err
	}
	return n.keeper.Start()
}

func runKeeper(namespaces []string) error {
	_, _ = io.Copy(io.Discard, os.Stdin)
	var errs []error
	for _, ns := range namespaces {
		if _, err := os.Stat("/run/netns/" + ns); ns == "" || err != nil {
			continue
		}
		errs = append(errs, ip("netns", "del", ns))
	}
	return errors.Join(errs...)
}

func (n *network) close() {
	n.relay.stop()
	_ = n.keeperInput.Close()
	_ = n.keeper.Wait() // what it could not delete it says on its way
}

// blackHole has the packets of a client vanish, in both directions.
func (n *network) blackHole(p *peer, gone bool) {
	if gone {
		n.relay.holes.Store(p.flow(), true)
	} else {
		n.relay.holes.Delete(p.flow())
	}
}

// carry has a fleet connect from the clients' namespace. A port is used again by
// later peers, so its black hole ends with the peer.
func (n *network) carry(f *fleet) {
	f.dial = func() (p *peer, err error) {
		err = inside(n.clientNS, func() (err error) {
			p, err = dialPeer(f.srv.addr, 0)
			return err
		})
		return p, err
	}
	f.closed = func(p *peer) { n.blackHole(p, false) }
}

// inside calls f on a thread that is in a namespace, and ends with it.
func inside(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			_ = ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
