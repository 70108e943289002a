package orderview_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderview"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestAnOrderTellsHoldsFulfilmentsAndCancelledLines(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	two := []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}
	events := []*eventv1.OrderEvent{
		schematest.OrderEvent(&eventv1.OrderPlacedV2{
			CustomerId: "c", Currency: "GBP", SubtotalMicros: 8_000_000, TotalMicros: 8_000_000,
			Lines: []*eventv1.OrderLine{
				{Sku: "A", Quantity: 2, UnitPriceMicros: 1_000_000},
				{Sku: "A", Quantity: 3, UnitPriceMicros: 2_000_000},
			},
			Allocation: &eventv1.AllocationRule{
				Policy:    eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS,
				Locations: []string{"north"},
			},
		}),
		schematest.OrderEvent(&eventv1.OrderReserved{}),
		schematest.OrderEvent(&eventv1.OrderHeld{Reason: "fraud check"}),
		schematest.OrderEvent(&eventv1.OrderResumed{PaymentDeadlineMicros: 1_700_000_000_000_000}),
		schematest.OrderEvent(&eventv1.OrderConfirmed{}),
		schematest.OrderEvent(&eventv1.LinesCancelledV2{
			Lines: []*eventv1.CancelledLine{{Sku: "A", Quantity: 2, UnitPriceMicros: 2_000_000}}, Reason: "sold out",
			SubtotalMicros: 4_000_000, TotalMicros: 4_000_000}),
		schematest.OrderEvent(&eventv1.FulfilmentCreatedV2{FulfilmentId: "f1", Lines: two}),
		schematest.OrderEvent(&eventv1.FulfilmentCancelled{FulfilmentId: "f1", Reason: "no box"}),
		schematest.OrderEvent(&eventv1.OrderHeld{}),
		schematest.OrderEvent(&eventv1.OrderResumed{Confirmed: true}),
		schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "f2", Lines: two}),
		schematest.OrderEvent(&eventv1.LinesCancelledV2{
			Lines: []*eventv1.CancelledLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 2_000_000}}, SubtotalMicros: 2_000_000,
			TotalMicros: 2_000_000}),
		schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f2", Lines: two}),
	}
	statuses := []string{
		"placed", "reserved", "on_hold", "reserved", "confirmed", "confirmed", "confirmed", "confirmed", "on_hold",
		"confirmed", "confirmed", "completed", "completed",
	}
	var o orderview.Order
	for i, ev := range events {
		f.append("o-1", uint64(i+1), ev)
		if err := s.WaitFor(f.Ctx, f.position()); err != nil {
			t.Fatal(err)
		}
		body, _, _, err := s.Order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		o = orderview.Order{}
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		if o.Status != statuses[i] {
			t.Errorf("after %s the order is %s, want %s", o.Timeline[i].Type, o.Status, statuses[i])
		}
	}
	if o.Lines[0].Shipped != 2 || o.Lines[1].Cancelled != 3 || o.Total != "2.00" || o.FulfilmentStatus != "delivered" {
		t.Errorf("%+v", o)
	}
	if a := o.Allocation; a == nil || a.Policy != "fewest_locations" || len(a.Locations) != 1 ||
		a.Locations[0] != "north" {
		t.Errorf("%+v", o.Allocation)
	}
	for i, want := range map[int]string{2: "fraud check", 5: "sold out", 7: "no box"} {
		if got := o.Timeline[i].Reason; got != want {
			t.Errorf("%s says %q, want %q", o.Timeline[i].Type, got, want)
		}
	}
	if e := o.Timeline[6]; e.FulfilmentID != "f1" || len(e.Lines) != 1 || e.Lines[0].Quantity != 2 {
		t.Errorf("%+v", e)
	}
}
