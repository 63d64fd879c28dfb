package endpoint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/deflate"
	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
	"github.com/wirebeat/wirebeat/frame"
)

// beating is an endpoint with the text heartbeat.
func beating(t testing.TB, role endpoint.Role) *side {
	return newSide(t, role, endpoint.Config{TextBeat: true})
}

// joined puts pieces together to the messages they make.
func joined(events []string) (messages []string) {
	open := ""
	for _, ev := range events {
		typ, quoted, ok := strings.Cut(ev, " ")
		piece, more := strings.CutSuffix(quoted, `"…`)
		if more {
			if open == "" {
				open = typ + ` "`
			}
			open += piece[1:]
			continue
		}
		if ok && open != "" && (typ == "text" || typ == "binary") {
			ev, open = open+quoted[1:], ""
		}
		messages = append(messages, ev)
	}
	return messages
}

func TestOnlyTheExactTextsAreAHeartbeat(t *testing.T) {
	pong := []string{`text "pong"`}
	for _, c := range []struct {
		name   string
		frames []any
		events []string
		out    []string
	}{
		{"ping is answered", []any{0x81, "ping"}, []string{"beat"}, pong},
		{"pong is swallowed", []any{0x81, "pong"}, []string{"beat"}, nil},
		{"with a space behind it", []any{0x81, "ping "}, []string{`text "ping "`}, nil},
		{"with a space before it", []any{0x81, " ping"}, []string{`text " ping"`}, nil},
		{"with a line feed", []any{0x81, "pong\n"}, []string{`text "pong\n"`}, nil},
		{"in capitals", []any{0x81, "PING", 0x81, "Ping"}, []string{`text "PING"`, `text "Ping"`}, nil},
		{"in quotes", []any{0x81, "'ping'"}, []string{`text "'ping'"`}, nil},
		{"a part of it", []any{0x81, "pin", 0x81, "p", 0x81, "on"}, []string{`text "pin"`, `text "p"`, `text "on"`}, nil},
		{"both together", []any{0x81, "pingpong"}, []string{`text "pingpong"`}, nil},
		{"a mixture", []any{0x81, "pinpong", 0x81, "pgng"}, []string{`text "pinpong"`, `text "pgng"`}, nil},
		{"nothing", []any{0x81, ""}, []string{`text ""`}, nil},
		{"binary", []any{0x82, "ping", 0x82, "pong"}, []string{`binary "ping"`, `binary "pong"`}, nil},
		{"between messages", []any{0x81, "a", 0x81, "pong", 0x82, "b"}, []string{`text "a"`, "beat", `binary "b"`}, nil},
		{"in two fragments", []any{0x01, "pi", 0x80, "ng"}, []string{"beat"}, pong},
		{"in fragments of one letter", []any{0x01, "p", 0x00, "i", 0x00, "n", 0x80, "g"}, []string{"beat"}, pong},
		{"with empty fragments", []any{0x01, "", 0x00, "po", 0x00, "", 0x00, "ng", 0x80, ""}, []string{"beat"}, nil},
		{"with an empty end", []any{0x01, "ping", 0x80, ""}, []string{"beat"}, pong},
		{"with an empty beginning", []any{0x01, "", 0x80, "ping"}, []string{"beat"}, pong},
		{"with a ping inside", []any{0x01, "pi", 0x89, "x", 0x80, "ng"}, []string{`ping "x"`, "beat"}, []string{`pong "x"`, `text "pong"`}},
		{"fragments of something else", []any{0x01, "pin", 0x80, "k"}, []string{`text "pink"`}, nil},
		{"fragments of something longer", []any{0x01, "ping", 0x80, "!"}, []string{`text "ping!"`}, nil},
		{"fragments of something shorter", []any{0x01, "po", 0x80, ""}, []string{`text "po"`}, nil},
		{"fragments of nothing", []any{0x01, "", 0x80, ""}, []string{`text ""`}, nil},
		{"fragments of what becomes something else at once", []any{0x01, "x", 0x00, "ping", 0x80, "pong"}, []string{`text "xpingpong"`}, nil},
		{"binary fragments", []any{0x02, "pi", 0x80, "ng"}, []string{`binary "ping"`}, nil},
		{"a heartbeat behind fragments", []any{0x01, "long ", 0x80, "text", 0x81, "ping", 0x01, "pi", 0x80, "n"},
			[]string{`text "long text"`, "beat", `text "pin"`}, pong},
	} {
		t.Run(c.name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				in := peer(role, c.frames...)
				for _, stream := range []bool{false, true} {
					check := func(receive func(s *side) []string) {
						s := beating(t, role)
						s.Stream(stream)
						events := receive(s)
						if stream {
							events = joined(events)
						}
						require.Equal(t, c.events, events)
						require.ElementsMatch(t, c.out, s.answers())
						require.Empty(t, s.events())
						require.Empty(t, s.pool.lent)
					}
					check(func(s *side) []string { return s.receive(append([]byte(nil), in...)) })
					check(func(s *side) []string { return s.receiveBytes(append([]byte(nil), in...)) })
					for cut := 1; cut < len(in); cut++ {
						check(func(s *side) []string {
							in := append([]byte(nil), in...)
							return append(s.receive(in[:cut]), s.receive(in[cut:])...)
						})
					}
				}
			})
		})
	}
}

