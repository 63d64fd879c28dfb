package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wirebeat/wirebeat/conn"
	"github.com/wirebeat/wirebeat/server"
)

// fakeEnv makes the test binary play wstest; its value says how.
const fakeEnv = "WIREBEAT_FAKE_WSTEST"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakeEnv); how != "" {
		os.Exit(fakeWstest(how))
	}
	os.Exit(m.Run())
}

func fakeWstest(how string) int {
	if len(os.Args) == 2 && os.Args[1] == "-a" {
		fmt.Println("Fake 1.0")
		return 0
	}
	b, err := os.ReadFile(os.Args[4])
	if err != nil {
		return 3
	}
	if how == "hangs" {
		signal.Ignore(syscall.SIGTERM)
	}
	fmt.Println("running", how)
	switch how {
	case "dies":
		fmt.Println("Traceback: no module named twisted")
		return 1
	case "hangs", "waits":
		time.Sleep(time.Minute)
	}
	if os.Args[2] == "fuzzingserver" {
		return fakeFuzzingServer(how, b)
	}
	return fakeFuzzingClient(how, b)
}

func fakeFuzzingClient(how string, b []byte) int {
	var spec clientSpec
	if json.Unmarshal(b, &spec) != nil {
		return 3
	}
	rep := report{}
	for _, s := range spec.Servers {
		rep[s.Agent] = map[string]caseResult{}
		for _, id := range spec.Cases {
			rep[s.Agent][id] = caseResult{Behavior: OK, BehaviorClose: OK, DurationMS: 1}
		}
	}
	switch how {
	case "silent": // ends well without a report
		return 0
	case "short":
		delete(rep[spec.Servers[0].Agent], spec.Cases[0])
	case "absent":
		delete(rep, spec.Servers[0].Agent)
	}
	return writeIndex(spec.Outdir, rep)
}

func writeIndex(dir string, rep report) int {
	out, _ := json.Marshal(rep)
	if os.WriteFile(filepath.Join(dir, indexFile), out, 0o600) != nil {
		return 3
	}
	return 0
}

// fakeFuzzingServer never ends well: like the real one it has to be ended.
func fakeFuzzingServer(how string, b []byte) int {
	f := fuzzer{how: how, rep: report{}}
	if json.Unmarshal(b, &f.spec) != nil {
		return 3
	}
	u, err := url.Parse(f.spec.URL)
	if err != nil {
		return 3
	}
	// The first start, or each, finds its port taken. The directory is that of the run.
	starts, _ := os.ReadFile("starts")
	if os.WriteFile("starts", append(starts, '.'), 0o600) != nil {
		return 3
	}
	if how == "taken" || how == "taken once" && len(starts) == 0 {
		fmt.Println("twisted.internet.error.CannotListenError: Couldn't listen on any:", u.Port())
		return 1
	}
	ln, err := net.Listen("tcp", u.Host)
	if err != nil {
		fmt.Println("CannotListenError", err) // it happens to the fake as well
		return 1
	}
	fmt.Println(http.Serve(ln, &f))
	return 3
}

// fuzzer gives each case one message and wants it back.
type fuzzer struct {
	how  string
	spec serverSpec
	mu   sync.Mutex
	rep  report
}

func (f *fuzzer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	agent := r.FormValue("agent")
	n, _ := strconv.Atoi(r.FormValue("case"))
	if r.URL.Path == "/runCase" {
		switch {
		case n < 1 || n > len(f.spec.Cases), f.how == "refuses" && n == 3:
			http.Error(w, "no such case", http.StatusServiceUnavailable)
			return
		case f.how == "crashes" && n == 5:
			fmt.Println("Traceback: out of memory")
			os.Exit(1)
		case f.how == "leaves" && n == 5:
			os.Exit(0)
		}
	}
	c, err := server.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := context.Background()
	switch r.URL.Path {
	case "/getCaseCount":
		count := len(f.spec.Cases)
		if f.how == "miscounts" {
			count--
		}
		_ = c.Write(ctx, conn.Text, []byte(strconv.Itoa(count)))
	case "/runCase":
		f.runCase(ctx, c, agent, f.spec.Cases[n-1], n)
	case "/updateReports":
		if f.how != "silent" {
			f.mu.Lock()
			writeIndex(f.spec.Outdir, f.rep)
			f.mu.Unlock()
		}
	}
	_ = c.Close(ctx, 1000, "")
}

func (f *fuzzer) runCase(ctx context.Context, c *conn.Conn, agent, id string, n int) {
	if f.how == "stalls" && n == 4 {
		<-c.Done() // no message, no Close
	}
	result := caseResult{Behavior: Failed, BehaviorClose: OK, DurationMS: 1}
	sent := "case " + id
	if c.Write(ctx, conn.Text, []byte(sent)) == nil {
		if _, got, err := c.ReadMessage(ctx); err == nil && string(got) == sent {
			result.Behavior = OK
		}
	}
	if f.how == "objects" && n == 2 {
		result.BehaviorClose = Unclean
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rep[agent] == nil {
		f.rep[agent] = map[string]caseResult{}
	}
	f.rep[agent][id] = result
}
