package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestConnectEchoesUntilTheServerCloses(t *testing.T) {
	type message struct {
		opcode  frame.Opcode
		payload string
	}
	large := strings.Repeat("0123456789abcdef", 1<<16)
	var got []message
	done := make(chan struct{})
	url := accepts(t, func(p *peer) {
		defer close(done)
		p.say(unmasked(0x81, "text"), unmasked(0x82, "\x00\xff"), unmasked(0x01, "in "), unmasked(0x89, "ping"),
			unmasked(0x80, "parts"), unmasked(0x81, ""), unmasked(0x82, ""), unmasked(0x82, large))
		for range 7 {
			op, b, _ := p.hear()
			got = append(got, message{op, b})
		}
		p.say(closing(1000, ""))
		p.hear()
	})
	p := launch(t, noStdin{t}, "connect", url, "--echo")
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	<-done
	require.Contains(t, got, message{frame.Pong, "ping"}) // which may overtake
	messages := got[:0]
	for _, m := range got {
		if m.opcode != frame.Pong {
			messages = append(messages, m)
		}
	}
	require.Equal(t, []message{
		{frame.Text, "text"}, {frame.Binary, "\x00\xff"}, {frame.Text, "in parts"},
		{frame.Text, ""}, {frame.Binary, ""}, {frame.Binary, large},
	}, messages)
	require.True(t, strings.HasPrefix(p.stdout.String(), "text\nbinary: 00ff\nin parts\n\nbinary: \nbinary: 3031"))
}

// A server that sends without reading must be held up, not remembered.
func TestConnectEchoTakesNoMoreThanItCanGiveBack(t *testing.T) {
	const size = 64 << 10
	sent := 0
	done := make(chan struct{})
	url := accepts(t, func(p *peer) {
		defer close(done)
		payload := func(i int) string { return fmt.Sprintf("%0*d", size, i) }
		// What is in flight is in four buffers of the kernel and one of the client.
		for ; sent < 4096; sent++ {
			p.nc.SetWriteDeadline(time.Now().Add(2 * time.Second))
			b := unmasked(0x81, payload(sent))
			if n, err := p.nc.Write([]byte(b)); err != nil {
				p.nc.SetWriteDeadline(time.Time{})
				go p.say(b[n:], closing(1000, ""))
				sent++
				break
			}
		}
		for i := range sent {
			if op, b, ok := p.hear(); !ok || op != frame.Text || b != payload(i) {
				t.Errorf("message %d of %d: %v %.20q", i, sent, op, b)
				return
			}
		}
		p.hear()
	})
	p := launch(t, noStdin{t}, "connect", "--echo", url)
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	<-done
	require.Less(t, sent, 1024, "64 MiB")
}
