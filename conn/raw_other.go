//go:build !linux

package conn

import (
	"errors"
	"net"
)

// rawIO exists on Linux only; elsewhere every transport is read and written
// through its net.Conn.
type rawIO struct{}

func newRawIO(net.Conn) *rawIO { return nil }

func (*rawIO) read(*Conn) ([]byte, error) { return nil, errors.ErrUnsupported }

func (*rawIO) write([][]byte, bool) (int, bool, error) { return 0, false, errors.ErrUnsupported }
