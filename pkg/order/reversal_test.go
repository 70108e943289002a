package order

import (
	"slices"
	"testing"
)

// shippedTwice has a and b in two shipments, of which stock knows: 1 of a and 3 of b in f, the rest in g.
func shippedTwice() []Command {
	return append(paid(), CapturePayment{AmountMicros: twoSKUsTotal},
		Ship{FulfilmentID: "f", Lines: []LineQuantity{{"a", 1, 0}, {"b", 3, 0}}}, Ship{FulfilmentID: "g"},
		stockAnswers(granted))
}

func TestORD79AShipmentIsTakenBack(t *testing.T) {
	reverse := ReverseShipment{FulfilmentID: "g", Reason: "the other order's"}
	s := given(t, shippedTwice()...)
	s.when(ReverseShipment{FulfilmentID: "h"}).refused(CodeUnknownFulfilment)
	s.when(ReverseShipment{FulfilmentID: "g", Reason: "\xff"}).refused("invalid_reason")
	s.when(reverse).
		then(ShipmentReversed{"g", []LineQuantity{{"a", 1, 1}, {"b", 1, 2}, {"a", 1, 3}}, "the other order's"}).
		at(Confirmed, "captured", "partially_fulfilled")
	s.when(reverse).refused(CodeShipmentReversed)
	s.when(Deliver{FulfilmentID: "g"}).refused(CodeShipmentReversed)
	s.when(FailDelivery{FulfilmentID: "g", Condition: Lost}).refused(CodeShipmentReversed)
	s.when(Ship{FulfilmentID: "g"}).refused(CodeFulfilmentExists)
	s.when(ShipFulfilment{FulfilmentID: "g"}).refused(CodeFulfilmentShipped)

	arrived := given(t, append(shippedTwice(), Deliver{"g", line("b", 1)})...)
	arrived.when(reverse).refused(CodeAlreadyDelivered)
	arrived.when(ReverseDelivery{FulfilmentID: "g"}).when(reverse).at(Confirmed, "captured", "partially_fulfilled")
	failed := []UndeliveredLine{{"b", 1, Lost, 0}}
	given(t, append(shippedTwice(), FailDelivery{FulfilmentID: "g", Lines: failed})...).
		when(reverse).refused(CodeDeliveryFailed)
	given(t, append(shippedTwice(), FailDelivery{FulfilmentID: "g", Condition: Lost})...).
		when(reverse).refused(CodeDeliveryFailed)

	asked := append(paid(), Ship{FulfilmentID: "g", Lines: line("a", 1)}, stockAnswers(granted),
		amend(AmendLine{SKU: "b", Quantity: 5}))
	given(t, asked...).when(reverse).refused(CodeAmendmentPending)
	given(t, paid()...).when(CreateFulfilment{FulfilmentID: "g"}).when(reverse).refused(CodeUnknownFulfilment)
	given(t, twoSKUs(Prepaid)).when(reverse).refused(CodeIllegalTransition)
	given(t, ImportDocument{OrderID: "o-1", Kind: KindImportedOrder, Currency: "EUR", Lines: twoSKUs(Prepaid).Lines}).
		when(reverse).refused(CodeIllegalTransition)
}

func TestORD80WhatIsTakenBackIsLeftToShip(t *testing.T) {
	s := given(t, shippedTwice()...)
	g := s.order.Fulfilments[1].ReservationVersion
	s.when(ReverseShipment{FulfilmentID: "g"})
	s.wants(true,
		Wanted{SKU: "a", Committed: 2, Fulfilled: 3, Restocked: 2, ShipAgain: 2, Reversed: []Reversed{{g, 2}}},
		Wanted{SKU: "b", Committed: 1, Fulfilled: 4, Restocked: 1, ShipAgain: 1, Reversed: []Reversed{{g, 1}}})
	s.when(Ship{FulfilmentID: "h"}).refused(CodeBackordered) // until stock has answered
	s.when(stockAnswers(granted))
	s.when(Ship{FulfilmentID: "h", Capture: true}). // it is paid
							then(LinesShipped{"h", []LineQuantity{{"a", 1, 1}, {"b", 1, 2}, {"a", 1, 3}}, "", "", ""}).
							at(Completed, "captured", "fulfilled")
	s.when(stockAnswers(granted)).when(ReverseShipment{FulfilmentID: "h"})
	if h := s.order.Wanted()[0]; len(h.Reversed) != 2 || h.Fulfilled != 5 || h.Restocked != 4 {
		t.Fatalf("%+v", h)
	}

	// An order of which nothing has shipped after all can be cancelled. Stock keeps what has left and come back.
	all := given(t, append(shippedTwice(), ReverseShipment{FulfilmentID: "f"}, ReverseShipment{FulfilmentID: "g"},
		stockAnswers(granted))...).at(Confirmed, "captured", "unfulfilled")
	all.when(Cancel{}).at(Cancelled, "captured", "unfulfilled")
	if w := all.order.Wanted(); w[0].Committed != 0 || w[0].Fulfilled != 3 || w[0].Restocked != 3 {
		t.Fatalf("%+v", w)
	}

	// On hold it is taken back all the same. One that left unpaid waits for its payment.
	given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("b", 1)}, Hold{}, ReverseShipment{FulfilmentID: "f"},
		stockAnswers(granted))...).at(OnHold, "authorized", "unfulfilled").
		when(Resume{}).when(Ship{FulfilmentID: "g"}).at(Completed, "authorized", "fulfilled")
	unpaid := given(t, append(paid(), VoidPayment{AmountMicros: twoSKUsTotal, Reference: "p", DeadlineMicros: 6_000},
		Ship{FulfilmentID: "f", UncoveredReason: "friend"}, stockAnswers(granted),
		ReverseShipment{FulfilmentID: "f", DeadlineMicros: 9_000})...)
	if o := unpaid.order; !o.CoverLost || o.PaymentDeadlineMicros != 9_000 {
		t.Fatalf("%+v", o)
	}
	unpaid.when(Expire{8_999}).then()
}

