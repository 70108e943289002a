package order_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// BenchmarkThreeLineOrder decides and evolves a whole order: placed, three reservations, outcome,
// confirmed, three commits, settled.
func BenchmarkThreeLineOrder(b *testing.B) {
	s := newShop()
	place := order.Place{Currency: "EUR", Terms: order.OnAccount}
	for _, sku := range []string{"a", "b", "c"} {
		if s.stock(sku, inventory.RegisterItem{}) != nil || s.stock(sku, inventory.ReceiveStock{Quantity: 1e9}) != nil {
			b.Fatal("stock refused")
		}
		place.Lines = append(place.Lines, order.PlaceLine{SKU: sku, Quantity: 1, UnitPriceMicros: 1_500_000})
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(s.orders)
		clear(s.reservations)
		clear(s.answered)
		if err := s.order("o-1", place); err != nil {
			b.Fatal(err)
		}
		if err := s.deliverAll(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecidePlaced is the order's own part of it: place, three answers, confirmed.
func BenchmarkDecidePlaced(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decidePlaced(b)
	}
}

// An order of three lines allocates little: garbage collection is what limits the write path.
func TestAThreeLineOrderAllocatesLittle(t *testing.T) {
	if allocations := testing.AllocsPerRun(100, func() { decidePlaced(t) }); allocations >= 15 {
		t.Errorf("%.0f allocations for an order of three lines", allocations)
	}
}

func decidePlaced(tb testing.TB) {
	place := order.Place{Currency: "EUR", Terms: order.OnAccount, Lines: []order.PlaceLine{
		{SKU: "a", Quantity: 1, UnitPriceMicros: 1_500_000}, {SKU: "b", Quantity: 1, UnitPriceMicros: 1_500_000},
		{SKU: "c", Quantity: 1, UnitPriceMicros: 1_500_000},
	}}
	answers := order.RecordReservation{ReservationVersion: 1, Answers: []order.StockAnswer{
		{SKU: "a", Reserved: 1}, {SKU: "b", Reserved: 1}, {SKU: "c", Reserved: 1},
	}}
	var o order.Order
	for _, cmd := range [...]order.Command{place, answers} {
		events, err := order.Decide(o, cmd)
		if err != nil || len(events) == 0 {
			tb.Fatal(err)
		}
		for _, ev := range events {
			o = order.Evolve(o, ev, order.Facts{})
		}
	}
}
