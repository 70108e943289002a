package order

import (
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestORD5AnswersToTheOwnStepOnce(t *testing.T) {
	given(t).when(RecordReservation{}).then()
	s := given(t, twoSKUs(Prepaid))
	late := granted(s.order)
	late.ReservationVersion = 7
	s.when(late).then()
	first := granted(s.order)
	s.when(first).then(OrderReserved{})
	s.when(first).then()
	s.when(Cancel{"changed my mind"}).wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	s.when(first).then()
	s.when(stockAnswers(granted)).then(ReservationSettled{3})
	s.when(stockAnswers(granted)).then()
}

func TestORD6Rejected(t *testing.T) {
	s := given(t, twoSKUs(OnAccount))
	answers := RecordReservation{ReservationVersion: 1, Answers: []StockAnswer{
		{SKU: "b", Rejected: true, Available: 3, RejectionReason: ReasonInsufficientStock},
		{SKU: "a", Rejected: true, Available: 9, RejectionReason: ReasonOtherLine},
	}}
	s.when(answers).then(OrderRejected{Short: []ShortLine{{"b", 4, 3, ReasonInsufficientStock}}})
	s.at(Rejected, "pending", "unfulfilled").wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	if len(s.order.Short) != 1 || !s.order.Open() {
		t.Fatalf("%+v", s.order)
	}
	partly := given(t, twoSKUs(OnAccount))
	answers.Answers = []StockAnswer{{SKU: "a", Rejected: true, RejectionReason: ReasonUnknownSKU}}
	partly.when(answers).then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonUnknownSKU}}})
}

func TestORD7Reserved(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(stockAnswers(granted)).then(OrderReserved{}).at(Reserved, "pending", "unfulfilled")
	s := given(t, twoSKUs(Prepaid)).when(backordered(2)).then(OrderBackordered{line("a", 2)})
	if s.order.Lines[0].Backordered != 1 || s.order.Lines[2].Backordered != 1 || !s.order.Settled {
		t.Fatalf("%+v", s.order)
	}
	s.at(Reserved, "pending", "unfulfilled").wants(false, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
	partly := granted(given(t, twoSKUs(Prepaid)).order)
	partly.Answers = partly.Answers[1:]
	given(t, twoSKUs(Prepaid)).when(partly).then()
}

// backorderOf is news of what is backordered of SKU a, of a version of the item.
func backorderOf(version uint64, quantity int64, stock uint64) RecordBackorder {
	return RecordBackorder{"a", version, quantity, stock}
}

func filled(quantity int64, stock uint64) OrderBackorderFilled {
	return OrderBackorderFilled{line("a", quantity), []StockVersion{{"a", stock}}}
}

func fellShort(quantity int64, stock uint64) OrderFellShort {
	return OrderFellShort{line("a", quantity), []StockVersion{{"a", stock}}}
}

func TestORD33BackordersAreFilled(t *testing.T) {
	given(t).when(backorderOf(1, 0, 9)).then()
	given(t, twoSKUs(Prepaid)).when(backorderOf(1, 0, 9)).then()
	s := given(t, twoSKUs(OnAccount), backordered(3))
	s.when(backorderOf(1, 0, 9)).then() // of a step before
	s.when(backorderOf(3, 2, 9)).then(filled(1, 9)).at(Confirmed, "pending", "unfulfilled")
	s.when(backorderOf(3, 2, 9)).then()
	s.when(backorderOf(3, 3, 8)).then() // an older message
	s.when(backorderOf(3, 3, 0)).then() // of a release that knows no versions
	if s.order.Lines[0].Backordered != 1 || s.order.Lines[2].Backordered != 1 || s.order.Backordered("a") != 2 {
		t.Fatalf("%+v", s.order.Lines)
	}
	s.when(Ship{FulfilmentID: "f", Lines: line("a", 2)}).refused(CodeBackordered)
	s.when(backorderOf(3, 0, 11)).then(filled(2, 11))
	s.when(Ship{FulfilmentID: "f"}).at(Completed, "pending", "fulfilled")
	s.when(backorderOf(7, 0, 12)).then()

	answer := given(t, twoSKUs(OnAccount), backordered(3))
	answer.when(backordered(1)).then(filled(2, 0), ReservationSettled{3})
	answer.when(backordered(1)).then()
	answer.when(backordered(0)).then(filled(1, 0))
}

func TestORD33GoodsThatWerePromisedAreMissing(t *testing.T) {
	s := given(t, twoSKUs(OnAccount), stockAnswers(granted))
	s.when(backorderOf(3, 2, 9)).then(fellShort(2, 9)).at(Confirmed, "pending", "unfulfilled")
	if s.order.Lines[0].Backordered != 1 || s.order.Lines[2].Backordered != 1 {
		t.Fatalf("%+v", s.order.Lines)
	}
	s.when(backorderOf(3, 0, 8)).then() // an older message
	s.when(backorderOf(3, 7, 10)).then(fellShort(1, 10))
	s.when(Ship{FulfilmentID: "f", Lines: line("a", 1)}).refused(CodeBackordered)
	s.when(Ship{FulfilmentID: "f"}).wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Fulfilled: 4})
	s.when(backorderOf(3, 0, 11)).then() // of a step before
	s.when(stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[0].Backordered, c.Answers[0].BackorderVersion = 2, 12
		return c
	})).then(filled(1, 12), ReservationSettled{s.order.ReservationVersion})

	held := given(t, twoSKUs(Prepaid), stockAnswers(granted), Hold{})
	held.when(backorderOf(held.order.ReservationVersion, 1, 9)).then(fellShort(1, 9))
	ended := given(t, twoSKUs(Prepaid), stockAnswers(granted), Cancel{})
	ended.when(backorderOf(ended.order.ReservationVersion, 1, 9)).then()
}

