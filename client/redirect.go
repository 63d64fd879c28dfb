package client

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// redirect returns where a response sends the client, or refusal if it does not.
func (d *dialer) redirect(from *url.URL, resp *http.Response, refusal error) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, refusal
	}
	fail := func(reason string) (*url.URL, error) {
		return nil, &HandshakeError{Status: resp.StatusCode, Reason: "the server redirects " + reason}
	}
	location := resp.Header.Values("Location")
	if len(location) != 1 || len(location[0]) > maxURLLength {
		return fail("to nowhere")
	}
	to, err := from.Parse(location[0])
	if err != nil || normalize(to) != nil {
		return fail("to what is no URL of a WebSocket")
	}
	to.Fragment, to.RawFragment = "", "" // are for documents
	if from.Scheme == "wss" && to.Scheme == "ws" {
		return fail("from wss to ws")
	}
	if !sameServer(from, to) {
		for _, name := range []string{"Authorization", "Cookie", "Cookie2", "Host", "Proxy-Authorization", "Www-Authenticate"} {
			d.header.Del(name)
		}
	} else if to.User == nil {
		to.User = from.User
	}
	return to, nil
}

// sameServer reports whether a server that is trusted with credentials sends
// the client to itself, or from ws to wss on the ports that these have.
func sameServer(from, to *url.URL) bool {
	secured := *from
	if from.Scheme == "ws" && to.Scheme == "wss" && hostPort(from) == net.JoinHostPort(from.Hostname(), "80") {
		secured.Scheme, secured.Host = "wss", net.JoinHostPort(from.Hostname(), "443")
	}
	return strings.EqualFold(hostPort(&secured), hostPort(to))
}
