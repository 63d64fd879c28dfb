package endpoint_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/frame"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var roles = []endpoint.Role{endpoint.Server, endpoint.Client}

// pool is Buffers that watch their user: what is put back is overwritten, and
// must be something that was lent.
type pool struct {
	t         testing.TB
	lent      map[*byte]int
	requested int
	largest   int
}

func newPool(t testing.TB) *pool { return &pool{t: t, lent: map[*byte]int{}} }

func (p *pool) Get(size int) []byte {
	b := make([]byte, max(size, 1))
	scribble(b)
	p.lent[unsafe.SliceData(b)] = cap(b)
	p.requested += size
	p.largest = max(p.largest, size)
	return b[:size]
}

func (p *pool) Put(b []byte) {
	p.t.Helper()
	if p.lent[unsafe.SliceData(b)] == 0 {
		p.t.Fatalf("%d bytes were put back that are not lent", cap(b))
	}
	delete(p.lent, unsafe.SliceData(b))
	scribble(b[:cap(b)])
}

var nonsense = bytes.Repeat([]byte{0xdb}, 64<<10)

func scribble(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, nonsense):]
	}
}

// keys is a source of masking keys that are all different and predictable.
type keys struct{ n uint32 }

func (k *keys) Read(p []byte) (int, error) {
	for i := range p {
		if k.n++; k.n%4 == 0 {
			p[i] = byte(k.n>>10) ^ 0x5a
		} else {
			p[i] = byte(k.n * 37)
		}
	}
	return len(p), nil
}

// side is an endpoint under test with a driver as simple as can be.
type side struct {
	*endpoint.Endpoint
	t       testing.TB
	role    endpoint.Role
	pool    *pool
	now     time.Time
	out     []byte // all that left
	echo    bool
	scratch []byte
	direct  int // bytes that ReadBuffer had a place for
}

func newSide(t testing.TB, role endpoint.Role, cfg endpoint.Config) *side {
	s := &side{t: t, role: role, pool: newPool(t), now: start, scratch: make([]byte, 8<<10)}
	if cfg.Buffers == nil {
		cfg.Buffers = s.pool
	}
	if cfg.Rand == nil {
		cfg.Rand = &keys{}
	}
	s.Endpoint = endpoint.New(role, &cfg)
	return s
}

// describe renders an event in the way tables spell it.
func describe(ev endpoint.Event) string {
	switch ev.Kind {
	case endpoint.Message:
		return fmt.Sprintf("%v %q", ev.Type, ev.Data)
	case endpoint.Piece:
		return fmt.Sprintf("%v %q…", ev.Type, ev.Data)
	case endpoint.Ping, endpoint.Pong:
		return fmt.Sprintf("%v %q", ev.Kind, ev.Data)
	case endpoint.Close:
		return fmt.Sprintf("close %d %q", ev.Code, ev.Data)
	case endpoint.Failed:
		return fmt.Sprintf("failed %d", ev.Code)
	}
	return ev.Kind.String()
}

// events takes all events of the bytes received.
func (s *side) events() (events []string) {
	s.t.Helper()
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		events = append(events, describe(ev))
		if s.echo && ev.Kind.IsData() {
			require.NoError(s.t, s.Queue(ev.Type, ev.Data, ev.Kind == endpoint.Message))
		}
	}
	return events
}

// receive reads in as one batch after the other, each as large as the place
// where it is read to.
func (s *side) receive(in []byte) (events []string) {
	s.t.Helper()
	for len(in) > 0 {
		buf := s.ReadBuffer(s.scratch)
		n := copy(buf, in)
		if &buf[0] != &s.scratch[0] {
			s.direct += n
		}
		in = in[n:]
		s.Received(s.now, buf[:n])
		events = append(events, s.events()...)
		scribble(s.scratch[:min(len(s.scratch), n+64)])
	}
	return events
}

