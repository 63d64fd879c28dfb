package frame_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestOpcodesHaveNames(t *testing.T) {
	for op, want := range map[frame.Opcode]string{
		frame.Continuation: "continuation", frame.Text: "text", frame.Binary: "binary",
		frame.Close: "close", frame.Ping: "ping", frame.Pong: "pong",
		0x3: "reserved opcode 0x3", 0xf: "reserved opcode 0xf",
	} {
		require.Equal(t, want, op.String())
	}
}

func TestControlOpcodesAreThoseWithTheHighestBit(t *testing.T) {
	for op := range frame.Opcode(16) {
		require.Equal(t, op >= 8, op.IsControl())
	}
}

func TestCloseCodesHaveNames(t *testing.T) {
	for c, want := range map[frame.CloseCode]string{
		1000: "1000 normal closure", 1001: "1001 going away", 1002: "1002 protocol error",
		1003: "1003 unsupported data", 1004: "1004", 1005: "1005 no status received",
		1006: "1006 abnormal closure", 1007: "1007 invalid frame payload data",
		1008: "1008 policy violation", 1009: "1009 message too big", 1010: "1010 mandatory extension",
		1011: "1011 internal error", 1012: "1012 service restart", 1013: "1013 try again later",
		1014: "1014 bad gateway", 1015: "1015 TLS handshake", 4000: "4000",
	} {
		require.Equal(t, want, c.String())
	}
}

func TestProtocolErrorSaysWhatAndWhere(t *testing.T) {
	err := &frame.ProtocolError{Code: 1002, Section: "5.2", Reason: "reserved opcode"}
	require.EqualError(t, err, "websocket: reserved opcode (RFC 6455 §5.2)")
}
