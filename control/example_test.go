package control_test

import (
	"fmt"
	"time"

	"github.com/wirebeat/wirebeat/control"
)

// A monitor needs nobody but a clock: here one whose peer never says anything.
func ExampleMonitor() {
	bounds, _ := control.Bounds{Interval: 10 * time.Second, Timeout: 4 * time.Second}.Settle()
	var m control.Monitor
	m.Open(0)
	const salt = 1
	probe := time.Duration(0) // when the last one was sent
	sight := control.Sight{Examined: true}
	for now := m.Due(0, 0, &bounds, salt); now > 0; {
		step := m.Look(now, &bounds, salt, sight)
		switch {
		case step.Verdict:
			fmt.Println("dead", (now - probe).Round(time.Second), "after the ping")
			return
		case step.Suspect:
			fmt.Println("suspect")
		}
		if step.Probe && step.Missed == 0 {
			fmt.Println("ping")
			probe = now
			sight.Left, sight.LeftAt = true, now
		}
		now = step.Next
	}
	// Output:
	// ping
	// suspect
	// dead 4s after the ping
}
