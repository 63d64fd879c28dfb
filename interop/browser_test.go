package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chromium is the program of the browser, which in CI is installed.
var chromium = sync.OnceValues(func() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	path, err := find(names...)
	if err == nil || !ci {
		return path, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installing)
	defer cancel()
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "chromium"}} {
		apt := command{path: "apt-get", args: args, env: []string{"DEBIAN_FRONTEND=noninteractive"}}
		if os.Geteuid() != 0 {
			apt = command{path: "sudo", args: append([]string{"-n", "apt-get"}, args...), env: apt.env}
		}
		if _, err := apt.run(ctx); err != nil {
			return "", absent{fmt.Errorf("cannot install chromium: %w", err)}
		}
	}
	return find(names...)
})

// browser is a headless browser, driven over a pair of pipes with the DevTools
// protocol: it ends by itself when they are closed.
type browser struct {
	*process
	to      *os.File
	session string // of its one page

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// startBrowser starts one as the peer of a name, unless there is none.
func startBrowser(t *testing.T, name string) *browser {
	t.Helper()
	path, err := chromium()
	if err != nil {
		unavailable(t, name, err)
	}
	theirIn, ourOut, err := os.Pipe()
	require.NoError(t, err)
	ourIn, theirOut, err := os.Pipe()
	require.NoError(t, err)
	profile, err := os.MkdirTemp(scratch, "chromium-") // TestMain removes what its last processes still write
	require.NoError(t, err)
	b := &browser{to: ourOut, waiting: make(map[int]chan reply)}
	b.process = command{path: path, args: []string{
		"--headless", "--remote-debugging-pipe", "--user-data-dir=" + profile,
		"--no-sandbox", // for root; it only ever sees our own pages
		"--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"about:blank",
	}, env: []string{"HOME=" + profile, "XDG_CONFIG_HOME=" + profile, "XDG_CACHE_HOME=" + profile}}.start(t, theirIn, theirOut)
	theirIn.Close()
	theirOut.Close()
	go b.listen(ourIn)
	t.Cleanup(func() { ourOut.Close() })

	var target struct{ TargetID, SessionID string }
	b.call(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	var about struct{ Product string }
	b.call(t, "Browser.getVersion", nil, &about)
	_, version, _ := strings.Cut(about.Product, "/")
	results.version(name, version)
	return b
}

// listen hands out the replies until the browser ends.
func (b *browser) listen(from *os.File) {
	defer from.Close()
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var got reply
		if json.Unmarshal(text[:len(text)-1], &got) != nil || got.ID == 0 {
			continue // an event
		}
		b.mu.Lock()
		answer := b.waiting[got.ID]
		delete(b.waiting, got.ID)
		b.mu.Unlock()
		if answer != nil {
			answer <- got
		}
	}
}

// ask calls a method of the protocol.
func (b *browser) ask(method string, params map[string]any, result any) error {
	answer := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	b.mu.Unlock()
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return err
	}
	select {
	case got := <-answer:
		if got.Error != nil {
			return fmt.Errorf("%s: %s", method, got.Error.Message)
		}
		return json.Unmarshal(got.Result, result)
	case <-b.ended:
		return fmt.Errorf("%s: the browser has ended: %w", method, b.err)
	case <-time.After(running):
		return errors.New(method + ": no answer")
	}
}

func (b *browser) call(t *testing.T, method string, params map[string]any, result any) {
	t.Helper()
	require.NoError(t, b.ask(method, params, result), "%s", b.stderr)
}

// evaluate evaluates an expression in the page, waits for it if it is a
// promise, and returns its value.
func (b *browser) evaluate(t *testing.T, expression string, value any) {
	t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call(t, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &got)
	if e := got.ExceptionDetails; e != nil {
		require.FailNow(t, "the page failed", "%s %s", e.Text, e.Exception.Description)
	}
	if value != nil {
		require.NoError(t, json.Unmarshal(got.Result.Value, value), "%s", got.Result.Value)
	}
}

// visit loads a page.
func (b *browser) visit(t *testing.T, url string) {
	t.Helper()
	var loaded struct{ ErrorText string }
	b.call(t, "Page.navigate", map[string]any{"url": url}, &loaded)
	require.Empty(t, loaded.ErrorText)
	// The expression may still be evaluated by the page before.
	deadline := time.Now().Add(patience)
	for ready := false; !ready; {
		require.True(t, time.Now().Before(deadline), "the page does not load")
		b.evaluate(t, fmt.Sprintf(`location.href === %q && document.readyState === "complete" ||
			new Promise(resolve => setTimeout(resolve, 20, false))`, url), &ready)
	}
}

// kill ends the browser without a word to anybody.
func (b *browser) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, killGroup(b.cmd))
	<-b.ended
}
