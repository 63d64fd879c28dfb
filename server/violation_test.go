package server_test

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// maxMessage and maxFragments are the limits of the servers in this file.
const (
	maxMessage   = 4096
	maxFragments = 8
	maxEmpty     = 3
)

var limited = server.Options{Conn: conn.Options{MaxMessage: maxMessage, MaxFragments: maxFragments, MaxEmpty: maxEmpty}}

// long is a masked header of any length in 7, 16 or 64 bits.
func long(b0 byte, form byte, length uint64) string {
	b := []byte{b0, 0x80 | form}
	switch form {
	case 126:
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	case 127:
		b = binary.BigEndian.AppendUint64(b, length)
	}
	return string(append(b, 1, 2, 3, 4))
}

func status(code uint16, reason string) string {
	return masked(0x88, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

type violation struct {
	name  string
	bytes string
	code  frame.CloseCode
}

var violations = []violation{
	{"RSV1", masked(0xc1, "x"), 1002},
	{"RSV2", masked(0xa1, "x"), 1002},
	{"RSV3", masked(0x92, "x"), 1002},
	{"RSV1 on a ping", masked(0xc9, "x"), 1002},
	{"RSV1 on a Close", masked(0xc8, ""), 1002},
	{"opcode 3", masked(0x83, "x"), 1002},
	{"opcode 7", masked(0x87, ""), 1002},
	{"opcode 11", masked(0x8b, "x"), 1002},
	{"opcode 15", masked(0x8f, ""), 1002},
	{"text that is not masked", "\x81\x01x", 1002},
	{"a ping that is not masked", "\x89\x00", 1002},
	{"a Close that is not masked", "\x88\x02\x03\xe8", 1002},
	{"a ping without FIN", masked(0x09, "x"), 1002},
	{"a Close without FIN", masked(0x08, ""), 1002},
	{"a ping of 126 bytes", masked(0x89, pattern(126)), 1002},
	{"a pong of 65,536 bytes", long(0x8a, 127, 65536), 1002},
	{"a Close of 126 bytes", masked(0x88, "\x03\xe8"+pattern(124)), 1002},
	{"125 in 16 bits", long(0x81, 126, 125) + pattern(125), 1002},
	{"0 in 16 bits", long(0x82, 126, 0), 1002},
	{"65,535 in 64 bits", long(0x82, 127, 65535), 1002},
	{"1 in 64 bits", long(0x81, 127, 1) + "x", 1002},
	{"a length of 2⁶³", long(0x82, 127, 1<<63), 1002},
	{"a length of 2⁶⁴-1", long(0x82, 127, 1<<64-1), 1002},
	{"a continuation of nothing", masked(0x80, "x"), 1002},
	{"a continuation that goes on, of nothing", masked(0x00, "x"), 1002},
	{"a continuation after the end", masked(0x01, "\x00") + masked(0x00, "") + masked(0x00, "") + masked(0x81, "x"), 1002},
	{"a message inside a message", masked(0x01, "x") + masked(0x81, "y"), 1002},
	{"a message begun inside a message", masked(0x02, "x") + masked(0x02, "y"), 1002},
	{"a Close payload of one byte", masked(0x88, "\x03"), 1002},
	{"code 0", status(0, ""), 1002},
	{"code 999", status(999, ""), 1002},
	{"code 1004", status(1004, "reason"), 1002},
	{"code 1005", status(1005, ""), 1002},
	{"code 1006", status(1006, ""), 1002},
	{"code 1015", status(1015, ""), 1002},
	{"code 1016", status(1016, ""), 1002},
	{"code 2999", status(2999, ""), 1002},
	{"code 5000", status(5000, ""), 1002},
	{"code 65535", status(65535, ""), 1002},
	{"text with a bad byte", text("abc\xff"), 1007},
	{"text that breaks off in a character", text("abc\xe2\x82"), 1007},
	{"text with a surrogate", text("\xed\xa0\x80"), 1007},
	{"text in an overlong form", text("\xc0\xaf"), 1007},
	{"text above U+10FFFF", text("\xf4\x90\x80\x80"), 1007},
	{"a bad byte in the first fragment", masked(0x01, "a\xff"), 1007},
	{"a bad byte in a later fragment", masked(0x01, "a") + masked(0x00, "b\x80"), 1007},
	{"a character that two fragments break", masked(0x01, "\xe2\x82") + masked(0x80, "x"), 1007},
	{"a character that never ends", masked(0x01, "\xe2") + masked(0x80, "\x82"), 1007},
	{"a bad byte in an unfinished frame", masked(0x81, "ab\xffdefghijk")[:9], 1007},
	{"a bad byte in the reason", status(1000, "a\xff"), 1007},
	{"a reason that breaks off", status(1000, "\xe2\x82"), 1007},
	{"a message over the limit by its header", long(0x82, 126, maxMessage+1), 1009},
	{"a message far over the limit", long(0x82, 127, 1<<62), 1009},
	{"a message over the limit by its fragments", masked(0x02, pattern(maxMessage)) + long(0x80, 1, 1), 1009},
	{"one fragment too many", masked(0x02, "x") + strings.Repeat(masked(0x00, "x"), maxFragments), 1009},
	{"one empty fragment too many", masked(0x02, "") + strings.Repeat(masked(0x00, ""), maxEmpty), 1009},
}

// before is answered whatever comes behind it.
var before = text("one") + bin("two") + ping("p") + masked(0x01, "thr") + masked(0x80, "ee")

func bin(s string) string { return masked(0x82, s) }

// answered reads the answers to before.
func (c *client) answered() {
	c.t.Helper()
	pongs := 0
	for _, want := range []string{"one", "two", "three"} {
		h, got := c.frame()
		if h.Opcode == frame.Pong { // which may overtake data
			require.Equal(c.t, "p", got)
			pongs++
			_, got = c.frame()
		}
		require.Equal(c.t, want, got)
	}
	if pongs == 0 {
		c.expect(frame.Pong, "p")
	}
}

func TestAViolationIsAnsweredOnceAndAfterAllThatCameBefore(t *testing.T) {
	flood := strings.Repeat(text(pattern(1000)), 256)
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, limited)
		for _, v := range violations {
			t.Run(v.name, func(t *testing.T) {
				t.Run("in one segment", func(t *testing.T) {
					c := connect(t, addr)
					c.send(before, v.bytes)
					c.answered()
					c.expectCode(v.code)
				})
				t.Run("behind the request", func(t *testing.T) {
					c := dial(t, addr)
					c.send(valid.String(), before, v.bytes)
					c.accepted()
					c.answered()
					c.expectCode(v.code)
				})
				t.Run("with more behind it", func(t *testing.T) {
					if strings.Contains(v.name, "unfinished") {
						t.Skip("would be finished")
					}
					c := connect(t, addr)
					sent := make(chan struct{})
					go func() {
						c.trySend(before + v.bytes + flood)
						close(sent)
					}()
					c.answered()
					c.expectCode(v.code)
					<-sent
				})
				t.Run("byte by byte", func(t *testing.T) {
					if len(v.bytes) > 1000 {
						t.Skip("long")
					}
					c := connect(t, addr)
					go c.sendBytes(before + v.bytes)
					c.answered()
					c.expectCode(v.code)
				})
			})
		}
	})
}

