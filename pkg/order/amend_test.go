package order

import (
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func price(micros int64) *int64 { return &micros }

func amend(lines ...AmendLine) Amend { return Amend{Lines: lines} }

// stockIsShort rejects one SKU, and the others because of it.
func stockIsShort(sku string, available int64) stockAnswers {
	return func(o Order) RecordReservation {
		c := granted(o)
		for i := range c.Answers {
			h := &c.Answers[i]
			h.Rejected, h.RejectionReason, h.Available = true, ReasonOtherLine, 9
			if h.SKU == sku {
				h.RejectionReason, h.Available = ReasonInsufficientStock, available
			}
		}
		return c
	}
}

func TestORD50AmendWhen(t *testing.T) {
	more := amend(AmendLine{SKU: "b", Quantity: 5})
	given(t).when(more).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(more).refused(CodeIllegalTransition)
	given(t, append(paid(), Hold{})...).when(more).refused(CodeIllegalTransition)
	given(t, append(paid(), Ship{FulfilmentID: "f"})...).when(more).refused(CodeIllegalTransition)
	given(t, append(paid(), Cancel{})...).when(more).refused(CodeIllegalTransition)
	given(t, append(paid(), more)...).when(more).refused(CodeAmendmentPending)
	given(t, paid()...).when(Amend{Lines: more.Lines, Reason: tooLong}).refused("invalid_reason")
	s := given(t, confirmed()...)
	s.order.Amendments = MaxAmendments
	s.when(more).refused(CodeTooManyAmendments)
}

func TestORD51AmendedLines(t *testing.T) {
	s := given(t, confirmed()...)
	s.when(Amend{}).refused(CodeInvalidLines)
	s.when(amend(make([]AmendLine, limits.MaxLines+1)...)).refused(CodeInvalidLines)
	s.when(amend(AmendLine{SKU: "", Quantity: 1})).refused(CodeInvalidSKU)
	s.when(amend(AmendLine{SKU: "a", Quantity: 1})).refused(CodeUnknownLine)
	s.when(amend(AmendLine{SKU: "a", Line: 2, Quantity: 1})).refused(CodeUnknownLine)
	s.when(amend(AmendLine{SKU: "b", Line: 4, Quantity: 1})).refused(CodeUnknownLine)
	s.when(amend(AmendLine{SKU: "b", Line: -1, Quantity: 1})).refused(CodeUnknownLine)
	s.when(amend(AmendLine{SKU: "b", Quantity: 1}, AmendLine{SKU: "b", Line: 2, Quantity: 2})).refused(CodeInvalidLines)
	s.when(amend(AmendLine{SKU: "c", Quantity: 1, UnitPriceMicros: price(1)},
		AmendLine{SKU: "c", Quantity: 1, UnitPriceMicros: price(2)})).refused(CodeInvalidLines)
	s.when(amend(AmendLine{SKU: "c", Quantity: 0, UnitPriceMicros: price(1)})).refused(CodeInvalidQuantity)
	s.order.SKUsToRelease = make([]string, limits.MaxLines-3)
	s.when(amend(AmendLine{SKU: "c", Quantity: 1, UnitPriceMicros: price(1)})).refused(CodeInvalidLines)
	s.order.SKUsToRelease = nil
	s.when(amend(AmendLine{SKU: "a", Line: 3, Quantity: 2})).
		then(AmendmentRequested{Lines: []AmendedLine{{3, "a", 2, 2_115_000, 1, 2_115_000, 0, 0, 0, 0}}})
}

func TestORD52AmendedPrices(t *testing.T) {
	s := given(t, confirmed()...)
	s.when(amend(AmendLine{SKU: "b", Quantity: -1})).refused(CodeInvalidQuantity)
	s.when(amend(AmendLine{SKU: "b", Quantity: limits.MaxQuantity + 1})).refused(CodeInvalidQuantity)
	s.when(amend(AmendLine{SKU: "c", Quantity: 1})).refused(CodeInvalidPrice)
	s.when(amend(AmendLine{SKU: "b", Quantity: 1, UnitPriceMicros: price(-1)})).refused(CodeInvalidPrice)
	s.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(1 << 61)})).refused(CodeAmountOverflow)
	s.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(2_000_000)},
		AmendLine{SKU: "a", Line: 1, Quantity: 2})).then()
	s.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(1_000_000)})).then(
		AmendmentRequested{Lines: []AmendedLine{{2, "b", 4, 1_000_000, 4, 2_000_000, 0, 0, 0, 0}}},
		OrderAmended{Lines: []AmendedLine{{2, "b", 4, 1_000_000, 4, 2_000_000, 0, 0, 0, 0}}, SubtotalMicros: 8_345_000,
			TotalMicros: 8_340_000})
	s.when(CancelLines{Lines: line("b", 1)})
	s.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(1)})).refused(CodeInvalidPrice)
	s.when(amend(AmendLine{SKU: "b", Quantity: 3, UnitPriceMicros: price(1_000_000)})).
		at(Confirmed, "pending", "unfulfilled")
	if l := s.order.Lines[1]; l.left() != 2 || s.order.TotalMicros != 6_340_000 {
		t.Fatalf("%+v of an order of %d", l, s.order.TotalMicros)
	}
	shipped := given(t, append(confirmed(), Ship{FulfilmentID: "f", Lines: line("b", 1)})...)
	shipped.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(1)})).refused(CodeInvalidPrice)
}

