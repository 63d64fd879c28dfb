package interop

import (
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pageName = "Chromium, page of wirebeat serve"

// What a user does with the page, and what the server has to say of it.
var pageSteps = []struct {
	name, act string
	said      string // by the server, from then on
	term      bool   // the server is asked to end, and the page has hand.seen to tell
}{
	{name: "connect", act: `hand.set("path", "/chat"); hand.set("protocols", "waltz, beat.v1");
		hand.row(/^connected \| .*subprotocol beat\.v1/, () => hand.submit("connect-form"))`, said: "path=/chat subprotocol=beat.v1"},
	{name: "send text", act: `hand.set("text", "Grüße 🎉"); hand.row(/^← text \| 12 B \| Grüße 🎉 \| [\d.]+ ms/, () => hand.submit("text-form"))`},
	{name: "send empty text", act: `hand.set("text", ""); hand.row(/^← text \| 0 B \|  \| [\d.]+ ms/, () => hand.submit("text-form"))`},
	{name: "send bytes", act: `hand.row(/^← binary \| 4 B \| 00 ff 48 69 \| [\d.]+ ms/, () => hand.submit("hex-form"))`},
	{name: "send 1 MiB", act: `hand.set("random", 1 << 20); hand.row(/^← binary \| 1\.0 MiB \| .* \| [\d.]+ ms/, () => hand.submit("random-form"))`},
	{name: "have the server ping", act: `hand.row(/^↔ ping \|  \|  \| [\d.]+ (µs|ms)/, () => hand.click("ping"))`},
	{name: "close", act: `hand.set("code", 3000); hand.set("reason", "enough");
		hand.row(/^← close \|  \| 3000 \(by this page\)/, () => hand.submit("close-form"))`, said: "closed by the peer: 3000: enough"},
	{name: "disconnect", act: `hand.submit("connect-form"); hand.state("connected").then(() =>
		hand.row(/^← close \|  \| 1005 no code \(by this page\)/, () => hand.click("disconnect")))`, said: "closed by the peer: 1005"},
	{name: "have the server close", act: `hand.submit("connect-form"); hand.state("connected").then(() => {
		hand.choose("closer", "server"); hand.set("code", 4000); hand.set("reason", "Tschüß");
		return hand.row(/^← close \|  \| 4000: Tschüß \(by the server\)/, () => hand.submit("close-form")) })`, said: "closed: 4000: Tschüß"},
	{name: "see the server end", act: `hand.submit("connect-form"); hand.state("connected").then(() => {
		hand.seen = hand.row(/^← close \|  \| 1001 going away \(by the server\)/, () => {}) })`, term: true},
	{name: "find no server", act: `hand.row(/^failed \|  \| could not connect/, () => hand.submit("connect-form"))`},
}

func TestThePageOfServeWorksInABrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t, pageName)
	path, err := wirebeat()
	if err != nil {
		unavailable(t, pageName, err)
	}
	serve := command{
		path: path,
		args: []string{"serve", "--listen", "127.0.0.1:0", "--subprotocol", "beat.v1", "-v"},
	}.start(t)
	address, err := url.Parse(strings.TrimPrefix(serve.line(t), "listening on "))
	require.NoError(t, err)
	address.Scheme = "http"

	b.visit(t, address.String())
	hand, err := os.ReadFile("peers/chromium/page.js")
	require.NoError(t, err)
	b.evaluate(t, string(hand), nil)

	for _, step := range pageSteps {
		t.Run(step.name, func(t *testing.T) {
			how := cell{peer: pageName, direction: ourServer, name: step.name, err: errFailed}
			defer func() { results.add(how) }()
			before := len(serve.stderr.String())
			b.evaluate(t, step.act, nil)
			if step.term {
				require.NoError(t, serve.cmd.Process.Signal(syscall.SIGTERM))
				b.evaluate(t, "hand.seen", nil)
				require.NoError(t, serve.wait(t))
			}
			require.Eventually(t, func() bool { return strings.Contains(serve.stderr.String()[before:], step.said) },
				patience, 10*time.Millisecond, "the server says %s", serve.stderr)
			how.err = nil
		})
	}
}
