package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"time"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

const (
	minInterval = time.Millisecond // between pings
	pingGoodbye = time.Second      // for the closing handshake
)

const aboutPing = `Measures the round trip to a WebSocket server, like ping(8): a line for each
pong, and a summary at the end. Pings leave on time even if those before have
no answer yet, up to 16 of them; while 16 have none, no other is sent.

A pong speaks for the pings before its own as well, if those have none: their
lines say so and have a bound instead of a time. An empty pong is accepted,
and said to be empty, while a single ping is out.

Exit code: 0 if a pong came, 1 if none did or the connection failed or ended
before its time, 2 for a command line that makes no sense.`

// pingConfig is the command line of ping.
type pingConfig struct {
	url            string
	count, size    int
	interval, wait time.Duration
}

func parsePing(args []string, stdout, stderr io.Writer) (*pingConfig, error) {
	c := &pingConfig{interval: time.Second, wait: 10 * time.Second}
	f := newFlags("ping URL [flags]", aboutPing, stdout, stderr)
	f.IntVar(&c.count, "c", 0, "how `many` pings to send; 0 = until interrupted")
	f.Var((*period)(&c.interval), "i", "`time` from one ping to the next: 200ms, or 0.2 for as many seconds")
	f.IntVar(&c.size, "s", control.MinPing, "size of a ping's payload in `bytes`, 8 to 125")
	f.Var((*period)(&c.wait), "W", "`time` to wait for a pong before its ping counts as lost")
	arguments, err := f.parse(args, "URL")
	if err != nil {
		return nil, err
	}
	c.url = arguments[0]
	switch {
	case c.count < 0:
		return nil, misuse("-c must not be negative")
	case c.interval < minInterval:
		return nil, misuse("-i must be at least %v", minInterval)
	case c.size < control.MinPing || c.size > control.MaxPing:
		return nil, misuse("-s must be at least %d bytes, by which a pong is recognised, and at most %d, which a ping can hold",
			control.MinPing, control.MaxPing)
	case c.wait <= 0:
		return nil, misuse("-W must be more than 0")
	}
	return c, nil
}

