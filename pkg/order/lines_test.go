package order

import (
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

var tooLong = string(make([]byte, limits.MaxReasonLength+1))

func TestORD27Hold(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(Hold{}).refused(CodeIllegalTransition)
	given(t, paid()...).when(Hold{tooLong}).refused("invalid_reason")
	s := given(t, paid()...).when(Hold{"fraud check"}).then(OrderHeld{"fraud check"}).
		at(OnHold, "authorized", "unfulfilled")
	s.wants(false, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4})
	s.when(Ship{FulfilmentID: "f"}).refused(CodeIllegalTransition)
	s.when(Hold{}).refused(CodeIllegalTransition)
	s.when(Cancel{}).then(OrderCancelled{VoidedMicros: twoSKUsTotal}).at(Cancelled, "voided", "unfulfilled")
	reserved := given(t, twoSKUs(Prepaid), stockAnswers(granted), Hold{}).when(Expire{9_000}).then()
	reserved.wants(false, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
}

func TestORD28Resume(t *testing.T) {
	given(t, paid()...).when(Resume{}).refused(CodeIllegalTransition)
	given(t, append(paid(), Hold{})...).when(Resume{9_000}).then(OrderResumed{Confirmed: true}).
		at(Confirmed, "authorized", "unfulfilled")
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), Hold{})
	s.when(Resume{9_000}).then(OrderResumed{PaymentDeadlineMicros: 9_000}).at(Reserved, "pending", "unfulfilled")
	s.when(Hold{}).when(Resume{8_000}).then(OrderResumed{PaymentDeadlineMicros: 9_000})
	s.when(Hold{}).when(authorize(twoSKUsTotal, "p", 0)).then(
		PaymentAuthorized{AmountMicros: twoSKUsTotal, Reference: "p"})
	s.when(Resume{}).then(OrderResumed{PaymentDeadlineMicros: 9_000}, OrderConfirmed{})
}

func TestORD29CancelLines(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(CancelLines{Lines: line("a", 1)}).refused(CodeIllegalTransition)
	s := given(t, paid()...)
	s.when(CancelLines{}).refused(CodeInvalidLines)
	s.when(CancelLines{Lines: line("a", 1), Reason: tooLong}).refused("invalid_reason")
	s.when(CancelLines{Lines: line("a", 0)}).refused(CodeInvalidQuantity)
	s.when(CancelLines{Lines: line("a", 4)}).refused(CodeOverCancellation)
	s.when(CancelLines{Lines: []LineQuantity{{"a", 3, 0}, {"b", 4, 0}}}).refused(CodeNothingLeft)
	s.when(CancelLines{Lines: line("a", 2), Reason: "sold out"}).then(LinesCancelled{
		Lines: []CancelledLine{{1, "a", 1, 1_115_000, 0, 0}, {3, "a", 1, 2_115_000, 0, 0}}, Reason: "sold out",
		SubtotalMicros: 9_115_000, TotalMicros: 9_120_000, VoidedMicros: twoSKUsTotal - 9_120_000,
	}).wants(true, Wanted{SKU: "a", Committed: 1}, Wanted{SKU: "b", Committed: 4})
	l := s.order.Lines
	cancelled := []int64{l[0].Cancelled, l[1].Cancelled, l[2].Cancelled}
	if !reflect.DeepEqual(cancelled, []int64{1, 0, 1}) {
		t.Fatalf("cancelled %v", cancelled)
	}
	s.at(Confirmed, "authorized", "unfulfilled")
	s.when(CapturePayment{AmountMicros: 9_120_000}).when(CancelLines{Lines: line("b", 4)}).then(LinesCancelled{
		Lines: []CancelledLine{{2, "b", 4, 2_000_000, 0, 0}}, SubtotalMicros: 1_115_000, TotalMicros: 1_120_000,
		RefundDueMicros: 8_000_000,
	})
	s.when(Cancel{}).then(OrderCancelled{RefundDueMicros: 1_120_000})

	shipped := given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("b", 4)})...)
	shipped.when(CancelLines{Lines: line("b", 1)}).refused(CodeOverCancellation)
	shipped.when(CancelLines{Lines: line("a", 3)}).at(Completed, "authorized", "fulfilled")

	part := given(t, twoSKUs(Prepaid), stockAnswers(granted), authorize(8_000_000, "", 0))
	part.when(CancelLines{Lines: line("a", 3)}).then(LinesCancelled{
		Lines:          []CancelledLine{{1, "a", 2, 1_115_000, 0, 0}, {3, "a", 1, 2_115_000, 0, 0}},
		SubtotalMicros: 8_000_000, TotalMicros: 8_000_000}, OrderConfirmed{})
	short := given(t, twoSKUs(OnAccount), backordered(2)).when(CancelLines{Lines: line("a", 1)})
	if l := short.order.Lines; l[2].Cancelled != 1 || l[2].Backordered != 0 || l[0].Backordered != 1 {
		t.Fatalf("%+v", l)
	}
}

