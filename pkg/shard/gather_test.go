package shard

import (
	"testing"
	"time"
)

// TestGathering: a batch waits while more is to be expected, and never longer than a commit takes.
func TestGathering(t *testing.T) {
	const took = 2 * time.Millisecond
	for name, c := range map[string]struct {
		last, inputs int
		commit, age  time.Duration
		waits        bool
	}{
		"half of the callers are back":       {20, 10, took, time.Millisecond, true},
		"all are back":                       {20, 20, took, time.Millisecond, false},
		"a commit's time has passed":         {20, 10, took, took, false},
		"a caller alone":                     {1, 1, took, 0, false},
		"few at work":                        {gatherFrom - 1, 1, took, 0, false},
		"nobody has come":                    {20, 0, took, 0, false},
		"after the bound, with slow commits": {20, 10, time.Second, gatherAtMost, false},
	} {
		t.Run(name, func(t *testing.T) {
			g, now := newGathering(), time.Now()
			for range 100 * gatherMemory {
				g.land(c.last, c.commit, now)
			}
			if waits := g.wait(c.inputs, now.Add(c.age)); waits != c.waits {
				t.Fatalf("waits: %t", waits)
			}
			if !c.waits {
				return
			}
			if <-g.timer.C; time.Since(now) < c.commit-c.age-time.Microsecond {
				t.Error("the timer was early")
			}
		})
	}
}
