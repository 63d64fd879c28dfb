package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary can be a peer, as the program can.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-peer" {
		main()
	}
	os.Exit(m.Run())
}

func TestEveryPeerEchoesEveryByte(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, benchmark([]string{"-quick", "-seconds=0.03"}, &out, testWriter{t}))
	for _, p := range peers {
		require.Contains(t, out.String(), p.name)
	}
}

func TestGeneratorMeasuresACorrectServer(t *testing.T) {
	for _, s := range []scenario{
		{binary, 1, 1, 3}, {binary, 8, 125, 2}, {text, 3, 300, 2}, {binary, 2, 300_000, 2}, {ping, 8, 125, 2}, {ping, 1, 2, 1},
	} {
		t.Run(s.String(), func(t *testing.T) {
			r, err := runAgainst(t, s, honest)
			require.NoError(t, err)
			require.Positive(t, r.MessagesPerCPUSecond)
			require.Positive(t, r.MessagesPerSecond)
			require.Positive(t, r.P50)
			require.GreaterOrEqual(t, r.P99, r.P50)
			if s.kind == ping {
				require.Equal(t, 1.0, r.PongsPerPing)
			}
		})
	}
}

func TestPongsMayBeLeftOutButTheLast(t *testing.T) {
	// The answers of a batch of 8 arrive as 2 pongs.
	r, err := runAgainst(t, scenario{ping, 8, 20, 2}, func(n int, answer []byte) []byte {
		if n%8 == 3 || n%8 == 7 {
			return answer
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 0.25, r.PongsPerPing)
}

// An alteration changes the answer to message n of a connection; nil closes nothing
// and sends nothing.
type alteration func(n int, answer []byte) []byte

func honest(_ int, answer []byte) []byte { return answer }

// Every server is right for a while, so that it is the measured stream that goes wrong.
const wrongAt = 9

func at(spoil func([]byte) []byte) alteration {
	return func(n int, answer []byte) []byte {
		if n == wrongAt {
			return spoil(answer)
		}
		return answer
	}
}

func swapping() alteration {
	var held []byte
	return func(n int, answer []byte) []byte {
		switch n {
		case wrongAt:
			held = bytes.Clone(answer)
			return nil
		case wrongAt + 1:
			return append(bytes.Clone(answer), held...)
		}
		return answer
	}
}

func TestABrokenServerHasNoFigure(t *testing.T) {
	drop := func([]byte) []byte { return nil }
	corruptAt := func(i int) func([]byte) []byte {
		return func(a []byte) []byte {
			a = bytes.Clone(a)
			a[(i+len(a))%len(a)] ^= 0x40
			return a
		}
	}
	twice := func(a []byte) []byte { return append(bytes.Clone(a), a...) }
	shorter := func(a []byte) []byte {
		a = bytes.Clone(a[:len(a)-1])
		a[1]--
		return a
	}
	fragments := func(a []byte) []byte {
		a = bytes.Clone(a)
		a[0] &^= 0x80
		return append(a, 0x80, 0)
	}
	prefixed := func(a []byte) []byte { return append([]byte{0x89, 0}, a...) }
	cases := []struct {
		name     string
		change   func() alteration
		says     string
		dataOnly bool // of pongs, some may be missing; see TestPongsMustBeTheRightOnes
	}{
		{name: "drops a message", change: func() alteration { return at(drop) }, dataOnly: true},
		{name: "swaps two messages", change: swapping, dataOnly: true},
		{name: "corrupts the first byte", change: func() alteration { return at(corruptAt(0)) }},
		{name: "corrupts the last byte", change: func() alteration { return at(corruptAt(-1)) }, says: "wrong"},
		{name: "cuts a byte off the stream", change: func() alteration { return at(func(a []byte) []byte { return a[:len(a)-1] }) }},
		{name: "truncates a message", change: func() alteration { return at(shorter) }},
		{name: "answers twice", change: func() alteration { return at(twice) }},
		{name: "fragments", change: func() alteration { return at(fragments) }},
		{name: "sends a ping", change: func() alteration { return at(prefixed) }},
		{name: "closes", change: func() alteration { return at(func([]byte) []byte { return []byte{} }) }, says: "closed"},
	}
	for _, c := range cases {
		for _, s := range []scenario{{binary, 4, 20, 1}, {binary, 1, 20, 1}, {ping, 4, 20, 1}} {
			if s.kind == ping && c.dataOnly {
				continue
			}
			t.Run(c.name+" "+s.String(), func(t *testing.T) {
				t.Parallel()
				r, err := runAgainst(t, s, c.change())
				require.Error(t, err)
				require.ErrorContains(t, err, c.says)
				require.Zero(t, r)
			})
		}
	}
}

func TestPongsMustBeTheRightOnes(t *testing.T) {
	s := scenario{ping, 4, 20, 1}
	var held []byte
	for name, change := range map[string]alteration{
		"the last is missing": func(n int, a []byte) []byte {
			if n%4 == 3 {
				return nil
			}
			return a
		},
		"the first comes last": func(n int, a []byte) []byte {
			switch n % 4 {
			case 0:
				held = bytes.Clone(a)
				return nil
			case 1:
				return append(bytes.Clone(a), held...)
			}
			return a
		},
		"one comes after the last": func(n int, a []byte) []byte {
			switch n % 4 {
			case 2:
				held = bytes.Clone(a)
				return nil
			case 3:
				return append(bytes.Clone(a), held...)
			}
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runAgainst(t, s, change)
			require.Error(t, err)
		})
	}
}

func TestWhatComesAfterTheLastAnswerCounts(t *testing.T) {
	run := func(after func(net.Conn)) error {
		// A connection is quiet only once the generator has stopped asking.
		_, err := serveAndRun(t, testLoad(scenario{binary, 1, 20, 2}), honest, after)
		return err
	}
	require.NoError(t, run(nil))
	require.ErrorContains(t, run(func(nc net.Conn) { _, _ = nc.Write([]byte{0x8a, 0}) }), "nobody asked for")
	require.ErrorContains(t, run(func(nc net.Conn) { _ = nc.Close() }), "closed")
}

func TestAServerThatStopsAnsweringIsNotWaitedFor(t *testing.T) {
	l := testLoad(scenario{binary, 4, 20, 2})
	l.measure, l.stall = 20*time.Second, 50*time.Millisecond
	_, err := serveAndRun(t, l, func(n int, a []byte) []byte {
		if n > wrongAt {
			return nil
		}
		return a
	}, nil)
	require.ErrorContains(t, err, "stall")
}

func TestAnswersMissingAtTheEndAreAnError(t *testing.T) {
	g := testLoad(scenario{binary, 1, 20, 2})
	began := time.Now()
	mute := func(n int, a []byte) []byte {
		if time.Since(began) > g.warmup+g.measure/2 {
			return nil
		}
		return a
	}
	g.stall = time.Minute
	_, err := serveAndRun(t, g, mute, nil)
	require.ErrorContains(t, err, "answers are missing on 2 connections")
}

func TestTheHandshakeIsChecked(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":        "HTTP/1.1 403 Forbidden\r\n\r\n",
		"wrong accept":   "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		"no HTTP":        "hello\r\n\r\n",
		"ends too early": "HTTP/1.1 101 Switching",
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			go func() {
				defer server.Close()
				if _, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
					_, _ = io.WriteString(server, answer)
				}
			}()
			require.ErrorContains(t, upgrade(client, "h", time.Now().Add(5*time.Second)), "handshake")
		})
	}
}

