package order

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestORD20AStartedPaymentMovesTheDeadline(t *testing.T) {
	given(t).when(StartPayment{"p", 9_000}).refused(CodeIllegalTransition)
	given(t, twoSKUs(OnAccount)).when(StartPayment{"p", 9_000}).refused(CodeIllegalTransition)
	given(t, paid()...).when(StartPayment{"q", 9_000}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(StartPayment{"p", 4_000}).then(PaymentStarted{"p", 5_000})
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(StartPayment{"p", 9_000}).then(PaymentStarted{"p", 9_000})
	s.when(StartPayment{"p", 20_000}).then() // the same payment
	s.when(Expire{8_999}).then()
	for i := 1; i < MaxPaymentStarts; i++ {
		s.when(StartPayment{fmt.Sprint(i), 9_000}).then(PaymentStarted{fmt.Sprint(i), 9_000})
	}
	s.when(StartPayment{"x", 99_000}).refused(CodeTooManyPayments)
	s.when(AuthorizePayment{1_000_000, "part", 99_000}).then(PaymentAuthorized{1_000_000, "part"})
	s.when(Expire{9_000}).then(OrderExpired{VoidedMicros: 1_000_000})
}

func TestORD10APartMovesTheDeadlineToo(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(AuthorizePayment{1_000_000, "a", 9_000}).then(PaymentAuthorized{1_000_000, "a"}, PaymentStarted{"", 9_000})
	s.when(AuthorizePayment{twoSKUsTotal - 1_000_000, "b", 99_000}).
		then(PaymentAuthorized{twoSKUsTotal - 1_000_000, "b"}, OrderConfirmed{})
}

func TestORD21OnePaymentHoweverOftenItIsTold(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), AuthorizePayment{1_000_000, "p", 0})
	s.when(AuthorizePayment{1_000_000, "p", 0}).then()
	s.when(AuthorizePayment{2_000_000, "p", 0}).refused(CodePaymentReferenceReused)
	s.when(AuthorizePayment{twoSKUsTotal - 1_000_000, "q", 0}).at(Confirmed, "authorized", "unfulfilled")
	s.when(CapturePayment{1_000_000, "p"}).then(PaymentCaptured{AmountMicros: 1_000_000, Reference: "p"}) // another action
	s.when(CapturePayment{1_000_000, "p"}).then()
	s.when(CapturePayment{2_000_000, "p"}).refused(CodePaymentReferenceReused)
	s.when(RefundPayment{400_000, "r", ""}).then(PaymentRefunded{400_000, "r", ""})
	s.when(RefundPayment{400_000, "r", ""}).then()
	s.when(RefundPayment{0, "r", ""}).then() // all that was left then
	s.when(VoidPayment{0, "v", ""}).then(PaymentVoided{twoSKUsTotal - 1_000_000, "v", ""})
	s.when(VoidPayment{0, "v", ""}).then()
	s.when(FailPayment{"f", ""}).then(PaymentFailed{"f", ""})
	s.when(FailPayment{"f", "again"}).then()

	full := given(t, paid()...)
	for i := len(full.order.Payments); i < MaxPayments; i++ {
		full.when(FailPayment{fmt.Sprint("f", i), ""})
	}
	full.when(CapturePayment{1, "one more"}).refused(CodeTooManyPayments)
	full.when(CapturePayment{1, ""}).then(PaymentCaptured{AmountMicros: 1, Reference: ""})
}

