package shard

import (
	"math/rand/v2"
	"testing"
)

// TestSchedule compares a schedule with a plain map, over random changes.
func TestSchedule(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s, want := newSchedule[int](), map[int]int64{}
	for now := int64(1); now < 5_000; now++ {
		key, at := rng.IntN(50), now+rng.Int64N(100)
		if rng.IntN(3) == 0 {
			at = 0
		}
		s.set(key, at)
		if want[key] = at; at == 0 {
			delete(want, key)
		}
		for key, ok := s.first(now); ok; key, ok = s.first(now) {
			if want[key] == 0 || want[key] > now {
				t.Fatalf("%d is due at %d, and it is %d", key, want[key], now)
			}
			s.set(key, 0)
			delete(want, key)
		}
		for key, at := range want {
			if at <= now {
				t.Fatalf("%d was due at %d, and it is %d", key, at, now)
			}
		}
		if len(s.queue) != len(want) || len(s.byKey) != len(want) {
			t.Fatalf("%d in the queue and %d by key, of %d", len(s.queue), len(s.byKey), len(want))
		}
	}
}