func TestORD53NothingBelowWhatHasHappened(t *testing.T) {
	s := given(t,
		append(confirmed(), Ship{FulfilmentID: "f", Lines: line("b", 1)}, CancelLines{Lines: line("b", 1)},
			CreateFulfilment{"g", line("b", 1)})...)
	s.when(amend(AmendLine{SKU: "b", Quantity: 1})).refused(CodeOverAmendment)
	s.when(amend(AmendLine{SKU: "b", Quantity: 2})).refused(CodeOverAmendment)
	s.when(amend(AmendLine{SKU: "b", Quantity: 3})).
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 1, Fulfilled: 1})

	whole := given(t, confirmed()...)
	nothing := amend(AmendLine{SKU: "a", Line: 1}, AmendLine{SKU: "a", Line: 3}, AmendLine{SKU: "b"})
	whole.when(nothing).refused(CodeNothingLeft)
	whole.when(amend(append(nothing.Lines, AmendLine{SKU: "c", Quantity: 1, UnitPriceMicros: price(1_000_000)})...))
	whole.wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4}, Wanted{SKU: "c", Reserved: 1})
	whole.when(stockAnswers(granted)).wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"}, Wanted{SKU: "c", Committed: 1})
	back := whole.when(amend(AmendLine{SKU: "b", Quantity: 2}))
	back.then(AmendmentRequested{Lines: []AmendedLine{{2, "b", 2, 2_000_000, 0, 2_000_000, 0, 0, 0, 0}}})
}