func ping(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg, err := parsePing(args, stdout, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	c, err := open(ctx, cfg.url, client.Options{Conn: conn.Options{
		PingSize:     cfg.size,
		PingInterval: -1, // there are pings enough, and -W says what they mean
		PingTimeout:  -1,
		CloseTimeout: pingGoodbye,
		MaxMessage:   -1, // what the server has to say is not kept
		MaxFragments: -1,
		MaxEmpty:     -1,
	}})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	p := &pinger{pingConfig: *cfg, conn: c, stdout: stdout, stderr: stderr, answers: make(chan answer)}
	fmt.Fprintf(stdout, "PING %s (%v): %d bytes, connected in %s ms\n", p.name(), c.RemoteAddr(), p.size, milliseconds(time.Since(began)))
	go discard(c)
	err = p.run(ctx)
	if err != nil {
		complain(stderr, err)
	}
	p.summary()
	c.Close(context.Background(), frame.CloseNormal, "")
	if err != nil || p.received == 0 {
		return errFailed
	}
	return nil
}

// discard passes over the messages of a server that sends some: pongs come
// behind them.
func discard(c *conn.Conn) {
	for {
		_, message, err := c.Reader(context.Background())
		if err != nil {
			return
		}
		io.Copy(io.Discard, message) // the next Reader has the error as well
	}
}

// pinger is a ping that runs.
type pinger struct {
	pingConfig
	conn           *conn.Conn
	stdout, stderr io.Writer
	answers        chan answer

	began    time.Time
	seq      int // of the last ping
	waiting  int // how many have neither a pong nor given up
	unsent   int // because too many had no pong
	stuck    bool
	received int
	bounded  int // how many of those are known by a later pong only
	rtts     spread
}

// answer is what became of a ping.
type answer struct {
	seq  int
	pong control.Pong
	err  error
}

// run pings until all is done, ctx ends, or the connection does, which is an
// error.
func (p *pinger) run(ctx context.Context) (err error) {
	pinging, cancel := context.WithCancel(ctx)
	p.began = time.Now()
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	p.send(pinging)
	for err == nil && (!p.sentAll() || p.waiting > 0) && ctx.Err() == nil {
		due := ticker.C
		if p.sentAll() {
			due = nil
		}
		select {
		case <-due:
			p.send(pinging)
		case a := <-p.answers:
			p.note(a)
		case <-p.conn.Done():
			err = p.conn.Err()
		case <-ctx.Done():
		}
	}
	cancel()
	for p.waiting > 0 {
		p.note(<-p.answers)
	}
	return err
}

func (p *pinger) sentAll() bool { return p.count > 0 && p.seq >= p.count }

// send sends one ping and waits for its pong in the background.
func (p *pinger) send(ctx context.Context) {
	p.seq++
	p.waiting++
	seq := p.seq
	go func() {
		ctx, cancel := context.WithTimeout(ctx, p.wait)
		defer cancel()
		pong, err := p.conn.Ping(ctx)
		p.answers <- answer{seq, pong, err}
	}()
}

func (p *pinger) note(a answer) {
	p.waiting--
	if errors.Is(a.err, conn.ErrPings) {
		p.unsent++
		if !p.stuck {
			p.stuck = true
			complain(p.stderr, fmt.Errorf("%d pings have no answer; no other is sent until one has", control.MaxProbes))
		}
	}
	if a.err != nil {
		return // it is lost, and the summary says so
	}
	p.received++
	p.stuck = false
	size, time, remark := p.size, "="+milliseconds(a.pong.RTT), ""
	switch {
	case a.pong.Empty:
		size, remark = 0, " (empty payload)"
	case !a.pong.Exact:
		p.bounded++
		time, remark = "<"+milliseconds(a.pong.RTT), " (answered by the pong of a later ping)"
	}
	if a.pong.Exact || a.pong.Empty {
		p.rtts.add(float64(a.pong.RTT) / 1e6)
	}
	fmt.Fprintf(p.stdout, "%d bytes from %v: seq=%d time%s ms%s\n", size, p.conn.RemoteAddr(), a.seq, time, remark)
}

func (p *pinger) summary() {
	sent := p.seq - p.unsent
	fmt.Fprintf(p.stdout, "\n--- %s ping statistics ---\n%d pings sent, %d received", p.name(), sent, p.received)
	if sent > 0 {
		fmt.Fprintf(p.stdout, ", %.6g%% loss", 100*float64(sent-p.received)/float64(sent))
	}
	fmt.Fprintf(p.stdout, ", time %d ms\n", time.Since(p.began).Milliseconds())
	if p.bounded > 0 {
		fmt.Fprintf(p.stdout, "%d answered by the pong of a later ping, and not in the times below\n", p.bounded)
	}
	if p.unsent > 0 {
		fmt.Fprintf(p.stdout, "%d not sent, as %d had no answer\n", p.unsent, control.MaxProbes)
	}
	if r := &p.rtts; r.n > 0 {
		fmt.Fprintf(p.stdout, "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", r.min, r.mean, r.max, r.deviation())
	}
}

// name is the URL without its password.
func (p *pinger) name() string {
	if u, err := url.Parse(p.url); err == nil {
		return u.Redacted()
	}
	return p.url
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/1e6) }

// spread is a series of numbers, by Welford's method.
type spread struct {
	n              int
	min, max, mean float64
	squares        float64 // of the distances from the mean, added up
}

func (s *spread) add(x float64) {
	s.n++
	if s.n == 1 {
		s.min, s.max = x, x
	}
	s.min, s.max = min(s.min, x), max(s.max, x)
	d := x - s.mean
	s.mean += d / float64(s.n)
	s.squares += d * (x - s.mean)
}

// deviation is the standard deviation, which ping(8) calls mdev.
func (s *spread) deviation() float64 { return math.Sqrt(s.squares / float64(s.n)) }
