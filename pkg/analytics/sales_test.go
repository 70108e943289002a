package analytics

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// life is an order whose events become records one after the other.
type life struct {
	order     order.Order
	confirmed bool
	// begins is the offset of the event that placed the order, or of the document.
	begins int64
}

// next decides a command, and returns the records of its events. A refusal has none.
func (l *life) next(t *rapid.T, cmd order.Command) (recs []*eventlog.Record) {
	events, _ := order.Decide(l.order, cmd)
	for _, ev := range events {
		m := codec.Meta{
			EventID: [16]byte{byte(l.order.Version)}, Version: l.order.Version + 1, RecordedAtMicros: 60,
			OccurredAtMicros: int64(l.order.Version) * 1e6, Generation: 1, Cause: eventv1.Cause_CAUSE_COMMAND,
		}
		value, _, err := codec.AppendOrder(nil, l.order.ID, &m, ev)
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Offset: int64(l.order.Version), Value: value,
		})
		switch ev.(type) {
		case order.OrderPlaced, order.DocumentImported:
			l.begins = int64(l.order.Version)
		}
		switch ev.(type) {
		case order.OrderConfirmed, order.DocumentImported:
			l.confirmed = true
		case order.OrderCancelled:
			l.confirmed = false
		}
		l.order = order.Evolve(l.order, ev, order.Facts{})
	}
	return recs
}

// figures are what sales say of an order: units by SKU, and money by kind, exact and rounded.
type figures struct {
	units   map[string]int64
	money   map[string]int64
	rounded int64
}

// kept is what the customer has of each SKU, what that costs by kinds, and what all of it costs rounded (ORD-61).
func (l *life) kept(t *rapid.T) figures {
	f := figures{units: map[string]int64{}, money: map[string]int64{}}
	if !l.confirmed {
		return f
	}
	o, sign := &l.order, int64(1)
	if o.Kind == order.KindCreditNote {
		sign = -1
	}
	for _, line := range o.Lines {
		kept, tax := line.Quantity-line.Cancelled-line.Returned, line.TaxMicros-line.ReturnedTaxMicros
		f.units[line.SKU] += sign * kept
		f.money[kindGoods] += sign * kept * line.UnitPriceMicros
		f.money[kindDiscount] -= sign * (line.DiscountMicros - line.ReturnedDiscountMicros)
		f.money[kindTax] += sign * tax
		if o.TaxesIncluded {
			f.money[kindGoods] -= sign * tax
		}
	}
	for _, c := range o.Charges {
		tax := c.TaxMicros - c.ReturnedTaxMicros
		f.money[kindCharge] += sign * (c.AmountMicros - c.ReturnedMicros)
		f.money[kindTax] += sign * tax
		if o.TaxesIncluded {
			f.money[kindCharge] -= sign * tax
		}
	}
	_, returned, err := Returned(o)
	if err != nil {
		t.Fatal(err)
	}
	f.rounded = sign * (o.TotalMicros - returned)
	return f
}

// Returned is what came back of an order, exact and rounded. Tests of the package's users need it, too.
func Returned(o *order.Order) (exact, rounded int64, err error) {
	currency, _ := money.Lookup(o.Currency)
	add := func(micros, tax int64) error {
		if !o.TaxesIncluded {
			micros += tax
		}
		exact += micros
		if o.RoundByLine {
			if micros, err = currency.Round(micros); err != nil {
				return err
			}
		}
		rounded += micros
		return nil
	}
	for _, line := range o.Lines {
		gross := line.Returned*line.UnitPriceMicros - line.ReturnedDiscountMicros
		if err := add(gross, line.ReturnedTaxMicros); err != nil {
			return 0, 0, err
		}
	}
	for _, c := range o.Charges {
		if err := add(c.ReturnedMicros, c.ReturnedTaxMicros); err != nil {
			return 0, 0, err
		}
	}
	rounded, err = currency.Round(rounded)
	return exact, rounded, err
}

