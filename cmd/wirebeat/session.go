package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

const (
	drainTimeout = 30 * time.Second       // for the last lines of stdin to leave
	pause        = 250 * time.Millisecond // after which the answers to them have come
	longestPause = 5 * time.Second        // for a server that always has something to say
	silenceLimit = 5 * time.Second        // of a server that was sent a Close
	lastWords    = 2 * time.Second        // for what is left to do after the end
)

// session is a connection between a server, stdin and stdout.
type session struct {
	conn    *conn.Conn
	stdin   io.Reader
	stdout  io.Writer
	echo    bool
	maxLine int64

	printing atomic.Bool  // and so what the server sends is not read
	printed  atomic.Int64 // when that was last over, since the epoch
}

// run runs until the connection ends or ctx does. nil is a normal end.
func (s *session) run(ctx context.Context) error {
	defer s.conn.CloseNow()
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	received := make(chan error, 1)
	go func() { received <- s.receive() }()
	var sent chan error // never ready with --echo
	if !s.echo {
		sent = make(chan error, 1)
		go func() { sent <- s.send(sending) }()
	}
	var failure error
	select {
	case err := <-received:
		s.end(frame.CloseGoingAway, lastWords)
		return err
	case <-ctx.Done():
		s.interrupted(received)
		return nil
	case failure = <-sent:
	}

	code := frame.CloseNormal
	if failure != nil {
		code = frame.CloseGoingAway
	}
	silent := make(chan error, 1)
	go func() {
		if err := s.finish(sending, code); err != nil {
			silent <- err
		}
	}()
	var err error
	select {
	case err = <-received:
		s.end(code, lastWords)
	case err = <-silent:
	case <-ctx.Done():
		s.interrupted(received)
	}
	if failure != nil {
		return failure
	}
	return err
}

// end closes the connection if that has not begun, and waits until its
// transport is closed, but no longer than limit.
func (s *session) end(code frame.CloseCode, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.conn.Close(ctx, code, "") // how it ended is told by who received
}

// interrupted closes the connection because of a signal. What came before the
// end is printed, if stdout takes it.
func (s *session) interrupted(received <-chan error) {
	s.end(frame.CloseGoingAway, silenceLimit)
	s.conn.CloseNow()
	select {
	case <-received:
	case <-time.After(lastWords):
	}
}

// finish closes the connection after the last line. It returns an error when
// the server has been silent for so long that nothing more will come; a server
// that has much to say, or whose messages wait for a slow reader of stdout, has
// all the time it needs. nil is the end of ctx.
//
// The Close waits for a pause of the server: many servers drop the replies that
// they are working on when it comes.
func (s *session) finish(ctx context.Context, code frame.CloseCode) error {
	draining, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := s.conn.Flush(draining); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the server has not read the last lines in %v", drainTimeout)
	}
	s.await(ctx, pause, longestPause)
	s.conn.CloseWrite(code, "") // of which receive tells what comes
	if s.await(ctx, silenceLimit, math.MaxInt64); ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the server has not answered the Close frame in %v", silenceLimit)
}

// await waits until the server has been silent for a time, or was not but could
// have been for the limit, or ctx ends. While stdout takes nothing the server
// can say nothing either, so that does not count.
func (s *session) await(ctx context.Context, silence, limit time.Duration) {
	const often = 50 * time.Millisecond
	began := time.Now()
	look := time.NewTicker(often)
	defer look.Stop()
	for limit > 0 && time.Since(s.lastActive(began)) < silence {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if !s.printing.Load() {
			limit -= often
		}
	}
}

// lastActive is when the server last sent anything, or was last kept from it.
func (s *session) lastActive(since time.Time) time.Time {
	if s.printing.Load() {
		return time.Now()
	}
	for _, t := range []time.Time{time.Unix(0, s.printed.Load()), s.conn.Health().LastInbound} {
		if t.After(since) {
			since = t
		}
	}
	return since
}

// send sends the lines of stdin. Its error is about them; how the connection
// ended is told by receive.
func (s *session) send(ctx context.Context) error {
	lines := bufio.NewScanner(s.stdin)
	lines.Buffer(nil, int(min(s.maxLine, math.MaxInt-2))+2) // with CR LF
	n := 1
	for ; lines.Scan(); n++ {
		line := lines.Bytes()
		if int64(len(line)) > s.maxLine {
			return s.tooLong(n)
		}
		if !utf8.Valid(line) {
			return fmt.Errorf("line %d of stdin is not UTF-8", n)
		}
		if s.conn.Write(ctx, conn.Text, line) != nil {
			return nil
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return s.tooLong(n)
	}
	if err != nil {
		return fmt.Errorf("line %d of stdin: %w", n, err)
	}
	return nil
}

func (s *session) tooLong(n int) error {
	return fmt.Errorf("line %d of stdin is longer than --max-message, which is %d", n, s.maxLine)
}

// receive prints messages, and sends them back with --echo, until the
// connection ends. While stdout or, with --echo, the server takes no more,
// nothing is read.
func (s *session) receive() error {
	ctx := context.Background()
	var line []byte
	for m, err := range s.conn.Messages(ctx) {
		if err != nil {
			return err
		}
		s.printing.Store(true)
		if s.echo {
			s.conn.Write(ctx, m.Type, m.Data) // if that fails there is no further turn
		}
		line = appendMessage(line[:0], m)
		if _, err := s.stdout.Write(line); err != nil {
			return fmt.Errorf("stdout: %w", err)
		}
		s.printed.Store(time.Now().UnixNano())
		s.printing.Store(false)
	}
	return nil
}

// appendMessage appends a message as it is printed.
func appendMessage(dst []byte, m conn.Message) []byte {
	if m.Type == conn.Text {
		dst = append(dst, m.Data...)
	} else {
		dst = append(dst, "binary: "...)
		dst = hex.AppendEncode(dst, m.Data)
	}
	return append(dst, '\n')
}
