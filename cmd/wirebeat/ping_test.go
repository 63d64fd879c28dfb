package main

import (
	"context"
	"math"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/server"
)

// seqs returns the numbers on the lines that a pattern matches, in order.
func seqs(t *testing.T, out, pattern string) (seqs []int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\d+ bytes from .*: seq=(\d+) time`+pattern+`$`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		seqs = append(seqs, n)
	}
	return seqs
}

// ponging is a server that answers each ping as it is told.
func ponging(t *testing.T, answer func(p *peer, n int, payload string)) (url string) {
	return accepts(t, func(p *peer) {
		for n := 1; ; {
			h, payload, err := p.read()
			switch {
			case err != nil:
				return
			case h.Opcode == frame.Close:
				p.say(unmasked(0x88, payload))
				return
			case h.Opcode == frame.Ping:
				answer(p, n, payload)
				n++
			}
		}
	})
}

func TestPingPrintsALineForEachPongAndASummary(t *testing.T) {
	s := start(t)
	p := launch(t, nil, "ping", "ws://"+s.addr+"/", "-c", "3", "-i", "10ms")
	require.Zero(t, p.wait(t))
	require.Empty(t, p.stderr.String())
	const ms = `\d+\.\d{3}`
	addr := regexp.QuoteMeta(s.addr)
	require.Regexp(t, `^PING ws://`+addr+`/ \(`+addr+`\): 8 bytes, connected in `+ms+` ms\n`+
		`8 bytes from `+addr+`: seq=1 time=`+ms+` ms\n`+
		`8 bytes from `+addr+`: seq=2 time=`+ms+` ms\n`+
		`8 bytes from `+addr+`: seq=3 time=`+ms+` ms\n`+
		`\n--- ws://`+addr+`/ ping statistics ---\n`+
		`3 pings sent, 3 received, 0% loss, time \d+ ms\n`+
		`rtt min/avg/max/mdev = `+ms+`/`+ms+`/`+ms+`/`+ms+` ms\n$`, p.stdout.String())
}

func TestPingSizeIsThatOfThePayload(t *testing.T) {
	for _, size := range []string{"8", "9", "125"} {
		url := ponging(t, func(p *peer, _ int, payload string) {
			if strconv.Itoa(len(payload)) == size {
				p.say(unmasked(0x8a, payload))
			}
		})
		p := launch(t, nil, "ping", url, "-c", "1", "-s", size)
		require.Zero(t, p.wait(t))
		require.Contains(t, p.stdout.String(), "\n"+size+" bytes from ")
	}
}

func TestPingSaysThatAPongIsEmpty(t *testing.T) {
	url := ponging(t, func(p *peer, _ int, _ string) { p.say(unmasked(0x8a, "")) })
	p := launch(t, nil, "ping", url, "-c", "2", "-i", "200ms")
	require.Zero(t, p.wait(t))
	require.Equal(t, []int{1, 2}, seqs(t, p.stdout.String(), `=\d+\.\d+ ms \(empty payload\)`))
	require.Contains(t, p.stdout.String(), "\n0 bytes from ")
	require.Contains(t, p.stdout.String(), "2 pings sent, 2 received, 0% loss")
	require.Contains(t, p.stdout.String(), "min/avg/max/mdev")
}

func TestPingTakesNoOtherPongForAnAnswer(t *testing.T) {
	for name, pong := range map[string]func(string) string{
		"something else":  func(string) string { return "hello" },
		"cut":             func(s string) string { return s[:7] },
		"longer":          func(s string) string { return s + "x" },
		"changed":         func(s string) string { return s[:7] + string(s[7]^1) },
		"of another ping": func(s string) string { return s[:3] + string(s[3]+1) + s[4:] },
	} {
		t.Run(name, func(t *testing.T) {
			url := ponging(t, func(p *peer, _ int, payload string) { p.say(unmasked(0x8a, pong(payload))) })
			p := launch(t, nil, "ping", url, "-c", "2", "-i", "1ms", "-W", "50ms")
			require.Equal(t, 1, p.wait(t))
			require.Empty(t, p.stderr.String())
			require.Contains(t, p.stdout.String(), "2 pings sent, 0 received, 100% loss")
			require.NotContains(t, p.stdout.String(), "mdev")
		})
	}
}

func TestPingGivesUpWhenNothingIsAnswered(t *testing.T) {
	url := accepts(t, (*peer).hold) // not even the Close
	began := time.Now()
	p := launch(t, nil, "ping", url, "-c", "3", "-i", "100ms", "-W", "0.3")
	require.Equal(t, 1, p.wait(t))
	require.InDelta(t, 1.5, time.Since(began).Seconds(), 1, "two intervals, a wait, and a second for the Close")
	require.Empty(t, p.stderr.String())
	require.Contains(t, p.stdout.String(), "3 pings sent, 0 received, 100% loss")
}

func TestPingCountsWhatIsLost(t *testing.T) {
	url := ponging(t, func(p *peer, n int, payload string) {
		if n == 2 {
			p.say(unmasked(0x8a, payload))
		}
	})
	p := launch(t, nil, "ping", url, "-c", "3", "-i", "400ms", "-W", "300ms")
	require.Zero(t, p.wait(t))
	require.Equal(t, []int{2}, seqs(t, p.stdout.String(), `=\S+ ms`))
	require.Contains(t, p.stdout.String(), "3 pings sent, 1 received, 66.6667% loss")
}

