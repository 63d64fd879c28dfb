package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// Control frames wait while earlier ones have not left. A Close that is queued
// meanwhile must not overtake them: what was answered before leaves before.
func TestCloseDoesNotOvertakeControlFramesThatWait(t *testing.T) {
	for name, end := range map[string]func(s *side){
		"our own":           func(s *side) { require.NoError(s.t, s.Close(s.now, 1002, "")) },
		"of a violation":    func(s *side) { s.receive(s.in(0x8f, "")) },
		"answering another": func(s *side) { s.receive(s.in(0x88, "\x03\xea")) },
	} {
		t.Run(name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				s := newSide(t, role, endpoint.Config{Pong: control.Strict})
				s.receive(pings(role, 1, 1))
				s.write(0)
				require.NoError(t, s.Ping([]byte("mine")))
				end(s)
				s.flush()
				frames := s.sent()
				require.Len(t, frames, 3)
				require.Equal(t, `pong "1"`, frames[0].String())
				require.Equal(t, `ping "mine"`, frames[1].String())
				require.Equal(t, frame.Close, frames[2].Opcode)
			})
		})
	}
}
