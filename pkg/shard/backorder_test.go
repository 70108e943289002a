package shard_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestBackordersAreFilledFirstInFirstOut: received goods go to the waiting orders, first come, first served. Every
// order is told, whichever shard it is in and whatever happens to the messages.
func TestBackordersAreFilledFirstInFirstOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(3)}}} {
		t.Run(fmt.Sprintf("shards=%d,unreliable=%t", c.shards, c.hooks.Deliver != nil), func(t *testing.T) {
			p := newPlatform(t, c.shards)
			n := p.start(t.TempDir(), c.hooks)
			waiting := backorder(t, n, 6)
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"quantity":4}`))
			for i, id := range waiting {
				eventually(t, func() string { return ships(t, n, id, i < 4) })
			}
			ok(t, do(t, n, command.ReceiveStock, "A", "the rest", `{"location":"north","quantity":5}`))
			for _, id := range waiting[4:] {
				eventually(t, func() string { return ships(t, n, id, true) })
			}
			eventually(t, func() string {
				if s := stockOf(t, n, "A"); s.Total.OnHand != 3 || s.Total.Available != 3 || s.Total.Committed != 0 {
					return fmt.Sprintf("received 11, shipped 8: %+v", s.Total)
				}
				return ""
			})
		})
	}
}

// backorder orders the two A that are in stock, then places orders that wait for one more A each.
func backorder(t *testing.T, n *shard.Node, orders int) (ids []string) {
	t.Helper()
	stock(t, n, "A", 2)
	ok(t, do(t, n, command.SetBackorderLimit, "A", "", `{"limit":10}`))
	for i := range 2 {
		r := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprintf("early-%d", i), orderBody("on_account", "A")))
		ok(t, do(t, n, command.ShipOrder, r.Order.ID, "ship", `{}`))
	}
	for i := range orders {
		r := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprintf("late-%d", i), orderBody("on_account", "A")))
		if !r.Order.Backordered {
			t.Fatalf("order %d: %+v", i, r.Order)
		}
		ids = append(ids, r.Order.ID)
	}
	return ids
}

// ships returns what is wrong where an order cannot, or can, be shipped.
func ships(t *testing.T, n *shard.Node, id string, can bool) string {
	t.Helper()
	switch r := do(t, n, command.ShipOrder, id, "ship", `{}`); {
	case r.Code == "" && can, r.Code == "backordered" && !can:
		return ""
	default:
		return fmt.Sprintf("order %s: %q, and it should ship is %t", id, r.Code, can)
	}
}

// TestFilledBackordersSurviveRestarts: orders that could not be told of a fill are told after a restart, with and
// without the checkpoint.
func TestFilledBackordersSurviveRestarts(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("checkpoint=%t", keep), func(t *testing.T) {
			p := newPlatform(t, 4)
			dir := t.TempDir()
			n := p.start(dir, shard.Hooks{})
			waiting := backorder(t, n, 6)
			p.stop(n)
			// Steps and fill notices are lost from here on.
			n = p.start(dir, shard.Hooks{Deliver: func(func()) {}})
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"quantity":6}`))
			p.stop(n)
			if !keep {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			n = p.start(dir, shard.Hooks{})
			for _, id := range waiting {
				eventually(t, func() string { return ships(t, n, id, true) })
			}
		})
	}
}
