package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
)

// openStdin is a stdin that has nothing more to say and does not end before
// the test does.
func openStdin(t *testing.T, lines string) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return io.MultiReader(strings.NewReader(lines), r)
}

// noStdin fails the test when it is read.
type noStdin struct{ t *testing.T }

func (r noStdin) Read([]byte) (int, error) {
	r.t.Error("stdin is read")
	return 0, io.EOF
}

func TestConnectSendsLinesAndPrintsTheReplies(t *testing.T) {
	many := numbers(50_000)
	for in, want := range map[string]string{
		"":                                      "",
		"a\n":                                   "a\n",
		"a":                                     "a\n",
		"Grüße\r\n\n b \n\r\n":                  "Grüße\n\n b \n\n",
		many:                                    many,
		strings.Repeat("x", 1<<20) + "\r\nnext": strings.Repeat("x", 1<<20) + "\nnext\n",
	} {
		t.Run(fmt.Sprintf("%.10q", in), func(t *testing.T) {
			p := launch(t, strings.NewReader(in), "connect", "ws://"+start(t).addr+"/")
			require.Zero(t, p.wait(t), "%s", &p.stderr)
			require.True(t, want == p.stdout.String(), "%d bytes, not %d", len(p.stdout.String()), len(want))
			require.Empty(t, p.stderr.String())
		})
	}
}

// numbers returns n lines.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func TestConnectPrintsWhatComesBetweenItsCloseAndThatOfTheServer(t *testing.T) {
	url := accepts(t, func(p *peer) {
		for {
			op, b, ok := p.hear()
			if !ok || op == frame.Close {
				p.say(unmasked(0x81, "one"), unmasked(0x82, "\x00\xff"), unmasked(0x01, "in "), unmasked(0x80, "parts"), unmasked(0x88, b))
				return
			}
		}
	})
	p := launch(t, strings.NewReader("x\n"), "connect", url)
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	require.Equal(t, "one\nbinary: 00ff\nin parts\n", p.stdout.String())
}

func TestConnectClosesAtTheEndOfStdinAlsoWhileTheServerSends(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	t.Parallel()
	url := accepts(t, func(p *peer) {
		heard := make(chan string, 1)
		go func() { heard <- p.goodbye() }()
		for {
			select {
			case payload := <-heard:
				if payload != "\x03\xe8" {
					t.Errorf("a Close with %q", payload)
				}
				return
			case <-time.After(10 * time.Millisecond):
				p.say(unmasked(0x81, "tick"))
			}
		}
	})
	p := launch(t, strings.NewReader(""), "connect", url)
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	require.Contains(t, p.stdout.String(), "tick\n")
}

// gate is a stdout that takes nothing until it is opened.
type gate struct {
	output
	blocked chan struct{} // closed by the first write
	open    chan struct{}
}

func newGate() *gate { return &gate{blocked: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	select {
	case <-g.blocked:
	default:
		close(g.blocked)
	}
	<-g.open
	return g.output.Write(p)
}

// Whoever pages through the replies takes longer than any timeout.
func TestConnectLosesNothingWhileStdoutIsSlow(t *testing.T) {
	const n = 200 // far more than is buffered anywhere but in the kernel
	url := accepts(t, func(p *peer) {
		p.hear()
		for i := range n {
			p.say(unmasked(0x81, fmt.Sprintf("%0*d", 10_000, i)))
		}
		p.goodbye()
	})
	stdout, code := newGate(), make(chan int, 1)
	var stderr output
	go func() { code <- run(t.Context(), []string{"connect", url}, strings.NewReader("go\n"), stdout, &stderr) }()
	<-stdout.blocked
	select {
	case <-code:
		require.FailNow(t, "it did not wait", "%s", &stderr)
	case <-time.After(4 * pause):
	}
	close(stdout.open)
	select {
	case code := <-code:
		require.Zero(t, code, "%s", &stderr)
	case <-time.After(patience):
		require.FailNow(t, "it does not end")
	}
	lines := strings.Split(stdout.String(), "\n")
	require.Len(t, lines, n+1)
	for i, line := range lines[:n] {
		require.Equal(t, fmt.Sprintf("%0*d", 10_000, i), line)
	}
}

func TestConnectEndsWithTheConnection(t *testing.T) {
	tests := []struct {
		name, last string
		says       string // "" is a normal end
	}{
		{"1000", closing(1000, "bye"), ""},
		{"1001", closing(1001, ""), ""},
		{"no code", unmasked(0x88, ""), ""},
		{"1011", closing(1011, "boom"), "1011 internal error: boom"},
		{"1002", closing(1002, ""), "1002"},
		{"an application's code", closing(4001, "kicked"), "4001: kicked"},
		{"a reason that is no line", closing(1008, "a\nb\x1b[2J\u2028c\u202e"), `a\nb\x1b[2J\u2028c\u202e`},
		{"no Close", "", "1006"},
		{"a violation", masked(0x81, "x"), "1002"},
		{"no UTF-8", unmasked(0x81, "\xff"), "1007"},
		{"half a frame", "\x81", "1006"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := accepts(t, func(p *peer) {
				p.say(unmasked(0x81, "before"), test.last)
				if len(test.last) > 1 {
					p.hold()
				}
			})
			p := launch(t, openStdin(t, ""), "connect", url)
			if test.says == "" {
				require.Zero(t, p.wait(t), "%s", &p.stderr)
				require.Empty(t, p.stderr.String())
			} else {
				p.fails(t, test.says)
			}
			require.Equal(t, "before\n", p.stdout.String())
		})
	}
}

