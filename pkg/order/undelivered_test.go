package order

import (
	"slices"
	"testing"
)

func shippedAll() []Command {
	return append(paid(), CapturePayment{AmountMicros: twoSKUsTotal}, Ship{FulfilmentID: "f"}, stockAnswers(granted))
}

func TestORD76WhatHasNotArrivedFails(t *testing.T) {
	s := given(t, append(shippedAll(), Deliver{"f", numbered("b", 1)})...)
	s.when(FailDelivery{FulfilmentID: "g", Condition: Lost}).refused(CodeUnknownFulfilment)
	s.when(FailDelivery{FulfilmentID: "f"}).refused(CodeInvalidCondition)
	s.when(FailDelivery{FulfilmentID: "f", Condition: 4}).refused(CodeInvalidCondition)
	one := func(c Condition) []UndeliveredLine { return []UndeliveredLine{{"b", 1, c, 0}} }
	s.when(FailDelivery{FulfilmentID: "f", Lines: one(0)}).refused(CodeInvalidCondition)
	s.when(FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 4, Lost, 0}}}).refused(CodeOverDelivery)
	s.when(FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 1, Lost, 1}}}).refused(CodeUnknownLine)
	s.when(FailDelivery{FulfilmentID: "f", Lines: slices.Repeat(one(Lost), 2_001)}).refused(CodeInvalidLines)
	s.when(FailDelivery{FulfilmentID: "f", Lines: one(Lost), Location: "north"}).refused(CodeInvalidLocation)
	s.when(FailDelivery{FulfilmentID: "f", Lines: one(Damaged), Location: " "}).refused(CodeInvalidLocation)
	s.when(FailDelivery{FulfilmentID: "f", Condition: Lost, Reason: "\xff"}).refused("invalid_reason")

	// Of a, which has two lines, 2 come back; of b 1 is broken and 1 lost. 1 of b is still on its way.
	s.when(FailDelivery{FulfilmentID: "f", Location: "north", Reason: "refused at the door", Lines: []UndeliveredLine{
		{"a", 2, Resellable, 0}, {"b", 1, Damaged, 0}, {"b", 1, Lost, 0},
	}}).then(DeliveryFailed{"f", []UndeliveredLine{
		{"a", 2, Resellable, 1}, {"b", 1, Damaged, 2}, {"b", 1, Lost, 2},
	}, "north", "refused at the door"}).at(Confirmed, "captured", "partially_fulfilled")
	s.wants(true,
		Wanted{SKU: "a", Committed: 2, Fulfilled: 3, Restocked: 2, ShipAgain: 2, ReturnedAt: []ReturnedAt{{"north", 2, 0}}},
		Wanted{SKU: "b", Committed: 2, Fulfilled: 4, Damaged: 1, ShipAgain: 2, ReturnedAt: []ReturnedAt{{"north", 0, 1}}})

	s.when(FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 2, Lost, 0}}}).refused(CodeOverDelivery)
	s.when(Deliver{FulfilmentID: "f"}).then(LinesDelivered{"f", []LineQuantity{{"b", 1, 2}, {"a", 1, 3}}})
	s.when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeAlreadyDelivered)

	none := given(t, append(shippedAll(), FailDelivery{FulfilmentID: "f", Condition: Lost})...)
	none.when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeDeliveryFailed)
	none.when(Deliver{FulfilmentID: "f"}).refused(CodeDeliveryFailed)
	none.when(Ship{FulfilmentID: "f"}).refused(CodeFulfilmentExists)
	none.when(RequestReturn{ReturnID: "r"}).refused(CodeNothingToReturn)

	asked := append(paid(), Ship{FulfilmentID: "f", Lines: line("a", 1)}, stockAnswers(granted),
		amend(AmendLine{SKU: "b", Quantity: 5}))
	given(t, asked...).when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeAmendmentPending)
	given(t, paid()...).when(CreateFulfilment{FulfilmentID: "f"}).
		when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeUnknownFulfilment)
	given(t, twoSKUs(Prepaid)).when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeIllegalTransition)
	given(t, ImportDocument{OrderID: "o-1", Kind: KindImportedOrder, Currency: "EUR", Lines: twoSKUs(Prepaid).Lines}).
		when(FailDelivery{FulfilmentID: "f", Condition: Lost}).refused(CodeIllegalTransition)
}

