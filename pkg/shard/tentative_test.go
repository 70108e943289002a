package shard

import (
	"fmt"
	"slices"
	"testing"
)

// The orders that a lost owner has asked for of late are asked about first, whatever else is to be asked about, and
// none of before or of other shards.
func TestALostOwnersOrdersAreAskedAboutFirst(t *testing.T) {
	d := beforeServing(t, t.TempDir()).decider
	d.sweep.orders = []string{"slow-1", "slow-2"}
	second := int64(1_000_000)
	d.tentative.note(1, "long-ago", second)
	d.tentative.note(2, "of-another", 20*second)
	for i := range 3 {
		d.tentative.note(1, fmt.Sprint("o-", i), (20+int64(i))*second)
	}
	want := []string{"o-0", "o-1", "o-2", "slow-1", "slow-2"}
	for range 2 { // it is told twice
		d.sweepTentative(1)
		if !slices.Equal(d.sweep.orders, want) {
			t.Errorf("asked about: %v", d.sweep.orders)
		}
	}
	if len(d.tentative[1]) != 0 || len(d.tentative[2]) != 1 {
		t.Errorf("kept: %v", d.tentative)
	}
}
