package order

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestORD20AStartedPaymentMovesTheDeadline(t *testing.T) {
	given(t).when(start("p", 9_000)).refused(CodeIllegalTransition)
	given(t, twoSKUs(OnAccount)).when(start("p", 9_000)).refused(CodeIllegalTransition)
	given(t, paid()...).when(start("q", 9_000)).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(start("p", 4_000)).then(started("p", 5_000))
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(start("p", 9_000)).then(started("p", 9_000))
	s.when(start("p", 20_000)).then() // the same payment
	s.when(Expire{8_999}).then()
	for i := 1; i < MaxPaymentStarts; i++ {
		s.when(start(fmt.Sprint(i), 9_000)).then(started(fmt.Sprint(i), 9_000))
	}
	s.when(start("x", 99_000)).refused(CodeTooManyPayments)
	s.when(authorize(1_000_000, "part", 99_000)).then(PaymentAuthorized{AmountMicros: 1_000_000, Reference: "part"})
	s.when(Expire{9_000}).then(OrderExpired{VoidedMicros: 1_000_000})
}

func TestORD10APartMovesTheDeadlineToo(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(authorize(1_000_000, "a", 9_000)).then(PaymentAuthorized{AmountMicros: 1_000_000, Reference: "a"},
		started("", 9_000))
	s.when(authorize(twoSKUsTotal-1_000_000, "b", 99_000)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal - 1_000_000, Reference: "b"}, OrderConfirmed{})
}

func TestORD21OnePaymentHoweverOftenItIsTold(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), authorize(1_000_000, "p", 0))
	s.when(authorize(1_000_000, "p", 0)).then()
	s.when(authorize(2_000_000, "p", 0)).refused(CodePaymentReferenceReused)
	s.when(authorize(twoSKUsTotal-1_000_000, "q", 0)).at(Confirmed, "authorized", "unfulfilled")
	s.when(CapturePayment{AmountMicros: 1_000_000, Reference: "p"}).then(
		PaymentCaptured{AmountMicros: 1_000_000, Reference: "p"}) // another action
	s.when(CapturePayment{AmountMicros: 1_000_000, Reference: "p"}).then()
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "p"}).refused(CodePaymentReferenceReused)
	s.when(RefundPayment{AmountMicros: 400_000, Reference: "r"}).
		then(PaymentRefunded{AmountMicros: 400_000, Reference: "r"}, CoverLost{400_000, 5_000})
	s.when(RefundPayment{AmountMicros: 400_000, Reference: "r"}).then()
	s.when(RefundPayment{Reference: "r"}).then() // all that was left then
	s.when(VoidPayment{Reference: "v"}).
		then(PaymentVoided{AmountMicros: twoSKUsTotal - 1_000_000, Reference: "v"}, CoverLost{twoSKUsTotal - 600_000, 5_000})
	s.when(VoidPayment{Reference: "v"}).then()
	s.when(fail("f", "")).then(PaymentFailed{Reference: "f"})
	s.when(fail("f", "again")).then()

	full := given(t, paid()...)
	for i := len(full.order.Payments); i < MaxPayments; i++ {
		full.when(fail(fmt.Sprint("f", i), ""))
	}
	full.when(CapturePayment{AmountMicros: 10_000, Reference: "one more"}).refused(CodeTooManyPayments)
	full.when(CapturePayment{AmountMicros: 10_000}).then(PaymentCaptured{AmountMicros: 10_000, Reference: ""})
}

func TestORD22Void(t *testing.T) {
	given(t).when(VoidPayment{}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(VoidPayment{}).refused(CodeNothingToVoid)
	s := given(t, paid()...)
	s.when(VoidPayment{AmountMicros: -1}).refused(CodeInvalidAmount)
	s.when(VoidPayment{Reason: string(make([]byte, limits.MaxReasonLength+1))}).refused("invalid_reason")
	s.when(VoidPayment{Reference: "\xff"}).refused("invalid_reference")
	s.when(VoidPayment{AmountMicros: twoSKUsTotal + 10_000}).refused(CodeOverVoid)
	s.when(CapturePayment{AmountMicros: 2_000_000}).
		when(VoidPayment{AmountMicros: twoSKUsTotal - 1_990_000}).refused(CodeOverVoid)
	s.when(VoidPayment{Reference: "v", Reason: "changed", DeadlineMicros: 9_000}).
		then(PaymentVoided{AmountMicros: twoSKUsTotal - 2_000_000, Reference: "v", Reason: "changed"},
			CoverLost{twoSKUsTotal - 2_000_000, 9_000})
	s.at(Confirmed, "partially_captured", "unfulfilled")
	s.when(authorize(twoSKUsTotal-2_000_000, "again", 0)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal - 2_000_000, Reference: "again"})
	given(t, paid()...).when(VoidPayment{}).at(Confirmed, "voided", "unfulfilled")
}

func TestORD23Refund(t *testing.T) {
	given(t).when(RefundPayment{}).refused(CodeIllegalTransition)
	given(t, paid()...).when(RefundPayment{}).refused(CodeNothingToRefund)
	s := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal})...)
	s.when(RefundPayment{AmountMicros: twoSKUsTotal + 10_000}).refused(CodeOverRefund)
	s.when(RefundPayment{AmountMicros: 340_000, Reference: "r1", Reason: "damaged"}).
		then(PaymentRefunded{AmountMicros: 340_000, Reference: "r1", Reason: "damaged"}, CoverLost{340_000, 5_000})
	s.at(Confirmed, "partially_refunded", "unfulfilled")
	s.when(Cancel{}).then(OrderCancelled{"", 0, 12_000_000})
	if s.order.RefundDueMicros != 12_000_000 {
		t.Fatalf("%d is due", s.order.RefundDueMicros)
	}
	s.when(RefundPayment{AmountMicros: 2_000_000, Reference: "r2"}).when(RefundPayment{Reference: "r3"}).
		then(PaymentRefunded{AmountMicros: 10_000_000, Reference: "r3"})
	s.at(Cancelled, "refunded", "unfulfilled")
	if s.order.RefundDueMicros != 0 {
		t.Fatalf("%d is due after all", s.order.RefundDueMicros)
	}
}

