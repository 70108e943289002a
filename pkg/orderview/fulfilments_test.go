package orderview

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestFulfilments(t *testing.T) {
	created := func(id string) *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.FulfilmentCreatedV2{FulfilmentId: id, Lines: quantity("A", 3)})
	}
	shipped := func(id string) *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: id, TrackingReference: "1Z", Lines: quantity("A", 3),
		})
	}
	delivered := func(id string, n int64) *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: id, Lines: quantity("A", n)})
	}
	cancelled := schematest.OrderEvent(&eventv1.FulfilmentCancelled{FulfilmentId: "f-1", Reason: "no box"})
	ended := schematest.OrderEvent(&eventv1.OrderCancelled{})
	reconciled := schematest.OrderEvent(&eventv1.ShipmentReconciledV2{Lines: quantity("A", 5)})
	for name, test := range map[string]struct {
		events    []*eventv1.OrderEvent
		statuses  []string
		delivered int64 // of the first
	}{
		"none":              {nil, nil, 0},
		"being packed":      {[]*eventv1.OrderEvent{created("f-1")}, []string{"pending"}, 0},
		"packed, then left": {[]*eventv1.OrderEvent{created("f-1"), shipped("f-1")}, []string{"shipped"}, 0},
		"left at once":      {[]*eventv1.OrderEvent{shipped("f-1")}, []string{"shipped"}, 0},
		"arrived in part": {
			[]*eventv1.OrderEvent{shipped("f-1"), delivered("f-1", 2)}, []string{"partially_delivered"}, 2,
		},
		"arrived": {
			[]*eventv1.OrderEvent{shipped("f-1"), delivered("f-1", 2), delivered("f-1", 1)}, []string{"delivered"}, 3,
		},
		"given up, another one": {
			[]*eventv1.OrderEvent{created("f-1"), cancelled, created("f-2")}, []string{"cancelled", "pending"}, 0,
		},
		"the order ended": {[]*eventv1.OrderEvent{created("f-1"), ended}, []string{"cancelled"}, 0},
		"stock has shipped": {
			[]*eventv1.OrderEvent{shipped("f-1"), created("f-2"), reconciled}, []string{"shipped", "pending"}, 0,
		},
		"arrived of nothing": {[]*eventv1.OrderEvent{delivered("f-9", 1)}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := folded(t, test.events...)
			var statuses []string
			for _, f := range o.Fulfilments {
				statuses = append(statuses, f.Status)
			}
			if !slices.Equal(statuses, test.statuses) {
				t.Fatalf("%v, want %v", statuses, test.statuses)
			}
			if len(statuses) == 0 {
				return
			}
			f := o.Fulfilments[0]
			if f.Lines[0] != (FulfilmentLine{0, "A", 3, test.delivered, 0}) ||
				(f.ShippedAt != nil) != (f.TrackingReference == "1Z") ||
				(f.DeliveredAt != nil) != (test.delivered > 0) ||
				(f.Reason == "no box") != (name == "given up, another one") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// What did not arrive is shown at the shipment, at the line and in the timeline, and is left to ship again.
func TestFailedDeliveries(t *testing.T) {
	two := []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 2}, {Line: 3, Sku: "A", Quantity: 1}}
	shipped := schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "f", Lines: two})
	lost := schematest.OrderEvent(&eventv1.DeliveryFailed{
		FulfilmentId: "f", Reason: "no such street", Lines: []*eventv1.UndeliveredLine{{
			Line: 1, Sku: "A", Quantity: 1, Condition: eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_LOST,
		}},
	})
	back := schematest.OrderEvent(&eventv1.DeliveryFailed{
		FulfilmentId: "f", Reason: "refused", Lines: []*eventv1.UndeliveredLine{
			{Line: 1, Sku: "A", Quantity: 1, Condition: eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_RESELLABLE},
			{Line: 3, Sku: "A", Quantity: 1, Condition: eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_DAMAGED},
		},
	})
	arrived := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: two[1:]})
	elsewhere := schematest.OrderEvent(&eventv1.DeliveryFailed{FulfilmentId: "g"})

	o := folded(t, shipped, lost, elsewhere)
	f, e := o.Fulfilments[0], o.Timeline[2]
	if f.Status != "shipped" || f.Reason != "no such street" || f.Lines[0] != (FulfilmentLine{1, "A", 2, 0, 1}) ||
		e.Type != "delivery_failed" || e.Reason != "no such street" || e.FulfilmentID != "f" || len(e.Lines) != 1 ||
		e.Lines[0] != (LineQuantity{Line: 1, SKU: "A", Quantity: 1, Condition: "lost"}) {
		t.Fatalf("%+v, %+v", f, e)
	}
	if l := o.Lines[0]; l.Shipped != 1 || l.Undelivered != 1 || l.Lost != 1 || l.Backordered != 1 {
		t.Fatalf("%+v", l)
	}
	if f := folded(t, shipped, lost, back).Fulfilments[0]; f.Status != "failed" || f.Reason != "refused" {
		t.Fatalf("%+v", f)
	}
	if f := folded(t, shipped, lost, arrived).Fulfilments[0]; f.Status != "partially_delivered" {
		t.Fatalf("%+v", f)
	}
	rest := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: []*eventv1.LineQuantity{
		{Line: 1, Sku: "A", Quantity: 1}, {Line: 3, Sku: "A", Quantity: 1}}})
	if f := folded(t, shipped, lost, rest).Fulfilments[0]; f.Status != "delivered" {
		t.Fatalf("%+v", f)
	}
}

