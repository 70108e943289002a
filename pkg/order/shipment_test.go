package order

import (
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestORD14Ship(t *testing.T) {
	s := given(t, confirmed()...)
	ship := func(id string, lines ...LineQuantity) Ship { return Ship{FulfilmentID: id, Lines: lines} }
	s.when(ship("f", LineQuantity{"a", 0, 0})).refused(CodeInvalidQuantity)
	s.when(ship("f", LineQuantity{"a", 4, 0})).refused(CodeOverShipment)
	s.when(ship("f", LineQuantity{"a", 2, 0}, LineQuantity{"a", 2, 0})).refused(CodeOverShipment)
	s.when(ship("f", LineQuantity{"x", 1, 0})).refused(CodeOverShipment)
	s.when(ship("f", make([]LineQuantity, limits.MaxLines+1)...)).refused(CodeInvalidLines)
	s.when(ship("f1", LineQuantity{"b", 1, 0}, LineQuantity{"a", 1, 0}, LineQuantity{"b", 1, 0})).
		then(LinesShipped{FulfilmentID: "f1", Lines: []LineQuantity{{"a", 1, 1}, {"b", 2, 2}}}).at(Confirmed, "pending",
		"partially_fulfilled")
	s.wants(true, Wanted{SKU: "a", Committed: 2, Fulfilled: 1}, Wanted{SKU: "b", Committed: 2, Fulfilled: 2})
	s.when(ship("f2")).then(LinesShipped{FulfilmentID: "f2", Lines: []LineQuantity{{"a", 1, 1}, {"b", 2, 2}, {"a", 1,
		3}}}).
		at(Completed, "pending", "fulfilled")
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3}, Wanted{SKU: "b", Fulfilled: 4})
	s.when(ship("f3")).refused(CodeNothingToShip)
	given(t, twoSKUs(Prepaid), stockAnswers(granted)).when(ship("f")).refused(CodeIllegalTransition)
}

func TestORD14BackorderedDoesNotShip(t *testing.T) {
	s := given(t, twoSKUs(OnAccount), backordered(2))
	s.when(Ship{FulfilmentID: "f", Lines: line("a", 2)}).refused(CodeBackordered)
	s.when(Ship{FulfilmentID: "f"}).then(LinesShipped{FulfilmentID: "f", Lines: []LineQuantity{{"a", 1, 1}, {"b", 4, 2}}})
	s.at(Confirmed, "pending", "partially_fulfilled")
	s.when(Ship{FulfilmentID: "g"}).refused(CodeBackordered)
}

func TestORD15Shipments(t *testing.T) {
	s := given(t, append(confirmed(), Ship{FulfilmentID: "f", Lines: line("a", 1)})...)
	s.when(Ship{}).refused(CodeInvalidFulfilmentID)
	s.when(Ship{FulfilmentID: strings.Repeat("x", limits.MaxFulfilmentBytes+1)}).refused(CodeInvalidFulfilmentID)
	s.when(Ship{FulfilmentID: "f", Lines: line("a", 1)}).refused(CodeFulfilmentExists)
	s.when(Ship{FulfilmentID: "g", TrackingReference: "\xff"}).refused("invalid_tracking_reference")
	for i := range MaxFulfilments {
		s.order.Fulfilments = append(s.order.Fulfilments, Fulfilment{ID: strconv.Itoa(i)})
	}
	s.when(Ship{FulfilmentID: "g"}).refused(CodeTooManyFulfilments)
}

func TestORD16Deliver(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(Deliver{FulfilmentID: "f"}).refused(CodeIllegalTransition)
	s := given(t, append(confirmed(), Ship{FulfilmentID: "f1", Lines: line("a", 2)}, Ship{FulfilmentID: "f2"})...)
	s.when(Deliver{FulfilmentID: "f3"}).refused(CodeUnknownFulfilment)
	before := s.order
	s.when(Deliver{FulfilmentID: "f1"}).then(LinesDelivered{"f1", numbered("a", 2)}).at(Completed, "pending", "fulfilled")
	if before.Fulfilments[0].Delivered || before.Lines[0].Delivered != 0 {
		t.Fatal("Evolve changed its argument")
	}
	s.when(Deliver{FulfilmentID: "f1"}).refused(CodeAlreadyDelivered)
	s.when(Deliver{FulfilmentID: "f2"}).at(Completed, "pending", "delivered")
	if s.order.Lines[2].Delivered != 1 {
		t.Fatalf("%+v", s.order.Lines)
	}
}