func TestORD30ORD31ORD32Fulfilments(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(CreateFulfilment{FulfilmentID: "f"}).refused(CodeIllegalTransition)
	s := given(t, paid()...)
	s.when(ShipFulfilment{FulfilmentID: "f"}).refused(CodeUnknownFulfilment)
	s.when(CreateFulfilment{}).refused(CodeInvalidFulfilmentID)
	s.when(CreateFulfilment{"f1", line("a", 4)}).refused(CodeOverShipment)
	s.when(CreateFulfilment{"f1", line("a", 2)}).then(FulfilmentCreated{"f1", []LineQuantity{{"a", 2, 1}}}).
		at(Confirmed, "authorized", "unfulfilled")
	s.when(CreateFulfilment{"f1", line("a", 1)}).refused(CodeFulfilmentExists)
	s.when(Ship{FulfilmentID: "f2", Lines: line("a", 2)}).refused(CodeOverShipment)
	s.when(CancelLines{Lines: line("a", 2)}).refused(CodeOverCancellation)
	s.when(Deliver{FulfilmentID: "f1"}).refused(CodeUnknownFulfilment)
	s.when(CancelFulfilment{"f1", tooLong}).refused("invalid_reason")
	s.when(CancelFulfilment{"f1", "no box"}).then(FulfilmentCancelled{"f1", "no box"})
	s.when(CancelFulfilment{"f1", ""}).refused(CodeUnknownFulfilment)
	s.when(CreateFulfilment{FulfilmentID: "f3"}).then(
		FulfilmentCreated{"f3", []LineQuantity{{"a", 2, 1}, {"b", 4, 2}, {"a", 1, 3}}})
	s.when(CreateFulfilment{FulfilmentID: "f4"}).refused(CodeNothingToShip)
	s.when(ShipFulfilment{FulfilmentID: "f3", TrackingReference: tooLong}).refused("invalid_tracking_reference")
	s.when(ShipFulfilment{FulfilmentID: "f3", TrackingReference: "1Z9", Capture: true}).then(
		LinesShipped{FulfilmentID: "f3", Lines: []LineQuantity{{"a", 2, 1}, {"b", 4, 2}, {"a", 1, 3}},
			TrackingReference: "1Z9"},
		PaymentCaptured{AmountMicros: twoSKUsTotal, Reference: "f3"}).at(Completed, "captured", "fulfilled")
	s.when(ShipFulfilment{FulfilmentID: "f3"}).refused(CodeIllegalTransition)
	s.when(CancelFulfilment{FulfilmentID: "f3"}).refused(CodeFulfilmentShipped)
	s.when(Deliver{FulfilmentID: "f3"}).at(Completed, "captured", "delivered")

	part := given(t, append(paid(), CreateFulfilment{"f1", line("a", 1)}, ShipFulfilment{FulfilmentID: "f1"})...)
	part.when(ShipFulfilment{FulfilmentID: "f1"}).refused(CodeFulfilmentShipped)
	gone := given(t, append(paid(), CreateFulfilment{"f1", line("a", 1)}, Cancel{})...)
	if len(gone.order.Fulfilments) != 0 {
		t.Fatalf("a cancelled order packs %+v", gone.order.Fulfilments)
	}
	gone.when(CancelFulfilment{FulfilmentID: "f1"}).refused(CodeIllegalTransition)
}