func TestAViolationIsAnsweredWhereverTheStreamIsCut(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, limited)
		for _, v := range violations {
			if len(v.bytes) > 100 {
				continue
			}
			all := before + v.bytes
			cuts := len(v.bytes)
			if testing.Short() {
				cuts = min(cuts, 4)
			}
			each(t, cuts, func(t tb, i int) {
				c := connect(t, addr)
				defer c.nc.Close()
				c.sendCut(all, len(all)-i-1)
				c.answered()
				c.expectCode(v.code)
			})
		}
	})
}

// The whole of the mebibyte that may be discarded is not always needed: a
// client that has read the Close ends the connection itself.
func TestTheEndComesAtOnceWhenTheClientClosesToo(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := connect(t, e.serve(t, server.Options{}))
		c.send(masked(0x83, ""))
		c.expectCode(1002)
		c.nc.Close()
	})
}

func TestLimitsAreOnByDefault(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		t.Run("a message of 1 MiB is echoed and one byte more is refused by its header", func(t *testing.T) {
			c := connect(t, addr)
			big := pattern(1 << 20)
			go c.trySend(bin(big) + long(0x82, 127, 1<<20+1))
			c.expect(frame.Binary, big)
			c.expectCode(1009)
		})
		t.Run("1,024 empty fragments are echoed and one more is refused", func(t *testing.T) {
			c := connect(t, addr)
			c.send(masked(0x01, "a"), strings.Repeat(masked(0x00, ""), 1024), masked(0x80, "b"))
			c.expect(frame.Text, "ab")
			c.send(masked(0x01, "a"), strings.Repeat(masked(0x00, ""), 1025))
			c.expectCode(1009)
		})
		t.Run("131,072 fragments are echoed and one more is refused", func(t *testing.T) {
			c := connect(t, addr)
			part := masked(0x00, "x")
			go c.trySend(masked(0x02, "x") + strings.Repeat(part, 131_070) + masked(0x80, "y") +
				masked(0x02, "x") + strings.Repeat(part, 131_072))
			c.expect(frame.Binary, strings.Repeat("x", 131_071)+"y")
			c.expectCode(1009)
		})
	})
}

