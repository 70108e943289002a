package shard

import (
	"testing"
	"time"
)

// TestTheDelay: a batch waits while more inputs are expected and commits are slow, for as long as those have become
// slower.
func TestTheDelay(t *testing.T) {
	const fastest, slow = time.Millisecond, 5 * time.Millisecond
	const longest = slow - slowFactor*fastest
	for name, c := range map[string]struct {
		last, inputs int
		commit, age  time.Duration
		waits        bool
	}{
		"half of the callers are back":       {20, 10, slow, longest / 2, true},
		"all are back":                       {20, 20, slow, longest / 2, false},
		"it has waited long enough":          {20, 10, slow, longest, false},
		"commits are fast":                   {20, 10, slowFactor * fastest, 0, false},
		"a caller alone":                     {1, 1, slow, 0, false},
		"few at work":                        {delayFromInputs - 1, 1, slow, 0, false},
		"nobody has come":                    {20, 0, slow, 0, false},
		"after the bound, with slow commits": {20, 10, time.Second, delayMax, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, now := newBatchDelay(), time.Now()
			d.committed(c.last, fastest, now)
			for range 100 * delaySmoothing {
				d.fastest = fastest
				d.committed(c.last, c.commit, now)
			}
			d.fastest = fastest
			if waits := d.wait(c.inputs, now.Add(c.age)); waits != c.waits {
				t.Fatalf("waits: %t", waits)
			}
			if !c.waits {
				return
			}
			if <-d.timer.C; time.Since(now) < longest-c.age-10*time.Microsecond {
				t.Error("the timer was early")
			}
		})
	}
}

// TestTheDelayForgets: where commits are slow for good, the delay ends.
func TestTheDelayForgets(t *testing.T) {
	d, now := newBatchDelay(), time.Now()
	d.committed(20, time.Millisecond, now)
	for range 2 * forgetFastest {
		d.committed(20, 5*time.Millisecond, now)
	}
	if d.wait(10, now) {
		t.Errorf("still waits, as if a commit could take %v", d.fastest)
	}
}