func TestORD54To56StockIsReservedFirst(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	lines := []AmendedLine{{2, "b", 6, 2_000_000, 4, 2_000_000, 0, 0, 0, 0}, {3, "a", 0, 2_115_000, 1, 2_115_000, 0, 0,
		0, 0},
		{4, "c", 1, 3_333_000, 0, 0, 0, 0, 0, 0}}
	s.when(Amend{
		Lines: []AmendLine{{SKU: "b", Quantity: 6}, {SKU: "a", Line: 3},
			{SKU: "c", Quantity: 1, UnitPriceMicros: price(3_333_000)}}, Reason: "customer called"})
	s.then(AmendmentRequested{Lines: lines, Reason: "customer called"}).at(Reserved, "pending", "unfulfilled")
	s.wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 6}, Wanted{SKU: "c", Reserved: 1})
	if s.order.TotalMicros != twoSKUsTotal || !s.order.Undecided() {
		t.Fatalf("an amendment counts before stock has answered: %+v", s.order)
	}
	s.when(RecordReservation{ReservationVersion: s.order.ReservationVersion,
		Answers: []StockAnswer{{SKU: "a", Reserved: 3}}}).then()
	s.when(RecordReservation{ReservationVersion: s.order.ReservationVersion - 1, Answers: granted(s.order).Answers}).then()
	s.when(stockAnswers(granted)).then(OrderAmended{Lines: lines, SubtotalMicros: 17_563_000, TotalMicros: 17_560_000})
	s.wants(true, Wanted{SKU: "a", Reserved: 2}, Wanted{SKU: "b", Reserved: 6}, Wanted{SKU: "c", Reserved: 1})
	s.when(authorize(17_560_000, "p", 0)).at(Confirmed, "authorized", "unfulfilled")

	swapped := given(t, confirmed()...) // of one SKU, from one line to the other: stock has nothing to add
	swapped.when(amend(AmendLine{SKU: "a", Line: 1, Quantity: 1}, AmendLine{SKU: "a", Line: 3, Quantity: 2}))
	swapped.wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4})
	if swapped.order.Undecided() || swapped.order.TotalMicros != 13_340_000 {
		t.Fatalf("%+v", swapped.order)
	}
}

func TestORD56Backorders(t *testing.T) {
	s := given(t, twoSKUs(OnAccount), backordered(2))
	s.when(amend(AmendLine{SKU: "a", Line: 1, Quantity: 4}))
	s.when(backordered(4)).then(OrderAmended{
		Lines: []AmendedLine{{1, "a", 4, 1_115_000, 2, 1_115_000, 0, 0, 0, 0}}, Backordered: line("a", 4),
		SubtotalMicros: 14_575_000, TotalMicros: 14_580_000})
	if l := s.order.Lines; l[2].Backordered != 1 || l[0].Backordered != 3 {
		t.Fatalf("%+v", l)
	}
	s.when(stockAnswers(func(o Order) RecordReservation { return backordered(3)(o) })).then(
		filled(1, 0), ReservationSettled{s.order.ReservationVersion})
	s.when(amend(AmendLine{SKU: "a", Line: 1, Quantity: 2})) // what waits is given up first
	if s.order.Backordered("a") != 1 {
		t.Fatalf("%+v", s.order.Lines)
	}
	s.when(amend(AmendLine{SKU: "a", Line: 1, Quantity: 0}))
	if s.order.Backordered("a") != 0 {
		t.Fatalf("%+v", s.order.Lines)
	}
}

func TestORD54MoneyThatIsSetFree(t *testing.T) {
	less := []AmendedLine{{2, "b", 2, 2_000_000, 4, 2_000_000, 0, 0, 0, 0}}
	fewer := amend(AmendLine{SKU: "b", Quantity: 2})
	s := given(t, paid()...).when(fewer).then(AmendmentRequested{Lines: less},
		OrderAmended{Lines: less, SubtotalMicros: 8_345_000, TotalMicros: 8_340_000, VoidedMicros: 4_000_000})
	s.at(Confirmed, "authorized", "unfulfilled").
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 2})
	captured := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal})...)
	captured.when(fewer).then(AmendmentRequested{Lines: less},
		OrderAmended{Lines: less, SubtotalMicros: 8_345_000, TotalMicros: 8_340_000, RefundDueMicros: 4_000_000})
	part := given(t, twoSKUs(Prepaid), stockAnswers(granted), authorize(9_000_000, "p", 0))
	part.when(fewer).then(AmendmentRequested{Lines: less},
		OrderAmended{Lines: less, SubtotalMicros: 8_345_000, TotalMicros: 8_340_000, VoidedMicros: 660_000}, OrderConfirmed{})
}