func TestORD24Failed(t *testing.T) {
	given(t).when(FailPayment{}).refused(CodeIllegalTransition)
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(fail("p", string(make([]byte, limits.MaxReasonLength+1)))).refused("invalid_reason")
	s.when(fail("p", "declined")).then(PaymentFailed{Reference: "p", Reason: "declined"})
	s.at(Reserved, "failed", "unfulfilled")
	s.when(authorize(10_000, "", 0)).at(Reserved, "pending", "unfulfilled")
}

func TestORD25TooLate(t *testing.T) {
	expired := []Command{twoSKUs(Prepaid), stockAnswers(granted), Expire{6_000}}
	given(t, expired...).when(authorize(1_000_000, "p", 9_000)).
		then(PaymentAuthorized{AmountMicros: 1_000_000, Reference: "p"},
			PaymentVoided{AmountMicros: 1_000_000, Reason: LatePaymentReason}).
		at(Expired, "voided", "unfulfilled")
	given(t, twoSKUs(Prepaid), Cancel{}).when(authorize(twoSKUsTotal, "p", 9_000)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "p"},
			PaymentVoided{AmountMicros: twoSKUsTotal, Reason: LatePaymentReason}).
		at(Cancelled, "voided", "unfulfilled")

	again := given(t, expired...).when(authorize(twoSKUsTotal, "p", 9_000)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "p"}, OrderReopened{9_000})
	again.at(Placed, "authorized", "unfulfilled").wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
	sold := RecordReservation{ReservationVersion: again.order.ReservationVersion, Answers: []StockAnswer{
		{SKU: "a", Rejected: true, RejectionReason: ReasonInsufficientStock}}}
	order := again.order
	again.when(stockAnswers(granted)).then(OrderReserved{}, OrderConfirmed{}).at(Confirmed, "authorized", "unfulfilled")

	short := &scenario{t: t, order: order}
	short.when(sold).
		then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonInsufficientStock}}},
			PaymentVoided{AmountMicros: twoSKUsTotal, Reason: RejectedReason})
	short.at(Rejected, "voided", "unfulfilled")
	waiting := &scenario{t: t, order: order}
	waiting.when(Expire{9_000}).then(OrderExpired{VoidedMicros: twoSKUsTotal}).at(Expired, "voided", "unfulfilled")
}

func TestORD26CaptureWithTheShipment(t *testing.T) {
	s := given(t, paid()...)
	s.when(Ship{FulfilmentID: "f1", Lines: line("a", 1), Capture: true}).
		// 1.115 to the even cent
		then(LinesShipped{FulfilmentID: "f1", Lines: numbered("a", 1)}, PaymentCaptured{AmountMicros: 1_120_000,
			Reference: "f1"})
	s.when(VoidPayment{AmountMicros: 11_000_000})
	late := "the customer pays at the door"
	s.when(Ship{FulfilmentID: "f2", Lines: line("b", 3), Capture: true, UncoveredReason: late}).
		// all that is authorized
		then(LinesShipped{FulfilmentID: "f2", Lines: numbered("b", 3), UncoveredReason: late},
			PaymentCaptured{AmountMicros: 220_000, Reference: "f2"})
	s.when(Ship{FulfilmentID: "f3", Capture: true, UncoveredReason: late}).
		then(LinesShipped{FulfilmentID: "f3", Lines: []LineQuantity{{"a", 1, 1}, {"b", 1, 2}, {"a", 1, 3}},
			UncoveredReason: late})

	whole := given(t, paid()...).when(Ship{FulfilmentID: "f", Capture: true})
	whole.then(LinesShipped{FulfilmentID: "f", Lines: []LineQuantity{{"a", 2, 1}, {"b", 4, 2}, {"a", 1, 3}}},
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "f"})
	whole.at(Completed, "captured", "fulfilled")
}

func TestORD64OnlyWhatIsCoveredShips(t *testing.T) {
	reason := "replacement, agreed by telephone"
	s := given(t, append(paid(), CreateFulfilment{"f0", line("b", 1)}, VoidPayment{})...)
	s.when(Ship{FulfilmentID: "f", Capture: true}).refused(CodePaymentRequired)
	s.when(CreateFulfilment{FulfilmentID: "f"}).refused(CodePaymentRequired)
	s.when(ShipFulfilment{FulfilmentID: "f0"}).refused(CodePaymentRequired)
	tooLong := string(make([]byte, limits.MaxReasonLength+1))
	s.when(Ship{FulfilmentID: "f", UncoveredReason: tooLong}).refused("invalid_uncovered_reason")
	if slices.Contains(s.order.allowed(), "ship_order") || !slices.Contains(s.order.allowed(), "start_payment") {
		t.Errorf("%v is allowed", s.order.allowed())
	}
	s.when(ShipFulfilment{FulfilmentID: "f0", UncoveredReason: reason}).
		then(LinesShipped{FulfilmentID: "f0", Lines: numbered("b", 1), UncoveredReason: reason})
	s.when(authorize(twoSKUsTotal, "again", 0))
	s.when(Ship{FulfilmentID: "f", Capture: true, UncoveredReason: "of no use"}).at(Completed, "captured", "fulfilled")
	if s.events[0].(LinesShipped).UncoveredReason != "" {
		t.Error("an order that is covered shipped without cover")
	}
	amended := given(t, append(paid(), VoidPayment{}, amend(AmendLine{SKU: "b", Quantity: 5}))...)
	amended.when(Ship{FulfilmentID: "f", UncoveredReason: reason}).refused(CodeAmendmentPending)

	whole := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"})...)
	whole.when(Ship{FulfilmentID: "f", Capture: true}).at(Completed, "captured", "fulfilled") // it is paid
	given(t, confirmed()...).when(Ship{FulfilmentID: "f", Capture: true}).at(Completed, "pending", "fulfilled")
}