// Goods that the books do not have leave for a reason, which is recorded where it counts.
func TestORD14BackorderedGoodsShipForAReason(t *testing.T) {
	const found = "behind the shelf"
	s := given(t, twoSKUs(OnAccount), backordered(3))
	s.when(Ship{FulfilmentID: "f", BackorderedReason: strings.Repeat("x", 256)}).refused("invalid_backordered_reason")
	s.when(ShipFulfilment{FulfilmentID: "f"}).refused(CodeUnknownFulfilment)
	s.when(Ship{FulfilmentID: "f", Lines: line("b", 1), BackorderedReason: found}).
		then(LinesShipped{FulfilmentID: "f", Lines: numbered("b", 1)}) // it was in stock
	s.when(Ship{FulfilmentID: "g", Lines: line("a", 4), BackorderedReason: found}).refused(CodeOverShipment)
	s.when(Ship{FulfilmentID: "g", Lines: line("a", 1), BackorderedReason: found})
	if ev := s.events[0].(LinesShipped); ev.BackorderedReason != found || s.order.Backordered("a") != 2 {
		t.Fatalf("%+v, %+v", ev, s.order.Lines)
	}
	s.when(Ship{FulfilmentID: "h", BackorderedReason: found}).at(Completed, "pending", "fulfilled")

	packed := given(t, twoSKUs(OnAccount), stockAnswers(granted), CreateFulfilment{FulfilmentID: "f", Lines: line("a", 3)})
	packed.when(backorderOf(packed.order.ReservationVersion, 1, 9))
	tooLong := ShipFulfilment{FulfilmentID: "f", BackorderedReason: strings.Repeat("x", 256)}
	packed.when(tooLong).refused("invalid_backordered_reason")
	packed.when(ShipFulfilment{FulfilmentID: "f", BackorderedReason: found})
	if ev := packed.events[0].(LinesShipped); ev.BackorderedReason != found || packed.order.Backordered("a") != 0 {
		t.Fatalf("%+v, %+v", ev, packed.order.Lines)
	}
}