func TestPingsLeaveOnTimeWhileOthersHaveNoPong(t *testing.T) {
	url := ponging(t, func(p *peer, n int, payload string) {
		if n == 5 { // which speaks for all
			p.say(unmasked(0x8a, payload))
		}
	})
	p := launch(t, nil, "ping", url, "-c", "5", "-i", "10ms")
	require.Zero(t, p.wait(t))
	require.ElementsMatch(t, []int{1, 2, 3, 4}, seqs(t, p.stdout.String(), `<\S+ ms \(answered by the pong of a later ping\)`))
	require.Equal(t, []int{5}, seqs(t, p.stdout.String(), `=\S+ ms`))
	require.Contains(t, p.stdout.String(), "5 pings sent, 5 received, 0% loss")
	require.Contains(t, p.stdout.String(), "4 answered by the pong of a later ping")
}

func TestPingKeepsNoMoreThanSixteenWithoutAPong(t *testing.T) {
	url := accepts(t, func(p *peer) { p.goodbye() })
	p := launch(t, nil, "ping", url, "-c", "20", "-i", "5ms", "-W", "200ms")
	require.Equal(t, 1, p.wait(t))
	requireLine(t, p.stderr.String(), "16 pings have no answer")
	require.Contains(t, p.stdout.String(), "16 pings sent, 0 received, 100% loss")
	require.Contains(t, p.stdout.String(), "4 not sent")
}

func TestPingGoesOnWhenPongsComeAgain(t *testing.T) {
	url := ponging(t, func(p *peer, n int, payload string) {
		if n%control.MaxProbes == 0 {
			time.Sleep(100 * time.Millisecond) // more pings would be due
			p.say(unmasked(0x8a, payload))
		}
	})
	p := launch(t, nil, "ping", url, "-i", "5ms")
	require.Eventually(t, func() bool { return strings.Count(p.stdout.String(), " bytes from ") > 16 }, patience, time.Millisecond)
	require.Zero(t, p.end(t))
	require.Contains(t, p.stdout.String(), " not sent, as 16 had no answer")
	require.NotEmpty(t, p.stderr.String())
}

func TestPingThatIsInterruptedSumsUp(t *testing.T) {
	p := launch(t, nil, "ping", "ws://"+start(t).addr, "-i", "1ms")
	p.says(t, "seq=3 ")
	require.Zero(t, p.end(t))
	require.Empty(t, p.stderr.String())
	require.Contains(t, p.stdout.String(), "min/avg/max/mdev")

	pinged := make(chan struct{})
	p = launch(t, nil, "ping", ponging(t, func(*peer, int, string) { close(pinged) }))
	<-pinged
	require.Equal(t, 1, p.end(t))
	require.Empty(t, p.stderr.String())
	require.Contains(t, p.stdout.String(), "1 pings sent, 0 received, 100% loss")
}

func TestPingSaysHowTheConnectionEnded(t *testing.T) {
	for _, test := range []struct{ name, says, last string }{
		{"an error", "1011 internal error: out of cheese", closing(1011, "out of cheese")},
		{"a normal end that comes too early", "1000 normal closure", closing(1000, "")},
		{"nothing", "1006", ""},
		{"a violation", "protocol", "\xff\xff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ready := make(chan struct{})
			url := ponging(t, func(p *peer, n int, payload string) {
				if n == 1 {
					p.say(unmasked(0x8a, payload))
					return
				}
				<-ready // the first pong was printed
				p.say(test.last)
				if test.last != "" {
					p.hold()
				}
				p.nc.Close()
			})
			p := launch(t, nil, "ping", url, "-i", "200ms")
			p.says(t, "seq=1 ")
			close(ready)
			p.fails(t, test.says)
			require.Contains(t, p.stdout.String(), "ping statistics")
			require.Contains(t, p.stdout.String(), ", 1 received")
		})
	}
}

func TestPingIsNotDisturbedByMessages(t *testing.T) {
	feed := httptest.NewServer(server.Handler(nil, func(ctx context.Context, c *conn.Conn) error {
		for {
			for _, n := range []int{0, 100, 3 << 20} { // the last is larger than clients accept
				if err := c.Write(ctx, conn.Binary, make([]byte, n)); err != nil {
					return err
				}
			}
		}
	}))
	defer feed.Close()
	p := launch(t, nil, "ping", strings.Replace(feed.URL, "http", "ws", 1), "-c", "5", "-i", "20ms")
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	require.Contains(t, p.stdout.String(), "5 pings sent, 5 received, 0% loss")
}

func TestPingPrintsNoPassword(t *testing.T) {
	p := launch(t, nil, "ping", "ws://me:secret@"+start(t).addr+"/", "-c", "1")
	require.Zero(t, p.wait(t))
	require.Contains(t, p.stdout.String(), "ws://me:xxxxx@")
	require.NotContains(t, p.stdout.String(), "secret")
}

func TestSpreadIsThatOfPing8(t *testing.T) {
	var s spread
	for _, x := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		s.add(x)
	}
	require.Equal(t, 2.0, s.min)
	require.Equal(t, 9.0, s.max)
	require.InDelta(t, 5, s.mean, 1e-12)
	require.InDelta(t, 2, s.deviation(), 1e-12)

	s = spread{}
	s.add(1e9)
	require.Zero(t, s.deviation())
	require.False(t, math.IsNaN(s.deviation()))
}
