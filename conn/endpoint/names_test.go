package endpoint_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
)

func TestNames(t *testing.T) {
	require.Equal(t, "server", endpoint.Server.String())
	require.Equal(t, "client", endpoint.Client.String())
	for k, want := range map[endpoint.Kind]string{
		endpoint.Message: "message", endpoint.Piece: "piece", endpoint.Ping: "ping", endpoint.Pong: "pong",
		endpoint.Close: "close", endpoint.Failed: "failed", endpoint.End: "end", 0: "no event",
	} {
		require.Equal(t, want, k.String())
	}
}

func TestDataIsMessagesAndPieces(t *testing.T) {
	for k := range endpoint.End + 2 {
		require.Equal(t, k == endpoint.Message || k == endpoint.Piece, k.IsData(), k)
	}
}

func TestCloseErrorSaysHowItEnded(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]*endpoint.CloseError{
		"websocket: closed: 1000 normal closure":                     {Code: 1000},
		"websocket: closed by the peer: 1001 going away: bye":        {Code: 1001, Reason: "bye", Remote: true},
		"websocket: closed: 1006 abnormal closure: cause":            {Code: 1006, Err: cause},
		"websocket: closed by the peer: 4000: because: of it: cause": {Code: 4000, Reason: "because: of it", Remote: true, Err: cause},
	} {
		require.EqualError(t, err, want)
		require.Equal(t, err.Err, errors.Unwrap(err))
	}
}