// What is being packed does not leave once it is known to be missing.
func TestORD31MissingGoodsOfAFulfilment(t *testing.T) {
	s := given(t, twoSKUs(OnAccount), stockAnswers(granted))
	s.when(CreateFulfilment{FulfilmentID: "f", Lines: line("a", 3)})
	s.when(backorderOf(s.order.ReservationVersion, 1, 9)).then(fellShort(1, 9))
	s.when(ShipFulfilment{FulfilmentID: "f"}).refused(CodeBackordered)
	s.when(Ship{FulfilmentID: "g", Lines: line("b", 4)}).at(Confirmed, "pending", "partially_fulfilled")
	s.when(stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[0].BackorderVersion = 10
		return c
	})).then(filled(1, 10), ReservationSettled{s.order.ReservationVersion})
	s.when(ShipFulfilment{FulfilmentID: "f"}).at(Completed, "pending", "fulfilled")
}

func TestORD8ConfirmedAtOnce(t *testing.T) {
	given(t, twoSKUs(OnAccount)).when(stockAnswers(granted)).then(OrderReserved{}, OrderConfirmed{}).
		at(Confirmed, "pending", "unfulfilled").wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4})
	given(t, twoSKUs(OnAccount)).when(backordered(3)).then(OrderBackordered{line("a", 3)}, OrderConfirmed{})
	free := twoSKUs(Prepaid)
	free.Lines = []PlaceLine{{"a", 1, 4_000, nil}}
	given(t, free).when(stockAnswers(granted)).then(OrderReserved{}, OrderConfirmed{})
}

func TestORD9LostStock(t *testing.T) {
	answer := func(change func(h *StockAnswer)) stockAnswers {
		return func(o Order) RecordReservation {
			c := granted(o)
			change(&c.Answers[0])
			return c
		}
	}
	lost := answer(func(h *StockAnswer) {
		h.Reserved, h.Committed, h.Rejected, h.RejectionReason = 1, 0, true, ReasonInsufficientStock
	})
	less := answer(func(h *StockAnswer) { h.Reserved, h.Committed = 1, 0 }) // of another step
	kept := answer(func(*StockAnswer) {})
	given(t, twoSKUs(Prepaid)).when(lost).then(OrderRejected{Short: []ShortLine{{"a", 3, 0, ReasonInsufficientStock}}})
	given(t, twoSKUs(Prepaid)).when(less).then()
	given(t, twoSKUs(Prepaid)).when(kept).then(OrderReserved{})
	given(t, twoSKUs(Prepaid), stockAnswers(granted)).when(kept).then()
	given(t, twoSKUs(Prepaid), stockAnswers(granted)).when(less).then()
	given(t, twoSKUs(Prepaid), stockAnswers(granted)).when(lost).then(OrderCancelled{Reason: ReconciliationReason})
	given(t, paid()...).when(kept).then(ReservationSettled{4})
	given(t, paid()...).when(less).then()
	given(t, paid()...).when(lost).then(OrderCancelled{ReconciliationReason, twoSKUsTotal, 0})
	shipped := append(paid(), Ship{FulfilmentID: "f", Lines: line("b", 1)})
	given(t, shipped...).when(lost).then(ReservationSettled{5})
	given(t, twoSKUs(Prepaid), Cancel{}).when(lost).then(ReservationSettled{2})
}

func TestORD10Authorize(t *testing.T) {
	given(t).when(authorize(10_000, "", 0)).refused(CodeIllegalTransition)
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(authorize(0, "", 0)).refused(CodeInvalidAmount)
	s.when(authorize(twoSKUsTotal+10_000, "", 0)).refused(CodeOverAuthorization)
	s.when(authorize(10_000, string(make([]byte, limits.MaxReferenceLength+1)), 0)).refused("invalid_reference")
	s.when(authorize(340_000, "p1", 0)).then(PaymentAuthorized{AmountMicros: 340_000, Reference: "p1"}).
		at(Reserved, "pending", "unfulfilled")
	s.when(authorize(12_000_000, "p2", 0)).then(PaymentAuthorized{AmountMicros: 12_000_000, Reference: "p2"},
		OrderConfirmed{})
	s.at(Confirmed, "authorized", "unfulfilled").
		wants(true, Wanted{SKU: "a", Committed: 3}, Wanted{SKU: "b", Committed: 4})
	s.when(authorize(10_000, "", 0)).refused(CodeOverAuthorization)
	account := given(t, append(confirmed(), Ship{FulfilmentID: "f"})...)
	account.when(authorize(twoSKUsTotal, "", 0)).then(PaymentAuthorized{AmountMicros: twoSKUsTotal})
}

