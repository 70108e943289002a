package orderview

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The view folds events to what the rules have after deciding them: statuses, lines, returns and money. So does the
// summary that the index by status is made from.
func TestTheViewAgreesWithTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, h := order.Order{ID: "o-1"}, summary{}
		var log []*eventv1.OrderEvent
		for range ordertest.Length(t) {
			events, _ := order.Decide(o, ordertest.Command(t, o)) // refusals write nothing
			for _, ev := range events {
				m := codec.Meta{EventID: [16]byte{1}, Version: o.Version + 1}
				value, _, err := codec.AppendOrder(nil, o.ID, &m, ev)
				if err != nil {
					t.Fatal(err)
				}
				read := &eventv1.OrderEvent{}
				if err := schema.ReadOrder(value, read); err != nil {
					t.Fatal(err)
				}
				log = append(log, read)
				h.apply(read)
				o = order.Evolve(o, ev, order.Facts{})
				shownAs(t, log, order.Visible(ev), o.VisibleVersion)
			}
			if o.Version > 0 {
				sameAs(t, &o, &h, log)
			}
		}
	})
}

// shownAs checks that the last event changes what is shown if it is visible, and nothing of it otherwise. version is
// the one that the write side has answered.
func shownAs(t interface{ Fatalf(string, ...any) }, log []*eventv1.OrderEvent, visible bool, version uint64) {
	before, _, err := render(12, log[:len(log)-1])
	after, shown, err2 := render(12, log)
	if err != nil || err2 != nil {
		t.Fatalf("%v %v", err, err2)
	}
	if changed := string(before) != string(after); changed != visible || shown != version {
		t.Fatalf("clients see it: %t; what they are shown has changed: %t; version %d, want %d, after %v",
			visible, changed, shown, version, log[len(log)-1])
	}
}

// The list of events that no client sees (order.Visible) is that of the view, for all events of the schema.
func TestClientsAreShownWhatTheRulesSayTheySee(t *testing.T) {
	hidden := 0
	for _, s := range codectest.Samples(t) {
		ev := &eventv1.OrderEvent{}
		if err := schema.ReadOrder(s.Value, ev); err != nil || !strings.HasPrefix(s.Type, "holdfast."+TypeOf(ev)+".v") {
			continue // of stock
		}
		_, _, decided, err := codec.DecodeOrder(s.Value)
		if err != nil {
			t.Fatal(err)
		}
		version := uint64(1)
		if order.Visible(decided) {
			version = 2
		} else {
			hidden++
		}
		placed := &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: &eventv1.OrderPlacedV2{}}}
		placed.OrderId, placed.Meta, ev.Meta.Version = "o-1", &eventv1.Meta{Version: 1}, 2
		ev.OrderId = "o-1"
		shownAs(t, []*eventv1.OrderEvent{placed, ev}, order.Visible(decided), version)
	}
	if hidden == 0 {
		t.Error("no event is hidden")
	}
}