// A shipment and a delivery that were recorded by mistake stay in the timeline, and count no more.
func TestReversals(t *testing.T) {
	two := []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 2}, {Line: 3, Sku: "A", Quantity: 1}}
	shipped := schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "f", Lines: two})
	arrived := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: two})
	notAll := schematest.OrderEvent(&eventv1.DeliveryReversed{FulfilmentId: "f", Lines: two[1:], Reason: "next door"})
	notArrived := schematest.OrderEvent(&eventv1.DeliveryReversed{FulfilmentId: "f", Lines: two, Reason: "next door"})
	never := schematest.OrderEvent(&eventv1.ShipmentReversed{FulfilmentId: "f", Lines: two, Reason: "wrong box"})
	elsewhere := []*eventv1.OrderEvent{
		schematest.OrderEvent(&eventv1.DeliveryReversed{FulfilmentId: "g"}),
		schematest.OrderEvent(&eventv1.ShipmentReversed{FulfilmentId: "g"}),
	}

	f := folded(t, append(elsewhere, shipped, arrived, notAll)...).Fulfilments[0]
	if f.Status != "partially_delivered" || f.Reason != "next door" || f.DeliveredAt == nil || f.Lines[1].Delivered != 0 {
		t.Fatalf("%+v", f)
	}
	// Of two deliveries it is not known when what is left of them arrived.
	first := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: two[:1]})
	later := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: two[1:]})
	f = foldedAt(t, 60, shipped, first, later, notAll).Fulfilments[0]
	if f.DeliveredAt != nil || f.Lines[0].Delivered != 2 {
		t.Fatalf("%+v", f)
	}
	o := folded(t, shipped, arrived, notArrived)
	f, e := o.Fulfilments[0], o.Timeline[3]
	if f.Status != "shipped" || f.DeliveredAt != nil || o.Lines[0].Delivered != 0 || o.Lines[0].Shipped != 2 ||
		e.Type != "delivery_reversed" || e.Reason != "next door" || e.FulfilmentID != "f" || len(e.Lines) != 2 {
		t.Fatalf("%+v, %+v", f, e)
	}
	o = folded(t, shipped, never)
	f, e = o.Fulfilments[0], o.Timeline[2]
	if f.Status != "reversed" || f.Reason != "wrong box" || o.Lines[0].Shipped != 0 || o.Lines[0].Backordered != 2 ||
		e.Type != "shipment_reversed" || e.Reason != "wrong box" || e.FulfilmentID != "f" || len(e.Lines) != 2 {
		t.Fatalf("%+v, %+v", f, e)
	}
}
