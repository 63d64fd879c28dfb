package interop

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/frame"
	"github.com/wirebeat/wirebeat/interop/catalogue"
)

const curlName = "curl"

// curlTime is how long curl stays: it goes on until the server is gone.
const curlTime = "2"

// The program, unlike its library, only listens: it writes what it gets and
// answers pings, but neither sends a message nor answers a Close frame.
func TestCurlUnderstandsOurServer(t *testing.T) {
	t.Parallel()
	path, err := find("curl")
	if err != nil {
		unavailable(t, curlName, err)
	}
	curl := command{path: path}
	about, err := curl.with("--version").run(t.Context())
	require.NoError(t, err)
	version, _, _ := strings.Cut(strings.TrimPrefix(about, "curl "), " ")
	if !strings.Contains(about, " ws ") {
		// Also in CI: this is how its maker built it.
		why := "curl " + version + " of this machine is built without WebSocket"
		results.skip(curlName, why)
		t.Skip(why)
	}
	results.version(curlName, version)
	for _, entry := range entries {
		t.Run(entry, func(t *testing.T) {
			s := serveSubject(t, entry, nil)
			cases := s.cases()
			failed := make([]error, len(cases))
			var all sync.WaitGroup
			for i := range cases {
				if curlCannot(&cases[i]) == "" {
					all.Go(func() { failed[i] = s.askCurl(curl, &cases[i]) })
				}
			}
			all.Wait()
			for i, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					how := cell{peer: curlName, direction: ourServer, entry: entry, name: c.Name, err: failed[i], cannot: curlCannot(&c)}
					results.add(how)
					require.NoError(t, how.err)
					if how.cannot != "" {
						t.Skip(how.cannot)
					}
				})
			}
		})
	}
}

func curlCannot(c *catalogue.Case) string {
	switch c.Verb {
	case catalogue.Pinged, catalogue.Closed, catalogue.Lost, catalogue.Refused:
		return ""
	}
	return "the program sends neither messages nor pings, and no Close frame"
}

// askCurl runs a case and checks what both ends saw.
func (s *subject) askCurl(curl command, c *catalogue.Case) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c.Origin != "" {
		curl = curl.with("--header", "Origin: "+c.Origin)
	}
	out, err := curl.with("--silent", "--show-error", "--noproxy", "*", "--no-buffer", "--max-time", curlTime, c.URL).run(ctx)
	want := ""
	switch c.Verb {
	case catalogue.Refused:
		if err == nil || !strings.Contains(err.Error(), "403") {
			return fmt.Errorf("curl told no 403: %w", err)
		}
		return s.refused(c)
	case catalogue.Lost:
		if err == nil {
			return errors.New("curl told no error")
		}
	case catalogue.Pinged:
		want = "pinged"
	case catalogue.Closed:
		if c.Code != 0 {
			want = string(binary.BigEndian.AppendUint16(nil, uint16(c.Code))) + c.Reason
		}
	}
	if out != want {
		return fmt.Errorf("curl wrote %q, not %q", out, want)
	}
	return s.afterCurl(c)
}

// afterCurl checks what the server saw: curl ends without a Close frame.
func (s *subject) afterCurl(c *catalogue.Case) error {
	v := s.view(c.Name)
	select {
	case <-v.done:
	case <-time.After(patience):
		return errors.New("the server saw no end of it")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var end *conn.CloseError
	errors.As(v.end, &end)
	want := conn.CloseCode(frame.CloseAbnormal)
	if c.Verb == catalogue.Closed {
		want = conn.CloseCode(c.Told())
	}
	return errors.Join(v.sendErr, ponged(c, v),
		differ("connections", v.opened, 1), differ("end", end.Code, want), differ("reason", end.Reason, c.Reason))
}