func TestORD21TheShipmentAndTheProviderTellOfOneCapture(t *testing.T) {
	ship := Ship{FulfilmentID: "f", Lines: line("b", 1), Capture: true, PaymentReference: "c"}
	shipped := LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)}

	s := given(t, paid()...).when(ship).then(shipped, PaymentCaptured{AmountMicros: 2_000_000, Reference: "c"})
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "c"}).then()
	s.when(CapturePayment{AmountMicros: 3_000_000, Reference: "c"}).refused(CodePaymentReferenceReused)

	s = given(t, append(paid(), CapturePayment{AmountMicros: 2_000_000, Reference: "c"})...).when(ship).then(shipped)
	s.at(Confirmed, "partially_captured", "partially_fulfilled")

	packed := given(t, append(paid(), CreateFulfilment{"f", line("b", 1)},
		CapturePayment{AmountMicros: 2_000_000, Reference: "c"})...)
	packed.when(ShipFulfilment{FulfilmentID: "f", Capture: true, PaymentReference: "c"}).then(shipped)
	packed.when(Ship{FulfilmentID: "g", PaymentReference: string(make([]byte, limits.MaxReferenceLength+1))}).
		refused("invalid_payment_reference")

	full := given(t, paid()...)
	for i := len(full.order.Payments); i < MaxPayments; i++ {
		full.when(fail(fmt.Sprint("f", i), ""))
	}
	full.when(ship).refused(CodeTooManyPayments)
}

func TestORD67PaymentsOfOneReferenceAreToldApartByTheProvidersIDs(t *testing.T) {
	capture := func(amountMicros int64, reference, id string) CapturePayment {
		return CapturePayment{AmountMicros: amountMicros, Reference: reference, ProviderEventID: id}
	}
	s := given(t, append(paid(), capture(2_000_000, "pi", "evt_1"))...)
	s.when(capture(2_000_000, "pi", "evt_2")).
		then(PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_2"})
	s.when(capture(3_000_000, "pi", "evt_3")).
		then(PaymentCaptured{AmountMicros: 3_000_000, Reference: "pi", ProviderEventID: "evt_3"})
	if s.order.CapturedMicros != 7_000_000 {
		t.Errorf("%d are captured", s.order.CapturedMicros)
	}
	for _, again := range []CapturePayment{
		capture(2_000_000, "pi", "evt_1"), capture(2_000_000, "", "evt_1"), capture(3_000_000, "pi", "evt_3"),
		capture(2_000_000, "pi", ""), capture(3_000_000, "pi", ""), // a capture of the reference has this amount
	} {
		s.when(again).then()
	}
	s.when(capture(4_000_000, "pi", "evt_1")).refused(CodeProviderEventReused)
	s.when(capture(2_000_000, "pj", "evt_1")).refused(CodeProviderEventReused)
	s.when(capture(4_000_000, "pi", "")).refused(CodePaymentReferenceReused)
	s.when(capture(2_000_000, "pi", string(make([]byte, limits.MaxProviderEventIDLength+1)))).
		refused("invalid_provider_event_id")

	// An ID is of one action: a sale may be told as its authorization and its capture.
	s.when(RefundPayment{AmountMicros: 1_000_000, Reference: "pi", ProviderEventID: "evt_1", Goodwill: true}).then(
		PaymentRefunded{AmountMicros: 1_000_000, Reference: "pi", ProviderEventID: "evt_1", GoodwillMicros: 1_000_000})
	s.when(VoidPayment{ProviderEventID: "evt_1"}).
		then(PaymentVoided{AmountMicros: twoSKUsTotal - 7_000_000, ProviderEventID: "evt_1"}, CoverLost{5_340_000, 5_000})
	s.when(VoidPayment{ProviderEventID: "evt_1"}).then() // all that was left then
	s.when(AuthorizePayment{AmountMicros: 5_340_000, ProviderEventID: "evt_1"}).
		then(PaymentAuthorized{AmountMicros: 5_340_000, ProviderEventID: "evt_1"})
	s.when(FailPayment{Reference: "pi", ProviderEventID: "evt_1"}).
		then(PaymentFailed{Reference: "pi", ProviderEventID: "evt_1"})
	s.when(FailPayment{Reference: "pi", ProviderEventID: "evt_2"}).
		then(PaymentFailed{Reference: "pi", ProviderEventID: "evt_2"})
	s.when(FailPayment{Reference: "pi", ProviderEventID: "evt_1"}).then()
}

// A shop may tell of a capture when it makes it, and again when the provider does, who alone knows the ID.
func TestORD67APaymentWithoutAnIDIsThatWithOneOfItsReferenceAndAmount(t *testing.T) {
	s := given(t, append(paid(), CapturePayment{AmountMicros: 2_000_000, Reference: "pi"})...)
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1"}).
		then(identified(Captured, "pi", 2_000_000, "evt_1"))
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1"}).then()
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "pi"}).then() // it is one of those that there are
	s.when(CapturePayment{AmountMicros: 3_000_000, Reference: "pi", ProviderEventID: "evt_2"}).
		then(PaymentCaptured{AmountMicros: 3_000_000, Reference: "pi", ProviderEventID: "evt_2"})

	shipped := given(t, append(paid(), CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1"},
		CapturePayment{AmountMicros: 3_000_000, Reference: "pi", ProviderEventID: "evt_2"})...)
	shipped.when(Ship{FulfilmentID: "f", Lines: line("b", 1), Capture: true, PaymentReference: "pi"}).
		then(LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)})
}

