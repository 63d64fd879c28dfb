package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/frame"
)

func TestServeEndsAtOnceThoughDemoPeersAreStalled(t *testing.T) {
	s := start(t)
	for i := range 3 {
		id := demoOf(t, s.addr)
		if i < 2 {
			tellDemo(t, s.addr, "stall", id)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	began := time.Now()
	require.Zero(t, s.end(t))
	require.Less(t, time.Since(began), 3*time.Second)
	require.Empty(t, s.stderr.String())
}

func TestDemoPeersSpeakTLSToAServerOfTLS(t *testing.T) {
	cert, key := certificate(t)
	s := start(t, "--tls-cert", cert, "--tls-key", key)
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer browser.CloseIdleConnections()
	ask := func(method, target string) (body string) {
		r, err := http.NewRequestWithContext(pageContext(t), method, "https://"+s.addr+target, nil)
		require.NoError(t, err)
		resp, err := browser.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", b)
		return string(b)
	}
	state := func() (row peerRow) {
		var l listing
		require.NoError(t, json.Unmarshal([]byte(ask("GET", "/api/peers")), &l))
		require.Len(t, l.Peers, 1)
		return l.Peers[0]
	}
	ask("POST", "/api/demo")
	require.Equal(t, "running", state().Demo)
	for range 3 { // the TLS connection outlives the deadlines
		ask("POST", "/api/stall?peer=1")
		ask("POST", "/api/resume?peer=1")
	}
	require.Eventually(t, func() bool { return state().RTT > 0 }, pagePatience, 10*time.Millisecond, "it answers the first ping")
	ask("POST", "/api/cut?peer=1")
	require.Eventually(t, func() bool { return state().State == "closed" }, pagePatience, 10*time.Millisecond)
}

func TestDemoPeersNeedATCPListener(t *testing.T) {
	p := newPage()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/api/demo", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	p.ServeHTTP(w, r)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Contains(t, w.Body.String(), "over TCP only")
	require.Empty(t, p.demos)
}

func TestNoDemoPeerBeginsAtShutdown(t *testing.T) {
	p, addr, _ := pageServer(t)
	p.releaseDemos()
	got := askPage(t, "POST", addr, "/api/demo")
	require.Equal(t, http.StatusConflict, got.Status)
	require.Contains(t, got.Error, "shutting down")
}

// A demo peer and its other end.
func demoPair(t *testing.T) (d *demoPeer, far *peer, ended chan struct{}) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			http.ReadRequest(bufio.NewReader(nc))
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			accepted <- nc
		}
	}()
	d = &demoPeer{opened: make(chan uint64, 1)}
	require.NoError(t, d.dial(t.Context(), ln.Addr().(*net.TCPAddr), false))
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		d.run()
	}()
	t.Cleanup(func() {
		d.cut()
		<-ended
	})
	return d, talk(t, <-accepted), ended
}

func bare(opcode frame.Opcode, payload string) string {
	return string(append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: opcode, Length: uint64(len(payload))}), payload...))
}

func TestDemoPeerAnswersPingsOnly(t *testing.T) {
	d, far, ended := demoPair(t)
	longest := strings.Repeat("p", 125)
	sent := bare(frame.Ping, "") + bare(frame.Text, "ignored") + bare(frame.Pong, "too") + bare(frame.Ping, "a") +
		bare(frame.Binary, strings.Repeat("x", 1000)) + bare(frame.Ping, longest)
	for i := range sent { // however it comes
		far.send(sent[i : i+1])
	}
	for _, payload := range []string{"", "a", longest} {
		h, got, err := far.read()
		require.NoError(t, err)
		require.Equal(t, frame.Header{Fin: true, Opcode: frame.Pong, Masked: true, Key: h.Key, Length: uint64(len(payload))}, h)
		require.Equal(t, payload, got)
	}

	d.stall()
	require.Equal(t, "stalled", d.doing())
	far.send(bare(frame.Ping, "later")[:3])
	far.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := far.r.ReadByte()
	require.ErrorContains(t, err, "timeout")
	far.nc.SetReadDeadline(time.Now().Add(patience))
	d.resume()
	far.send(bare(frame.Ping, "later")[3:])
	_, got, err := far.read()
	require.NoError(t, err)
	require.Equal(t, "later", got)

	far.send(bare(frame.Close, "\x03\xe9"))
	h, got, err := far.read()
	require.NoError(t, err)
	require.Equal(t, frame.Close, h.Opcode)
	require.Equal(t, "\x03\xe9", got)
	far.nc.Close()
	<-ended
	d.stall()
	d.cut()
	d.cut()
	d.resume()
}

func TestDemoPeerEndsWhenItDoesNotUnderstand(t *testing.T) {
	for name, sent := range map[string]string{
		"a large frame":   bare(frame.Binary, strings.Repeat("x", 5000)),
		"a huge frame":    "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
		"a length no one": "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			_, far, ended := demoPair(t)
			far.nc.Write([]byte(sent))
			<-ended
		})
	}
}

func TestDemoPeerIsRefused(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	d := &demoPeer{}
	err := d.dial(t.Context(), refusing.Listener.Addr().(*net.TCPAddr), false)
	require.ErrorContains(t, err, "404")
	refusing.Close()
	require.Error(t, d.dial(t.Context(), refusing.Listener.Addr().(*net.TCPAddr), false))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, d.dial(ctx, refusing.Listener.Addr().(*net.TCPAddr), false), context.Canceled)
}