// receiveBytes reads in one byte at a time.
func (s *side) receiveBytes(in []byte) (events []string) {
	s.t.Helper()
	for i := range in {
		events = append(events, s.receive(in[i:i+1])...)
	}
	return events
}

// write lets at most n bytes leave in one write.
func (s *side) write(n int) {
	s.t.Helper()
	left := n
	for _, b := range s.Output(nil) {
		require.NotEmpty(s.t, b, "an empty slice is a useless vector")
		k := min(left, len(b))
		s.out = append(s.out, b[:k]...)
		left -= k
	}
	s.Written(s.now, n-left)
}

// flush lets all leave.
func (s *side) flush() {
	s.t.Helper()
	for s.Pending() {
		before := len(s.out)
		s.write(1 << 30)
		require.Greater(s.t, len(s.out), before, "what is pending leaves")
	}
}

// wireFrame is a frame as it was found on the wire.
type wireFrame struct {
	frame.Header
	payload string
	at      int // where it starts
}

func (f wireFrame) String() string {
	s := fmt.Sprintf("%v %q", f.Opcode, f.payload)
	if !f.Fin {
		s += "…"
	}
	return s
}

// sent parses all that left: it must be whole and legal frames.
func (s *side) sent() (frames []wireFrame) {
	s.t.Helper()
	checked := bytes.Clone(s.out)
	p := frame.NewParser(frame.Rules{Masked: s.role == endpoint.Client, MaxMessage: -1, MaxFragments: -1, MaxEmpty: -1})
	for len(checked) > 0 {
		part, n, err := p.Next(checked)
		require.NoError(s.t, err, "what leaves is legal")
		require.False(s.t, part.None(), "what leaves is whole")
		checked = checked[n:]
	}
	for pos := 0; pos < len(s.out); {
		h, n, err := frame.ParseHeader(s.out[pos:])
		require.NoError(s.t, err)
		payload := bytes.Clone(s.out[pos+n:][:h.Length])
		if h.Masked {
			frame.Mask(payload, h.Key, 0)
		}
		frames = append(frames, wireFrame{h, string(payload), pos})
		pos += n + len(payload)
	}
	return frames
}

// answers flushes and renders what left.
func (s *side) answers() (frames []string) {
	s.t.Helper()
	s.flush()
	for _, f := range s.sent() {
		if f.Opcode == frame.Close {
			code, reason, err := frame.ParseClose([]byte(f.payload))
			require.NoError(s.t, err)
			frames = append(frames, fmt.Sprintf("close %d %q", code, reason))
			continue
		}
		frames = append(frames, f.String())
	}
	return frames
}

// in builds frames of the peer, each a first octet and a payload.
func (s *side) in(parts ...any) []byte { return peer(s.role, parts...) }

// peer builds frames of the peer of a role.
func peer(role endpoint.Role, parts ...any) (b []byte) {
	for i := 0; i < len(parts); i += 2 {
		b0, payload := byte(parts[i].(int)), parts[i+1].(string)
		h := frame.Header{Fin: b0&0x80 != 0, RSV: b0 & 0x70, Opcode: frame.Opcode(b0 & 0x0f), Length: uint64(len(payload))}
		if role == endpoint.Server {
			h.Masked = true
			binary.BigEndian.PutUint32(h.Key[:], 0x37fa213d+uint32(len(b)))
		}
		b = frame.AppendHeader(b, h)
		n := len(b)
		b = append(b, payload...)
		if h.Masked {
			frame.Mask(b[n:], h.Key, 0)
		}
	}
	return b
}

// text is n bytes of text that differ from place to place.
func text(n int) string {
	for i := len(letters); i < n; i++ {
		letters = append(letters, byte('a'+(i+i/26+i/1000)%26))
	}
	return string(letters[:n])
}

var letters []byte

func forRoles(t *testing.T, test func(t *testing.T, role endpoint.Role)) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) { test(t, role) })
	}
}