// Shipments that capture under one reference are told apart by the provider's ID, and so are they and the provider's
// own word.
func TestORD67ShipmentsTellTheirCapturesApart(t *testing.T) {
	ship := func(fulfilment, id string) Ship {
		return Ship{FulfilmentID: fulfilment, Lines: line("b", 1), Capture: true, PaymentReference: "pi", ProviderEventID: id}
	}
	shipped := func(fulfilment string) LinesShipped {
		return LinesShipped{FulfilmentID: fulfilment, Lines: numbered("b", 1)}
	}
	captured := func(id string) PaymentCaptured {
		return PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: id}
	}
	s := given(t, paid()...)
	s.when(ship("f", "evt_1")).then(shipped("f"), captured("evt_1"))
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1"}).then()
	s.when(ship("g", "evt_2")).then(shipped("g"), captured("evt_2"))

	told := CapturePayment{AmountMicros: 1_500_000, Reference: "pi", ProviderEventID: "evt_3"}
	given(t, append(paid(), told)...).when(ship("f", "evt_3")).then(shipped("f")) // the provider says how much

	first := append(paid(), CapturePayment{AmountMicros: 2_000_000, Reference: "pi"})
	s = given(t, first...)
	s.when(ship("f", "evt_4")).then(shipped("f"), identified(Captured, "pi", 2_000_000, "evt_4"))
	packed := given(t, append(first, CreateFulfilment{"f", line("b", 1)})...)
	packed.when(ShipFulfilment{FulfilmentID: "f", Capture: true, PaymentReference: "pi", ProviderEventID: "evt_4"}).
		then(shipped("f"), identified(Captured, "pi", 2_000_000, "evt_4"))

	other := append(paid(), CapturePayment{AmountMicros: 3_000_000, Reference: "pi"})
	given(t, other...).when(ship("f", "evt_5")).then(shipped("f"), captured("evt_5"))

	all := append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "pi"})
	given(t, all...).when(ship("f", "evt_6")).then(shipped("f"))
	s.when(ship("h", string(make([]byte, limits.MaxProviderEventIDLength+1)))).refused("invalid_provider_event_id")
}

// A refund of before is not taken for one of all that is left, which the provider tells under the same reference.
func TestORD67ARefundWithANewIDAndNoAmountIsOfAllThatIsLeft(t *testing.T) {
	refund := func(amountMicros int64, id string) RefundPayment {
		return RefundPayment{AmountMicros: amountMicros, Reference: "re", ProviderEventID: id, Goodwill: true}
	}
	refunded := func(amountMicros int64, id string) PaymentRefunded {
		return PaymentRefunded{
			AmountMicros: amountMicros, Reference: "re", ProviderEventID: id, GoodwillMicros: amountMicros}
	}
	captured := append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "pi"})
	s := given(t, append(captured, refund(1_000_000, ""))...)
	s.when(refund(0, "")).then() // it is the one that there is
	s.when(refund(0, "evt_1")).then(refunded(twoSKUsTotal-1_000_000, "evt_1"))
	s.when(refund(0, "evt_1")).then()
	s.when(refund(0, "evt_2")).then(identified(Refunded, "re", 1_000_000, "evt_2")) // nothing else can be meant
	s.when(refund(0, "evt_3")).refused(CodeNothingToRefund)

	all := given(t, append(captured, refund(0, ""))...)
	all.when(refund(0, "evt_1")).then(identified(Refunded, "re", twoSKUsTotal, "evt_1"))

	half := given(t, append(captured, refund(twoSKUsTotal/2, ""))...)
	half.when(refund(0, "evt_1")).then(identified(Refunded, "re", twoSKUsTotal/2, "evt_1")) // as with this amount

	void := given(t, append(paid(), VoidPayment{AmountMicros: 1_000_000, Reference: "v"})...)
	void.when(VoidPayment{Reference: "v", ProviderEventID: "evt_1"}).then(
		PaymentVoided{AmountMicros: twoSKUsTotal - 1_000_000, Reference: "v", ProviderEventID: "evt_1"},
		CoverLost{twoSKUsTotal, 5_000})
}

// Two providers may use one reference, and one ID: a shop's first gift card, and the first payment of its terminal.
func TestORD75PaymentsOfTwoProvidersAreTwo(t *testing.T) {
	capture := func(provider, id string) CapturePayment {
		return CapturePayment{AmountMicros: 1_000_000, Reference: "1", ProviderEventID: id, Provider: provider}
	}
	captured := func(provider, id string) PaymentCaptured {
		return PaymentCaptured{AmountMicros: 1_000_000, Reference: "1", ProviderEventID: id, Provider: provider}
	}
	s := given(t, paid()...)
	s.when(capture("stripe", "")).then(captured("stripe", ""))
	s.when(capture("gift card", "")).then(captured("gift card", ""))
	for _, again := range []string{"stripe", "gift card", ""} {
		s.when(capture(again, "")).then()
	}
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "1", Provider: "stripe"}).refused(CodePaymentReferenceReused)
	s.when(CapturePayment{AmountMicros: 2_000_000, Reference: "1", Provider: "cash"}).
		then(PaymentCaptured{AmountMicros: 2_000_000, Reference: "1", Provider: "cash"})

	byID := given(t, paid()...)
	byID.when(capture("stripe", "7")).then(captured("stripe", "7"))
	byID.when(capture("gift card", "7")).then(captured("gift card", "7"))
	byID.when(capture("gift card", "7")).then()
	byID.when(CapturePayment{AmountMicros: 2_000_000, ProviderEventID: "7", Provider: "stripe"}).
		refused(CodeProviderEventReused)

	for _, cmd := range []Command{
		capture(string(make([]byte, limits.MaxProviderLength+1)), ""), StartPayment{Provider: "\xff"},
		VoidPayment{Provider: "\xff"}, FailPayment{Provider: "\xff"},
		Ship{FulfilmentID: "f", Provider: "\xff"},
		capture("stripe\u200b", ""), capture(" stripe", ""), capture("Cafe\u0301", ""), // each looks like another name
	} {
		given(t, paid()...).when(cmd).refused("invalid_provider")
	}
}

