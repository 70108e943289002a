package shard_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestReturnsComeBackToStock: resellable goods can be sold again, damaged ones are kept apart, and the money is due.
func TestReturnsComeBackToStock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(5)}}} {
		t.Run(fmt.Sprintf("shards=%d", c.shards), func(t *testing.T) {
			p := newPlatform(t, c.shards)
			dir := t.TempDir()
			n := p.start(dir, c.hooks)
			stock(t, n, "A", 5)
			stock(t, n, "B", 5)
			id := ok(t, do(t, n, command.PlaceOrder, "", "k", `{"customer_id":"c","currency":"GBP","lines":[
				{"sku":"A","quantity":3,"unit_price":"1"},{"sku":"B","quantity":1,"unit_price":"2"}]}`)).Order.ID
			ok(t, do(t, n, command.AuthorizePayment, id, "p", `{"amount":"5"}`))
			f := ok(t, do(t, n, command.ShipOrder, id, "s", `{"capture":true}`)).Order.FulfilmentID
			ok(t, do(t, n, command.DeliverOrder, id, "d", `{"fulfilment_id":"`+f+`"}`))
			r := ok(t, do(t, n, command.RequestReturn, id, "r",
				`{"lines":[{"sku":"A","quantity":3},{"sku":"B","quantity":1}],"reason":"too big"}`))
			if r.Order.ReturnID == "" || r.Order.ReturnStatus != "requested" {
				t.Fatalf("%+v", r.Order)
			}
			back := r.Order.ReturnID
			ok(t, do(t, n, command.ReceiveReturn, id, "b1", `{"return_id":"`+back+
				`","lines":[{"sku":"A","quantity":1,"condition":"resellable"}],"location":"north"}`))
			p.stop(n)
			n = p.start(dir, c.hooks)
			r = ok(t, do(t, n, command.ReceiveReturn, id, "b2", `{"return_id":"`+back+`","lines":[
				{"sku":"A","quantity":1,"condition":"damaged"},{"sku":"B","quantity":1,"condition":"resellable"}]}`))
			if r.Order.ReturnStatus != "partially_received" {
				t.Fatalf("%+v", r.Order)
			}
			r = ok(t, do(t, n, command.CancelReturn, id, "c", `{"return_id":"`+back+`"}`))
			if r.Order.ReturnStatus != "received" {
				t.Fatalf("%+v", r.Order)
			}
			if r := do(t, n, command.RefundPayment, id, "m", `{}`); r.Code != "" || r.Order.PaymentStatus != "refunded" {
				t.Fatalf("%+v", r)
			}
			for sku, want := range map[string]inventory.Level{
				"A": {OnHand: 4, Available: 3, Damaged: 1}, "B": {OnHand: 5, Available: 5},
			} {
				eventually(t, func() string {
					if s := stockOf(t, n, sku); s.Total != want {
						return fmt.Sprintf("%s: %+v, want %+v", sku, s.Total, want)
					}
					return ""
				})
			}
			// The first A has come back to the north, the second one to the location that had shipped it.
			north := inventory.LocationLevel{Location: "north", Level: inventory.Level{OnHand: 1, Available: 1}}
			if s := stockOf(t, n, "A"); len(s.Locations) != 2 || s.Locations[1] != north {
				t.Fatalf("A is at %+v", s.Locations)
			}
		})
	}
}

// A parcel that did not arrive comes back to stock and ships again, or is cancelled and due for refund. What is broken
// or lost ships again from other stock; what stock does not have is backordered, and comes to it before later orders.
func TestParcelsThatDidNotArrive(t *testing.T) {
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(5)}}} {
		t.Run(fmt.Sprintf("shards=%d", c.shards), func(t *testing.T) {
			p := newPlatform(t, c.shards)
			dir := t.TempDir()
			n := p.start(dir, c.hooks)
			stock(t, n, "A", 3)
			stock(t, n, "B", 1)
			id := ok(t, do(t, n, command.PlaceOrder, "", "k", `{"customer_id":"c","currency":"GBP","lines":[
				{"sku":"A","quantity":3,"unit_price":"1"},{"sku":"B","quantity":1,"unit_price":"2"}]}`)).Order.ID
			ok(t, do(t, n, command.AuthorizePayment, id, "p", `{"amount":"5"}`))
			f := ok(t, do(t, n, command.ShipOrder, id, "s", `{"capture":true}`)).Order.FulfilmentID
			r := ok(t, do(t, n, command.FailDelivery, id, "f", `{"fulfilment_id":"`+f+`","lines":[
				{"sku":"A","quantity":2,"condition":"resellable"},{"sku":"A","quantity":1,"condition":"damaged"}]}`))
			if o := r.Order; o.Status != "confirmed" || o.FulfilmentStatus != "partially_fulfilled" ||
				o.PaymentStatus != "captured" {
				t.Fatalf("%+v", o)
			}
			holds := func(sku string, want inventory.Level) {
				t.Helper()
				eventually(t, func() string {
					if s := stockOf(t, n, sku); s.Total != want {
						return fmt.Sprintf("%s: %+v, want %+v", sku, s.Total, want)
					}
					return ""
				})
			}
			holds("A", inventory.Level{OnHand: 3, Available: -1, Committed: 3, Damaged: 1})
			p.stop(n)
			n = p.start(dir, c.hooks)
			eventually(t, func() string { // two of the three ship, once the order knows of them
				r = do(t, n, command.ShipOrder, id, "again", `{"lines":[{"sku":"A","quantity":2}]}`)
				return r.Code
			})
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"quantity":5}`))
			holds("A", inventory.Level{OnHand: 6, Available: 4, Committed: 1, Damaged: 1})
			eventually(t, func() string {
				r = do(t, n, command.ShipOrder, id, "last", `{"lines":[{"sku":"A","quantity":1}]}`)
				return r.Code
			})
			r = ok(t, do(t, n, command.FailDelivery, id, "lost",
				`{"fulfilment_id":"`+f+`","condition":"lost","cancel":true}`))
			if o := r.Order; o.Status != "completed" || o.PaymentStatus != "captured" {
				t.Fatalf("%+v", o)
			}
			if r := do(t, n, command.RefundPayment, id, "m", `{"amount":"2"}`); r.Code != "" ||
				r.Order.PaymentStatus != "partially_refunded" {
				t.Fatalf("%+v", r)
			}
			holds("A", inventory.Level{OnHand: 5, Available: 4, Damaged: 1})
			holds("B", inventory.Level{})
		})
	}
}
