package handshake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

// browser is what Chromium sends.
func browser() *handshake.Request {
	return request(
		host("127.0.0.1:9001"),
		with("Connection", "Upgrade"),
		with("Pragma", "no-cache"),
		with("Cache-Control", "no-cache"),
		with("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
		with("Origin", "http://127.0.0.1:9001"),
		with("Accept-Encoding", "gzip, deflate, br, zstd"),
		with("Accept-Language", "en-GB,en;q=0.9"),
		with("Sec-WebSocket-Protocol", "chat, echo"),
		with("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"))
}

func TestAHandshakeAllocatesLittle(t *testing.T) {
	r, p := browser(), &handshake.Policy{Subprotocols: []string{"echo"}}
	allocs := testing.AllocsPerRun(100, func() {
		if _, refusal := handshake.Check(r, p); refusal != nil {
			panic(refusal)
		}
	})
	require.LessOrEqual(t, allocs, 8.0)
	a := requireAccepted(t, r, p)
	buf := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := handshake.AppendResponse(buf, a, nil); err != nil {
			panic(err)
		}
	}))
}

func BenchmarkCheck(b *testing.B) {
	r, p := browser(), &handshake.Policy{Subprotocols: []string{"echo"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := handshake.Check(r, p); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	a, _ := handshake.Check(browser(), &handshake.Policy{Subprotocols: []string{"echo"}})
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := handshake.AppendResponse(buf, a, nil); err != nil {
			b.Fatal(err)
		}
	}
}
