package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// bare-epoll echoes bytes with raw system calls on one thread: the floor that
// the kernel sets for anything written in Go.
func init() { registerRaw("bare-epoll", serveEpoll) }

func serveEpoll(ln net.Listener) error {
	runtime.LockOSThread()
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return errors.New("bare-epoll needs a socket to listen on")
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	s := &epollEcho{epfd: epfd, pending: map[int][]byte{}, buf: make([]byte, 512<<10)}
	if cerr := rc.Control(func(fd uintptr) { s.listener = int(fd); err = s.loop() }); cerr != nil {
		return cerr
	}
	return err
}

type epollEcho struct {
	epfd, listener int
	pending        map[int][]byte // by descriptor: read, and not yet written
	buf            []byte
}

func (s *epollEcho) loop() error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.listener)}
	if err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, s.listener, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := wait(s.epfd, events, -1)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, ev := range events[:n] {
			fd := int(ev.Fd)
			switch {
			case fd == s.listener:
				if err := s.accept(); err != nil {
					return err
				}
			case ev.Events&unix.EPOLLOUT != 0:
				s.drain(fd)
			default:
				s.echo(fd)
			}
		}
	}
}

func (s *epollEcho) accept() error {
	fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		if err == unix.EAGAIN || err == unix.ECONNABORTED || err == unix.EINTR {
			return nil
		}
		return fmt.Errorf("accept4: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// echo reads once. A connection whose answer did not fit is not read until it did.
func (s *epollEcho) echo(fd int) {
	n, e := rawRead(fd, s.buf)
	switch {
	case e == unix.EAGAIN || e == unix.EINTR:
	case e != 0 || n == 0:
		s.close(fd)
	default:
		if rest, ok := s.write(fd, s.buf[:n]); ok && len(rest) > 0 {
			s.pending[fd] = append([]byte(nil), rest...)
			s.watch(fd, unix.EPOLLOUT)
		}
	}
}

func (s *epollEcho) drain(fd int) {
	rest, ok := s.write(fd, s.pending[fd])
	switch {
	case !ok:
	case len(rest) > 0:
		s.pending[fd] = rest
	default:
		delete(s.pending, fd)
		s.watch(fd, unix.EPOLLIN)
	}
}

// write returns what the socket did not take; not ok means that it is closed.
func (s *epollEcho) write(fd int, p []byte) (rest []byte, ok bool) {
	for len(p) > 0 {
		n, e := rawWrite(fd, p)
		switch e {
		case 0:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return p, true
		default:
			s.close(fd)
			return nil, false
		}
	}
	return nil, true
}

func (s *epollEcho) watch(fd int, events uint32) {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if unix.EpollCtl(s.epfd, unix.EPOLL_CTL_MOD, fd, &ev) != nil {
		s.close(fd)
	}
}

func (s *epollEcho) close(fd int) {
	delete(s.pending, fd)
	_ = unix.Close(fd) // there is nobody left to tell
}