// A shipment's capture, and payments of before there were names, are found again when the provider tells of them.
func TestORD75APaymentWithoutAProviderMayBeOfAnyOne(t *testing.T) {
	s := given(t, paid()...)
	ship := Ship{FulfilmentID: "f", Lines: line("b", 1), Capture: true, PaymentReference: "pi"}
	s.when(ship).then(LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)},
		PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi"})
	told := CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1", Provider: "stripe"}
	s.when(told).then(PaymentIdentified{Payment{Captured, "pi", 2_000_000, "evt_1", "stripe"}})
	s.when(told).then()
	other := told
	other.Provider = "gift card"
	s.when(other).then(PaymentCaptured{
		AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_1", Provider: "gift card"})

	named := given(t, paid()...)
	ship.Provider = "stripe"
	named.when(ship).then(LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)},
		PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi", Provider: "stripe"})
	packed := given(t, append(paid(), CreateFulfilment{"f", line("b", 1)})...)
	packed.when(ShipFulfilment{FulfilmentID: "f", Capture: true, PaymentReference: "pi", Provider: "stripe"}).then(
		LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)},
		PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi", Provider: "stripe"})
}

// What waits is matched with the same reference of the same provider.
func TestORD75AnAuthorizationIsMatchedWithWhatItsProviderTold(t *testing.T) {
	void := VoidPayment{AmountMicros: 1_000_000, Reference: "1", Provider: "stripe"}
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), void)
	s.when(AuthorizePayment{AmountMicros: 2_000_000, Reference: "1", Provider: "gift card"}).
		then(PaymentAuthorized{AmountMicros: 2_000_000, Reference: "1", Provider: "gift card"})
	s.when(AuthorizePayment{AmountMicros: 2_000_000, Reference: "1", Provider: "stripe"}).
		then(PaymentAuthorized{AmountMicros: 2_000_000, Reference: "1", Provider: "stripe", VoidedMicros: 1_000_000})
	if len(s.order.Unmatched) > 0 {
		t.Errorf("%v waits", s.order.Unmatched)
	}

	ended := given(t, twoSKUs(Prepaid), Cancel{})
	ended.when(AuthorizePayment{AmountMicros: 1_000_000, Provider: "stripe"}).then(
		PaymentAuthorized{AmountMicros: 1_000_000, Provider: "stripe"},
		PaymentVoided{AmountMicros: 1_000_000, Provider: "stripe", Reason: LatePaymentReason})
}

// A payment without an ID is one payment: after one with an ID is found to be it, the next with another ID is new.
func TestORD67OnePaymentWithoutAnIDTakesOneID(t *testing.T) {
	captured := func(id string) CapturePayment {
		return CapturePayment{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: id}
	}
	s := given(t, append(paid(), captured(""))...)
	s.when(captured("evt_1")).then(identified(Captured, "pi", 2_000_000, "evt_1"))
	s.when(captured("evt_2")).then(PaymentCaptured{AmountMicros: 2_000_000, Reference: "pi", ProviderEventID: "evt_2"})
	s.when(captured("evt_1")).then()
	s.when(captured("evt_2")).then()

	refund := func(id string) RefundPayment {
		return RefundPayment{AmountMicros: 1_000_000, Reference: "re", ProviderEventID: id, Goodwill: true}
	}
	s.when(refund("")).then(PaymentRefunded{AmountMicros: 1_000_000, Reference: "re", GoodwillMicros: 1_000_000})
	s.when(refund("evt_3")).then(identified(Refunded, "re", 1_000_000, "evt_3"))
	s.when(refund("evt_4")).then(PaymentRefunded{
		AmountMicros: 1_000_000, Reference: "re", ProviderEventID: "evt_4", GoodwillMicros: 1_000_000})
	s.when(FailPayment{Reference: "pf"}).then(PaymentFailed{Reference: "pf"})
	s.when(FailPayment{Reference: "pf", ProviderEventID: "evt_5"}).
		then(identified(Failed, "pf", 0, "evt_5"))
	s.when(FailPayment{Reference: "pf", ProviderEventID: "evt_6"}).
		then(PaymentFailed{Reference: "pf", ProviderEventID: "evt_6"})
}

// A refund that was told before its capture keeps its ID when the capture comes.
func TestORD67AFactThatWaitedIsRecordedOnce(t *testing.T) {
	refund := RefundPayment{AmountMicros: 1_000_000, Reference: "pi", ProviderEventID: "evt_2"}
	s := given(t, append(paid(), refund)...)
	s.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "pi", ProviderEventID: "evt_1"}).when(refund).then()
	if s.order.RefundedMicros != 1_000_000 || len(s.order.Unmatched) > 0 {
		t.Errorf("%d are refunded, %v waits", s.order.RefundedMicros, s.order.Unmatched)
	}
	s.when(RefundPayment{AmountMicros: 1_000_000, Reference: "pi", ProviderEventID: "evt_3"})
	if s.order.RefundedMicros != 2_000_000 {
		t.Errorf("%d are refunded", s.order.RefundedMicros)
	}
}

func TestORD66AShipmentsCaptureIsMatchedWithAnEarlierRefund(t *testing.T) {
	refund := RefundPayment{AmountMicros: 3_000_000, Reference: "re"}
	s := given(t, append(paid(), refund, CreateFulfilment{"f2", line("b", 1)})...)
	s.when(Ship{FulfilmentID: "f1", Lines: line("b", 1), Capture: true}).then(
		LinesShipped{FulfilmentID: "f1", Lines: numbered("b", 1)},
		PaymentCaptured{AmountMicros: 2_000_000, Reference: "f1"},
		PaymentRefunded{AmountMicros: 2_000_000, Reference: "f1", GoodwillMicros: 2_000_000, MatchedMicros: 2_000_000})
	s.when(ShipFulfilment{FulfilmentID: "f2", Capture: true}).then(
		LinesShipped{FulfilmentID: "f2", Lines: numbered("b", 1)},
		PaymentCaptured{AmountMicros: 2_000_000, Reference: "f2"},
		PaymentRefunded{AmountMicros: 1_000_000, Reference: "f2", GoodwillMicros: 1_000_000, MatchedMicros: 1_000_000})
	s.when(Ship{FulfilmentID: "f3", Capture: true}).at(Completed, "partially_refunded", "fulfilled")
	if o := s.order; len(o.Unmatched) > 0 || o.RefundedMicros != 3_000_000 || o.uncovered() != 0 {
		t.Errorf("%v waits, %d refunded, %d missing", o.Unmatched, o.RefundedMicros, o.uncovered())
	}
}