func TestORD11Capture(t *testing.T) {
	given(t).when(CapturePayment{AmountMicros: 10_000}).refused(CodeIllegalTransition)
	s := given(t, paid()...)
	s.when(CapturePayment{}).refused(CodeInvalidAmount)
	s.when(CapturePayment{AmountMicros: 10_000, Reference: "\xff"}).refused("invalid_reference")
	s.when(CapturePayment{AmountMicros: twoSKUsTotal + 10_000}).refused(CodeOverCapture)
	s.when(CapturePayment{AmountMicros: twoSKUsTotal - 10_000, Reference: "p"}).
		then(PaymentCaptured{AmountMicros: twoSKUsTotal - 10_000, Reference: "p"})
	s.at(Confirmed, "partially_captured", "unfulfilled")
	s.when(CapturePayment{AmountMicros: 20_000}).refused(CodeOverCapture)
	s.when(CapturePayment{AmountMicros: 10_000}).at(Confirmed, "captured", "unfulfilled")
}

func TestORD12Confirm(t *testing.T) {
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted))
	s.when(Confirm{}).refused(CodePaymentRequired)
	s.order.AuthorizedMicros = twoSKUsTotal
	s.when(Confirm{}).then(OrderConfirmed{})
	s.when(Confirm{}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(Confirm{}).refused(CodeIllegalTransition)
}

func TestORD13Cancel(t *testing.T) {
	given(t).when(Cancel{}).refused(CodeIllegalTransition)
	given(t, twoSKUs(Prepaid)).when(Cancel{string(make([]byte, limits.MaxReasonLength+1))}).refused("invalid_reason")
	s := given(t, twoSKUs(Prepaid)).when(Cancel{"r"}).then(OrderCancelled{Reason: "r"}).
		at(Cancelled, "pending", "unfulfilled")
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	s.when(Cancel{"r"}).refused(CodeIllegalTransition)

	s = given(t, append(paid(), CapturePayment{AmountMicros: 2_000_000})...)
	s.when(Cancel{}).then(OrderCancelled{"", twoSKUsTotal - 2_000_000, 2_000_000}).
		at(Cancelled, "partially_captured", "unfulfilled")
	given(t, paid()...).when(Cancel{}).at(Cancelled, "voided", "unfulfilled")
	given(t, append(paid(), Ship{FulfilmentID: "f", Lines: line("a", 1)})...).when(Cancel{}).refused(CodeAlreadyShipped)
	given(t, append(paid(), Ship{FulfilmentID: "f"})...).when(Cancel{}).refused(CodeAlreadyShipped)
}

func TestORD17Expire(t *testing.T) {
	given(t).when(Expire{9_999}).then()
	given(t, twoSKUs(Prepaid)).when(Expire{4_999}).then()
	given(t, twoSKUs(Prepaid)).when(Expire{5_000}).then(OrderExpired{}).at(Expired, "pending", "unfulfilled")
	s := given(t, twoSKUs(Prepaid), stockAnswers(granted), authorize(1_000_000, "", 0))
	s.when(Expire{6_000}).then(OrderExpired{VoidedMicros: 1_000_000}).at(Expired, "voided", "unfulfilled")
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	s.when(Expire{6_000}).then()
	given(t, paid()...).when(Expire{6_000}).then()
	given(t, twoSKUs(OnAccount)).when(Expire{6_000}).then()
	endless := twoSKUs(Prepaid)
	endless.PaymentDeadlineMicros = 0
	given(t, endless).when(Expire{6_000}).then()
}

