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
			acked:   info.Bytes_acked,
			edge:    info.Bytes_acked + uint64(info.Snd_wnd),
			recent:  time.Duration(info.Last_data_recv) * time.Millisecond,
		}
		ok = true
	})
	return seen, ok && err == nil
}

// slept returns for how long this machine has been suspended since it booted.
func slept() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