// What shipments capture may be more than the goods that shipped cost, by rounding: 1.115 is captured as 1.12 twice,
// and two of them are worth 2.23. The refund of it then takes cover of what remains.
func TestORD65AnEarlierRefundMayTakeTheCoverOfAShipment(t *testing.T) {
	s := given(t, append(paid(), RefundPayment{AmountMicros: 10_000_000, Reference: "re"})...)
	s.when(Ship{FulfilmentID: "f1", Lines: line("a", 1), Capture: true, DeadlineMicros: 9_000})
	s.when(Ship{FulfilmentID: "f2", Lines: line("a", 1), Capture: true, DeadlineMicros: 9_000}).then(
		LinesShipped{FulfilmentID: "f2", Lines: numbered("a", 1)},
		PaymentCaptured{AmountMicros: 1_120_000, Reference: "f2"},
		PaymentRefunded{AmountMicros: 1_120_000, Reference: "f2", GoodwillMicros: 1_110_000, MatchedMicros: 1_120_000},
		CoverLost{10_000, 9_000})
	if s.order.PaymentDeadlineMicros != 9_000 || !s.order.AwaitsPayment() {
		t.Errorf("it waits until %d", s.order.PaymentDeadlineMicros)
	}
}

// A capture covers an order that had lost its cover, and the refund of before takes a part of that at once.
func TestORD65CoverThatComesAndGoesWithOneCapture(t *testing.T) {
	s := given(t, append(paid(), RefundPayment{AmountMicros: 10_000, Reference: "re"}, VoidPayment{Reference: "v"})...)
	s.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "pi", DeadlineMicros: 9_000}).then(
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "pi", UnvoidedMicros: twoSKUsTotal},
		PaymentRefunded{AmountMicros: 10_000, Reference: "pi", MatchedMicros: 10_000}, CoverLost{10_000, 9_000})
	if !s.order.AwaitsPayment() {
		t.Error("it waits for ever")
	}
}

// everywhere has an order in each lifecycle, with a payment of each action under the reference "p".
func everywhere(t *testing.T) map[Lifecycle]Order {
	t.Helper()
	all := map[Lifecycle]Order{}
	for l, cmds := range map[Lifecycle][]Command{
		Placed: {twoSKUs(Prepaid)}, Reserved: {twoSKUs(Prepaid), stockAnswers(granted)}, Confirmed: paid(),
		OnHold:    append(paid(), Hold{}),
		Completed: append(paid(), Ship{FulfilmentID: "f"}), Cancelled: append(paid(), Cancel{}),
		Expired:  {twoSKUs(Prepaid), stockAnswers(granted), Expire{9_000}},
		Rejected: {twoSKUs(Prepaid), stockAnswers(func(Order) RecordReservation { return sold })},
	} {
		o := given(t, cmds...).order
		if o.Lifecycle != l {
			t.Fatalf("%s is %s", l, o.Lifecycle)
		}
		o.Payments = nil
		for action := Authorized; action <= Failed; action++ {
			amount := int64(1_000_000)
			if action == Started || action == Failed {
				amount = 0
			}
			o.Payments = append(o.Payments, Payment{Action: action, Reference: "p", AmountMicros: amount})
		}
		all[l] = o
	}
	return all
}

// sold is stock that has nothing left of SKU a.
var sold = RecordReservation{ReservationVersion: 1,
	Answers: []StockAnswer{{SKU: "a", Rejected: true, RejectionReason: ReasonInsufficientStock}}}

func TestORD21ARepeatedPaymentWritesNothingWhereverTheOrderStands(t *testing.T) {
	for lifecycle, o := range everywhere(t) {
		for _, cmd := range []Command{
			start("p", 99_000), authorize(1_000_000, "p", 99_000),
			CapturePayment{AmountMicros: 1_000_000, Reference: "p"},
			VoidPayment{AmountMicros: 1_000_000, Reference: "p"}, RefundPayment{AmountMicros: 1_000_000, Reference: "p"},
			fail("p", ""),
		} {
			if events, err := Decide(o, cmd); err != nil || len(events) > 0 {
				t.Errorf("%s takes %+v: %v, %v", lifecycle, cmd, events, err)
			}
		}
		for _, cmd := range []Command{
			authorize(2_000_000, "p", 99_000), CapturePayment{AmountMicros: 2_000_000, Reference: "p"},
			VoidPayment{AmountMicros: 2_000_000, Reference: "p"},
			RefundPayment{AmountMicros: 2_000_000, Reference: "p"},
		} {
			(&scenario{t: t, order: o}).when(cmd).refused(CodePaymentReferenceReused)
		}
	}
}

func TestORD62WhatAProviderDidIsRecordedWhereverTheOrderStands(t *testing.T) {
	answers := stockAnswers(granted)
	placed := given(t, twoSKUs(Prepaid)).when(authorize(twoSKUsTotal, "p", 9_000)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "p"})
	placed.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"}).
		then(PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c"})
	rejected := &scenario{t: t, order: placed.order}
	placed.when(answers).then(OrderReserved{}, OrderConfirmed{}).at(Confirmed, "captured", "unfulfilled")
	rejected.when(sold).
		then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonInsufficientStock}}, RefundDueMicros: twoSKUsTotal})

	part := given(t, twoSKUs(Prepaid)).when(authorize(1_000_000, "p", 9_000))
	part.then(PaymentAuthorized{AmountMicros: 1_000_000, Reference: "p"}, started("", 9_000))
	part.when(answers).then(OrderReserved{}).when(CapturePayment{AmountMicros: 1_000_000, Reference: "c"}).
		then(PaymentCaptured{AmountMicros: 1_000_000, Reference: "c"})
	part.when(Expire{9_000}).then(OrderExpired{RefundDueMicros: 1_000_000})
	part.when(authorize(twoSKUsTotal, "late", 19_000)). // money of it is due already: it is not placed again
								then(PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "late"},
			PaymentVoided{AmountMicros: twoSKUsTotal, Reason: LatePaymentReason})

	hold := given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("a", 1)}, Hold{})...)
	hold.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"}).then(
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c"})
	hold.when(Deliver{FulfilmentID: "f"}).then(LinesDelivered{"f", numbered("a", 1)}).
		at(OnHold, "captured", "partially_fulfilled")

	for _, end := range [][]Command{append(paid(), Cancel{}),
		{twoSKUs(Prepaid), answers, authorize(5_000_000, "p", 0), Expire{5_000}}} {
		s := given(t, end...)
		s.when(CapturePayment{AmountMicros: 5_000_000, Reference: "c"}).
			then(PaymentCaptured{AmountMicros: 5_000_000, Reference: "c", UnvoidedMicros: 5_000_000, RefundDueMicros: 5_000_000})
		s.when(CapturePayment{AmountMicros: twoSKUsTotal}).refused(CodeOverCapture)
		s.when(RefundPayment{Reference: "r"})
		if s.order.RefundDueMicros != 0 {
			t.Fatalf("%d is due after all", s.order.RefundDueMicros)
		}
	}
	lines := given(t, append(paid(), CancelLines{Lines: line("b", 4)})...)
	lines.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"}).
		then(PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c", UnvoidedMicros: 8_000_000,
			RefundDueMicros: 8_000_000})
}

