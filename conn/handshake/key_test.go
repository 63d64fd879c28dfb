package handshake_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/handshake"
)

func TestTheAcceptValueOfAnyKeyIsItsHash(t *testing.T) {
	require.Equal(t, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=", handshake.AcceptKey(""))
	require.Len(t, handshake.AcceptKey(strings.Repeat("a", 1000)), 28)
}

func TestKeysOfEveryLength(t *testing.T) {
	for n := range 31 {
		encoded := base64.StdEncoding.EncodeToString(make([]byte, n))
		for _, key := range []string{
			encoded,
			strings.Repeat("A", n),
			strings.Repeat("A", max(n-2, 0)) + "==",
		} {
			raw, err := base64.StdEncoding.DecodeString(key)
			r := request(with("Sec-WebSocket-Key", key))
			if err == nil && len(raw) == 16 {
				requireAccepted(t, r, nil)
			} else {
				requireRefused(t, 400, r, nil)
			}
		}
	}
}

func TestEveryByteAtEveryPlaceOfAKey(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	const key = "AAAAAAAAAAAAAAAAAAAAAA=="
	for at := range len(key) {
		for c := range 256 {
			r := request(with("Sec-WebSocket-Key", key[:at]+string([]byte{byte(c)})+key[at+1:]))
			valid := at < 22 && strings.IndexByte(alphabet, byte(c)) >= 0 || at >= 22 && c == '='
			if valid {
				requireAccepted(t, r, nil)
			} else {
				requireRefused(t, 400, r, nil)
			}
		}
	}
}
