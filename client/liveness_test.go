package client_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/client"
	"github.com/wirebeat/wirebeat/conn"
)

func TestTimesOfLivenessThatCannotBeMeantAreErrorsOfDial(t *testing.T) {
	for want, opts := range map[string]conn.Options{
		"websocket: the ping interval of 1ms is shorter than 10 ms":      {PingInterval: time.Millisecond},
		"websocket: the ping timeout of 169h0m0s is longer than a week":  {PingTimeout: 169 * time.Hour},
		"websocket: the write timeout of 9ms is shorter than 10 ms":      {WriteTimeout: 9 * time.Millisecond},
		"websocket: a ping of 126 bytes: the size must be from 8 to 125": {PingSize: 126},
	} {
		_, _, err := client.Dial(t.Context(), "ws://127.0.0.1:1/", &client.Options{Conn: opts, DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("it must not be tried")
			return nil, net.ErrClosed
		}})
		require.EqualError(t, err, want)
	}
}
