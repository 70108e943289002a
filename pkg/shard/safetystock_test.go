package shard_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestSafetyStockFillsUp: a count moves an order of one location elsewhere. What it leaves behind goes to the order
// that waits there, then to safety stock, in one decision. A restart keeps what safety stock is to be.
func TestSafetyStockFillsUp(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, shards)
			dir := t.TempDir()
			n := p.start(dir, shard.Hooks{})
			stock(t, n, "A", 5)
			ok(t, do(t, n, command.SetBackorderLimit, "A", "limit", `{"limit":5}`))
			for i, quantity := range []int{5, 1} {
				ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprintf("order-%d", i), fmt.Sprintf(
					`{"customer_id":"c","currency":"GBP","payment_terms":"on_account","lines":[
					{"sku":"A","quantity":%d,"unit_price":"1"}],
					"allocation":{"policy":"single_location","locations":["main"]}}`, quantity)))
			}
			ok(t, do(t, n, command.SetSafetyStock, "A", "safety", `{"quantity":10}`))
			ok(t, do(t, n, command.ReceiveStock, "A", "north", `{"location":"north","quantity":5}`))
			holds := func(want ...inventory.Level) {
				t.Helper()
				eventually(t, func() string {
					s := stockOf(t, n, "A")
					if s.Locations[0].Level != want[0] || s.Locations[1].Level != want[1] {
						return fmt.Sprintf("%+v, want %+v", s.Locations, want)
					}
					return ""
				})
			}
			holds(inventory.Level{OnHand: 5, Available: -1, Committed: 6}, inventory.Level{OnHand: 5, Available: 5})
			ok(t, do(t, n, command.CountStock, "A", "count", `{"counted":4}`))
			north := inventory.Level{OnHand: 5, Committed: 5}
			holds(inventory.Level{OnHand: 4, Committed: 1, SafetyStock: 3}, north)
			p.stop(n)
			n = p.start(dir, shard.Hooks{})
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"quantity":9}`))
			holds(inventory.Level{OnHand: 13, Available: 2, Committed: 1, SafetyStock: 10}, north)
			p.stop(n)
			p.verify()
		})
	}
}
