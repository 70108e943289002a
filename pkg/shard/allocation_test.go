package shard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// allocated is an order of so many of each SKU, by a rule.
func allocated(rule string, quantity int, skus ...string) string {
	body := strings.ReplaceAll(orderBody("on_account", skus...), `"quantity":1`, fmt.Sprintf(`"quantity":%d`, quantity))
	return strings.TrimSuffix(body, "}") + `,"allocation":` + rule + "}"
}

// committed is how much of a SKU is committed at each location.
func committed(t *testing.T, n *shard.Node, sku string) string {
	t.Helper()
	var all []string
	for _, l := range stockOf(t, n, sku).Locations {
		if l.Level.Committed > 0 {
			all = append(all, fmt.Sprint(l.Location, "=", l.Level.Committed))
		}
	}
	return strings.Join(all, " ")
}

// TestAllocationRulesReachStockWhereverItLives: SKUs of many shards follow an order's rule, each by itself, also
// when a backorder is filled after a restart.
func TestAllocationRulesReachStockWhereverItLives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(5)}}} {
		t.Run(fmt.Sprintf("shards=%d,unreliable=%t", c.shards, c.hooks.Deliver != nil), func(t *testing.T) {
			p := newPlatform(t, c.shards)
			dir := t.TempDir()
			n := p.start(dir, c.hooks)
			skus := []string{"A", "B", "C", "D"}
			for _, sku := range skus {
				stock(t, n, sku, 3)
				ok(t, do(t, n, command.ReceiveStock, sku, "north", `{"location":"north","quantity":5}`))
			}
			becomes := func(sku, want string) {
				t.Helper()
				eventually(t, func() string {
					if got := committed(t, n, sku); got != want {
						return fmt.Sprintf("%s is committed at %q, want %q", sku, got, want)
					}
					return ""
				})
			}
			short := do(t, n, command.PlaceOrder, "", "short", allocated(`{"policy":"single_location"}`, 6, skus...))
			if short.Code != problem.InsufficientStock || len(short.Short) == 0 || short.Short[0].Available != 5 ||
				short.Short[0].Requested != 6 {
				t.Fatalf("%+v", short)
			}
			ok(t, do(t, n, command.PlaceOrder, "", "single", allocated(`{"policy":"single_location"}`, 4, skus...)))
			ok(t, do(t, n, command.PlaceOrder, "", "split", allocated(`{"policy":"split","locations":["north"]}`, 2, skus...)))
			for _, sku := range skus {
				becomes(sku, "main=1 north=5")
			}
			ok(t, do(t, n, command.SetBackorderLimit, "A", "", `{"limit":9}`))
			north := allocated(`{"policy":"single_location","locations":["north"]}`, 4, "A")
			waits := ok(t, do(t, n, command.PlaceOrder, "", "waits", north))
			if !waits.Order.Backordered {
				t.Fatalf("%+v", waits.Order)
			}
			becomes("A", "main=5 north=5")
			p.stop(n)
			n = p.start(dir, c.hooks)
			ok(t, do(t, n, command.ReceiveStock, "A", "elsewhere", `{"location":"north","quantity":5}`))
			p.stop(n)
			n = p.start(t.TempDir(), c.hooks) // from the log alone
			early := do(t, n, command.ShipOrder, waits.Order.ID, "early", `{"lines":[{"sku":"A","quantity":4}]}`)
			if r := early; r.Code != "backordered" {
				t.Fatalf("%+v", r)
			}
			ok(t, do(t, n, command.ReceiveStock, "A", "there", `{"location":"main","quantity":2}`))
			eventually(t, func() string { return ships(t, n, waits.Order.ID, true) })
			eventually(t, func() string {
				for _, l := range stockOf(t, n, "A").Locations {
					if l.Location == "north" && l.Level != (inventory.Level{OnHand: 10, Available: 5, Committed: 5}) {
						return fmt.Sprintf("%+v", l)
					}
				}
				return ""
			})
			p.stop(n)
			p.verify()
		})
	}
}
