package client

import (
	"errors"
	"fmt"
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
	location := resp.Header.Values("Location")
	if len(location) != 1 || len(location[0]) > maxURLLength {
		return nil, errors.New("websocket: the server redirects to nowhere")
	}
	to, err := from.Parse(location[0])
	if err == nil {
		to.Fragment = "" // is for documents
		err = normalize(to)
	}
	if err != nil {
		return nil, fmt.Errorf("websocket: bad redirect: %w", err)
	}
	if from.Scheme == "wss" && to.Scheme == "ws" {
		return nil, errors.New("websocket: the server redirects from wss to ws")
	}
	if !strings.EqualFold(hostPort(from), hostPort(to)) {
		for _, name := range []string{"Authorization", "Cookie", "Cookie2", "Host", "Proxy-Authorization", "Www-Authenticate"} {
			d.header.Del(name)
		}
	} else if to.User == nil {
		to.User = from.User
	}
	return to, nil
}
