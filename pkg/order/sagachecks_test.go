package order_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// checkOutcomes: each unit was cancelled, has shipped, or is still to ship, the last only of orders that have not
// ended. What came back had been delivered, and what was delivered had shipped. What did not arrive is to ship, or was
// cancelled.
func checkOutcomes(t *rapid.T, o order.Order) {
	for i, l := range o.Lines {
		open := l.Quantity - l.Cancelled - l.Shipped
		if o.Kind == order.KindCreditNote {
			open = 0
		}
		ended := o.Lifecycle == order.Completed || o.Lifecycle == order.Cancelled
		if open < 0 || min(l.Cancelled, l.Shipped, l.Delivered, l.Returned) < 0 || ended && open > 0 ||
			l.Delivered > l.Shipped || l.Returned > l.Delivered {
			t.Fatalf("line %d of an order that is %s has no outcome, or several: %+v", i+1, o.Lifecycle, l)
		}
		if o.Kind != order.KindOrder && o.Lifecycle != order.Completed && o.Lifecycle != order.Rejected {
			t.Fatalf("a past document is %s", o.Lifecycle)
		}
		if unplaced := o.Lifecycle == order.Rejected || o.Lifecycle == order.Expired; unplaced && l.Shipped > 0 {
			t.Fatalf("line %d of an order that is %s has shipped: %+v", i+1, o.Lifecycle, l)
		}
	}
}

// checkReservations: stock has reserved for an order what it wants, where its rule allows it.
func (s *shop) checkReservations(t *rapid.T, id string) {
	for _, w := range s.orders[id].Wanted() {
		res := s.reservations[[2]string{id, w.SKU}]
		r, c, f, back := res.Sums()
		if r != w.Reserved || c != w.Committed || f != w.Fulfilled || back != w.Restocked || res.Damaged() != w.Damaged {
			t.Fatalf("%s holds %+v of %+v", id, res, w)
		}
		for _, at := range w.ReturnedAt {
			k := slices.IndexFunc(res.Locations, func(h inventory.ReservationAt) bool { return h.Location == at.Location })
			if k < 0 || res.Locations[k].Restocked < at.Restocked || res.Locations[k].Damaged < at.Damaged {
				t.Fatalf("%s of %s has come back to %+v, not to %+v", w.SKU, id, res.Locations, at)
			}
		}
		if rule := s.orders[id].Allocation; rule != nil && rule.Policy == order.SingleLocation && locations(res) > 1 {
			t.Fatalf("%s has %s at several locations: %+v", id, w.SKU, res)
		}
	}
}

// checkStock: nothing is reserved for an order that does not exist, item levels are those of the reservations, and
// on_hand is what came and has not left.
func (s *shop) checkStock(t *rapid.T) {
	promised := map[string]int64{}
	for key, res := range s.reservations {
		r, c, _, _ := res.Sums()
		promised[key[1]] += r + c
		wanted := slices.ContainsFunc(s.orders[key[0]].Wanted(), func(w order.Wanted) bool { return w.SKU == key[1] })
		if r+c > 0 && !wanted {
			t.Fatalf("%s is reserved for %s, which does not know of it: %+v", key[1], key[0], res)
		}
	}
	for sku, item := range s.items {
		total := item.Total()
		if total.OnHand != s.came[sku]-s.left[sku] || total.Reserved+total.Committed != promised[sku] {
			t.Fatalf("%s: %+v, of which %d came, %d left, and %d are promised", sku, total, s.came[sku], s.left[sku],
				promised[sku])
		}
	}
}

// locations counts the locations where an order has, or had, units.
func locations(r inventory.Reservation) (n int) {
	for _, h := range r.Locations {
		if h.Reserved+h.Committed+h.Fulfilled > 0 {
			n++
		}
	}
	return n
}