func TestORD22Void(t *testing.T) {
	given(t).when(VoidPayment{}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(VoidPayment{}).refused(CodeNothingToVoid)
	s := given(t, paid()...)
	s.when(VoidPayment{-1, "", ""}).refused(CodeInvalidAmount)
	s.when(VoidPayment{0, "", string(make([]byte, limits.MaxReasonLength+1))}).refused("invalid_reason")
	s.when(VoidPayment{0, "\xff", ""}).refused("invalid_reference")
	s.when(VoidPayment{twoSKUsTotal + 1, "", ""}).refused(CodeOverVoid)
	s.when(CapturePayment{2_000_000, ""}).when(VoidPayment{twoSKUsTotal - 1_999_999, "", ""}).refused(CodeOverVoid)
	s.when(VoidPayment{0, "v", "changed"}).then(PaymentVoided{twoSKUsTotal - 2_000_000, "v", "changed"})
	s.at(Confirmed, "partially_captured", "unfulfilled")
	s.when(AuthorizePayment{twoSKUsTotal - 2_000_000, "again", 0}).
		then(PaymentAuthorized{twoSKUsTotal - 2_000_000, "again"})
	given(t, paid()...).when(VoidPayment{}).at(Confirmed, "voided", "unfulfilled")
}

func TestORD23Refund(t *testing.T) {
	given(t).when(RefundPayment{}).refused(CodeIllegalTransition)
	given(t, paid()...).when(RefundPayment{}).refused(CodeNothingToRefund)
	s := given(t, append(paid(), CapturePayment{twoSKUsTotal, ""})...)
	s.when(RefundPayment{twoSKUsTotal + 1, "", ""}).refused(CodeOverRefund)
	s.when(RefundPayment{340_000, "r1", "damaged"}).then(PaymentRefunded{340_000, "r1", "damaged"})
	s.at(Confirmed, "partially_refunded", "unfulfilled")
	s.when(Cancel{}).then(OrderCancelled{"", 0, 12_000_000})
	if s.order.RefundDueMicros != 12_000_000 {
		t.Fatalf("%d is due", s.order.RefundDueMicros)
	}
	s.when(RefundPayment{2_000_000, "r2", ""}).when(RefundPayment{0, "r3", ""}).then(PaymentRefunded{10_000_000, "r3", ""})
	s.at(Cancelled, "refunded", "unfulfilled")
	if s.order.RefundDueMicros != 0 {
		t.Fatalf("%d is due after all", s.order.RefundDueMicros)
	}
}

func TestORD24Failed(t *testing.T) {
	given(t).when(FailPayment{}).refused(CodeIllegalTransition)
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(FailPayment{"p", string(make([]byte, limits.MaxReasonLength+1))}).refused("invalid_reason")
	s.when(FailPayment{"p", "declined"}).then(PaymentFailed{"p", "declined"}).at(Reserved, "failed", "unfulfilled")
	s.when(AuthorizePayment{1, "", 0}).at(Reserved, "pending", "unfulfilled")
}

func TestORD25TooLate(t *testing.T) {
	expired := []Command{twoSKUs(Prepaid), stockAnswers(granted), Expire{6_000}}
	given(t, expired...).when(AuthorizePayment{1_000_000, "p", 9_000}).
		then(PaymentAuthorized{1_000_000, "p"}, PaymentVoided{1_000_000, "", LatePaymentReason}).
		at(Expired, "voided", "unfulfilled")
	given(t, twoSKUs(Prepaid), Cancel{}).when(AuthorizePayment{twoSKUsTotal, "p", 9_000}).
		then(PaymentAuthorized{twoSKUsTotal, "p"}, PaymentVoided{twoSKUsTotal, "", LatePaymentReason}).
		at(Cancelled, "voided", "unfulfilled")

	again := given(t, expired...).when(AuthorizePayment{twoSKUsTotal, "p", 9_000}).
		then(PaymentAuthorized{twoSKUsTotal, "p"}, OrderReopened{9_000})
	again.at(Placed, "authorized", "unfulfilled").wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
	sold := RecordReservation{ReservationVersion: again.order.ReservationVersion, Answers: []StockAnswer{
		{SKU: "a", Rejected: true, RejectionReason: ReasonInsufficientStock}}}
	order := again.order
	again.when(stockAnswers(granted)).then(OrderReserved{}, OrderConfirmed{}).at(Confirmed, "authorized", "unfulfilled")

	short := &scenario{t: t, order: order}
	short.when(sold).
		then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonInsufficientStock}}},
			PaymentVoided{twoSKUsTotal, "", RejectedReason})
	short.at(Rejected, "voided", "unfulfilled")
	waiting := &scenario{t: t, order: order}
	waiting.when(Expire{9_000}).then(OrderExpired{VoidedMicros: twoSKUsTotal}).at(Expired, "voided", "unfulfilled")
}

