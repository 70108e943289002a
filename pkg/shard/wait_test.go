package shard

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// idleRunner is one that has nothing to do at a time, and no log.
func idleRunner(t *testing.T, now time.Time) *runner {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{
		process: process{cfg: Config{DataDir: t.TempDir(), Clock: func() time.Time { return now }}, metrics: m},
		layout:  eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1},
	}
	n.clocks = n.newClocks()
	s := n.newState(0)
	s.store, err = checkpoint.Open(t.TempDir(), checkpoint.Config{
		Partitions: n.layout.Partitions(0), Foreign: s.foreign, Damaged: s.noteDamaged,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	r := newRunner(n, s, nil)
	r.decider.unsettled.done = true
	r.decider.sweep.began, r.decider.sweep.wait = now, sweepEvery
	return r
}

// TestAShardWaitsUntilSomethingIsDue: no longer, and without looking in between.
func TestAShardWaitsUntilSomethingIsDue(t *testing.T) {
	now := time.Now()
	in := func(d time.Duration) int64 { return now.Add(d).UnixMicro() }
	tests := []struct {
		name string
		when func(r *runner)
		want time.Duration
	}{
		{"nothing to do", func(*runner) {}, longestWait},
		{"an order expires", func(r *runner) {
			r.decider.deadlines.set("O", in(300*time.Millisecond))
		}, 300 * time.Millisecond},
		{"an order expires tomorrow", func(r *runner) { r.decider.deadlines.set("O", in(24*time.Hour)) }, longestWait},
		{"a step is resent", func(r *runner) {
			r.decider.sagas.resends.set("O", in(200*time.Millisecond))
		}, 200 * time.Millisecond},
		{"a fill is told", func(r *runner) {
			r.decider.notices.due.set(backorderKey{"O", "A"}, in(5*time.Millisecond))
		}, 5 * time.Millisecond},
		{"the next sweep", func(r *runner) { r.decider.sweep.wait = 400 * time.Millisecond }, 400 * time.Millisecond},
		{"a sweep under way", func(r *runner) { r.decider.sweep.orders = []string{"O"} }, tick},
		{"unsettled orders", func(r *runner) { r.decider.unsettled.done = false }, tick},
		{"something was due before", func(r *runner) { r.decider.deadlines.set("O", in(-time.Hour)) }, shortestWait},
		{"what is due waits for a commit, whose end wakes", func(r *runner) {
			r.decider.deadlines.set("O", in(-time.Hour))
			r.committing.batch = newBatch()
		}, longestWait},
	}
	for _, test := range tests {
		r := idleRunner(t, now)
		if test.when(r); r.wait() != test.want {
			t.Errorf("%s: it waits for %s, not %s", test.name, r.wait(), test.want)
		}
	}
}

// TestAShardWaitsForItsCheckpoint: it saves what has changed, and looks whether it is saved.
func TestAShardWaitsForItsCheckpoint(t *testing.T) {
	r := idleRunner(t, time.Now())
	r.lastSave = time.Now()
	item, err := r.state.store.Item("A")
	if err != nil {
		t.Fatal(err)
	}
	evs := []inventory.Event{{Change: inventory.ItemRegistered{}}}
	if err := r.decider.appendStock(item, nil, evs, &origin{}); err != nil {
		t.Fatal(err)
	}
	if wait := r.wait(); wait > saveEvery {
		t.Errorf("a checkpoint is due in %s at most, and the shard waits for %s", saveEvery, wait)
	}
	r.lastSave = time.Time{}
	if err := r.saveIdle(); err != nil {
		t.Fatal(err)
	}
	if wait := r.wait(); wait != tick {
		t.Errorf("while the checkpoint is written the shard waits for %s, not %s", wait, tick)
	}
	if err := r.state.store.Save(); err != nil {
		t.Fatal(err)
	}
	if wait := r.wait(); wait != longestWait {
		t.Errorf("once it is written the shard waits for %s, not %s", wait, longestWait)
	}
}
