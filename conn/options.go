package conn

import (
	"fmt"
	"time"

	"github.com/wirebeat/wirebeat/conn/endpoint"
	"github.com/wirebeat/wirebeat/control"
)

// DefaultMaxOutput is the default of Options.MaxOutput.
const DefaultMaxOutput = 4 << 20

// Options are the limits and habits of a connection. For limits and times 0
// means the default and a negative value none.
type Options struct {
	// MaxMessage is the size of the largest message accepted from the peer;
	// a larger one ends the connection with 1009. Default 1 MiB.
	MaxMessage int64
	// MaxFragments is how many frames a message may have, and MaxEmpty how many
	// of them may carry nothing. Defaults 131,072 and 1,024.
	MaxFragments, MaxEmpty int64
	// MaxFrame splits larger messages on sending, so that on a slow link a pong
	// waits behind one frame at most. Default: one frame a message.
	MaxFrame int
	// MaxOutput is how many bytes of output may wait for a peer that does not
	// read. Beyond it Write waits and TryWrite fails. One larger message is
	// accepted when none waits. Default 4 MiB.
	MaxOutput int
	// CloseTimeout is how long the end of a connection may take, from the first
	// Close frame to the close of the transport. Default 5 s.
	CloseTimeout time.Duration

	// Pong says which of several pings are answered.
	Pong control.PongMode
	// ControlRate is how many control frames a second the peer may send before
	// the connection ends with 1008. Default: no limit.
	ControlRate int
	// PingSize is how many bytes a ping of ours carries, from 8 to 125. Default 8.
	PingSize int

	// PingInterval is the silence, ± 10 %, after which the peer is pinged.
	// PingTimeout is the silence after such a ping by which the peer is dead, and
	// the connection ends with a [*control.DeadError]; it is suspect long before.
	// Both are at least 10 ms and at most a week. Defaults 25 s and 20 s. A
	// negative PingInterval sends no pings; a negative PingTimeout sends them
	// and draws no conclusions.
	PingInterval, PingTimeout time.Duration
	// WriteTimeout is how long output may wait for the peer without any progress
	// before the peer is dead. Default 30 s.
	WriteTimeout time.Duration
	// Hooks are told of what becomes of the peers.
	Hooks Hooks
	// TextHeartbeat answers the text message "ping" with "pong", and delivers
	// neither: browsers cannot send pings. Other peers that send these texts mean
	// what they say, so it is off unless asked for.
	TextHeartbeat bool

	// Compression turns on permessage-deflate where the peer wants it too; nil is
	// off. It is for the handshakes of packages server and client; connections of
	// New are told by Start what was negotiated.
	Compression *Compression

	// Driver is what connections share; nil is one for the whole process.
	Driver *Driver

	// OnEnd is called once when the connection has ended, with what Err
	// returns. OnRelease is called once when the transport is closed as well,
	// which is up to CloseTimeout later. Both are called without locks, from
	// any goroutine, and must not block.
	OnEnd     func(c *Conn, err error)
	OnRelease func(c *Conn)

	origin   *Options         // what this is a copy of
	endpoint *endpoint.Config // once Shared
	bounds   control.Bounds
}

// Shared returns a copy with the defaults filled in, which any number of
// connections use without copying it again. It must not be changed. The error
// is about what cannot be meant.
func (o *Options) Shared() (*Options, error) {
	if o != nil && o.endpoint != nil {
		return o, nil
	}
	s := &Options{}
	if o != nil {
		*s = *o
	}
	s.origin = o
	if s.PingSize != 0 && (s.PingSize < control.MinPing || s.PingSize > control.MaxPing) {
		return nil, fmt.Errorf("websocket: a ping of %d bytes: the size must be from %d to %d", s.PingSize, control.MinPing, control.MaxPing)
	}
	var err error
	s.bounds, err = control.Bounds{Interval: s.PingInterval, Timeout: s.PingTimeout, WriteStall: s.WriteTimeout}.Settle()
	if err != nil {
		return nil, err
	}
	if s.MaxOutput == 0 {
		s.MaxOutput = DefaultMaxOutput
	}
	s.Driver = s.Driver.orShared()
	var compression Compression
	if s.Compression != nil {
		if err := s.Compression.Check(); err != nil {
			return nil, err
		}
		compression = *s.Compression
		s.Compression = &compression
	}
	s.endpoint = &endpoint.Config{
		Compression: &endpoint.Compression{
			Level:     compression.Level,
			Threshold: compression.Threshold,
			Pool:      &s.Driver.codecs,
		},

		MaxMessage:   s.MaxMessage,
		MaxFragments: s.MaxFragments,
		MaxEmpty:     s.MaxEmpty,
		MaxFrame:     s.MaxFrame,
		CloseTimeout: s.CloseTimeout,
		Pong:         s.Pong,
		ControlRate:  s.ControlRate,
		PingSize:     s.PingSize,
		TextBeat:     s.TextHeartbeat,
		Rand:         &s.Driver.keys,
		Buffers:      &s.Driver.pools,
	}
	return s, nil
}
