package orderview

import (
	"encoding/json"
	"fmt"
	"testing"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// told folds an order of two lines of A and one of B, and then the events.
func told(t *testing.T, events ...*eventv1.OrderEvent) *Order {
	t.Helper()
	placed := &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlaced{OrderPlaced: &eventv1.OrderPlaced{
		Currency: "GBP", SubtotalMicros: 10_000_000, TotalMicros: 10_000_000,
		Lines: []*eventv1.OrderLine{
			{Sku: "A", Quantity: 2, UnitPriceMicros: 1_000_000}, {Sku: "B", Quantity: 1, UnitPriceMicros: 5_000_000},
			{Sku: "A", Quantity: 3, UnitPriceMicros: 1_000_000},
		}}}}
	all := append([]*eventv1.OrderEvent{placed}, events...)
	for i, ev := range all {
		ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: uint64(i + 1)}
	}
	body, err := render(all)
	if err != nil {
		t.Fatal(err)
	}
	o := &Order{}
	if err := json.Unmarshal(body, o); err != nil {
		t.Fatal(err)
	}
	return o
}

func quantity(sku string, n int64) []*eventv1.LineQuantity {
	return []*eventv1.LineQuantity{{Sku: sku, Quantity: n}}
}

func TestBackordersOfTheLastLinesFillLast(t *testing.T) {
	o := told(t,
		&eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: quantity("A", 4)}}},
		&eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackorderFilled{OrderBackorderFilled: &eventv1.OrderBackorderFilled{Filled: quantity("A", 2)}}})
	if o.Lines[0].Backordered != 0 || o.Lines[2].Backordered != 2 || o.Status != "reserved" || o.Timeline[2].Lines[0].Quantity != 2 {
		t.Fatalf("%+v", o)
	}
}

func TestACreditNoteHasNothingToFulfil(t *testing.T) {
	body, err := render([]*eventv1.OrderEvent{{OrderId: "c-1", Meta: &eventv1.Meta{Version: 1}, Change: &eventv1.OrderEvent_CreditNoteImported{
		CreditNoteImported: &eventv1.CreditNoteImported{Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 1}}}}}})
	var o map[string]any
	if err != nil || json.Unmarshal(body, &o) != nil || o["fulfilment_status"] != nil || o["status"] != "completed" {
		t.Fatalf("%v %s", err, body)
	}
}

// A document that stock is asked for is placed; refused, it may come again with other lines, and is told as it then is.
func TestADocumentThatStockIsAskedFor(t *testing.T) {
	lines := func(skus ...string) (lines []*eventv1.OrderLine) {
		for _, sku := range skus {
			lines = append(lines, &eventv1.OrderLine{Sku: sku, Quantity: 2, UnitPriceMicros: 1_000_000})
		}
		return lines
	}
	note := &eventv1.CreditNoteImported{Currency: "GBP", CustomerId: "other", Lines: lines("A")}
	first := &eventv1.OrderImported{Currency: "GBP", CustomerId: "c", Lines: lines("A", "B")}
	events := []*eventv1.OrderEvent{
		{Change: &eventv1.OrderEvent_ImportRequested{ImportRequested: &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{Order: first}}}},
		{Change: &eventv1.OrderEvent_OrderRejected{OrderRejected: &eventv1.OrderRejected{Short: []*eventv1.ShortLine{{Sku: "B", Requested: 2}}}}},
		{Change: &eventv1.OrderEvent_ImportRequested{ImportRequested: &eventv1.ImportRequested{Document: &eventv1.ImportRequested_CreditNote{CreditNote: note}}}},
		{Change: &eventv1.OrderEvent_CreditNoteImported{CreditNoteImported: note}},
	}
	for i, want := range []string{
		"placed imported_order c 2 0", "rejected imported_order c 2 1", "placed credit_note other 1 0", "completed credit_note other 1 0",
	} {
		for k, ev := range events[:i+1] {
			ev.OrderId, ev.Meta = "d", &eventv1.Meta{Version: uint64(k + 1)}
		}
		body, err := render(events[:i+1])
		var o Order
		if err == nil {
			err = json.Unmarshal(body, &o)
		}
		if got := fmt.Sprint(o.Status, " ", o.Kind, " ", o.CustomerID, " ", len(o.Lines), " ", len(o.Short)); err != nil || got != want {
			t.Errorf("after event %d: %v, got %s, want %s", i+1, err, got, want)
		}
	}
}
