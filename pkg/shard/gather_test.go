package shard

import (
	"testing"
	"time"
)

// TestGathering: a batch waits while more is to be expected and commits are slow, and no longer than they have become slower.
func TestGathering(t *testing.T) {
	const least, slow = time.Millisecond, 5 * time.Millisecond
	const longest = slow - gatherSlow*least
	for name, c := range map[string]struct {
		last, inputs int
		commit, age  time.Duration
		waits        bool
	}{
		"half of the callers are back":       {20, 10, slow, longest / 2, true},
		"all are back":                       {20, 20, slow, longest / 2, false},
		"it has waited long enough":          {20, 10, slow, longest, false},
		"commits are fast":                   {20, 10, gatherSlow * least, 0, false},
		"a caller alone":                     {1, 1, slow, 0, false},
		"few at work":                        {gatherFrom - 1, 1, slow, 0, false},
		"nobody has come":                    {20, 0, slow, 0, false},
		"after the bound, with slow commits": {20, 10, time.Second, gatherAtMost, false},
	} {
		t.Run(name, func(t *testing.T) {
			g, now := newGathering(), time.Now()
			g.land(c.last, least, now)
			for range 100 * gatherMemory {
				g.least = least
				g.land(c.last, c.commit, now)
			}
			g.least = least
			if waits := g.wait(c.inputs, now.Add(c.age)); waits != c.waits {
				t.Fatalf("waits: %t", waits)
			}
			if !c.waits {
				return
			}
			if <-g.timer.C; time.Since(now) < longest-c.age-10*time.Microsecond {
				t.Error("the timer was early")
			}
		})
	}
}

// TestGatheringForgets: commits that are slow for good are the measure in the end.
func TestGatheringForgets(t *testing.T) {
	g, now := newGathering(), time.Now()
	g.land(20, time.Millisecond, now)
	for range 2 * gatherForget {
		g.land(20, 5*time.Millisecond, now)
	}
	if g.wait(10, now) {
		t.Errorf("still waits, as if a commit could take %v", g.least)
	}
}
