package conn

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// rawIO reads and writes a socket without blocking and without holding a
// buffer while it waits. Reads are for the holder of the read role, writes for
// whoever set Conn.writing. The system calls are raw: on a socket that does not
// block they return at once, and the scheduler need not hear of them.
type rawIO struct {
	rc     syscall.RawConn
	onRead func(fd uintptr) bool
	onSend func(fd uintptr) bool

	// of the read under way
	c   *Conn
	got []byte
	err error

	// of the write under way
	vecs   []syscall.Iovec
	sent   int
	failed syscall.Errno
	wait   bool // wait until the socket is writable
	waited bool
}

// newRawIO returns nil if nc is not a plain socket.
func newRawIO(nc net.Conn) *rawIO {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawIO{rc: rc}
	r.onRead, r.onSend = r.readReady, r.sendReady
	return r
}

// read waits for bytes and returns them where c wants them.
func (r *rawIO) read(c *Conn) ([]byte, error) {
	r.c, r.got, r.err = c, nil, nil
	if err := r.rc.Read(r.onRead); err != nil {
		return nil, err
	}
	got := r.got
	r.got = nil
	return got, r.err
}

func (r *rawIO) readReady(fd uintptr) bool {
	b := r.c.readBuffer(scratchSize)
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			if n == 0 {
				r.c.dropBuffer()
				r.err = io.EOF
			}
			r.got = b[:n]
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.c.dropBuffer()
			return false
		}
		r.c.dropBuffer()
		r.err = os.NewSyscallError("read", errno)
		return true
	}
}

// write writes what the socket takes at once. With wait it first tries, and if
// nothing could be written waits until something can, and returns 0: what is
// to be written may have changed. blocked says that the socket is full.
func (r *rawIO) write(bufs [][]byte, wait bool) (n int, blocked bool, err error) {
	r.vecs = r.vecs[:0]
	for _, b := range bufs {
		if len(b) > 0 {
			v := syscall.Iovec{Base: unsafe.SliceData(b)}
			v.SetLen(len(b))
			r.vecs = append(r.vecs, v)
		}
	}
	r.sent, r.failed, r.wait, r.waited = 0, 0, wait, false
	err = r.rc.Write(r.onSend)
	total := 0
	for i := range r.vecs {
		total += int(r.vecs[i].Len)
		r.vecs[i].Base = nil
	}
	if err == nil && r.failed != 0 {
		err = os.NewSyscallError("write", r.failed)
	}
	return r.sent, r.sent < total, err
}

func (r *rawIO) sendReady(fd uintptr) bool {
	if r.waited {
		return true
	}
	for {
		var n uintptr
		var errno syscall.Errno
		if v := r.vecs; len(v) == 1 {
			n, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(v[0].Base)), uintptr(v[0].Len))
		} else {
			n, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(v))), uintptr(len(v)))
		}
		switch errno {
		case 0:
			r.sent = int(n)
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.waited = r.wait
			return !r.wait
		default:
			r.failed = errno
		}
		return true
	}
}
