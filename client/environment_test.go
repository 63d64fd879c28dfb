package client_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

// childURL is the variable that makes this program dial and do nothing else:
// what net/http reads of the environment it reads once.
const childURL = "CLIENT_TEST_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := child(url); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// child prints what it dials and what came back.
func child(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	opts := &client.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		fmt.Println("dial:", address)
		if strings.HasSuffix(address, ".test:80") {
			return nil, fmt.Errorf("nobody is at %s", address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	if os.Getenv("CLIENT_TEST_NO_PROXY") != "" {
		opts.Proxy = client.NoProxy
	}
	c, _, err := client.Dial(ctx, url, opts)
	if err != nil {
		return err
	}
	if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
		return err
	}
	_, got, err := c.ReadMessage(ctx)
	if err != nil {
		return err
	}
	fmt.Println("echo:", string(got))
	return c.Close(ctx, 1000, "")
}

func TestTheEnvironmentNamesTheProxy(t *testing.T) {
	leavesNothing(t)
	program, err := os.Executable()
	require.NoError(t, err)
	a := newAuthority(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600))
	plain, secure := serve(t, echo()), serveTLS(t, a.certify("server.test"), nil)
	p := &tunnels{}
	web, socks := listen(t, p.http), listen(t, p.socks)
	tests := []struct {
		name, url string
		env       []string
		want      []string // of the output
		asked     []string // of the proxy
	}{
		{"HTTP_PROXY for ws", "ws://server.test", []string{"HTTP_PROXY=http://u:p@" + web}, []string{"dial: " + web, "echo: hello"}, []string{"CONNECT server.test:80 server.test:80 u:p"}},
		{"http_proxy without a scheme", "ws://server.test", []string{"http_proxy=" + web}, []string{"dial: " + web, "echo: hello"}, []string{"CONNECT server.test:80 server.test:80"}},
		{"HTTPS_PROXY for wss", "wss://server.test", []string{"HTTPS_PROXY=http://" + web, "HTTP_PROXY=http://proxy.test"}, []string{"dial: " + web, "echo: hello"}, []string{"CONNECT server.test:443 server.test:443"}},
		{"HTTPS_PROXY not for ws", "ws://server.test", []string{"HTTPS_PROXY=http://" + web}, []string{"dial: server.test:80", "error: websocket: nobody is at server.test:80"}, nil},
		{"a proxy of SOCKS", "ws://server.test", []string{"HTTP_PROXY=socks5://u:p@" + socks}, []string{"dial: " + socks, "echo: hello"}, []string{"server.test:80 3 u:p"}},
		{"NO_PROXY", "ws://server.test", []string{"HTTP_PROXY=http://" + web, "NO_PROXY=other.test,.test"}, []string{"dial: server.test:80", "error: websocket: nobody is at server.test:80"}, nil},
		{"the loopback", "ws://" + plain, []string{"HTTP_PROXY=http://" + web}, []string{"dial: " + plain, "echo: hello"}, nil},
		{"NoProxy", "ws://server.test", []string{"HTTP_PROXY=http://" + web, "CLIENT_TEST_NO_PROXY=1"}, []string{"dial: server.test:80", "error: websocket: nobody is at server.test:80"}, nil},
		{"what is no proxy", "ws://server.test", []string{"HTTP_PROXY=ftp://" + web}, []string{`error: websocket: a proxy of scheme "ftp" is not supported: want http, https, socks5 or socks5h`}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.to(map[bool]string{false: plain, true: secure}[strings.HasPrefix(test.url, "wss")])
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, program)
			cmd.Env = append([]string{childURL + "=" + test.url, "SSL_CERT_FILE=" + roots, "GORACE=atexit_sleep_ms=0"}, test.env...)
			cmd.WaitDelay = time.Second
			output, err := cmd.Output()
			require.NoError(t, err, "%s", output)
			require.Equal(t, test.want, strings.Split(strings.TrimSpace(string(output)), "\n"))
			require.Equal(t, test.asked, trimmed(p.was()))
		})
	}
}