func TestORD55NoMoreAfterARefund(t *testing.T) {
	s := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal}, amend(AmendLine{SKU: "b", Quantity: 2}))...)
	s.when(amend(AmendLine{SKU: "b", Quantity: 3})).refused(CodeAlreadyRefunded)
	s.when(RefundPayment{}).when(amend(AmendLine{SKU: "b", Quantity: 3})).refused(CodeAlreadyRefunded)
	s.when(amend(AmendLine{SKU: "b", Quantity: 3}, AmendLine{SKU: "a", Line: 1, Quantity: 0})).then(
		AmendmentRequested{Lines: []AmendedLine{
			{2, "b", 3, 2_000_000, 2, 2_000_000, 0, 0, 0, 0}, {1, "a", 0, 1_115_000, 2, 1_115_000, 0, 0, 0, 0},
		}})
}

func TestORD57PaymentDue(t *testing.T) {
	more := amend(AmendLine{SKU: "b", Quantity: 5})
	due := func() *scenario {
		return given(t, append(paid(), CreateFulfilment{"f", line("a", 1)}, more, stockAnswers(granted))...)
	}
	s := due().then(OrderAmended{
		Lines: []AmendedLine{{2, "b", 5, 2_000_000, 4, 2_000_000, 0, 0, 0, 0}}, SubtotalMicros: 14_345_000,
		TotalMicros:      14_340_000,
		PaymentDueMicros: 2_000_000,
	}, CoverLost{2_000_000, 5_000}).at(Confirmed, "pending", "unfulfilled")
	s.when(Ship{FulfilmentID: "g"}).refused(CodePaymentRequired)
	s.when(CreateFulfilment{FulfilmentID: "g"}).refused(CodePaymentRequired)
	s.when(ShipFulfilment{FulfilmentID: "f"}).refused(CodePaymentRequired)
	s.when(authorize(2_010_000, "q", 0)).refused(CodeOverAuthorization)
	s.when(authorize(1_000_000, "q", 0)).when(Ship{FulfilmentID: "g"}).refused(CodePaymentRequired)
	s.when(authorize(1_000_000, "r", 0)).when(Ship{FulfilmentID: "g"}).
		at(Confirmed, "authorized", "partially_fulfilled")

	fallen := due()
	fallen.when(CancelLines{Lines: line("b", 1)}).when(ShipFulfilment{FulfilmentID: "f"}).
		at(Confirmed, "authorized", "partially_fulfilled")
	half := due().when(amend(AmendLine{SKU: "b", Quantity: 5, UnitPriceMicros: price(1_900_000)}))
	if !half.order.PaymentDue {
		t.Fatal("still costs more than is authorized")
	}
	half.when(amend(AmendLine{SKU: "b", Quantity: 5, UnitPriceMicros: price(1_000_000)})).
		when(ShipFulfilment{FulfilmentID: "f"}).at(Confirmed, "authorized", "partially_fulfilled")
	onAccount := given(t, append(confirmed(), more, stockAnswers(granted))...)
	onAccount.when(Ship{FulfilmentID: "f"}).at(Completed, "pending", "fulfilled")
}

