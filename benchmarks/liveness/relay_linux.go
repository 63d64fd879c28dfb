package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A relay carries packets between two TUN devices, as a bad network does.
type relay struct {
	tun    [2]*os.File // of the client's and the server's namespace
	path   atomic.Pointer[path]
	holes  sync.Map // flows whose packets vanish
	wg     sync.WaitGroup
	passed atomic.Uint64
	lost   atomic.Uint64
}

// start relays until stop.
func (l *relay) start(p path) {
	l.path.Store(&p)
	for from := range l.tun {
		in := make(chan queued, 1<<12)
		l.wg.Go(func() { l.read(from, in) })
		l.wg.Go(func() { l.write(1-from, in) })
	}
}

func (l *relay) stop() {
	for _, f := range l.tun {
		if f != nil {
			_ = f.Close()
		}
	}
	l.wg.Wait()
}

func (l *relay) read(from int, in chan<- queued) {
	defer close(in)
	fate := newLink(uint64(from) + 1)
	buf := make([]byte, 1<<16)
	for serial := uint64(0); ; serial++ {
		n, err := l.tun[from].Read(buf)
		if err != nil {
			return
		}
		flow, ok := flowOf(buf[:n], from == 0)
		if !ok {
			continue // not TCP over IPv4: nobody here needs it
		}
		at, ok := fate.pass(monotonic(), flow, *l.path.Load())
		if _, gone := l.holes.Load(flow); gone || !ok {
			l.lost.Add(1)
			continue
		}
		l.passed.Add(1)
		in <- queued{at, serial, append([]byte(nil), buf[:n]...)}
	}
}

func (l *relay) write(to int, in <-chan queued) {
	var q queue
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for p, ok := q.due(monotonic()); ok; p, ok = q.due(monotonic()) {
			_, _ = l.tun[to].Write(p) // a device that is gone ends the reader as well
		}
		wait := time.Hour
		if len(q) > 0 {
			wait = q[0].at - monotonic()
		}
		timer.Reset(wait)
		select {
		case p, ok := <-in:
			if !ok {
				return
			}
			q.add(p)
		case <-timer.C:
		}
	}
}

// openTUN makes a TUN device in the namespace of the calling thread.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, absent{fmt.Errorf("/dev/net/tun: %w", err)}
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(req))); errno != 0 {
		_ = unix.Close(fd)
		return nil, absent{fmt.Errorf("TUN device: %w", errno)}
	}
	// Only now: the poller does not take a descriptor without a device.
	return os.NewFile(uintptr(fd), name), nil
}

// relayed runs a part of a scenario with a network of bad quality, which exists
// as long as that.
func (r *rig) relayed(ctx context.Context, p path, part func(n *network) error) error {
	n, err := newNetwork(p)
	if err == nil {
		err = part(n)
		n.close()
	}
	if isAbsent(err) && os.Getenv("CI") != "true" {
		fmt.Fprintf(r.out, "the part that needs a network of its own is skipped: %v\n", err)
		return nil
	}
	return errors.Join(err, ctx.Err())
}

var errNotRoot = absent{errors.New("only root may make network namespaces")}

func mayMakeNetworks() error {
	if syscall.Geteuid() != 0 {
		return errNotRoot
	}
	return nil
}
