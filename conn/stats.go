package conn

import (
	"encoding/json"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// Stats are counters of a Driver: of all its connections, since the process
// began, but for the first two.
type Stats struct {
	Connections int `json:"connections"` // now
	Suspects    int `json:"suspects"`    // now

	Probes     uint64 `json:"probes"`     // pings sent to find out about a peer
	Pongs      uint64 `json:"pongs"`      // pings of ours that were answered
	Mismatched uint64 `json:"mismatched"` // of those, with an empty pong
	Missed     uint64 `json:"missed"`     // times that an answer was due and missing
	Suspected  uint64 `json:"suspected"`  // peers that became suspect
	Recovered  uint64 `json:"recovered"`  // and were not, after all
	Mass       uint64 `json:"mass"`       // times that too many peers seemed dead at once
	Stalls     uint64 `json:"stalls"`     // times that this process stood still, or the machine slept

	Dead map[string]uint64 `json:"dead"` // peers that were given up, by verdict

	// RTT counts round trips: the i-th number those of less than 2ⁱ µs that the
	// number before does not count.
	RTT []uint64 `json:"rtt_log2_us"`
}

// counters are Stats as they grow.
type counters struct {
	probes, pongs, mismatched, missed, suspects, recovered, mass, stalls atomic.Uint64

	dead [control.WriteStall + 1]atomic.Uint64
	rtt  [32]atomic.Uint64
}

func (s *counters) sample(pong control.Pong) {
	s.pongs.Add(1)
	if pong.Empty {
		s.mismatched.Add(1)
	}
	if pong.Exact {
		s.rtt[min(bits.Len64(uint64(pong.RTT/time.Microsecond)), len(s.rtt)-1)].Add(1)
	}
}

// Stats returns a snapshot.
func (d *Driver) Stats() Stats {
	d = d.orShared()
	d.mu.Lock()
	s := Stats{Connections: d.count, Suspects: d.suspects}
	d.mu.Unlock()
	c := &d.stats
	s.Probes, s.Pongs, s.Mismatched = c.probes.Load(), c.pongs.Load(), c.mismatched.Load()
	s.Missed, s.Suspected, s.Recovered = c.missed.Load(), c.suspects.Load(), c.recovered.Load()
	s.Mass, s.Stalls = c.mass.Load(), c.stalls.Load()
	s.Dead = make(map[string]uint64)
	for v := range c.dead {
		s.Dead[control.Verdict(v).String()] = c.dead[v].Load()
	}
	used := 0
	for i := range c.rtt {
		s.RTT = append(s.RTT, c.rtt[i].Load())
		if s.RTT[i] > 0 {
			used = i + 1
		}
	}
	s.RTT = s.RTT[:used]
	return s
}

// String returns the Stats as JSON, which makes a Driver an expvar.Var.
func (d *Driver) String() string {
	b, _ := json.Marshal(d.Stats())
	return string(b)
}