func TestORD11ACaptureOfWhatWasVoidedCoversTheTotal(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), authorize(2_340_000, "p", 0), VoidPayment{},
		authorize(10_000_000, "q", 0))
	s.when(CapturePayment{AmountMicros: 12_340_000, Reference: "c"}).
		then(PaymentCaptured{AmountMicros: 12_340_000, Reference: "c", UnvoidedMicros: 2_340_000}, OrderConfirmed{})
}

func TestORD65LostCoverEndsTheOrderAtItsDeadline(t *testing.T) {
	voided := VoidPayment{AmountMicros: 2_340_000, DeadlineMicros: 9_000}
	s := given(t, append(paid(), voided)...)
	s.then(PaymentVoided{AmountMicros: 2_340_000}, CoverLost{2_340_000, 9_000})
	s.when(Expire{8_999}).then()
	s.when(start("q", 20_000)).then(started("q", 20_000))
	s.when(Expire{20_000}).
		then(OrderCancelled{Reason: PaymentExpiredReason, VoidedMicros: 10_000_000}).at(Cancelled, "voided", "unfulfilled")

	again := given(t, append(paid(), voided, authorize(2_340_000, "q", 0))...)
	again.when(Expire{99_000}).then().at(Confirmed, "authorized", "unfulfilled")
	held := given(t, append(paid(), voided, Hold{})...)
	held.when(Expire{99_000}).then()
	held.when(Resume{30_000}).then(OrderResumed{Confirmed: true, PaymentDeadlineMicros: 30_000})
	held.when(Expire{29_999}).then().when(Expire{30_000}).at(Cancelled, "voided", "unfulfilled")
	cheaper := given(t, append(paid(), voided, CancelLines{Lines: []LineQuantity{{"b", 2, 0}}})...)
	cheaper.when(Expire{99_000}).then().when(Ship{FulfilmentID: "f"}).at(Completed, "authorized", "fulfilled")
	pending := given(t, append(paid(), voided, amend(AmendLine{SKU: "b", Quantity: 5}))...)
	pending.when(Expire{9_000}).then(AmendmentDeclined{Reason: EndedReason},
		OrderCancelled{Reason: PaymentExpiredReason, VoidedMicros: 10_000_000})
	onAccount := given(t, append(confirmed(), authorize(twoSKUsTotal, "p", 0))...)
	onAccount.when(VoidPayment{}).then(PaymentVoided{AmountMicros: twoSKUsTotal})
}

func TestORD65WhatHasShippedStays(t *testing.T) {
	s := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"},
		Ship{FulfilmentID: "f", Lines: line("b", 2)},
		CreateFulfilment{"g", line("b", 1)})...)
	// 4.00 has shipped: so much is goodwill
	s.when(RefundPayment{AmountMicros: 5_000_000, DeadlineMicros: 9_000}).then(
		PaymentRefunded{AmountMicros: 5_000_000, GoodwillMicros: 4_000_000}, CoverLost{1_000_000, 9_000})
	s.when(Expire{9_000}).then(FulfilmentCancelled{"g", PaymentExpiredReason}, LinesCancelled{
		Lines:  []CancelledLine{{1, "a", 2, 1_115_000, 0, 0}, {2, "b", 2, 2_000_000, 0, 0}, {3, "a", 1, 2_115_000, 0, 0}},
		Reason: PaymentExpiredReason, SubtotalMicros: 4_000_000, TotalMicros: 4_000_000, RefundDueMicros: 7_340_000,
	})
	s.at(Completed, "partially_refunded", "fulfilled")
}

func TestORD23Goodwill(t *testing.T) {
	ends := func(s *scenario, due int64) {
		t.Helper()
		if s.order.RefundDueMicros != due {
			t.Errorf("%d is due for refund, want %d", s.order.RefundDueMicros, due)
		}
	}
	returned := append(delivered(), RequestReturn{ReturnID: "r"})
	s := given(t, append(returned, RefundPayment{AmountMicros: 3_000_000})...)
	s.then(PaymentRefunded{AmountMicros: 3_000_000, GoodwillMicros: 3_000_000})
	s.when(back(ReturnedLine{"b", 1, Resellable, 0})) // it takes nothing off what is due for it
	ends(s, 2_000_000)
	s.when(RefundPayment{AmountMicros: 500_000, Goodwill: true}).
		then(PaymentRefunded{AmountMicros: 500_000, GoodwillMicros: 500_000})
	ends(s, 2_000_000)
	s.when(RefundPayment{AmountMicros: 2_500_000}).then(PaymentRefunded{AmountMicros: 2_500_000, GoodwillMicros: 500_000})
	ends(s, 0)
	s.when(back(ReturnedLine{"b", 2, Resellable, 0}, ReturnedLine{"a", 3, Resellable, 0})) // no more than what is left
	ends(s, twoSKUsTotal-6_000_000)

	before := given(t, append(paid(), CapturePayment{AmountMicros: twoSKUsTotal, Reference: "c"})...)
	before.when(RefundPayment{AmountMicros: 340_000, Goodwill: true}).
		then(PaymentRefunded{AmountMicros: 340_000, GoodwillMicros: 340_000})
	before.when(Ship{FulfilmentID: "f"}).at(Completed, "partially_refunded", "fulfilled") // it is covered
}