func TestConnectAsksForWhatItIsTold(t *testing.T) {
	asked := make(chan *http.Request, 1)
	url := listen(t, func(p *peer) {
		asked <- p.accept("Sec-WebSocket-Protocol: v1\r\n")
		p.goodbye()
	})
	p := launch(t, strings.NewReader(""), "connect", "--subprotocol", "v2", "--header", "X-A: 1", url+"path?q",
		"--header", "x-a:2 : 3 ", "--header", "Host: example.com", "--subprotocol", "v1", "--origin", "https://example.org")
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	r := <-asked
	require.Equal(t, "/path?q", r.RequestURI)
	require.Equal(t, "example.com", r.Host)
	require.Equal(t, []string{"1", "2 : 3"}, r.Header.Values("X-A"))
	require.Equal(t, "https://example.org", r.Header.Get("Origin"))
	require.Equal(t, "v2, v1", r.Header.Get("Sec-WebSocket-Protocol"))
	require.Empty(t, r.Header.Values("Sec-WebSocket-Extensions"))
}

func TestConnectLimitsMessages(t *testing.T) {
	url := accepts(t, func(p *peer) {
		p.say(unmasked(0x81, "12345"), unmasked(0x82, "123456"))
		p.hold()
	})
	p := launch(t, openStdin(t, ""), "connect", url, "--max-message", "5")
	p.fails(t, "1009")
	require.Equal(t, "12345\n", p.stdout.String())

	p = launch(t, strings.NewReader("12345\r\n"), "connect", "ws://"+start(t).addr, "--max-message", "5")
	require.Zero(t, p.wait(t), "%s", &p.stderr)
	require.Equal(t, "12345\n", p.stdout.String())
}

func TestConnectRefusesLinesThatAreNoMessages(t *testing.T) {
	for _, test := range []struct {
		name  string
		stdin io.Reader
		says  string
	}{
		{"too long", strings.NewReader("12345\n123456\n"), "line 2 of stdin is longer than --max-message, which is 5"},
		{"too long by a CR", strings.NewReader("12345\n12345\r\r\n"), "line 2"},
		{"much too long", strings.NewReader("12345\n" + strings.Repeat("x", 1<<20)), "line 2 of stdin is longer"},
		{"no UTF-8", strings.NewReader("12345\n\xff\n"), "line 2 of stdin is not UTF-8"},
		{"half a character", strings.NewReader("12345\n\xc3"), "line 2 of stdin is not UTF-8"},
		{"cannot be read", io.MultiReader(strings.NewReader("12345\n"), iotest.ErrReader(errors.New("broken"))), "line 2 of stdin: broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var heard []string
			done := make(chan struct{})
			url := accepts(t, func(p *peer) {
				defer close(done)
				_, b, _ := p.hear()
				p.say(unmasked(0x81, b))
				heard = append(heard, b, p.goodbye())
			})
			p := launch(t, test.stdin, "connect", "--max-message", "5", url)
			p.fails(t, test.says)
			<-done
			require.Equal(t, []string{"12345", "\x03\xe9"}, heard)
			require.Equal(t, "12345\n", p.stdout.String(), "what was sent before has its reply")
		})
	}
}

func TestConnectEndsWithASignal(t *testing.T) {
	for _, echo := range []string{"--echo=false", "--echo"} {
		heard := make(chan string, 1)
		url := accepts(t, func(p *peer) {
			p.say(unmasked(0x81, "hello"))
			heard <- p.goodbye()
		})
		p := launch(t, openStdin(t, ""), "connect", url, echo)
		p.says(t, "hello\n")
		require.Zero(t, p.end(t), "%s", &p.stderr)
		require.Equal(t, "\x03\xe9", <-heard)
		require.Empty(t, p.stderr.String())
	}
}

func TestConnectWaitsFiveSecondsForAServerThatDoesNotAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	t.Parallel()
	for _, signal := range []bool{false, true} {
		t.Run(fmt.Sprint("signal ", signal), func(t *testing.T) {
			t.Parallel()
			url := accepts(t, func(p *peer) {
				p.say(unmasked(0x81, "hello"))
				p.hold()
			})
			began := time.Now()
			if signal {
				p := launch(t, openStdin(t, ""), "connect", url)
				p.says(t, "hello\n")
				require.Zero(t, p.end(t))
				require.Empty(t, p.stderr.String())
			} else {
				launch(t, strings.NewReader(""), "connect", url).fails(t, "has not answered the Close frame in 5s")
			}
			require.InDelta(t, 5.3, time.Since(began).Seconds(), 1)
		})
	}
}

// failing is a stdout that is full.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestConnectEndsWhenStdoutFails(t *testing.T) {
	heard := make(chan string, 1)
	url := accepts(t, func(p *peer) {
		p.say(unmasked(0x81, "x"))
		heard <- p.goodbye()
	})
	var stderr output
	require.Equal(t, 1, run(t.Context(), []string{"connect", url}, openStdin(t, ""), failing{}, &stderr))
	requireLine(t, stderr.String(), "stdout: no space")
	require.Equal(t, "\x03\xe9", <-heard)
}

func TestMessagesAsTheyArePrinted(t *testing.T) {
	for want, m := range map[string]conn.Message{
		"\n":             {Type: conn.Text},
		"a\nb\n":         {Type: conn.Text, Data: []byte("a\nb")},
		"binary: \n":     {Type: conn.Binary},
		"binary: 00ab\n": {Type: conn.Binary, Data: []byte{0, 0xab}},
	} {
		require.Equal(t, want, string(appendMessage(nil, m)))
	}
}