func TestWhatCannotBecomeAHeartbeatIsNotHeldBack(t *testing.T) {
	s := beating(t, endpoint.Server)
	s.Stream(true)
	require.Empty(t, s.receive(s.in(0x01, "pi")))
	require.Equal(t, []string{`text "pix"…`}, s.receive(s.in(0x00, "x")))
	require.Equal(t, []string{`text "ping"…`, `text "pong"`}, s.receive(s.in(0x00, "ping", 0x80, "pong")), "in pieces to its end")
	require.Equal(t, []string{`text "a"…`}, s.receive(s.in(0x01, "a")))
	require.Equal(t, []string{`text ""`}, s.receive(s.in(0x80, "")))
	require.Equal(t, []string{`binary "pi"…`, `binary "ng"`}, s.receive(s.in(0x02, "pi", 0x80, "ng")))
}

func TestAHeartbeatThatBeganWhenMessagesWereGivenOtherwise(t *testing.T) {
	for _, stream := range []bool{false, true} {
		s := beating(t, endpoint.Server)
		s.Stream(stream)
		require.Empty(t, s.receive(s.in(0x01, "pi")))
		s.Stream(!stream)
		require.Equal(t, []string{"beat"}, s.receive(s.in(0x80, "ng")))
		require.Empty(t, s.receive(s.in(0x01, "pi")))
		s.Stream(stream)
		require.Equal(t, []string{`text "pin"`}, s.receive(s.in(0x80, "n")))
		require.Equal(t, []string{`text "pong"`}, s.answers())
	}
}

func TestAHeartbeatIsAnEventOfItsOwn(t *testing.T) {
	s := beating(t, endpoint.Server)
	s.Received(s.now, s.in(0x81, "ping", 0x01, "po", 0x80, "ng"))
	for _, want := range []string{"ping", "pong"} {
		ev, ok := s.Poll()
		require.True(t, ok)
		require.Equal(t, endpoint.Beat, ev.Kind)
		require.False(t, ev.Kind.IsData())
		require.Equal(t, want, string(ev.Data))
		require.False(t, s.Pending(), "nobody has reacted")
	}
	_, ok := s.Poll()
	require.False(t, ok)
}

func TestWithoutTheOptionTheTextsMeanWhatTheySay(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := newSide(t, role, endpoint.Config{})
		require.Equal(t, []string{`text "ping"`, `text "pong"`, `text "ping"`},
			s.receive(s.in(0x81, "ping", 0x81, "pong", 0x01, "pi", 0x80, "ng")))
		require.False(t, s.Pending())
		s.Stream(true)
		require.Equal(t, []string{`text "pi"…`, `text "ng"`}, s.receive(s.in(0x01, "pi", 0x80, "ng")))
		require.Empty(t, s.answers())
	})
}

func TestEachHeartbeatOfABatchIsAnswered(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := beating(t, role)
		s.echo = true
		s.receive(s.in(0x81, "ping", 0x81, "a", 0x81, "pong", 0x81, "ping", 0x81, "ping"))
		require.Equal(t, []string{`text "pong"`, `text "a"`, `text "pong"`, `text "pong"`}, s.answers())
	})
}

func TestAnAnswerWaitsForTheEndOfAMessageOfOurs(t *testing.T) {
	forRoles(t, func(t *testing.T, role endpoint.Role) {
		s := beating(t, role)
		require.NoError(t, s.Send(frame.Text, []byte("one "), false))
		for range 100 {
			s.receive(s.in(0x81, "ping", 0x89, "p"))
		}
		s.receive(s.in(0x81, "pong"))
		s.flush()
		require.False(t, s.Pending(), "there is nothing that could leave")
		require.NoError(t, s.Send(frame.Text, []byte("message"), false))
		s.flush()
		require.NoError(t, s.Send(frame.Text, nil, true))
		require.True(t, s.Pending())
		require.NoError(t, s.Send(frame.Binary, []byte("next"), true))
		var data []string
		for _, f := range s.answers() {
			if !strings.HasPrefix(f, "pong") {
				data = append(data, f)
			}
		}
		require.Equal(t, []string{`text "one "…`, `continuation "message"…`, `continuation ""`, `binary "next"`, `text "pong"`}, data,
			"one for all")
		require.False(t, s.Pending())
	})
}

func TestAnAnswerGoesBetweenTheFramesOfNoMessage(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{TextBeat: true, MaxFrame: 10})
	require.NoError(t, s.Send(frame.Binary, []byte(text(35)), true))
	s.receive(s.in(0x81, "ping"))
	got := s.answers()
	require.Len(t, got, 5)
	require.Equal(t, `text "pong"`, got[4])
}