func TestORD26CaptureWithTheShipment(t *testing.T) {
	s := given(t, paid()...)
	s.when(Ship{FulfilmentID: "f1", Lines: line("a", 1), Capture: true}).
		// 1.115 to the even cent
		then(LinesShipped{FulfilmentID: "f1", Lines: line("a", 1)}, PaymentCaptured{AmountMicros: 1_120_000, Reference: "f1"})
	s.when(VoidPayment{11_000_000, "", ""})
	s.when(Ship{FulfilmentID: "f2", Lines: line("b", 3), Capture: true}).
		// all that is authorized
		then(LinesShipped{FulfilmentID: "f2", Lines: line("b", 3)}, PaymentCaptured{AmountMicros: 220_000, Reference: "f2"})
	s.when(Ship{FulfilmentID: "f3", Capture: true}).refused(CodeNothingToCapture)
	s.when(Ship{FulfilmentID: "f3"}).then(LinesShipped{FulfilmentID: "f3", Lines: []LineQuantity{{"a", 2}, {"b", 1}}})

	whole := given(t, paid()...).when(Ship{FulfilmentID: "f", Capture: true})
	whole.then(LinesShipped{FulfilmentID: "f", Lines: []LineQuantity{{"a", 3}, {"b", 4}}},
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "f"})
	whole.at(Completed, "captured", "fulfilled")
}

func TestORD26AVoidedOrderDoesNotShipAsPaid(t *testing.T) {
	s := given(t, append(paid(), VoidPayment{})...)
	s.when(Ship{FulfilmentID: "f", Capture: true}).refused(CodeNothingToCapture)
	given(t, append(paid(), VoidPayment{}, CreateFulfilment{FulfilmentID: "f"})...).
		when(ShipFulfilment{FulfilmentID: "f", Capture: true}).refused(CodeNothingToCapture)
	s.when(AuthorizePayment{twoSKUsTotal, "again", 0})
	s.when(Ship{FulfilmentID: "f", Capture: true}).at(Completed, "captured", "fulfilled")

	whole := given(t, append(paid(), CapturePayment{twoSKUsTotal, "c"})...)
	whole.when(Ship{FulfilmentID: "f", Capture: true}).at(Completed, "captured", "fulfilled") // it is paid
	given(t, confirmed()...).when(Ship{FulfilmentID: "f", Capture: true}).at(Completed, "pending", "fulfilled")
}

func TestORD21TheShipmentAndTheProviderTellOfOneCapture(t *testing.T) {
	ship := Ship{FulfilmentID: "f", Lines: line("b", 1), Capture: true, PaymentReference: "c"}
	shipped := LinesShipped{FulfilmentID: "f", Lines: line("b", 1)}

	s := given(t, paid()...).when(ship).then(shipped, PaymentCaptured{AmountMicros: 2_000_000, Reference: "c"})
	s.when(CapturePayment{2_000_000, "c"}).then()
	s.when(CapturePayment{3_000_000, "c"}).refused(CodePaymentReferenceReused)

	s = given(t, append(paid(), CapturePayment{2_000_000, "c"})...).when(ship).then(shipped)
	s.at(Confirmed, "partially_captured", "partially_fulfilled")

	packed := given(t, append(paid(), CreateFulfilment{"f", line("b", 1)}, CapturePayment{2_000_000, "c"})...)
	packed.when(ShipFulfilment{FulfilmentID: "f", Capture: true, PaymentReference: "c"}).then(shipped)
	packed.when(Ship{FulfilmentID: "g", PaymentReference: string(make([]byte, limits.MaxReferenceLength+1))}).
		refused("invalid_payment_reference")

	full := given(t, paid()...)
	for i := len(full.order.Payments); i < MaxPayments; i++ {
		full.when(FailPayment{fmt.Sprint("f", i), ""})
	}
	full.when(ship).refused(CodeTooManyPayments)
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
			o.Payments = append(o.Payments, Payment{action, "p", amount})
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
			StartPayment{"p", 99_000}, AuthorizePayment{1_000_000, "p", 99_000}, CapturePayment{1_000_000, "p"},
			VoidPayment{1_000_000, "p", ""}, RefundPayment{1_000_000, "p", ""}, FailPayment{"p", ""},
		} {
			if events, err := Decide(o, cmd); err != nil || len(events) > 0 {
				t.Errorf("%s takes %+v: %v, %v", lifecycle, cmd, events, err)
			}
		}
		for _, cmd := range []Command{
			AuthorizePayment{2_000_000, "p", 99_000}, CapturePayment{2_000_000, "p"}, VoidPayment{2_000_000, "p", ""},
			RefundPayment{2_000_000, "p", ""},
		} {
			(&scenario{t: t, order: o}).when(cmd).refused(CodePaymentReferenceReused)
		}
	}
}