// What was captured with a shipment that was taken back counts towards those that follow, also where they are not all
// of the order.
func TestORD80CapturedMoneyCountsTowardsTheNextShipments(t *testing.T) {
	const price = 10_000_000
	place := Place{
		OrderID: "o-1", Currency: "EUR", Terms: Prepaid, PaymentDeadlineMicros: 5_000,
		Lines: []PlaceLine{{"a", 1, price, nil}, {"b", 1, price, nil}},
	}
	ship := func(id, sku string) Ship { return Ship{FulfilmentID: id, Lines: line(sku, 1), Capture: true} }
	reversed := []Command{place, stockAnswers(granted), authorize(2*price, "p", 0), ship("f", "a"),
		ReverseShipment{FulfilmentID: "f"}, stockAnswers(granted)}
	s := given(t, reversed...)
	s.when(ship("g", "a")).then(LinesShipped{"g", numbered("a", 1), "", "", ""}) // it is paid
	if s.order.CapturedMicros != price {
		t.Fatalf("%d are captured", s.order.CapturedMicros)
	}
	s.when(ship("h", "b")).then(LinesShipped{"h", numbered("b", 1), "", "", ""},
		PaymentCaptured{AmountMicros: price, Reference: "h"}).at(Completed, "captured", "fulfilled")

	// The other line first: it is paid by what was captured, and the last one by what is left.
	given(t, reversed...).when(ship("g", "b")).then(LinesShipped{"g", numbered("b", 1), "", "", ""}).
		when(ship("h", "a")).then(LinesShipped{"h", numbered("a", 1), "", "", ""},
		PaymentCaptured{AmountMicros: price, Reference: "h"})

	// Money that went back out of goodwill is not taken again.
	given(t, place, stockAnswers(granted), authorize(2*price, "p", 0), ship("f", "a"),
		RefundPayment{AmountMicros: price / 2, Reference: "sorry"}, ReverseShipment{FulfilmentID: "f"},
		stockAnswers(granted)).when(ship("g", "a")).then(LinesShipped{"g", numbered("a", 1), "", "", ""})
}

func TestORD81ADeliveryIsTakenBack(t *testing.T) {
	s := given(t, append(shippedTwice(), Deliver{FulfilmentID: "f"})...)
	s.when(ReverseDelivery{FulfilmentID: "h"}).refused(CodeUnknownFulfilment)
	s.when(ReverseDelivery{FulfilmentID: "g"}).refused(CodeNotDelivered)
	s.when(ReverseDelivery{FulfilmentID: "f", Reason: "\xff"}).refused("invalid_reason")
	s.when(ReverseDelivery{FulfilmentID: "f", Lines: line("b", 4)}).refused(CodeOverReversal)
	s.when(ReverseDelivery{FulfilmentID: "f", Lines: line("b", 2), Reason: "the neighbour's"}).
		then(DeliveryReversed{"f", numbered("b", 2), "the neighbour's"}).at(Completed, "captured", "fulfilled")
	s.when(ReverseDelivery{FulfilmentID: "f", Lines: line("b", 2)}).refused(CodeOverReversal)
	s.when(FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 1, Lost, 0}}})
	s.when(Deliver{FulfilmentID: "f"}).then(LinesDelivered{"f", numbered("b", 1)})

	// What came back, or will, had arrived.
	s.when(RequestReturn{ReturnID: "r", Lines: line("b", 1)})
	s.when(ReverseDelivery{FulfilmentID: "f"}).refused(CodeAlreadyReturned)
	s.when(ReceiveReturn{ReturnID: "r", Lines: []ReturnedLine{{"b", 1, Damaged, 0}}})
	s.when(ReverseDelivery{FulfilmentID: "f"}).refused(CodeAlreadyReturned)
	s.when(ReverseDelivery{FulfilmentID: "f", Lines: []LineQuantity{{"a", 1, 0}, {"b", 1, 0}}}).
		then(DeliveryReversed{"f", []LineQuantity{{"a", 1, 1}, {"b", 1, 2}}, ""})

	// Of a line that is in two shipments, the unit that came back may be of the other one.
	two := given(t, append(shippedTwice(), Deliver{FulfilmentID: "f"}, Deliver{FulfilmentID: "g"},
		RequestReturn{ReturnID: "r", Lines: line("b", 1)})...)
	two.when(ReverseDelivery{FulfilmentID: "f", Lines: line("b", 3)}).then(DeliveryReversed{"f", numbered("b", 3), ""})
	two.when(ReverseDelivery{FulfilmentID: "g", Lines: line("b", 1)}).refused(CodeAlreadyReturned)

	// A delivery that was taken back leaves a shipment that can be taken back.
	none := given(t, append(shippedTwice(), Deliver{FulfilmentID: "f"}, ReverseDelivery{FulfilmentID: "f"})...)
	none.when(ReverseShipment{FulfilmentID: "f"}).at(Confirmed, "captured", "partially_fulfilled")
	none.when(ReverseDelivery{FulfilmentID: "f"}).refused(CodeShipmentReversed)
	given(t, twoSKUs(Prepaid)).when(ReverseDelivery{FulfilmentID: "f"}).refused(CodeIllegalTransition)
	if slices.Contains(none.order.allowed(), "reverse_delivery") {
		t.Fatal(none.order.allowed())
	}
}
