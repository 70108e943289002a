package shard_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

func reversal(fulfilment string) string {
	return `{"fulfilment_id":"` + fulfilment + `","reason":"mistake"}`
}

func arrival(fulfilment string) string { return `{"fulfilment_id":"` + fulfilment + `"}` }

// A shipment that was a mistake is on hand again where it left, and ships again, whatever happens to the messages.
// After a restart stock knows which location each shipment took its goods from.
func TestAShipmentIsTakenBack(t *testing.T) {
	for _, c := range []struct {
		shards int32
		hooks  shard.Hooks
	}{{1, shard.Hooks{}}, {4, shard.Hooks{Deliver: unreliable(7)}}} {
		t.Run(fmt.Sprintf("shards=%d", c.shards), func(t *testing.T) {
			p := newPlatform(t, c.shards)
			dir := t.TempDir()
			n := p.start(dir, c.hooks)
			stock(t, n, "A", 3)
			ok(t, do(t, n, command.ReceiveStock, "A", "north", `{"location":"north","quantity":5}`))
			id := ok(t, do(t, n, command.PlaceOrder, "", "k",
				`{"customer_id":"c","currency":"GBP","payment_terms":"on_account","lines":[
				{"sku":"A","quantity":8,"unit_price":"1"}]}`)).Order.ID
			ships := func(key string, quantity int) (fulfilment string) {
				t.Helper()
				eventually(t, func() string {
					r := do(t, n, command.ShipOrder, id, key, fmt.Sprintf(`{"lines":[{"sku":"A","quantity":%d}]}`, quantity))
					if r.Code == "" {
						fulfilment = r.Order.FulfilmentID
					}
					return r.Code
				})
				eventually(t, func() string { // stock has followed, so each step takes the goods of one shipment
					if s := stockOf(t, n, "A").Total; s.OnHand != s.Committed {
						return fmt.Sprintf("%+v", s)
					}
					return ""
				})
				return fulfilment
			}
			first := ships("one", 2)
			second := ships("two", 4) // 1 from main, 3 from north
			p.stop(n)
			n = p.start(dir, c.hooks)
			r := ok(t, do(t, n, command.ReverseShipment, id, "back", reversal(first)))
			if o := r.Order; o.Status != "confirmed" || o.FulfilmentStatus != "partially_fulfilled" {
				t.Fatalf("%+v", o)
			}
			at := func(main, north int64) {
				t.Helper()
				want := []inventory.LocationLevel{
					{Location: "main", Level: inventory.Level{OnHand: main, Committed: main}},
					{Location: "north", Level: inventory.Level{OnHand: north, Committed: north}},
				}
				eventually(t, func() string {
					if s := stockOf(t, n, "A"); s.Locations[0] != want[0] || s.Locations[1] != want[1] {
						return fmt.Sprintf("%+v, want %+v", s.Locations, want)
					}
					return ""
				})
			}
			at(2, 2)
			ok(t, do(t, n, command.ReverseShipment, id, "back too", reversal(second)))
			at(3, 5)
			if r := do(t, n, command.DeliverOrder, id, "d", arrival(first)); r.Code != order.CodeShipmentReversed {
				t.Fatalf("%+v", r)
			}
			ships("all", 8)
			at(0, 0)
			p.stop(n)
			p.verify()
		})
	}
}

// TestReversalsAndDeliveriesAtTheSameTime: of a shipment's reversal and its arrival one comes first, and the other is
// refused. So it is with a delivery's reversal and a return of it. Goods that ship meanwhile are other ones.
func TestReversalsAndDeliveriesAtTheSameTime(t *testing.T) {
	p := newPlatform(t, 2)
	n := p.start(t.TempDir(), shard.Hooks{})
	rounds := raceRounds()
	stock(t, n, "A", 2*rounds)
	var wg sync.WaitGroup
	left := make([]int64, rounds)
	for i := range rounds {
		wg.Go(func() { left[i] = raceReversals(t, n, i) })
	}
	wg.Wait()
	var want int64
	for _, units := range left {
		want += units
	}
	eventually(t, func() string {
		s := stockOf(t, n, "A").Total
		if want := (inventory.Level{OnHand: want, Committed: want}); s != want {
			return fmt.Sprintf("%+v, want %+v", s, want)
		}
		return ""
	})
	p.stop(n)
	p.verify()
}

// raceReversals places an order of 2 units and lets its reversals race. It returns how many have not left in the end.
func raceReversals(t *testing.T, n *shard.Node, i int) (left int64) {
	id := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprintf("order-%d", i),
		`{"customer_id":"c","currency":"GBP","payment_terms":"on_account","lines":[
		{"sku":"A","quantity":2,"unit_price":"1"}]}`)).Order.ID
	one := `{"lines":[{"sku":"A","quantity":1}]}`
	f := ok(t, do(t, n, command.ShipOrder, id, "one", one)).Order.FulfilmentID
	var reversed, arrived, shipped shard.Result
	atOnce(
		func() { reversed = do(t, n, command.ReverseShipment, id, "back", reversal(f)) },
		func() { arrived = do(t, n, command.DeliverOrder, id, "arrived", arrival(f)) },
		func() { shipped = do(t, n, command.ShipOrder, id, "two", one) })
	if (reversed.Code == "") == (arrived.Code == "") || shipped.Code != "" ||
		reversed.Code != "" && reversed.Code != order.CodeAlreadyDelivered ||
		arrived.Code != "" && arrived.Code != order.CodeShipmentReversed {
		t.Errorf("reversed: %q, arrived: %q, shipped: %q", reversed.Code, arrived.Code, shipped.Code)
	}
	if reversed.Code == "" {
		return 1
	}
	var notArrived, comesBack shard.Result
	atOnce(
		func() { notArrived = do(t, n, command.ReverseDelivery, id, "not", reversal(f)) },
		func() { comesBack = do(t, n, command.RequestReturn, id, "return", one) })
	if (notArrived.Code == "") == (comesBack.Code == "") ||
		notArrived.Code != "" && notArrived.Code != order.CodeAlreadyReturned ||
		comesBack.Code != "" && comesBack.Code != order.CodeNothingToReturn {
		t.Errorf("reversed: %q, comes back: %q", notArrived.Code, comesBack.Code)
	}
	if notArrived.Code != "" {
		return 0
	}
	ok(t, do(t, n, command.ReverseShipment, id, "back again", reversal(f)))
	return 1
}

// atOnce runs functions side by side.
func atOnce(fns ...func()) {
	var wg sync.WaitGroup
	for _, fn := range fns {
		wg.Go(fn)
	}
	wg.Wait()
}