func TestIllegalTransitionsSayWhatIsAllowed(t *testing.T) {
	for _, c := range []struct {
		given   []Command
		when    Command
		status  string
		allowed []string
	}{
		{nil, Cancel{}, "none", []string{"place_order", "import_order", "import_credit_note"}},
		{[]Command{twoSKUs(Prepaid)}, Ship{FulfilmentID: "f"}, "placed",
			[]string{"start_payment", "authorize_payment", "fail_payment", "cancel_order"}},
		{[]Command{twoSKUs(Prepaid), stockAnswers(granted)}, Ship{FulfilmentID: "f"}, "reserved",
			[]string{"start_payment", "authorize_payment", "fail_payment", "confirm_order", "hold_order", "cancel_lines",
				"amend_order", "cancel_order"}},
		{paid(), Confirm{}, "confirmed",
			[]string{"capture_payment", "void_payment", "hold_order", "create_fulfilment", "ship_order", "cancel_lines",
				"amend_order", "cancel_order"}},
		{append(paid(), Ship{FulfilmentID: "f", Lines: line("a", 1)}, CapturePayment{AmountMicros: 10_000}), Confirm{},
			"confirmed",
			[]string{"capture_payment", "void_payment", "refund_payment", "hold_order", "create_fulfilment", "ship_order",
				"deliver_order", "fail_delivery", "reverse_shipment", "cancel_lines", "amend_order"}},
		{append(paid(), CreateFulfilment{FulfilmentID: "f"}), Confirm{}, "confirmed",
			[]string{"capture_payment", "void_payment", "hold_order", "ship_fulfilment", "cancel_fulfilment", "amend_order",
				"cancel_order"}},
		{append(paid(), amend(AmendLine{SKU: "b", Quantity: 5})), Confirm{}, "confirmed",
			[]string{"capture_payment", "void_payment", "hold_order", "cancel_order"}},
		{append(paid(), amend(AmendLine{SKU: "b", Quantity: 5}), stockAnswers(granted)), Confirm{}, "confirmed",
			[]string{"start_payment", "authorize_payment", "capture_payment", "void_payment", "fail_payment", "hold_order",
				"cancel_lines", "amend_order", "cancel_order"}},
		{append(paid(), Hold{}), Confirm{}, "on_hold",
			[]string{"capture_payment", "void_payment", "resume_order", "cancel_lines", "cancel_order"}},
		{append(paid(), Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"}), Confirm{}, "completed",
			[]string{"capture_payment", "void_payment", "reverse_delivery", "request_return"}},
		{append(delivered(), RequestReturn{ReturnID: "r"}, Ship{FulfilmentID: "g"}), Confirm{}, "completed", []string{
			"refund_payment", "deliver_order", "fail_delivery", "reverse_shipment", "receive_return", "cancel_return"}},
		{[]Command{twoSKUs(Prepaid), Cancel{}}, Deliver{FulfilmentID: "f"}, "cancelled",
			[]string{"authorize_payment", "fail_payment"}},
	} {
		s := given(t, c.given...).when(c.when).refused(CodeIllegalTransition)
		refusal := s.err.(*Error)
		if refusal.Status != c.status || !reflect.DeepEqual(refusal.Allowed, c.allowed) {
			t.Errorf("%+v, want %s %v", refusal, c.status, c.allowed)
		}
	}
	given(t).when(nil).refused(CodeUnknownCommand)
}

func TestLifecycleWords(t *testing.T) {
	want := []string{"none", "placed", "reserved", "confirmed", "completed", "rejected", "cancelled", "expired", "on_hold",
		"unknown"}
	for l, word := range want {
		if got := Lifecycle(l).String(); got != word {
			t.Errorf("%d is %q, want %q", l, got, word)
		}
	}
}
