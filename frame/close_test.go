package frame_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestCloseCodesOnTheWire(t *testing.T) {
	registered := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true,
		1009: true, 1010: true, 1011: true, 1012: true, 1013: true, 1014: true}
	for c := range 1 << 16 {
		want := registered[c] || c >= 3000 && c < 5000
		if frame.CloseCode(c).OnWire() != want {
			t.Fatalf("%d: want %v", c, want)
		}
		code, reason, err := frame.ParseClose([]byte{byte(c >> 8), byte(c), 'a'})
		if (err == nil) != want {
			t.Fatalf("%d: %v", c, err)
		}
		if want && (int(code) != c || reason != "a") {
			t.Fatalf("%d gives %d", c, code)
		}
	}
}

func TestNormalEnds(t *testing.T) {
	for c := range 1 << 16 {
		require.Equal(t, c == 1000 || c == 1001 || c == 1005, frame.CloseCode(c).Normal(), "%d", c)
	}
}

func TestParseClose(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload string
		code    frame.CloseCode
		reason  string
		refused frame.CloseCode
	}{
		{"nothing is no status", "", 1005, "", 0},
		{"one byte is no code", "\x03", 0, "", 1002},
		{"a code alone", "\x03\xe8", 1000, "", 0},
		{"a code and a reason", "\x03\xe9går", 1001, "går", 0},
		{"125 bytes", "\x0f\xa0" + long[:123], 4000, long[:123], 0},
		{"a reason that is not UTF-8", "\x03\xe8\xff", 0, "", 1007},
		{"a reason cut inside a character", "\x03\xe8a\xe2\x82", 0, "", 1007},
		{"a code that must not be sent", "\x03\xed", 0, "", 1002},
		{"a bad code before a bad reason", "\x00\x00\xff", 0, "", 1002},
		{"999", "\x03\xe7", 0, "", 1002},
		{"1004", "\x03\xec", 0, "", 1002},
		{"1006", "\x03\xee", 0, "", 1002},
		{"1015", "\x03\xf7", 0, "", 1002},
		{"2999", "\x0b\xb7", 0, "", 1002},
		{"5000", "\x13\x88", 0, "", 1002},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := []byte(c.payload)
			got, reason, err := frame.ParseClose(p)
			require.Equal(t, c.refused, code(err))
			require.Equal(t, c.code, got)
			clear(p)
			require.Equal(t, c.reason, reason, "the reason is a copy")
		})
	}
}

func TestAppendClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   frame.CloseCode
		reason string
		want   string
	}{
		{"a code alone", 1000, "", "\x03\xe8"},
		{"a code and a reason", 1001, "bye", "\x03\xe9bye"},
		{"no status is an empty payload", 1005, "", ""},
		{"no status has no reason either", 1005, "bye", ""},
		{"a reason that just fits", 4999, long[:123], "\x13\x87" + long[:123]},
		{"a reason of one byte too many", 1000, long[:124], "\x03\xe8" + long[:123]},
		{"a character of two that just fits", 1000, long[:121] + "é", "\x03\xe8" + long[:121] + "é"},
		{"a character of two that does not fit", 1000, long[:122] + "é", "\x03\xe8" + long[:122]},
		{"a character of three with one byte over", 1000, long[:121] + "€", "\x03\xe8" + long[:121]},
		{"a character of three with two bytes over", 1000, long[:122] + "€", "\x03\xe8" + long[:122]},
		{"a character of four that just fits and another", 1000, long[:119] + "𐍈𐍈", "\x03\xe8" + long[:119] + "𐍈"},
		{"a character of four with one byte over", 1000, long[:120] + "𐍈", "\x03\xe8" + long[:120]},
		{"a character of four with two bytes over", 1000, long[:121] + "𐍈", "\x03\xe8" + long[:121]},
		{"a character of four with three bytes over", 1000, long[:122] + "𐍈", "\x03\xe8" + long[:122]},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, "x"+c.want, string(frame.AppendClose([]byte("x"), c.code, c.reason)))
			p := frame.AppendClose(nil, c.code, c.reason)
			require.LessOrEqual(t, len(p), frame.MaxControl)
			code, reason, err := frame.ParseClose(p)
			require.NoError(t, err)
			require.Equal(t, c.code, code)
			if code != frame.CloseNoStatus {
				require.True(t, strings.HasPrefix(c.reason, reason))
				require.True(t, utf8.ValidString(reason))
			}
		})
	}
}

func TestAppendCloseNeverExceedsAControlFrame(t *testing.T) {
	require.Len(t, frame.AppendClose(nil, 1000, strings.Repeat("\x80", 200)), 2+119+0, "not UTF-8: cut by at most a character")
	for n := range 300 {
		require.LessOrEqual(t, len(frame.AppendClose(nil, 1000, strings.Repeat("€", n))), frame.MaxControl)
	}
}
