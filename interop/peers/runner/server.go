package runner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wirebeat/wirebeat/interop/catalogue"
)

// sight is what the server saw on a connection.
type sight struct {
	Case     string   `json:"case"`
	Protocol string   `json:"protocol"`
	Messages []string `json:"messages"`
	Pongs    []string `json:"pongs"`
	Code     int      `json:"code"`
	Reason   string   `json:"reason"`
	Error    string   `json:"error,omitempty"`
}

// serve serves what the URLs of the catalogue ask for, until the standard
// input ends.
func (lib *Library) serve(out *json.Encoder) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := out.Encode(map[string]string{"listening": ln.Addr().String()}); err != nil {
		return err
	}
	var mu sync.Mutex
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen := lib.attend(w, r); seen != nil {
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(seen)
		}
	}), ReadHeaderTimeout: patience}
	go func() { _ = web.Serve(ln) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Chosen is the subprotocol for a client, or "".
func Chosen(r *http.Request) string {
	var offered []string
	for name := range strings.SplitSeq(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		offered = append(offered, strings.TrimSpace(name))
	}
	for _, name := range catalogue.Subprotocols {
		if slices.Contains(offered, name) {
			return name
		}
	}
	return ""
}

// attend serves a client. If there was no connection, it returns nil.
func (lib *Library) attend(w http.ResponseWriter, r *http.Request) *sight {
	query := r.URL.Query()
	code, _ := strconv.Atoi(query.Get("code"))
	if lib.CannotServe != nil {
		if why := lib.CannotServe(r.URL.Path, code); why != "" {
			http.Error(w, why, http.StatusNotImplemented)
			return nil
		}
	}
	if origin := r.Header.Get("Origin"); !lib.OwnOrigins && origin != "" && origin != "http://"+r.Host {
		http.Error(w, "origin "+origin+" is not allowed", http.StatusForbidden)
		return nil
	}
	conn, err := lib.Accept(w, r)
	if err != nil {
		return nil // the library has answered
	}
	defer func() { _ = conn.Vanish() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v := &visit{Conn: conn, path: r.URL.Path, code: code, reason: query.Get("reason")}
	v.count, _ = strconv.Atoi(query.Get("count"))
	err = v.talk(ctx)

	v.mu.Lock()
	defer v.mu.Unlock()
	seen := &v.seen
	seen.Case, seen.Protocol = query.Get("case"), conn.Subprotocol()
	var end *End
	if errors.As(err, &end) {
		seen.Code, seen.Reason = end.Code, end.Reason
	} else if seen.Code = 1006; err != nil {
		seen.Error = err.Error()
	}
	return seen
}

// visit is a connection of a client.
type visit struct {
	Conn
	path, reason string
	code, count  int

	mu   sync.Mutex
	seen sight
}

// talk does what the URL asks for until the connection ends.
func (v *visit) talk(ctx context.Context) error {
	switch v.path {
	case "/ping":
		if err := v.ping(ctx); err != nil {
			return err
		}
	case "/close":
		if err := v.Close(ctx, v.code, v.reason); err != nil {
			return err
		}
		return &End{Code: v.code} // a library that does not wait for the answer
	case "/abort":
		return v.Vanish()
	}
	for {
		text, p, err := v.Receive(ctx)
		if err != nil {
			return err
		}
		v.received(text, p)
		if v.path == "/fragmented" {
			third := len(p) / 3 // within a character
			err = v.SendFragments(ctx, [][]byte{p[:third], nil, p[third:]})
		} else {
			err = v.Send(ctx, text, p)
		}
		if err != nil {
			return err
		}
	}
}

func (v *visit) received(text bool, p []byte) {
	kind := "binary"
	if text {
		kind = "text"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen.Messages = append(v.seen.Messages, fmt.Sprintf("%s %d %x", kind, len(p), sha256.Sum256(p)))
}

// ping pings, and says so when all pongs have come.
func (v *visit) ping(ctx context.Context) error {
	var payloads []string
	for i := range v.count {
		payloads = append(payloads, "größer "+strconv.Itoa(i))
	}
	return v.SendPings(ctx, payloads, func(payload string) {
		v.mu.Lock()
		v.seen.Pongs = append(v.seen.Pongs, payload)
		all := len(v.seen.Pongs) == v.count
		v.mu.Unlock()
		if all {
			_ = v.Send(ctx, true, []byte("pinged"))
		}
	})
}