func TestAPeerThatCannotStartSaysWhy(t *testing.T) {
	cpus, err := allowedCPUs()
	require.NoError(t, err)
	_, err = startChild("nobody", cpus[0])
	require.ErrorContains(t, err, `no peer "nobody"`)
}

func testLoad(s scenario) load {
	return load{
		scenario: s,
		warmup:   5 * time.Millisecond, measure: 50 * time.Millisecond,
		stall: 150 * time.Millisecond, drain: 150 * time.Millisecond, silence: 60 * time.Millisecond,
		serverCPU: func() (time.Duration, error) { return processCPU(os.Getpid()) },
	}
}

func runAgainst(t *testing.T, s scenario, change alteration) (result, error) {
	return serveAndRun(t, testLoad(s), change, nil)
}

func serveAndRun(t *testing.T, l load, change alteration, whenQuiet func(net.Conn)) (result, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go brokenEcho(nc, change, whenQuiet)
		}
	}()
	l.addr = ln.Addr().String()
	return l.run()
}

// brokenEcho is an echo server as small as can be, whose answers pass through
// change; an empty one that is not nil closes. When nothing was asked for 20 ms,
// whenQuiet is called.
func brokenEcho(nc net.Conn, change alteration, whenQuiet func(net.Conn)) {
	defer nc.Close()
	br := bufio.NewReader(nc)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptOf(r.Header.Get("Sec-WebSocket-Key")))
	for n := 0; ; n++ {
		if whenQuiet != nil {
			_ = nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}
		answer, err := readAndAnswer(br)
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() && whenQuiet != nil {
				whenQuiet(nc)
				_ = nc.SetReadDeadline(time.Time{})
				_, _ = br.ReadByte()
			}
			return
		}
		answer = change(n, answer)
		if answer != nil && len(answer) == 0 {
			return
		}
		if _, err := nc.Write(answer); err != nil {
			return
		}
	}
}

func readAndAnswer(br *bufio.Reader) ([]byte, error) {
	var h [14]byte
	if _, err := io.ReadFull(br, h[:2]); err != nil {
		return nil, err
	}
	n, more := int(h[1]&0x7f), 4
	switch n {
	case 126:
		more = 6
	case 127:
		more = 12
	}
	if _, err := io.ReadFull(br, h[2:2+more]); err != nil {
		return nil, err
	}
	if more > 4 {
		n = 0
		for _, b := range h[2 : more-2] {
			n = n<<8 | int(b)
		}
	}
	key := h[more-2 : more+2]
	op := h[0] & 15
	if op == opPing {
		op = opPong
	}
	answer := appendHeader(nil, op, n, false)
	start := len(answer)
	answer = append(answer, make([]byte, n)...)
	if _, err := io.ReadFull(br, answer[start:]); err != nil {
		return nil, err
	}
	for i := range answer[start:] {
		answer[start+i] ^= key[i&3]
	}
	return answer, nil
}
