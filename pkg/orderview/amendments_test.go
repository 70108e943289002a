package orderview_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderview"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestAnOrderTellsItsAmendments(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	requested := []*eventv1.AmendedLine{
		{Line: 2, Sku: "A", Quantity: 4, UnitPriceMicros: 2_000_000, FormerQuantity: 3, FormerUnitPriceMicros: 2_000_000},
		{Line: 3, Sku: "B", Quantity: 1, UnitPriceMicros: 500_000},
	}
	less := []*eventv1.AmendedLine{
		{Line: 1, Sku: "A", UnitPriceMicros: 1_000_000, FormerQuantity: 2, FormerUnitPriceMicros: 1_000_000},
	}
	order := func() (o orderview.Order) {
		t.Helper()
		if err := s.WaitFor(f.Ctx, f.position()); err != nil {
			t.Fatal(err)
		}
		body, _, _, err := s.Order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	version := uint64(0)
	fold := func(events ...*eventv1.OrderEvent) orderview.Order {
		t.Helper()
		for _, ev := range events {
			version++
			f.append("o-1", version, ev)
		}
		return order()
	}
	fold(
		schematest.OrderEvent(&eventv1.OrderPlacedV2{
			CustomerId: "c", Currency: "GBP", SubtotalMicros: 8_000_000, TotalMicros: 8_000_000,
			Lines: []*eventv1.OrderLine{
				{Sku: "A", Quantity: 2, UnitPriceMicros: 1_000_000},
				{Sku: "A", Quantity: 3, UnitPriceMicros: 2_000_000},
			},
		}),
		schematest.OrderEvent(&eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}),
		schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 8_000_000}),
		schematest.OrderEvent(&eventv1.OrderConfirmed{}))
	o := fold(schematest.OrderEvent(&eventv1.AmendmentRequestedV2{Lines: requested, Reason: "customer called"}))
	if e := o.Timeline[4]; len(o.Lines) != 2 || o.Total != "8.00" || e.Reason != "customer called" ||
		!reflect.DeepEqual(e.Lines, []orderview.LineQuantity{
			{Line: 2, SKU: "A", Quantity: 4}, {Line: 3, SKU: "B", Quantity: 1}}) {
		t.Errorf("requested: %+v", o)
	}
	o = fold(schematest.OrderEvent(&eventv1.OrderAmendedV2{
		Lines: requested, Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}, SubtotalMicros: 10_500_000,
		TotalMicros: 10_500_000, PaymentDueMicros: 2_500_000}))
	want := []orderview.Line{
		{Number: 1, SKU: "A", Quantity: 2, UnitPrice: "1.00", Amount: "2.00"},
		{Number: 2, SKU: "A", Quantity: 4, UnitPrice: "2.00", Amount: "8.00", Backordered: 2},
		{Number: 3, SKU: "B", Quantity: 1, UnitPrice: "0.50", Amount: "0.50"},
	}
	if !reflect.DeepEqual(o.Lines, want) || o.Total != "10.50" || o.PaymentDue != "2.50" || o.PaymentStatus != "pending" ||
		o.Status != "confirmed" {
		t.Errorf("amended: %+v", o)
	}
	o = fold(schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 2_500_000}),
		schematest.OrderEvent(&eventv1.AmendmentRequestedV2{Lines: requested}),
		schematest.OrderEvent(&eventv1.AmendmentDeclined{Short: []*eventv1.ShortLine{{
			Sku: "A", Requested: 9, Available: 1,
			Reason: eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK,
		}}}))
	if e := o.Timeline[8]; o.PaymentDue != "" || o.PaymentStatus != "authorized" || len(o.Short) != 0 ||
		!reflect.DeepEqual(e.Short, []orderview.Short{{SKU: "A", Requested: 9, Available: 1, Reason: "insufficient_stock"}}) {
		t.Errorf("declined: %+v", o)
	}
	o = fold(schematest.OrderEvent(&eventv1.AmendmentRequestedV2{Lines: less}),
		schematest.OrderEvent(&eventv1.OrderAmendedV2{
			Lines: less, SubtotalMicros: 8_500_000, TotalMicros: 8_500_000, VoidedMicros: 2_000_000}),
		schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "f",
			Lines:        []*eventv1.LineQuantity{{Sku: "A", Quantity: 4}, {Sku: "B", Quantity: 1}},
		}))
	if o.Lines[0].Quantity != 0 || o.Lines[1].Backordered != 0 || o.Total != "8.50" || o.Voided != "2.00" ||
		o.Status != "completed" || o.FulfilmentStatus != "fulfilled" {
		t.Errorf("shipped: %+v", o)
	}
	if rows, _, err := s.List(f.Ctx, orderview.Filter{Status: "completed"}, "", 5); err != nil || len(rows) != 1 {
		t.Errorf("the index of completed orders has %d, %v", len(rows), err)
	}
}
