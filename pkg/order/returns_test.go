package order

import (
	"strconv"
	"testing"
)

// delivered is an order of a (2 at 1.115 and 1 at 2.115) and b (4 at 2.00), paid and delivered but for one b.
func delivered() []Command {
	return append(paid(), CapturePayment{AmountMicros: twoSKUsTotal},
		Ship{FulfilmentID: "f", Lines: []LineQuantity{{"a", 3, 0}, {"b", 3, 0}}}, Deliver{FulfilmentID: "f"})
}

func back(lines ...ReturnedLine) ReceiveReturn { return ReceiveReturn{ReturnID: "r", Lines: lines} }

func TestORD40RequestReturn(t *testing.T) {
	given(t, twoSKUs(Prepaid), stockAnswers(granted)).when(RequestReturn{ReturnID: "r"}).refused(CodeIllegalTransition)
	given(t, append(paid(), Ship{FulfilmentID: "f"})...).when(RequestReturn{ReturnID: "r"}).refused(CodeNothingToReturn)
	s := given(t, delivered()...)
	if s.order.ReturnStatus() != "none" {
		t.Fatal(s.order.ReturnStatus())
	}
	s.when(RequestReturn{}).refused(CodeInvalidReturnID)
	s.when(RequestReturn{ReturnID: "r", Reason: tooLong}).refused("invalid_reason")
	s.when(RequestReturn{ReturnID: "r", Lines: line("b", 4)}).refused(CodeOverReturn) // one has not arrived
	s.when(RequestReturn{ReturnID: "r", Lines: line("a", 0)}).refused(CodeInvalidQuantity)
	s.when(RequestReturn{"r", line("b", 2), "too big"}).then(ReturnRequested{"r", []LineQuantity{{"b", 2, 2}}, "too big"})
	s.when(RequestReturn{ReturnID: "r"}).refused(CodeReturnExists)
	s.when(RequestReturn{"q", line("b", 2), ""}).refused(CodeOverReturn)
	s.when(RequestReturn{ReturnID: "q"}).then(ReturnRequested{"q", []LineQuantity{{"a", 2, 1}, {"b", 1, 2}, {"a", 1, 3}},
		""})
	s.when(RequestReturn{ReturnID: "p"}).refused(CodeNothingToReturn)
	s.wants(false, Wanted{SKU: "a", Fulfilled: 3}, Wanted{SKU: "b", Committed: 1, Fulfilled: 3})
	if s.order.ReturnStatus() != "requested" {
		t.Fatal(s.order.ReturnStatus())
	}
	for i := range MaxReturns {
		s.order.Returns = append(s.order.Returns, Return{ID: strconv.Itoa(i)})
	}
	s.when(RequestReturn{ReturnID: "one more"}).refused(CodeTooManyReturns)
}

func TestORD41ReceiveReturn(t *testing.T) {
	s := given(t, append(delivered(), RequestReturn{"r", []LineQuantity{{"a", 3, 0}, {"b", 2, 0}}, ""})...)
	s.when(back()).refused(CodeInvalidLines)
	s.when(ReceiveReturn{ReturnID: "q", Lines: []ReturnedLine{{"a", 1, Damaged, 0}}}).refused(CodeUnknownReturn)
	s.when(back(ReturnedLine{"a", 1, 0, 0})).refused(CodeInvalidCondition)
	s.when(back(ReturnedLine{"a", 1, Resellable, 0}, ReturnedLine{"b", 3, Damaged, 0})).refused(CodeOverReturn)
	s.when(back(ReturnedLine{"a", 3, Resellable, 0}, ReturnedLine{"a", 1, Damaged, 0})).refused(CodeOverReturn)
	before := s.order
	s.when(back(ReturnedLine{"a", 1, Resellable, 0}, ReturnedLine{"b", 1, Damaged, 0})).then(ReturnReceived{
		// 3.115 half to even
		ReturnID: "r", Lines: []ReceivedLine{{1, "a", 1, 1_115_000, Resellable, 0, 0}, {2, "b", 1, 2_000_000, Damaged, 0, 0}},
		RefundDueMicros: 3_120_000, ReturnedMicros: 3_120_000,
	})
	if before.Lines[0].Returned != 0 || before.Returns[0].Lines[0].Received != 0 {
		t.Fatal("Evolve changed its argument")
	}
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3, Restocked: 1}, Wanted{SKU: "b", Committed: 1, Fulfilled: 3, Damaged: 1})
	if o := s.order; o.ReturnStatus() != "partially_received" || o.RefundDueMicros != 3_120_000 {
		t.Fatalf("%+v", o)
	}
	s.when(back(ReturnedLine{"a", 2, Damaged, 0}, ReturnedLine{"b", 1, Resellable, 0})).then(ReturnReceived{
		ReturnID: "r", Lines: []ReceivedLine{
			{1, "a", 1, 1_115_000, Damaged, 0, 0}, {3, "a", 1, 2_115_000, Damaged, 0, 0}, {2, "b", 1, 2_000_000, Resellable, 0,
				0},
		},
		ReturnedMicros: 8_340_000, RefundDueMicros: 5_220_000, // 8.345 half to even is 8.34, less 3.12
	})
	s.wants(true, Wanted{SKU: "a", Fulfilled: 3, Restocked: 1, Damaged: 2},
		Wanted{SKU: "b", Committed: 1, Fulfilled: 3, Restocked: 1, Damaged: 1})
	s.when(back(ReturnedLine{"a", 1, Damaged, 0})).refused(CodeReturnClosed)
	s.when(RefundPayment{AmountMicros: 8_340_000}).at(Confirmed, "partially_refunded", "partially_fulfilled")
	if o := s.order; o.ReturnStatus() != "received" || o.RefundDueMicros != 0 {
		t.Fatalf("%+v", o)
	}
	s.when(stockAnswers(granted)).then(ReservationSettled{s.order.ReservationVersion})
	given(t, twoSKUs(Prepaid)).when(back(ReturnedLine{"a", 1, Damaged, 0})).refused(CodeIllegalTransition)
}

