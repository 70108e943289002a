package shard_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestCountsKnowAfterARestartWhatHasMoved: after a restart from a checkpoint or from the log alone, a count is checked
// against the version at which it began, and a repeated count is not refused for being done.
func TestCountsKnowAfterARestartWhatHasMoved(t *testing.T) {
	p := newPlatform(t, 2)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 10)
	began := ok(t, do(t, n, command.ReceiveStock, "A", "north", `{"location":"north","quantity":4}`)).Version
	ok(t, do(t, n, command.PlaceOrder, "", "o", orderBody("on_account", "A")))
	body := func(location string, counted int, at uint64) string {
		return fmt.Sprintf(`{"location":%q,"counted":%d,"counted_at_version":%d}`, location, counted, at)
	}
	for i, dir := range []string{dir, t.TempDir()} {
		p.stop(n)
		n = p.start(dir, shard.Hooks{})
		r := do(t, n, command.CountStock, "A", fmt.Sprint("late-", i), body("north", 3, began-1))
		if r.Code != inventory.CodeCountOutdated || r.OnHand == nil || *r.OnHand != 4 || r.Version == 0 {
			t.Fatalf("%+v", r)
		}
		ok(t, do(t, n, command.CountStock, "A", "main", body("main", 9, began))) // the first time, and its repetition
	}
	if s := stockOf(t, n, "A"); s.Total.OnHand != 13 {
		t.Fatalf("%+v", s)
	}
}
