package conn

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket returns the socket below a transport, or nil.
func socket(nc net.Conn) syscall.RawConn {
	for range 4 { // TLS over TLS over …
		switch t := nc.(type) {
		case *net.TCPConn:
			rc, _ := t.SyscallConn()
			return rc
		case interface{ NetConn() net.Conn }:
			nc = t.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// inspect asks the kernel about a TCP connection, also below TLS.
func inspect(nc net.Conn) (seen exam, ok bool) {
	rc := socket(nc)
	if rc == nil {
		return exam{}, false
	}
	err := rc.Control(func(fd uintptr) {
		unread, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		if err != nil {
			return
		}
		unacked, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if err != nil {
			return
		}
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		seen = exam{
			unread:  unread,
			unacked: unacked,
			unsent:  int(info.Notsent_bytes),
			acked:   info.Bytes_acked,
			window:  uint64(info.Snd_wnd),
			edge:    info.Bytes_acked + uint64(info.Snd_wnd),
			recent:  time.Duration(info.Last_data_recv) * time.Millisecond,
		}
		ok = true
	})
	return seen, ok && err == nil
}

// hasten has the kernel try again without waiting twice as long each time, up to
// six times, or no more. A ping that is lost on a bad path gets through within
// the timeout far more often. It is for streams of few packets only, and so
// does no harm to others.
func hasten(nc net.Conn, on bool) {
	rc := socket(nc)
	if rc == nil {
		return
	}
	value := 0
	if on {
		value = 1
	}
	rc.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, value) // a kernel without it goes on as before
	})
}

// slept returns for how long this machine has been suspended since it booted.
func slept() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
