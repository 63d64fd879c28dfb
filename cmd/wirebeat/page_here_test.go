package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheConnectionsOfOthersAreShownOnTheOwnMachineOnly(t *testing.T) {
	for from, want := range map[string]int{
		"127.0.0.1:5000":          http.StatusOK,
		"127.8.9.10:5000":         http.StatusOK,
		"[::1]:5000":              http.StatusOK,
		"[::ffff:127.0.0.1]:5000": http.StatusOK,
		"192.0.2.1:5000":          http.StatusForbidden,
		"[2001:db8::1]:5000":      http.StatusForbidden,
		"@":                       http.StatusForbidden,
		"":                        http.StatusForbidden,
	} {
		r := httptest.NewRequest("GET", "/api/peers", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		newPage().ServeHTTP(w, r)
		require.Equal(t, want, w.Code, from)
		for _, path := range []string{"/api/close?peer=1&code=1000", "/api/demo", "/api/stall?peer=1", "/api/resume?peer=1", "/api/cut?peer=1"} {
			r := httptest.NewRequest("POST", path, nil)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			newPage().ServeHTTP(w, r)
			require.Equal(t, want == http.StatusForbidden, w.Code == http.StatusForbidden, "%s from %s: %d", path, from, w.Code)
		}
	}
}