func TestORD62WhatAProviderDidIsRecordedWhereverTheOrderStands(t *testing.T) {
	answers := stockAnswers(granted)
	placed := given(t, twoSKUs(Prepaid)).when(AuthorizePayment{twoSKUsTotal, "p", 9_000}).
		then(PaymentAuthorized{twoSKUsTotal, "p"})
	placed.when(CapturePayment{twoSKUsTotal, "c"}).then(PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c"})
	rejected := &scenario{t: t, order: placed.order}
	placed.when(answers).then(OrderReserved{}, OrderConfirmed{}).at(Confirmed, "captured", "unfulfilled")
	rejected.when(sold).
		then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonInsufficientStock}}, RefundDueMicros: twoSKUsTotal})

	part := given(t, twoSKUs(Prepaid)).when(AuthorizePayment{1_000_000, "p", 9_000})
	part.then(PaymentAuthorized{1_000_000, "p"}, PaymentStarted{"", 9_000})
	part.when(answers).then(OrderReserved{}).when(CapturePayment{1_000_000, "c"}).
		then(PaymentCaptured{AmountMicros: 1_000_000, Reference: "c"})
	part.when(Expire{9_000}).then(OrderExpired{RefundDueMicros: 1_000_000})
	part.when(AuthorizePayment{twoSKUsTotal, "late", 19_000}). // money of it is due already: it is not placed again
									then(PaymentAuthorized{twoSKUsTotal, "late"}, PaymentVoided{twoSKUsTotal, "", LatePaymentReason})

	hold := given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("a", 1)}, Hold{})...)
	hold.when(CapturePayment{twoSKUsTotal, "c"}).then(PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c"})
	hold.when(Deliver{FulfilmentID: "f"}).then(LinesDelivered{"f", line("a", 1)}).
		at(OnHold, "captured", "partially_fulfilled")

	for _, end := range [][]Command{append(paid(), Cancel{}),
		{twoSKUs(Prepaid), answers, AuthorizePayment{5_000_000, "p", 0}, Expire{5_000}}} {
		s := given(t, end...)
		s.when(CapturePayment{5_000_000, "c"}).
			then(PaymentCaptured{AmountMicros: 5_000_000, Reference: "c", UnvoidedMicros: 5_000_000, RefundDueMicros: 5_000_000})
		s.when(CapturePayment{twoSKUsTotal, "d"}).refused(CodeOverCapture)
		s.when(RefundPayment{0, "r", ""})
		if s.order.RefundDueMicros != 0 {
			t.Fatalf("%d is due after all", s.order.RefundDueMicros)
		}
	}
	lines := given(t, append(paid(), CancelLines{Lines: line("b", 4)})...)
	lines.when(CapturePayment{twoSKUsTotal, "c"}).
		then(PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "c", UnvoidedMicros: 8_000_000,
			RefundDueMicros: 8_000_000})
}

func TestORD11ACaptureOfWhatWasVoidedCoversTheTotal(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), AuthorizePayment{2_340_000, "p", 0}, VoidPayment{},
		AuthorizePayment{10_000_000, "q", 0})
	s.when(CapturePayment{12_340_000, "c"}).
		then(PaymentCaptured{AmountMicros: 12_340_000, Reference: "c", UnvoidedMicros: 2_340_000}, OrderConfirmed{})
}