func TestORD65AnAmendmentThatCostsMoreHasADeadline(t *testing.T) {
	lines := []AmendedLine{{2, "b", 5, 2_000_000, 4, 2_000_000, 0, 0, 0, 0}}
	more := amend(AmendLine{SKU: "b", Quantity: 5})
	amended := OrderAmended{
		Lines: lines, SubtotalMicros: 14_345_000, TotalMicros: 14_340_000, PaymentDueMicros: 2_000_000}
	answered := func(o *Order) RecordReservation {
		c := granted(*o)
		c.DeadlineMicros = 9_000
		return c
	}
	s := given(t, append(paid(), more)...)
	s.when(answered(&s.order)).then(amended, CoverLost{2_000_000, 9_000}) // the window begins with stock's answer
	s.when(Expire{8_999}).then()
	s.when(Expire{9_000}).
		then(OrderCancelled{Reason: PaymentExpiredReason, VoidedMicros: twoSKUsTotal}).at(Cancelled, "voided", "unfulfilled")

	paying := given(t, append(paid(), more, stockAnswers(func(o Order) RecordReservation { return answered(&o) }))...)
	paying.when(authorize(2_000_000, "q", 0)).when(Expire{9_000}).then().at(Confirmed, "authorized", "unfulfilled")

	shipped := given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("b", 4), Capture: true}, more)...)
	shipped.when(answered(&shipped.order)).when(Expire{9_000}).at(Completed, "captured", "fulfilled")
	if o := shipped.order; o.TotalMicros != 8_000_000 || o.uncovered() != 0 {
		t.Errorf("what remains costs %d, %d of it missing", o.TotalMicros, o.uncovered())
	}

	// A price that rises asks no stock: the deadline is the command's. A second rise moves it, a fall leaves it.
	dear, dearest := price(2_500_000), price(3_000_000)
	dearer := given(t, paid()...).when(Amend{
		Lines: []AmendLine{{SKU: "b", Quantity: 4, UnitPriceMicros: dear}}, DeadlineMicros: 7_000})
	dearer.then(AmendmentRequested{Lines: []AmendedLine{{2, "b", 4, 2_500_000, 4, 2_000_000, 0, 0, 0, 0}}},
		OrderAmended{Lines: []AmendedLine{{2, "b", 4, 2_500_000, 4, 2_000_000, 0, 0, 0, 0}}, SubtotalMicros: 14_345_000,
			TotalMicros: 14_340_000, PaymentDueMicros: 2_000_000}, CoverLost{2_000_000, 7_000})
	dearer.when(Amend{Lines: []AmendLine{{SKU: "b", Quantity: 4, UnitPriceMicros: dearest}}, DeadlineMicros: 8_000})
	if o := dearer.order; o.PaymentDeadlineMicros != 8_000 || !o.AwaitsPayment() {
		t.Errorf("it waits until %d", o.PaymentDeadlineMicros)
	}
	dearer.when(Amend{Lines: []AmendLine{{SKU: "b", Quantity: 4, UnitPriceMicros: dear}}, DeadlineMicros: 9_000})
	if o := dearer.order; o.PaymentDeadlineMicros != 8_000 || !o.AwaitsPayment() {
		t.Errorf("after it fell it waits until %d", o.PaymentDeadlineMicros)
	}
	dearer.when(amend(AmendLine{SKU: "b", Quantity: 4, UnitPriceMicros: price(2_000_000)}))
	dearer.when(Expire{9_000}).then().at(Confirmed, "authorized", "unfulfilled")

	held := given(t, append(paid(), more, Hold{}, stockAnswers(granted))...)
	held.when(Expire{9_000}).then() // no deadline ends an order on hold
	held.when(Resume{DeadlineMicros: 9_500}).then(OrderResumed{Confirmed: true, PaymentDeadlineMicros: 9_500})
	held.when(Expire{9_500}).at(Cancelled, "voided", "unfulfilled")
}

