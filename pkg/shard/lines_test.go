package shard_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Stock follows what a shop does to an order's lines, whichever shard it is in: cancelled units can be sold again,
// those on hold or being packed cannot.
func TestStockFollowsHoldsFulfilmentsAndCancelledLines(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatform(t, shards)
			n := p.start(t.TempDir(), shard.Hooks{})
			for _, sku := range []string{"A", "B"} {
				stock(t, n, sku, 3)
			}
			body := `{"customer_id":"c","currency":"GBP","payment_terms":"on_account","lines":[` +
				`{"sku":"A","quantity":3,"unit_price":"1"},{"sku":"B","quantity":2,"unit_price":"1"}]}`
			id := ok(t, do(t, n, command.PlaceOrder, "", "k1", body)).Order.ID
			if r := ok(t, do(t, n, command.HoldOrder, id, "h1", `{"reason":"fraud check"}`)); r.Order.Status != "on_hold" {
				t.Fatalf("held: %+v", r.Order)
			}
			if r := do(t, n, command.ShipOrder, id, "s0", `{}`); r.Code != "illegal_transition" || r.Status != "on_hold" {
				t.Fatalf("shipped on hold: %+v", r)
			}
			stockBecomes(t, n, "A", 0, 3)
			r := ok(t, do(t, n, command.CancelLines, id, "c1", `{"lines":[{"sku":"A","quantity":2},{"sku":"B","quantity":2}]}`))
			if r.Order.TotalMicros != 1_000_000 {
				t.Fatalf("lines cancelled: %+v", r.Order)
			}
			stockBecomes(t, n, "A", 2, 1)
			stockBecomes(t, n, "B", 3, 0)
			ok(t, do(t, n, command.ResumeOrder, id, "r1", `{}`))
			packed := ok(t, do(t, n, command.CreateFulfilment, id, "f1", `{}`)).Order.FulfilmentID
			if r := do(t, n, command.ShipOrder, id, "s1", `{}`); r.Code != "nothing_to_ship" {
				t.Fatalf("shipped what is being packed: %+v", r)
			}
			r = ok(t, do(t, n, command.ShipFulfilment, id, "s2", `{"fulfilment_id":"`+packed+`"}`))
			if r.Order.Status != "completed" || r.Order.FulfilmentStatus != "fulfilled" {
				t.Fatalf("shipped: %+v", r.Order)
			}
			stockBecomes(t, n, "A", 2, 0)
		})
	}
}

func stockBecomes(t *testing.T, n *shard.Node, sku string, available, committed int64) {
	t.Helper()
	eventually(t, func() string {
		if s := stockOf(t, n, sku); s.Total.Available != available || s.Total.Committed != committed {
			return fmt.Sprintf("%s has %+v, want %d available and %d committed", sku, s.Total, available, committed)
		}
		return ""
	})
}
