package order

import (
	"fmt"
	"testing"
)

func TestORD20AStartedPaymentMovesTheDeadline(t *testing.T) {
	given(t).when(StartPayment{"p", 9_000}).refused(CodeIllegalTransition)
	given(t, twoSKUs(OnAccount)).when(StartPayment{"p", 9_000}).refused(CodeIllegalTransition)
	given(t, paid()...).when(StartPayment{"q", 9_000}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(StartPayment{"p", 4_000}).then(PaymentStarted{"p", 5_000})
	s := given(t, twoSKUs(Prepaid), stockAnswers(held))
	s.when(StartPayment{"p", 9_000}).then(PaymentStarted{"p", 9_000})
	s.when(StartPayment{"p", 20_000}).then() // the same payment
	s.when(Expire{8_999}).then()
	for i := 1; i < MaxPaymentStarts; i++ {
		s.when(StartPayment{fmt.Sprint(i), 9_000}).then(PaymentStarted{fmt.Sprint(i), 9_000})
	}
	s.when(StartPayment{"x", 99_000}).refused(CodeTooManyPayments)
	s.when(AuthorizePayment{1_000_000, "part", 99_000}).then(PaymentAuthorized{1_000_000, "part"})
	s.when(Expire{9_000}).then(OrderExpired{1_000_000})
}

func TestORD10APartMovesTheDeadlineToo(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(held))
	s.when(AuthorizePayment{1_000_000, "a", 9_000}).then(PaymentAuthorized{1_000_000, "a"}, PaymentStarted{"", 9_000})
	s.when(AuthorizePayment{twoSKUsTotal - 1_000_000, "b", 99_000}).then(PaymentAuthorized{twoSKUsTotal - 1_000_000, "b"}, OrderConfirmed{})
}

func TestORD21OnePaymentHoweverOftenItIsTold(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(held), AuthorizePayment{1_000_000, "p", 0})
	s.when(AuthorizePayment{1_000_000, "p", 0}).then()
	s.when(AuthorizePayment{2_000_000, "p", 0}).refused(CodePaymentReferenceReused)
	s.when(AuthorizePayment{twoSKUsTotal - 1_000_000, "q", 0}).at(Confirmed, "authorized", "unfulfilled")
	s.when(CapturePayment{1_000_000, "p"}).then(PaymentCaptured{1_000_000, "p"}) // another action
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
	full.when(CapturePayment{1, ""}).then(PaymentCaptured{1, ""})
}

func TestORD22Void(t *testing.T) {
	given(t).when(VoidPayment{}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(VoidPayment{}).refused(CodeNothingToVoid)
	s := given(t, paid()...)
	s.when(VoidPayment{-1, "", ""}).refused(CodeInvalidAmount)
	s.when(VoidPayment{0, "", string(make([]byte, MaxReasonBytes+1))}).refused("invalid_reason")
	s.when(VoidPayment{0, "\xff", ""}).refused("invalid_reference")
	s.when(VoidPayment{twoSKUsTotal + 1, "", ""}).refused(CodeOverVoid)
	s.when(CapturePayment{2_000_000, ""}).when(VoidPayment{twoSKUsTotal - 1_999_999, "", ""}).refused(CodeOverVoid)
	s.when(VoidPayment{0, "v", "changed"}).then(PaymentVoided{twoSKUsTotal - 2_000_000, "v", "changed"})
	s.at(Confirmed, "partially_captured", "unfulfilled")
	s.when(CapturePayment{1, ""}).refused(CodeOverCapture)
	s.when(AuthorizePayment{twoSKUsTotal - 2_000_000, "again", 0}).then(PaymentAuthorized{twoSKUsTotal - 2_000_000, "again"})
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
	s := given(t, twoSKUs(Prepaid), stockAnswers(held))
	s.when(FailPayment{"p", string(make([]byte, MaxReasonBytes+1))}).refused("invalid_reason")
	s.when(FailPayment{"p", "declined"}).then(PaymentFailed{"p", "declined"}).at(Reserved, "failed", "unfulfilled")
	s.when(AuthorizePayment{1, "", 0}).at(Reserved, "pending", "unfulfilled")
}

func TestORD25TooLate(t *testing.T) {
	expired := []Command{twoSKUs(Prepaid), stockAnswers(held), Expire{6_000}}
	given(t, expired...).when(AuthorizePayment{1_000_000, "p", 9_000}).
		then(PaymentAuthorized{1_000_000, "p"}, PaymentVoided{1_000_000, "", LatePaymentReason}).at(Expired, "voided", "unfulfilled")
	given(t, twoSKUs(Prepaid), Cancel{}).when(AuthorizePayment{twoSKUsTotal, "p", 9_000}).
		then(PaymentAuthorized{twoSKUsTotal, "p"}, PaymentVoided{twoSKUsTotal, "", LatePaymentReason}).at(Cancelled, "voided", "unfulfilled")

	again := given(t, expired...).when(AuthorizePayment{twoSKUsTotal, "p", 9_000}).then(PaymentAuthorized{twoSKUsTotal, "p"}, OrderReopened{9_000})
	again.at(Placed, "authorized", "unfulfilled").wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
	sold := RecordReservation{ReservationVersion: again.order.ReservationVersion, Held: []Held{
		{SKU: "a", Rejected: true, RejectionReason: ReasonInsufficientStock}}}
	order := again.order
	again.when(stockAnswers(held)).then(OrderReserved{}, OrderConfirmed{}).at(Confirmed, "authorized", "unfulfilled")

	short := &scenario{t: t, order: order}
	short.when(sold).then(OrderRejected{[]ShortLine{{"a", 3, 0, ReasonInsufficientStock}}}, PaymentVoided{twoSKUsTotal, "", RejectedReason})
	short.at(Rejected, "voided", "unfulfilled")
	waiting := &scenario{t: t, order: order}
	waiting.when(Expire{9_000}).then(OrderExpired{twoSKUsTotal}).at(Expired, "voided", "unfulfilled")
}

func TestORD26CaptureWithTheShipment(t *testing.T) {
	s := given(t, paid()...)
	s.when(Ship{FulfilmentID: "f1", Lines: line("a", 1), Capture: true}).
		then(LinesShipped{FulfilmentID: "f1", Lines: line("a", 1)}, PaymentCaptured{1_120_000, "f1"}) // 1.115 to the even cent
	s.when(VoidPayment{11_000_000, "", ""})
	s.when(Ship{FulfilmentID: "f2", Lines: line("b", 3), Capture: true}).
		then(LinesShipped{FulfilmentID: "f2", Lines: line("b", 3)}, PaymentCaptured{220_000, "f2"}) // all that is authorized
	s.when(Ship{FulfilmentID: "f3", Capture: true}).then(LinesShipped{FulfilmentID: "f3", Lines: []LineQuantity{{"a", 2}, {"b", 1}}})

	whole := given(t, paid()...).when(Ship{FulfilmentID: "f", Capture: true})
	whole.then(LinesShipped{FulfilmentID: "f", Lines: []LineQuantity{{"a", 3}, {"b", 4}}}, PaymentCaptured{twoSKUsTotal, "f"})
	whole.at(Completed, "captured", "fulfilled")
}
