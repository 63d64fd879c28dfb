package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wirebeat/wirebeat/control"
)

// crowd is many connections of one driver, whose peers answer in 30 ms, but not
// during a blackout.
type crowd struct {
	bounds   control.Bounds
	breaker  control.Breaker
	members  []member
	suspects int
	total    int
	ends     map[int]int // by second
	trips    int
}

type member struct {
	control.Monitor
	sight  control.Sight
	answer time.Duration // when it comes; 0 if none is to come
	next   time.Duration
	over   bool
}

func newCrowd(t *testing.T, n int) *crowd {
	c := &crowd{bounds: settled(t, 0, 0), members: make([]member, n), total: n, ends: map[int]int{}}
	for i := range c.members {
		m := &c.members[i]
		m.Open(0)
		m.next = m.Due(0, 0, &c.bounds, uint32(i))
	}
	return c
}

// tick is a tick of the driver.
func (c *crowd) tick(now time.Duration, dark func(member int, now time.Duration) bool) {
	for i := range c.members {
		m := &c.members[i]
		if m.over {
			continue
		}
		if m.answer > 0 && m.answer <= now {
			m.sight.Inbound, m.next = m.answer, now
			m.RTT.Sample(30*ms, now)
			m.answer = 0
		}
		if m.next > now {
			continue
		}
		before := m.State()
		m.sight.Examined = true
		step := m.Look(now, &c.bounds, uint32(i), m.sight)
		if m.State() == control.Suspect {
			c.suspects++
		}
		if before == control.Suspect {
			c.suspects--
		}
		m.next = step.Next
		probe := step.Probe
		if step.Verdict {
			ruling, tripped := c.breaker.Rule(now, c.suspects, c.total, m.Retried())
			if tripped {
				c.trips++
			}
			switch ruling {
			case control.Again:
				m.Retry(now, 0)
				probe = true
				m.next = now + 100*ms
			case control.End:
				m.over = true
				c.suspects--
				c.total--
				c.ends[int(now/time.Second)]++
				continue
			}
		}
		if probe {
			if step.Missed == 0 {
				m.sight.Left, m.sight.LeftAt = true, now
			}
			if !dark(i, now) && m.answer == 0 {
				m.answer = now + 30*ms
			}
		}
	}
}

func (c *crowd) live(from, until time.Duration, dark func(member int, now time.Duration) bool) {
	for now := from; now < until; now += 100 * ms {
		c.tick(now, dark)
	}
}

func (c *crowd) ended() (sum int) {
	for _, n := range c.ends {
		sum += n
	}
	return sum
}

func TestABlackoutForGoodEndsEveryConnectionAtACappedRate(t *testing.T) {
	const n = 10_000
	c := newCrowd(t, n)
	start := 3 * time.Minute
	c.live(100*ms, start+4*time.Minute, func(_ int, now time.Duration) bool { return now >= start })
	require.Equal(t, n, c.ended())
	require.Equal(t, 1, c.trips)
	for second, left := 0, n; second < 1000; second++ {
		// The breaker's seconds do not begin with ours.
		require.LessOrEqual(t, c.ends[second], max(100, left/20+left/200), "in second %d", second)
		left -= c.ends[second]
	}
	first := 0
	for c.ends[first] == 0 {
		first++
	}
	require.GreaterOrEqual(t, time.Duration(first)*time.Second, start+30*time.Second, "each was asked once more")
	require.Zero(t, c.suspects)
}

func TestABlackoutThatEndsKillsNobody(t *testing.T) {
	for _, lasts := range []time.Duration{5 * time.Second, 15 * time.Second, 22 * time.Second, 28 * time.Second} {
		c := newCrowd(t, 10_000)
		start := 3 * time.Minute
		c.live(100*ms, start+2*time.Minute, func(_ int, now time.Duration) bool { return now >= start && now < start+lasts })
		require.Zero(t, c.ended(), "of %v", lasts)
		require.Equal(t, lasts > 20*time.Second, c.trips == 1)
		require.Zero(t, c.suspects)
	}
}

func TestPeersThatDieOneByOneAreNoBlackout(t *testing.T) {
	c := newCrowd(t, 2000)
	start := 3 * time.Minute
	c.live(100*ms, start+time.Minute, func(i int, now time.Duration) bool { return i%10 == 0 && now >= start })
	require.Zero(t, c.trips)
	require.Equal(t, 200, c.ended())
}