func TestORD77WhatFailedShipsAgain(t *testing.T) {
	back := FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 4, Lost, 0}}}
	s := given(t, append(shippedAll(), back)...).at(Confirmed, "captured", "partially_fulfilled")
	s.when(Ship{FulfilmentID: "g"}).refused(CodeBackordered)
	s.when(amend(AmendLine{SKU: "b", Quantity: 5})).refused(CodeAmendmentPending)

	// Stock has 3 of the 4 again.
	s.when(stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[1].Backordered = 1
		return c
	})).then(OrderBackorderFilled{line("b", 3), []StockVersion{{"b", 0}}}, ReservationSettled{s.order.ReservationVersion})
	s.wants(false, Wanted{SKU: "a", Fulfilled: 3}, Wanted{SKU: "b", Committed: 4, Fulfilled: 4})
	s.when(Ship{FulfilmentID: "g", Capture: true}).then(LinesShipped{"g", numbered("b", 3), "", "", ""}) // it is paid
	s.when(RecordBackorder{SKU: "b", ReservationVersion: s.order.ReservationVersion}).
		then(OrderBackorderFilled{line("b", 1), []StockVersion{{"b", 0}}})
	s.when(Ship{FulfilmentID: "h"}).then(LinesShipped{"h", numbered("b", 1), "", "", ""}).
		at(Completed, "captured", "fulfilled")
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3}, Wanted{SKU: "b", Fulfilled: 8})
	for _, id := range []string{"f", "g", "h"} {
		s.when(Deliver{FulfilmentID: id})
	}
	s.at(Completed, "captured", "delivered")

	// On hold the goods come back all the same, and ship once it goes on.
	held := given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("b", 1)}, Hold{},
		FailDelivery{FulfilmentID: "f", Condition: Resellable}, stockAnswers(granted))...).
		at(OnHold, "authorized", "unfulfilled")
	held.when(Resume{}).when(Ship{FulfilmentID: "g"}).at(Completed, "authorized", "fulfilled")

	// One that left unpaid waits for its payment.
	unpaid := given(t, append(paid(), VoidPayment{AmountMicros: twoSKUsTotal, Reference: "p", DeadlineMicros: 6_000},
		Ship{FulfilmentID: "f", UncoveredReason: "friend"}, stockAnswers(granted))...)
	unpaid.when(FailDelivery{FulfilmentID: "f", Condition: Resellable, DeadlineMicros: 9_000})
	if o := unpaid.order; !o.CoverLost || o.Lifecycle != Confirmed || o.PaymentDeadlineMicros < 6_000 {
		t.Fatalf("%+v", o)
	}
	unpaid.when(Expire{20_000}).at(Cancelled, "voided", "unfulfilled")
}

func TestORD78WhatFailedIsCancelled(t *testing.T) {
	s := given(t, shippedAll()...)
	charges := []ChargeCredit{{Charge: 1, AmountMicros: 1}}
	s.when(FailDelivery{FulfilmentID: "f", Condition: Lost, Charges: charges}).refused(CodeInvalidCharge)
	s.when(FailDelivery{FulfilmentID: "f", Condition: Lost, Charges: charges, Cancel: true}).refused(CodeUnknownCharge)

	lost := FailDelivery{FulfilmentID: "f", Lines: []UndeliveredLine{{"b", 1, Lost, 0}}, Reason: "lost", Cancel: true}
	s.when(lost).then(
		DeliveryFailed{"f", []UndeliveredLine{{"b", 1, Lost, 2}}, "", "lost"},
		LinesCancelled{
			Lines: []CancelledLine{{2, "b", 1, 2_000_000, 0, 0}}, Reason: "lost",
			SubtotalMicros: 10_345_000, TotalMicros: 10_340_000, RefundDueMicros: 2_000_000,
		}).at(Completed, "captured", "fulfilled")
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3}, Wanted{SKU: "b", Fulfilled: 4})
	s.when(stockAnswers(granted)).then(ReservationSettled{s.order.ReservationVersion})

	// Nothing else has shipped or is left: the order is cancelled, and all that was paid goes back.
	s.when(FailDelivery{FulfilmentID: "f", Condition: Resellable, Reason: "refused", Cancel: true}).then(
		DeliveryFailed{"f", []UndeliveredLine{{"a", 2, Resellable, 1}, {"b", 3, Resellable, 2}, {"a", 1, Resellable, 3}},
			"", "refused"},
		OrderCancelled{Reason: "refused", RefundDueMicros: 10_340_000}).at(Cancelled, "captured", "unfulfilled")
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3, Restocked: 3}, Wanted{SKU: "b", Fulfilled: 4, Restocked: 3})

	// What is left to ship again can be cancelled later, and so can the order.
	later := given(t, append(shippedAll(), FailDelivery{FulfilmentID: "f", Condition: Lost}, stockAnswers(granted))...)
	later.when(CancelLines{Lines: line("a", 3)}).at(Confirmed, "captured", "unfulfilled")
	later.when(Cancel{}).at(Cancelled, "captured", "unfulfilled")
	if later.order.RefundDueMicros != twoSKUsTotal {
		t.Fatalf("%d are due", later.order.RefundDueMicros)
	}
}