func TestORD21AmountsAreWholeMinorUnits(t *testing.T) {
	s := given(t, append(paid(), CapturePayment{AmountMicros: 10_000})...)
	for _, c := range []Command{
		authorize(5_000, "", 0), CapturePayment{AmountMicros: 10_001}, VoidPayment{AmountMicros: 15_000},
		RefundPayment{AmountMicros: 1},
	} {
		s.when(c).refused(CodeInvalidAmount)
	}
	yen := twoSKUs(Prepaid)
	yen.Currency = "JPY"
	given(t, yen).when(authorize(704_500_000, "", 0)).refused(CodeInvalidAmount)
}

func TestAFreeOrderNeedsNoPayment(t *testing.T) {
	free := twoSKUs(Prepaid)
	for i := range free.Lines {
		free.Lines[i].UnitPriceMicros = 0
	}
	given(t, free, stockAnswers(granted)).at(Confirmed, "not_required", "unfulfilled")
}

func TestORD66FactsComeInAnyOrder(t *testing.T) {
	waits := func(s *scenario, want ...Payment) {
		t.Helper()
		if !slices.Equal(s.order.Unmatched, want) {
			t.Errorf("%+v waits, want %+v", s.order.Unmatched, want)
		}
	}
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(CapturePayment{AmountMicros: twoSKUsTotal}).refused(CodeOverCapture)
	s.when(RefundPayment{AmountMicros: 10_000}).refused(CodeOverRefund)
	s.when(VoidPayment{AmountMicros: 10_000}).refused(CodeOverVoid)

	// refund, capture, authorization
	s.when(RefundPayment{AmountMicros: 340_000, Reference: "re", Reason: "late"}).
		then(PaymentRefunded{Reference: "re", Reason: "late", UnmatchedMicros: 340_000})
	waits(s, Payment{Refunded, "re", 340_000, "", ""})
	s.when(RefundPayment{AmountMicros: 340_000, Reference: "re"}).then() // told twice
	s.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "pi"}).then(
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "pi", UnmatchedMicros: twoSKUsTotal},
		PaymentRefunded{AmountMicros: 340_000, Reference: "pi", MatchedMicros: 340_000})
	waits(s, Payment{Captured, "pi", twoSKUsTotal, "", ""})
	s.at(Reserved, "partially_refunded", "unfulfilled")
	s.when(authorize(twoSKUsTotal, "pi", 0)).
		then(PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "pi", MatchedMicros: twoSKUsTotal})
	waits(s)
	s.when(CapturePayment{AmountMicros: 340_000, Reference: "pj"}).then(
		PaymentCaptured{AmountMicros: 340_000, Reference: "pj", UnmatchedMicros: 340_000}, OrderConfirmed{})
	s.at(Confirmed, "partially_refunded", "unfulfilled")

	// void, authorization: it does not cover the order
	v := given(t, twoSKUs(Prepaid), stockAnswers(granted), VoidPayment{AmountMicros: twoSKUsTotal, Reference: "pi"})
	v.then(PaymentVoided{Reference: "pi", UnmatchedMicros: twoSKUsTotal})
	v.when(authorize(twoSKUsTotal, "other", 0)).at(Confirmed, "authorized", "unfulfilled")
	waits(v, Payment{Voided, "pi", twoSKUsTotal, "", ""})
	v = given(t, twoSKUs(Prepaid), stockAnswers(granted), VoidPayment{AmountMicros: twoSKUsTotal, Reference: "pi"})
	v.when(authorize(twoSKUsTotal, "pi", 0)).then(
		PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "pi", VoidedMicros: twoSKUsTotal}).
		at(Reserved, "voided", "unfulfilled")

	// capture under a reference of its own, then the authorization of more
	c := given(t, twoSKUs(Prepaid), stockAnswers(granted), CapturePayment{AmountMicros: 2_340_000, Reference: "ch"})
	c.when(authorize(twoSKUsTotal, "pi", 0)).then(
		PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "pi", MatchedMicros: 2_340_000}, OrderConfirmed{})
	c.when(authorize(10_000, "pj", 0)).refused(CodeOverAuthorization)

	// a refund that takes the cover of the capture that it waited for
	r := given(t, append(paid(), RefundPayment{AmountMicros: 1_000_000, Reference: "re"})...)
	r.when(CapturePayment{AmountMicros: twoSKUsTotal, Reference: "p", DeadlineMicros: 9_000}).then(
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "p"},
		PaymentRefunded{AmountMicros: 1_000_000, Reference: "p", MatchedMicros: 1_000_000}, CoverLost{1_000_000, 9_000})

	// after the end
	ended := given(t, twoSKUs(Prepaid), Cancel{}, CapturePayment{AmountMicros: 1_000_000, Reference: "pi"})
	ended.then(PaymentCaptured{AmountMicros: 1_000_000, Reference: "pi", UnmatchedMicros: 1_000_000,
		RefundDueMicros: 1_000_000})
	ended.when(authorize(1_000_000, "pi", 0)).
		then(PaymentAuthorized{AmountMicros: 1_000_000, Reference: "pi", MatchedMicros: 1_000_000})

	full := given(t, twoSKUs(Prepaid))
	for n := range MaxPayments {
		full.order.Unmatched = append(full.order.Unmatched, Payment{Voided, fmt.Sprint(n), 10_000, "", ""})
	}
	full.when(VoidPayment{AmountMicros: 10_000, Reference: "one more"}).refused(CodeTooManyPayments)
}
