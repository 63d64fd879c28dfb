package interop

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wirePeer is a client of raw TCP that answers pings until it is told to stop.
type wirePeer struct {
	net.Conn
	r       *bufio.Reader
	resumed chan struct{} // gets a value when it is to go on
}

// join connects one.
func join(t *testing.T, host string) *wirePeer {
	t.Helper()
	nc, err := net.Dial("tcp", host)
	require.NoError(t, err)
	p := &wirePeer{Conn: nc, r: bufio.NewReader(nc), resumed: make(chan struct{})}
	_, err = io.WriteString(nc, "GET /real HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(p.r, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.run()
	}()
	t.Cleanup(func() {
		close(p.resumed)
		nc.Close()
		<-ended
	})
	return p
}

// run answers pings, which are all that comes.
func (p *wirePeer) run() {
	for {
		b, err := p.r.Peek(2)
		if err == nil {
			b, err = p.r.Peek(2 + int(b[1]))
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // it is stalled
			if _, ok := <-p.resumed; !ok {
				return
			}
			p.SetReadDeadline(time.Time{})
			continue
		}
		if err != nil || b[0] != 0x89 {
			return
		}
		pong := append([]byte{0x8a, 0x80 | b[1], 0, 0, 0, 0}, b[2:]...) // masked with zeros
		p.r.Discard(len(b))
		if _, err := p.Write(pong); err != nil {
			return
		}
	}
}

// stall has the peer neither read nor answer.
func (p *wirePeer) stall(t *testing.T) {
	t.Helper()
	require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
}

func (p *wirePeer) resume() { p.resumed <- struct{}{} }

func (p *wirePeer) name() string { return p.LocalAddr().String() }

// rowSeen is what a row of the table says.
type rowSeen struct {
	State, Why, About, RTT, Smoothed string
	Missed, Coalesced, Heard         string
	Points                           int
	Strip, Buttons                   []string
}

// awaitState waits until a peer is in a state as far as the page shows.
func (b *browser) awaitState(t *testing.T, remote, state string) (row rowSeen) {
	t.Helper()
	b.evaluate(t, fmt.Sprintf("eye.state(%q, %q)", remote, state), &row)
	return row
}

// transitions returns those of a peer, a line each, once there are as many.
func (b *browser) transitions(t *testing.T, remote string, many int) (lines string) {
	t.Helper()
	b.evaluate(t, fmt.Sprintf("eye.until(() => { const all = eye.transitions(%q); return all.length >= %d && all.join('\\n') })", remote, many), &lines)
	return lines
}

// demo adds a demo peer and returns its address.
func (b *browser) demo(t *testing.T) (remote string) {
	t.Helper()
	b.evaluate(t, "eye.demo()", &remote)
	return remote
}

func (b *browser) press(t *testing.T, remote, button string) {
	t.Helper()
	b.evaluate(t, fmt.Sprintf("eye.press(%q, %q)", remote, button), nil)
}