func TestHeartbeatsCountAsControlFrames(t *testing.T) {
	for name, in := range map[string]func(s *side) []byte{
		"only heartbeats":         func(s *side) []byte { return s.in(0x81, "ping") },
		"heartbeats in fragments": func(s *side) []byte { return s.in(0x01, "po", 0x80, "ng") },
		"heartbeats and pings":    func(s *side) []byte { return s.in(0x89, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, endpoint.Server, endpoint.Config{TextBeat: true, ControlRate: 1})
			for i := range 15 {
				s.receive(s.in(0x81, []string{"ping", "pong"}[i%2]))
			}
			s.receive(in(s))
			require.Zero(t, s.Health().Strikes)
			s.receive(s.in(0x81, "ping"))
			require.EqualValues(t, 1, s.Health().Strikes)
			s.receive(in(s))
			require.NoError(t, s.Err())
			s.receive(s.in(0x81, "ping"))
			require.Equal(t, frame.ClosePolicyViolation, closeError(t, s.Endpoint).Code)
			got := s.answers()
			require.Equal(t, fmt.Sprintf("close 1008 %q", control.TooManyPings), got[len(got)-1])
		})
	}
}

func TestAMessageIsNoControlFrame(t *testing.T) {
	s := newSide(t, endpoint.Server, endpoint.Config{TextBeat: true, ControlRate: 1})
	for range 100 {
		require.Len(t, s.receive(s.in(0x81, "ping?")), 1)
	}
	require.NoError(t, s.Err())
	require.Zero(t, s.Health().Strikes)
}

func TestNothingIsAnsweredOnceAConnectionCloses(t *testing.T) {
	for name, end := range map[string]func(s *side){
		"by us":        func(s *side) { require.NoError(s.t, s.Close(s.now, 1000, "")) },
		"by the peer":  func(s *side) { s.receive(s.in(0x88, "\x03\xe8")) },
		"by violation": func(s *side) { s.receive(s.in(0x8f, "")) },
	} {
		t.Run(name, func(t *testing.T) {
			forRoles(t, func(t *testing.T, role endpoint.Role) {
				for _, begun := range []bool{false, true} {
					s := beating(t, role)
					want := 1
					if begun {
						require.NoError(t, s.Send(frame.Text, []byte("begun"), false))
						s.receive(s.in(0x81, "ping")) // which has to wait
						want++
					}
					end(s)
					if !s.Ended() {
						require.Equal(t, []string{"beat"}, s.receive(s.in(0x81, "ping")))
					}
					got := s.answers()
					require.Len(t, got, want)
					require.Contains(t, got[want-1], "close")
					require.False(t, s.Pending())
				}
			})
		})
	}
}

func TestLookingForHeartbeatsAllocatesNothing(t *testing.T) {
	for name, frames := range map[string][]any{
		"pong":                  {0x81, "pong"},
		"pong in two fragments": {0x01, "po", 0x80, "ng"},
		"a text that is none":   {0x81, "pint"},
		"fragments of none":     {0x01, "p", 0x80, "int"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, role := range roles {
				e := endpoint.New(role, &endpoint.Config{TextBeat: true, Rand: &keys{}, Buffers: &stack{}})
				in := peer(role, frames...)
				scratch := make([]byte, len(in))
				var bufs [][]byte
				require.Zero(t, testing.AllocsPerRun(200, func() {
					e.Received(start, scratch[:copy(scratch, in)])
					for _, ok := e.Next(); ok; _, ok = e.Next() {
					}
					n := 0
					bufs = e.Output(bufs[:0])
					for _, b := range bufs {
						n += len(b)
					}
					e.Written(start, n)
				}))
			}
		})
	}
}

// noPool lends nothing.
type noPool struct{}

func (noPool) GetWriter(bits, level int) *deflate.Writer { return nil }
func (noPool) PutWriter(*deflate.Writer)                 {}
func (noPool) GetReader() *deflate.Reader                { return nil }
func (noPool) PutReader(*deflate.Reader)                 {}

func TestAHeartbeatMayComeCompressed(t *testing.T) {
	for _, stream := range []bool{false, true} {
		cfg := endpoint.Config{TextBeat: true, Compression: &endpoint.Compression{Threshold: -1, Pool: noPool{}}}
		client, s := newSide(t, endpoint.Client, cfg), newSide(t, endpoint.Server, cfg)
		for _, e := range []*side{client, s} {
			e.Compress(deflate.Params{Server: deflate.Direction{Bits: 15}, Client: deflate.Direction{Bits: 15}})
			e.Stream(stream)
		}
		for _, m := range []string{"ping", "pink", "pong"} {
			require.NoError(t, client.Send(frame.Text, []byte(m), true))
		}
		require.NoError(t, client.Send(frame.Text, []byte("pi"), false))
		require.NoError(t, client.Send(frame.Text, []byte("ng"), true))
		require.NoError(t, client.Send(frame.Binary, []byte("ping"), true))
		client.flush()
		require.Equal(t, []string{"beat", `text "pink"`, "beat", "beat", `binary "ping"`}, s.receive(client.out))
		require.Equal(t, []string{"beat", "beat"}, client.receive(s.flushed()))
	}
}

// flushed returns all that left.
func (s *side) flushed() []byte {
	s.t.Helper()
	s.flush()
	return s.out
}
