package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawRead and rawWrite are for non-blocking descriptors: they cannot block, so
// the scheduler need not hear of them. That is about a quarter of what a small
// echo costs.

func rawRead(fd int, p []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), e
}

func rawWrite(fd int, p []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), e
}

// wait looks without blocking first, and only then tells the scheduler that this
// thread is going to sleep.
func wait(epfd int, events []unix.EpollEvent, timeoutMS int) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if e == 0 && n > 0 {
		return int(n), nil
	}
	k, err := unix.EpollWait(epfd, events, timeoutMS)
	if err == unix.EINTR {
		return 0, nil
	}
	return max(k, 0), err
}