// Whatever happens to an order, its rows in sales add up to what its customer keeps: the units of each SKU, what goods,
// charges, discounts and taxes cost to the last millionth, and what the customer pays for them. Each row knows where
// its order begins.
func TestSalesAddUpToWhatCustomersKeep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := life{order: order.Order{ID: "o-1"}}
		fold := newSalesFold(nil, nil) // remembers the order, so that it reads nothing
		b := newBatch()
		for range ordertest.Length(t) {
			for _, rec := range l.next(t, ordertest.Command(t, l.order)) {
				if err := b.add(rec); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.foldSales(t.Context(), fold); err != nil {
				t.Fatal(err)
			}
			want, have := l.kept(t), figures{units: map[string]int64{}, money: map[string]int64{}}
			for i, offset := range b.sales.offset {
				if begin := b.sales.orderOffset[i]; begin != l.begins {
					t.Fatalf("the sale at %d is of an order that begins at %d, not %d", offset, begin, l.begins)
				}
				have.money[b.sales.kind[i]] += b.sales.amountMicros[i]
				have.rounded += b.sales.amountMicros[i] + b.sales.roundingMicros[i]
				if b.sales.kind[i] == kindGoods {
					have.units[b.sales.sku[i]] += b.sales.quantity[i]
				} else if b.sales.quantity[i] != 0 || b.sales.sku[i] == "" {
					t.Fatalf("%s of %q has %d units", b.sales.kind[i], b.sales.sku[i], b.sales.quantity[i])
				}
			}
			for _, f := range []figures{want, have} { // nothing is as good as 0
				nothing := func(_ string, v int64) bool { return v == 0 }
				maps.DeleteFunc(f.units, nothing)
				maps.DeleteFunc(f.money, nothing)
			}
			if !maps.Equal(have.units, want.units) || !maps.Equal(have.money, want.money) || have.rounded != want.rounded {
				t.Fatalf("sales are %+v\nthe customer keeps %+v\nof %+v", have, want, l.order)
			}
		}
	})
}

// Every line has its share of the rounding, and all shares together are all of it.
func TestRoundingIsSharedByWhatLinesCost(t *testing.T) {
	line := func(quantity, price int64) saleLine { return goods("a", price, quantity) }
	for _, c := range []struct {
		rounding int64
		lines    []saleLine
		want     []int64
	}{
		{4_000, []saleLine{line(1, 3_000_000), line(1, 1_000_000)}, []int64{3_000, 1_000}},
		{-4_000, []saleLine{line(-3, 1_000_000), line(-1, 1_000_000)}, []int64{-3_000, -1_000}},
		{2, []saleLine{line(1, 1), line(1, 1), line(1, 1)}, []int64{0, 1, 1}},
		{5, []saleLine{line(0, 1), line(1, 0)}, []int64{0, 5}},
		{500_000, []saleLine{line(1e9, 9_000_000_000), line(1, 1)}, []int64{499_999, 1}}, // more than 64 bits on the way
	} {
		got := make([]int64, len(c.lines))
		shares := shareRounding(c.rounding, len(c.lines), func(i int) int64 { return c.lines[i].amountMicros })
		for i := range got {
			got[i] = shares.next(c.lines[i].amountMicros)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%d among %v: %v, not %v", c.rounding, c.lines, got, c.want)
				break
			}
		}
	}
}

// A change that happened before the confirmation, by the clock of whoever reported it, counts with the confirmation.
func TestNothingCountsBeforeItsOrder(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	o := &orderSales{}
	lines := []saleLine{goods("a", 1_000_000, 2)}
	o.change(&orderChange{typ: "order_placed", occurredAt: at(1), currency: "EUR", lines: lines})
	o.change(&orderChange{typ: "order_confirmed", occurredAt: at(5)})
	early := o.change(&orderChange{typ: "return_received", occurredAt: at(3), lines: []saleLine{goods("a", 1_000_000,
		-1)}})
	if !early.at.Equal(at(5)) {
		t.Errorf("the return counts at %v", early.at)
	}
}

// The fold forgets the orders that were used least recently, half of them at a time, and keeps within its memory.
func TestTheFoldOfSalesForgetsOldOrders(t *testing.T) {
	f := newSalesFold(nil, nil)
	big := &orderSales{lines: make([]saleLine, 1000)}
	perOrder := salesOrderBytes + 1000*salesLineBytes
	kept := 2 * (salesMemory / 2 / perOrder)
	n := 0
	for ; n < 3*kept; n++ {
		f.remember(fmt.Sprint(n), big)
		f.remember("0", f.recall("0")) // used all the time
	}
	if f.recall("0") == nil || f.recall(fmt.Sprint(n-1)) == nil || f.recall("1") != nil {
		t.Error("the fold keeps other orders than those used last")
	}
	if have := len(f.recent) + len(f.older); have > kept+2 {
		t.Errorf("%d orders are kept, of %d bytes each", have, perOrder)
	}
}