func TestTheLimitsThemselvesAreNoViolation(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := connect(t, e.serve(t, limited))
		c.send(bin(pattern(maxMessage)))
		c.expect(frame.Binary, pattern(maxMessage))
		c.send(masked(0x02, "x"), strings.Repeat(masked(0x00, "x"), maxFragments-2), masked(0x80, "y"))
		c.expect(frame.Binary, strings.Repeat("x", maxFragments-1)+"y")
		c.send(masked(0x02, ""), strings.Repeat(masked(0x00, ""), maxEmpty-1), masked(0x80, "y"))
		c.expect(frame.Binary, "y")
		c.send(ping(pattern(125)))
		c.expect(frame.Pong, pattern(125))
		c.send(text(""), text("\xf4\x8f\xbf\xbf"), masked(0x8a, "unsolicited"), text("end"))
		c.expect(frame.Text, "")
		c.expect(frame.Text, "\xf4\x8f\xbf\xbf")
		c.expect(frame.Text, "end")
	})
}

func TestACloseIsAnsweredWithItsCode(t *testing.T) {
	codes := []frame.CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}
	onEach(t, func(t *testing.T, e entry) {
		addr := e.serve(t, server.Options{})
		t.Run("without a code", func(t *testing.T) {
			c := connect(t, addr)
			c.send(before, masked(0x88, ""))
			c.answered()
			c.expect(frame.Close, "")
			c.ended()
		})
		for _, code := range codes {
			for name, reason := range map[string]string{"alone": "", "with a reason": "because", "with 123 bytes": pattern(120) + "€"} {
				t.Run(code.String()+" "+name, func(t *testing.T) {
					c := connect(t, addr)
					c.send(before, closing(code, reason), text("behind the Close"), ping("x"))
					c.answered()
					c.expectCode(code)
				})
			}
		}
	})
}

func TestAConnectionThatEndsWithoutACloseFrameIsEnded(t *testing.T) {
	onEach(t, func(t *testing.T, e entry) {
		c := connect(t, e.serve(t, server.Options{}))
		c.send(text("x"))
		require.NoError(t, c.nc.(interface{ CloseWrite() error }).CloseWrite())
		c.expect(frame.Text, "x")
		_, err := io.ReadAll(c.r)
		require.NoError(t, err)
	})
}