// screenshot leaves a picture of the page as it looks with a width and a colour
// scheme, where WIREBEAT_SCREENSHOTS says.
func (b *browser) screenshot(t *testing.T, name string, width, height int, scheme string) {
	t.Helper()
	var nothing struct{}
	b.call(t, "Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600}, &nothing)
	b.call(t, "Emulation.setEmulatedMedia",
		map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, &nothing)
	b.evaluate(t, "new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve())))", nil)
	var wide []string
	b.evaluate(t, "eye.tooWide()", &wide)
	require.Empty(t, wide, "at %d", width)

	var picture struct{ Data string }
	b.call(t, "Page.captureScreenshot", map[string]any{"format": "png"}, &picture)
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	require.NoError(t, err)
	size, err := png.DecodeConfig(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, 2*width, size.Width)
	dir := os.Getenv("WIREBEAT_SCREENSHOTS")
	if dir == "" {
		dir = t.ArtifactDir()
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	path := filepath.Join(dir, name+".png")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	t.Log(path)
}

// The peers are real ones that stop reading and answering. No other test runs
// meanwhile: a suspect is one for a second and a half only.
func TestThePageShowsPeersFallSilentRecoverAndDie(t *testing.T) {
	b := startBrowser(t, pageName)
	path, err := wirebeat()
	if err != nil {
		unavailable(t, pageName, err)
	}
	serve := command{
		path: path,
		args: []string{"serve", "--listen", "127.0.0.1:0", "--ping-interval", "500ms", "--ping-timeout", "2s"},
	}.start(t)
	address, err := url.Parse(strings.TrimPrefix(serve.line(t), "listening on "))
	require.NoError(t, err)
	address.Scheme = "http"
	b.visit(t, address.String())
	eye, err := os.ReadFile("liveness_page.js")
	require.NoError(t, err)
	b.evaluate(t, string(eye), nil)
	b.evaluate(t, "document.getElementById('connect').click()", nil)

	steady, dying, late := join(t, address.Host), join(t, address.Host), join(t, address.Host)
	demos := []string{b.demo(t), b.demo(t), b.demo(t)}
	for _, remote := range append([]string{steady.name(), dying.name(), late.name()}, demos...) {
		var row rowSeen
		b.evaluate(t, fmt.Sprintf("eye.until(() => eye.read(%q)?.points >= 4 && eye.read(%[1]q))", remote), &row)
		require.Contains(t, []string{"alive", "probing"}, row.State)
		require.Regexp(t, `^[\d.]+ (µs|ms)$`, row.RTT)
		require.Regexp(t, `^smoothed [\d.]+ (µs|ms)$`, row.Smoothed)
		require.Equal(t, "0", row.Missed)
		require.Equal(t, "0", row.Coalesced)
	}

	dying.stall(t)
	late.stall(t)
	row := b.awaitState(t, late.name(), "suspect")
	late.resume()
	require.Regexp(t, `^[\d.]+ s ago$`, row.Heard)
	require.NotEqual(t, "0", row.Missed)
	row = b.awaitState(t, dying.name(), "suspect")
	require.Equal(t, []string{"Close"}, row.Buttons)
	b.awaitState(t, late.name(), "alive")
	row = b.awaitState(t, dying.name(), "dead")
	died := time.Now()
	require.Regexp(t, `^peer stalled\n\d+(\.\d)? s of silence$`, row.Why)
	require.Regexp(t, `^[\d.]+ (µs|ms)$`, row.RTT, "it is still known")
	require.NotEqual(t, "0", row.Missed)
	require.Empty(t, row.Buttons)
	require.Equal(t, "dead", row.Strip[len(row.Strip)-1])
	require.Contains(t, row.Strip, "suspect")

	// A machine under load makes more suspects, which recover.
	require.Regexp(t, `suspect: nothing for \d\.\d s\ndead: peer stalled: nothing for \d+(\.\d)? s, [1-9]\d* missed$`, b.transitions(t, dying.name(), 2))
	require.Regexp(t, `suspect: nothing for \d\.\d s\nrecovered: after \d\.\d s`, b.transitions(t, late.name(), 2))

	b.press(t, demos[0], "Stall")
	row = b.awaitState(t, demos[0], "suspect")
	require.Equal(t, "demo peer, stalled", row.About)
	require.Equal(t, []string{"Resume", "Cut"}, row.Buttons)
	b.screenshot(t, "liveness-light", 1280, 860, "light")
	b.awaitState(t, demos[0], "dead")

	b.press(t, demos[1], "Stall")
	b.awaitState(t, demos[1], "suspect")
	b.press(t, demos[1], "Resume")
	b.awaitState(t, demos[1], "alive")
	require.Regexp(t, `suspect: .*\nrecovered: `, b.transitions(t, demos[1], 2))

	b.press(t, demos[2], "Cut")
	row = b.awaitState(t, demos[2], "closed")
	require.Contains(t, row.Why, "1006")
	var focused string
	b.evaluate(t, "document.activeElement.id", &focused)
	require.Equal(t, "demo", focused, "the keyboard has a place though its button is gone")

	b.press(t, demos[1], "Stall")
	b.awaitState(t, demos[1], "suspect")
	b.screenshot(t, "liveness-dark", 1280, 860, "dark")
	b.screenshot(t, "liveness-phone-light", 390, 844, "light")
	b.screenshot(t, "liveness-phone-dark", 390, 844, "dark")

	b.press(t, steady.name(), "Close")
	b.awaitState(t, steady.name(), "closing") // it does not answer the Close frame

	b.evaluate(t, fmt.Sprintf("eye.until(() => !eye.row(%q))", dying.name()), nil)
	require.Less(t, 9*time.Second, time.Since(died), "the dead are shown for a while")

	require.NoError(t, serve.cmd.Process.Signal(syscall.SIGTERM))
	b.evaluate(t, "eye.until(() => /does not answer/.test(document.getElementById('peers-problem').textContent))", nil)
}