func sameAs(t *rapid.T, o *order.Order, h *summary, log []*eventv1.OrderEvent) {
	b, version, err := render(12, log)
	var v Order
	if err != nil || json.Unmarshal(b, &v) != nil {
		t.Fatalf("%v: %s", err, b)
	}
	euro, _ := money.Lookup("EUR")
	currency, _ := money.Lookup(o.Currency)
	for what, pair := range map[string][2]any{
		"version":           {v.Version, o.VisibleVersion},
		"version beside it": {version, o.VisibleVersion},
		"status":            {v.Status, o.Lifecycle.String()},
		"indexed status":    {h.status, o.Lifecycle.String()},
		"payment status":    {v.PaymentStatus, o.PaymentStatus()},
		"fulfilment status": {v.FulfilmentStatus, o.FulfilmentStatus()},
		"return status":     {v.ReturnStatus, o.ReturnStatus()},
		"subtotal":          {v.Subtotal, currency.Format(o.SubtotalMicros)},
		"total":             {v.Total, euro.Format(o.TotalMicros)},
		"authorized":        {v.Authorized, euro.Format(o.AuthorizedMicros)},
		"captured":          {v.Captured, euro.Format(o.CapturedMicros)},
		"voided":            {v.Voided, euro.Format(o.VoidedMicros)},
		"refunded":          {v.Refunded, euro.Format(o.RefundedMicros)},
		"refund due":        {v.RefundDue, euro.Format(o.RefundDueMicros)},
		"payment due":       {v.PaymentDue != "", o.PaymentDue},
		"lines":             {len(v.Lines), len(o.Lines)},
		"customer":          {v.CustomerID, o.CustomerID},
		"country":           {v.Country, o.Country},
		"reference":         {v.Reference, o.Reference},
		"returns":           {len(v.Returns), len(o.Returns)},
	} {
		if pair[0] != pair[1] {
			t.Fatalf("%s: the view has %v, the rules %v, after %v", what, pair[0], pair[1], log[len(log)-1])
		}
	}
	for i, l := range o.Lines {
		want := Line{
			Number: uint32(i) + 1, SKU: l.SKU, Quantity: l.Quantity, UnitPrice: currency.Format(l.UnitPriceMicros),
			Amount:      currency.Format(l.Quantity * l.UnitPriceMicros),
			Backordered: l.Backordered, Cancelled: l.Cancelled, Shipped: l.Shipped, Delivered: l.Delivered, Returned: l.Returned,
			Undelivered: l.Undelivered, Lost: l.Lost,
		}
		if l.DiscountMicros != 0 {
			want.Discount = currency.Format(l.DiscountMicros)
		}
		if l.TaxMicros != 0 {
			want.Tax = currency.Format(l.TaxMicros)
		}
		// What was ordered is told as it was.
		want.Discounts, want.OrderDiscount, want.Taxes = v.Lines[i].Discounts, v.Lines[i].OrderDiscount, v.Lines[i].Taxes
		if !reflect.DeepEqual(v.Lines[i], want) {
			t.Fatalf("line %d: the view has %+v, the rules %+v, after %v", i+1, v.Lines[i], want, log[len(log)-1])
		}
	}
	var begun *eventv1.OrderPlacedV2 // a refused document may have begun several times
	for _, ev := range log {
		if p := placedBy(ev); p != nil {
			begun = p
		}
	}
	for i, c := range o.Charges {
		want, placed := "", begun.Charges[i].AmountMicros
		if credited := placed - c.AmountMicros + c.ReturnedMicros; credited > 0 {
			want = currency.Format(credited)
		}
		if got := v.Charges[i]; got.Credited != want || got.Amount != currency.Format(placed) {
			t.Fatalf("charge %d: the view has %+v, the rules %+v", i+1, got, c)
		}
	}
	for _, f := range o.Fulfilments {
		k := slices.IndexFunc(v.Fulfilments, func(mine Fulfilment) bool { return mine.ID == f.ID })
		var mine []FulfilmentLine // the rules forget what did not arrive
		if k >= 0 {
			for _, l := range v.Fulfilments[k].Lines {
				if l.Quantity -= l.Undelivered; l.Quantity > 0 {
					l.Undelivered = 0
					mine = append(mine, l)
				}
			}
		}
		if k >= 0 && v.Fulfilments[k].Status == fulfilmentReversed {
			mine = nil // nor what never left
		}
		if k < 0 || len(mine) != len(f.Lines) ||
			(v.Fulfilments[k].Status == fulfilmentReversed) != f.Reversed ||
			(v.Fulfilments[k].Status == fulfilmentFailed) != (len(f.Lines) == 0 && !f.Reversed) ||
			(v.Fulfilments[k].Status == fulfilmentPending) != f.Pending ||
			(v.Fulfilments[k].Status == fulfilmentDelivered) != f.Delivered {
			t.Fatalf("the view has %+v, the rules %+v", v.Fulfilments, f)
		}
		arrived := map[int32]int64{}
		for _, l := range f.Arrived {
			arrived[l.Line] = l.Quantity
		}
		for i, l := range f.Lines {
			want := FulfilmentLine{uint32(l.Line), l.SKU, l.Quantity, arrived[l.Line], 0}
			if f.Delivered {
				want.Delivered = l.Quantity
			}
			if got := mine[i]; got != want {
				t.Fatalf("fulfilment %s: the view has %+v, the rules %+v", f.ID, got, want)
			}
		}
	}
	for i, r := range o.Returns {
		for k, l := range r.Lines {
			if got := v.Returns[i].Lines[k]; got != (ReturnLine{
				uint32(l.Line), l.SKU, l.Quantity, l.Received, got.Damaged}) {
				t.Fatalf("return %s: the view has %+v, the rules %+v", r.ID, got, l)
			}
		}
	}
}