func TestORD58Declined(t *testing.T) {
	s := given(t,
		append(confirmed(),
			amend(AmendLine{SKU: "b", Quantity: 9}, AmendLine{SKU: "c", Quantity: 2, UnitPriceMicros: price(1)},
				AmendLine{SKU: "a", Line: 1, Quantity: 1}))...)
	asked := s.order.Version
	s.when(stockIsShort("b", 3)).then(AmendmentDeclined{Short: []ShortLine{{"b", 5, 3, ReasonInsufficientStock}}})
	s.at(Confirmed, "pending", "unfulfilled").
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4}, Wanted{SKU: "c"})
	if !reflect.DeepEqual(s.order.DeclinedAmendments, []uint64{asked}) || len(s.order.Lines) != 3 ||
		s.order.TotalMicros != twoSKUsTotal {
		t.Fatalf("%+v", s.order)
	}
	s.when(stockAnswers(granted)).then(ReservationSettled{s.order.ReservationVersion})
	s.when(amend(AmendLine{SKU: "b", Quantity: 5}))
	withoutC := granted(s.order) // nobody asks again for what was never reserved
	withoutC.Answers = withoutC.Answers[:2]
	s.when(withoutC).at(Confirmed, "pending", "unfulfilled").
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 5}, Wanted{SKU: "c"})
	s.when(amend(AmendLine{SKU: "b", Quantity: 4}))
	s.when(amend(AmendLine{SKU: "c", Quantity: 1, UnitPriceMicros: price(1)})).when(stockAnswers(granted))
	s.wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4}, Wanted{SKU: "c", Committed: 1})

	found := given(t, append(confirmed(), amend(AmendLine{SKU: "b", Quantity: 9}))...)
	found.when(stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[1].Reserved, c.Answers[1].Rejected, c.Answers[1].RejectionReason = 2, true, ReasonInsufficientStock
		return c
	})).then(AmendmentDeclined{Short: []ShortLine{{"b", 5, 0, ReasonInsufficientStock}}})
}

func TestORD59WhileStockHasNotAnswered(t *testing.T) {
	more := amend(AmendLine{SKU: "b", Quantity: 5})
	s := given(t, append(confirmed(), CreateFulfilment{"f", line("a", 1)}, more)...)
	s.when(Ship{FulfilmentID: "g"}).refused(CodeAmendmentPending)
	s.when(CreateFulfilment{FulfilmentID: "g"}).refused(CodeAmendmentPending)
	s.when(ShipFulfilment{FulfilmentID: "f"}).refused(CodeAmendmentPending)
	s.when(CancelLines{Lines: line("a", 1)}).refused(CodeAmendmentPending)
	s.when(CancelFulfilment{FulfilmentID: "f"}).when(Hold{}).when(stockAnswers(granted)).
		at(OnHold, "pending", "unfulfilled")
	s.when(Resume{}).wants(false, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 5})

	paying := given(t, twoSKUs(Prepaid), stockAnswers(granted), more) // confirmed while stock is asked
	paying.when(authorize(twoSKUsTotal, "p", 0)).
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Reserved: 1, Committed: 4})
	paying.when(stockAnswers(granted)).at(Confirmed, "pending", "unfulfilled")
	if !paying.order.PaymentDue {
		t.Fatal("nothing is due")
	}

	given(t, append(confirmed(), more)...).when(Cancel{}).then(AmendmentDeclined{Reason: EndedReason}, OrderCancelled{}).
		wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	given(t, twoSKUs(Prepaid), stockAnswers(granted), more).when(Expire{9_000}).
		then(AmendmentDeclined{Reason: EndedReason}, OrderExpired{})
	given(t, append(confirmed(), more)...).when(ReconcileShipment{Lines: line("b", 4)}).
		then(AmendmentDeclined{Reason: EndedReason}, ShipmentReconciled{"reconciled-5", numbered("b", 4)})
}

func TestORD55MoneyGoesBackWhileStockIsAsked(t *testing.T) {
	s := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"}, amend(
		AmendLine{SKU: "b", Quantity: 5}))...)
	s.when(RefundPayment{AmountMicros: 1_000_000, Reference: "r"})
	s.when(stockAnswers(granted)).then(AmendmentDeclined{Reason: CodeAlreadyRefunded})
	s.wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4})

	cheaper := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"},
		amend(AmendLine{SKU: "b", Quantity: 5, UnitPriceMicros: price(1_000_000)}),
		RefundPayment{AmountMicros: 1_000_000, Reference: "r"})...)
	cheaper.when(stockAnswers(granted))
	if _, ok := cheaper.events[0].(OrderAmended); !ok {
		t.Fatalf("%+v", cheaper.events)
	}
}