func TestORD16DeliverByLine(t *testing.T) {
	s := given(t,
		append(confirmed(), Ship{FulfilmentID: "f1", Lines: []LineQuantity{{"a", 2, 0}, {"b", 3, 0}}},
			Ship{FulfilmentID: "f2"})...)
	s.when(Deliver{"f1", line("a", 0)}).refused(CodeInvalidQuantity)
	s.when(Deliver{"f1", line("a", 3)}).refused(CodeOverDelivery) // the third is in f2
	s.when(Deliver{"f1", line("c", 1)}).refused(CodeOverDelivery)
	s.when(Deliver{"f1", []LineQuantity{{"b", 1, 0}, {"b", 1, 0}}}).then(LinesDelivered{"f1", numbered("b", 2)}).
		at(Completed, "pending", "fulfilled")
	before := s.order
	s.when(Deliver{"f1", line("b", 2)}).refused(CodeOverDelivery)
	s.when(RequestReturn{"r", line("b", 3), ""}).refused(CodeOverReturn) // only what has arrived comes back
	s.when(RequestReturn{"r", line("b", 2), ""})
	s.when(Deliver{"f1", line("a", 1)})
	if got := before.Fulfilments[0]; len(got.Arrived) != 1 || got.Arrived[0] != (LineQuantity{"b", 2, 2}) ||
		before.Lines[0].Delivered != 0 {
		t.Fatalf("Evolve changed its argument: %+v", got)
	}
	s.when(Deliver{FulfilmentID: "f1"}).then(LinesDelivered{"f1", []LineQuantity{{"a", 1, 1}, {"b", 1, 2}}}).
		at(Completed, "pending", "fulfilled")
	if f := s.order.Fulfilments[0]; !f.Delivered || f.Arrived != nil {
		t.Fatalf("%+v", f)
	}
	s.when(Deliver{"f1", line("a", 1)}).refused(CodeAlreadyDelivered)
	s.when(Deliver{"f2", line("b", 1)}).at(Completed, "pending", "fulfilled")
	s.when(Deliver{"f2", line("a", 1)}).at(Completed, "pending", "delivered")

	part := given(t, append(confirmed(), Ship{FulfilmentID: "f1", Lines: line("a", 2)})...)
	part.when(Deliver{FulfilmentID: "f1"}).at(Confirmed, "pending", "partially_fulfilled")
}

func TestORD19ReconcileShipment(t *testing.T) {
	s := given(t, confirmed()...)
	s.when(ReconcileShipment{}).refused(CodeNothingToShip)
	s.when(ReconcileShipment{Lines: line("a", 4)}).refused(CodeOverShipment)
	s.when(ReconcileShipment{Lines: line("a", 3)}).
		then(ShipmentReconciled{"reconciled-4", []LineQuantity{{"a", 2, 1}, {"a", 1, 3}}}).
		at(Confirmed, "pending", "partially_fulfilled")
	s.when(ReconcileShipment{Lines: line("b", 4)}).at(Completed, "pending", "fulfilled")
	s.when(ReconcileShipment{Lines: line("b", 1)}).refused(CodeIllegalTransition)

	unpaid := given(t, twoSKUs(Prepaid)).when(ReconcileShipment{Lines: line("a", 1), DeadlineMicros: 9_000})
	unpaid.then(ShipmentReconciled{"reconciled-2", numbered("a", 1)}, CoverLost{twoSKUsTotal, 9_000})
	unpaid.at(Confirmed, "pending", "partially_fulfilled").
		wants(false, Wanted{SKU: "a", Committed: 2, Fulfilled: 1}, Wanted{SKU: "b", Committed: 4})
	unpaid.when(Expire{9_000}).at(Completed, "pending", "fulfilled") // what remains is cancelled
	waiting := given(t, twoSKUs(OnAccount), backordered(2)).when(ReconcileShipment{Lines: line("a", 2)})
	if o := waiting.order; o.Lines[0].Shipped != 2 || o.Lines[0].Backordered != 0 || o.Lines[2].Backordered != 1 {
		t.Fatalf("%+v", o.Lines)
	}
	// and then it may be delivered
	s.when(Deliver{FulfilmentID: "reconciled-4"}).then(LinesDelivered{"reconciled-4", []LineQuantity{{"a", 2, 1}, {"a",
		1, 3}}})
	given(t).when(ReconcileShipment{Lines: line("a", 1)}).refused(CodeIllegalTransition)
}

func TestORD19AFulfilmentThatIsBeingPackedIsWhatHasShipped(t *testing.T) {
	packing := append(confirmed(), CreateFulfilment{"f1", line("a", 2)}, CreateFulfilment{"f2", line("b", 3)},
		CreateFulfilment{"f3", line("b", 1)})
	s := given(t, packing...)
	s.when(ReconcileShipment{Lines: line("b", 3)}).then(ShipmentReconciled{"f2", numbered("b", 3)})
	s.when(Deliver{FulfilmentID: "f2"}).then(LinesDelivered{"f2", numbered("b", 3)})
	s.when(ShipFulfilment{FulfilmentID: "f1"}).then(LinesShipped{FulfilmentID: "f1", Lines: numbered("a", 2)})

	s = given(t, packing...)
	s.when(ReconcileShipment{Lines: []LineQuantity{{"a", 1, 0}, {"b", 1, 0}}}).then(
		FulfilmentCancelled{"f3", ReconciliationReason},
		ShipmentReconciled{"reconciled-7", []LineQuantity{{"b", 1, 2}, {"a", 1, 3}}})
	s.when(ReconcileShipment{Lines: line("a", 2)}).then(ShipmentReconciled{"f1", numbered("a", 2)})
	s.when(ShipFulfilment{FulfilmentID: "f2"}).at(Completed, "pending", "fulfilled")
}

func TestORD19OnHold(t *testing.T) {
	s := given(t, append(confirmed(), Hold{})...)
	s.when(ReconcileShipment{Lines: line("a", 3)}).at(OnHold, "pending", "partially_fulfilled")
	s.when(Cancel{}).refused(CodeAlreadyShipped)
	s.when(ReconcileShipment{Lines: line("b", 4)}).at(Completed, "pending", "fulfilled")
	reserved := given(t, twoSKUs(Prepaid), stockAnswers(granted), Hold{}, ReconcileShipment{Lines: line("a", 3)})
	reserved.when(Resume{DeadlineMicros: 9_000}).then(OrderResumed{Confirmed: true, PaymentDeadlineMicros: 9_000})
	reserved.at(Confirmed, "pending", "partially_fulfilled")
}