func TestORD41OnlyCapturedMoneyIsDue(t *testing.T) {
	unpaid := given(t,
		append(confirmed(), Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"}, RequestReturn{ReturnID: "r"})...)
	unpaid.when(back(ReturnedLine{"b", 4, Resellable, 0})).
		then(ReturnReceived{ReturnID: "r", ReturnedMicros: 8_000_000,
			Lines: []ReceivedLine{{2, "b", 4, 2_000_000, Resellable, 0, 0}}})
	goodwill := given(t, append(delivered(), RefundPayment{AmountMicros: 3_000_000}, RequestReturn{ReturnID: "r"})...)
	goodwill.when(back(ReturnedLine{"b", 2, Resellable, 0})).then(ReturnReceived{
		ReturnID: "r", Lines: []ReceivedLine{{2, "b", 2, 2_000_000, Resellable, 0, 0}}, RefundDueMicros: 4_000_000,
		ReturnedMicros: 4_000_000,
	})
}

func TestORD41CancelledLinesAfterAReturn(t *testing.T) {
	s := given(t, append(delivered(), RequestReturn{ReturnID: "r"}, back(ReturnedLine{"b", 1, Damaged, 0}))...)
	s.when(CancelLines{Lines: line("b", 1)}).then(LinesCancelled{
		Lines: []CancelledLine{{2, "b", 1, 2_000_000, 0, 0}}, SubtotalMicros: 10_345_000, TotalMicros: 10_340_000,
		RefundDueMicros: 2_000_000,
	}).at(Completed, "captured", "delivered")
}

func TestORD42CancelReturn(t *testing.T) {
	given(t, twoSKUs(Prepaid)).when(CancelReturn{"r", ""}).refused(CodeIllegalTransition)
	s := given(t,
		append(delivered(), RequestReturn{"r", []LineQuantity{{"a", 2, 0}, {"b", 2, 0}}, ""},
			back(ReturnedLine{"a", 1, Resellable, 0}))...)
	s.when(CancelReturn{"q", ""}).refused(CodeUnknownReturn)
	s.when(CancelReturn{"r", tooLong}).refused("invalid_reason")
	s.when(CancelReturn{"r", "kept"}).then(ReturnCancelled{"r", []LineQuantity{{"a", 1, 1}, {"b", 2, 2}}, "kept"})
	if o := s.order; o.ReturnStatus() != "received" {
		t.Fatalf("%+v", o)
	}
	s.when(CancelReturn{"r", ""}).refused(CodeReturnClosed)
	s.when(back(ReturnedLine{"b", 1, Resellable, 0})).refused(CodeReturnClosed)
	s.when(RequestReturn{"q", line("b", 3), ""}).when(CancelReturn{"q", ""})
	if o := s.order; o.ReturnStatus() != "received" {
		t.Fatalf("%+v", o)
	}
	// on hold, goods come back too
	s.when(Hold{}).when(RequestReturn{"p", line("b", 3), ""}).then(ReturnRequested{"p", []LineQuantity{{"b", 3, 2}}, ""})
}

// twoLines is an order of a (1 at 50) and b (1 at 50), of which all is authorized.
func twoLines() []Command {
	return []Command{
		Place{OrderID: "o-1", Currency: "EUR", Lines: []PlaceLine{{"a", 1, 50_000_000, nil}, {"b", 1, 50_000_000, nil}}},
		stockAnswers(granted), authorize(100_000_000, "p", 0),
	}
}

func TestORD61WhatCameBackBeforeTheCaptureIsNotPaid(t *testing.T) {
	back := []Command{Ship{FulfilmentID: "f", Lines: line("a", 1)}, Deliver{FulfilmentID: "f"},
		RequestReturn{ReturnID: "r"}}
	receive := func(sku string) ReceiveReturn {
		return ReceiveReturn{ReturnID: "r", Lines: []ReturnedLine{{sku, 1, Resellable, 0}}}
	}
	s := given(t, append(twoLines(), back...)...)
	s.when(receive("a")).
		then(ReturnReceived{
			ReturnID: "r", Lines: []ReceivedLine{{1, "a", 1, 50_000_000, Resellable, 0, 0}},
			ReturnedMicros: 50_000_000, VoidedMicros: 50_000_000,
		})
	s.at(Confirmed, "authorized", "partially_fulfilled") // what is kept
	s.when(authorize(10_000, "", 0)).refused(CodeOverAuthorization)
	s.when(Ship{FulfilmentID: "g", Capture: true}).
		then(LinesShipped{FulfilmentID: "g", Lines: []LineQuantity{{"b", 1, 2}}},
			PaymentCaptured{AmountMicros: 50_000_000, Reference: "g"})
	s.at(Completed, "captured", "fulfilled")

	// All of it came back, and the provider has taken the money.
	s = given(t,
		append(twoLines(), Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"}, RequestReturn{ReturnID: "r"}, receive("a"),
			receive("b"))...)
	s.at(Completed, "voided", "delivered")
	s.when(CapturePayment{AmountMicros: 100_000_000, Reference: "c"}).
		then(PaymentCaptured{AmountMicros: 100_000_000, Reference: "c", UnvoidedMicros: 100_000_000,
			RefundDueMicros: 100_000_000})

	// What was paid for a has paid b.
	s = given(t, append(twoLines(), append([]Command{CapturePayment{AmountMicros: 50_000_000, Reference: "c"}},
		back...)...)...)
	s.when(receive("a")).
		then(ReturnReceived{
			ReturnID: "r", Lines: []ReceivedLine{{1, "a", 1, 50_000_000, Resellable, 0, 0}},
			ReturnedMicros: 50_000_000, VoidedMicros: 50_000_000,
		})
	s.when(Ship{FulfilmentID: "g", Capture: true}).then(LinesShipped{FulfilmentID: "g", Lines: []LineQuantity{{"b", 1,
		2}}}).
		at(Completed, "captured", "fulfilled")

	// An authorization from before this rule existed is not captured beyond it.
	o := given(t, append(twoLines(), append(back, receive("a"))...)...).order
	o.VoidedMicros = 0
	events, err := Decide(o, Ship{FulfilmentID: "g", Capture: true})
	if err != nil || len(events) != 2 || events[1] != (PaymentCaptured{AmountMicros: 50_000_000, Reference: "g"}) {
		t.Fatalf("%+v, %v", events, err)
	}
}

func TestORD41TheLocationThatIsNamed(t *testing.T) {
	s := given(t, append(delivered(), RequestReturn{ReturnID: "r"})...)
	to := func(location string, lines ...ReturnedLine) ReceiveReturn {
		return ReceiveReturn{ReturnID: "r", Lines: lines, Location: location}
	}
	s.when(to(" north", ReturnedLine{"a", 1, Damaged, 0})).refused(CodeInvalidLocation)
	s.when(to("north\u200b", ReturnedLine{"a", 1, Damaged, 0})).refused(CodeInvalidLocation)
	s.when(to("north", ReturnedLine{"a", 1, Resellable, 0}, ReturnedLine{"b", 1, Damaged, 0}))
	if got := s.events[0].(ReturnReceived).Location; got != "north" {
		t.Fatalf("came back to %q", got)
	}
	before := s.order
	s.when(to("", ReturnedLine{"a", 1, Resellable, 0})).when(to("north", ReturnedLine{"b", 1, Damaged, 0}))
	s.wants(true,
		Wanted{SKU: "a", Fulfilled: 3, Restocked: 2, ReturnedAt: []ReturnedAt{{"north", 1, 0}}},
		Wanted{SKU: "b", Committed: 1, Fulfilled: 3, Damaged: 2, ReturnedAt: []ReturnedAt{{"north", 0, 2}}})
	if before.ReturnedTo[1].Damaged != 1 {
		t.Fatal("Evolve changed its argument")
	}
}
