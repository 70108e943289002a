package order

import (
	"reflect"
	"testing"
)

// free is an order of one SKU in two lines, at 10.00 and for nothing.
func free(commands ...Command) []Command {
	return append([]Command{
		Place{OrderID: "o-1", Currency: "GBP", Lines: []PlaceLine{{"a", 1, 10_000_000, nil}, {"a", 1, 0, nil}}},
		stockAnswers(granted), authorize(10_000_000, "p", 0),
	}, commands...)
}

func TestORD69LinesOfOneSKUAreTwoThings(t *testing.T) {
	second := []LineQuantity{{"a", 1, 2}}
	// Shipped and captured, delivered, returned, received: each by the line.
	s := given(t, free()...)
	s.when(Ship{FulfilmentID: "f", Lines: second, Capture: true}).then(LinesShipped{FulfilmentID: "f", Lines: second})
	s.when(Ship{FulfilmentID: "g", Lines: second}).refused(CodeOverShipment)
	s.when(Ship{FulfilmentID: "g", Capture: true}).then(
		LinesShipped{FulfilmentID: "g", Lines: []LineQuantity{{"a", 1, 1}}},
		PaymentCaptured{AmountMicros: 10_000_000, Reference: "g"})
	s.when(Deliver{"g", second}).refused(CodeOverDelivery)
	s.when(Deliver{"f", second}).then(LinesDelivered{"f", second})
	s.when(RequestReturn{ReturnID: "r", Lines: []LineQuantity{{"a", 1, 1}}}).refused(CodeOverReturn) // not there yet
	s.when(Deliver{FulfilmentID: "g"})
	s.when(RequestReturn{"r", second, "the free one"}).then(ReturnRequested{"r", second, "the free one"})
	s.when(back(ReturnedLine{"a", 1, Resellable, 1})).refused(CodeOverReturn)
	s.when(back(ReturnedLine{"a", 1, Resellable, 2})).then(
		ReturnReceived{ReturnID: "r", Lines: []ReceivedLine{{2, "a", 1, 0, Resellable, 0, 0}}})
	if s.order.RefundDueMicros != 0 || s.order.Lines[0].Returned != 0 || s.order.Lines[1].Returned != 1 {
		t.Fatalf("%+v", s.order)
	}

	// Cancelled by the line; of the SKU alone, the last line first.
	given(t, free(CancelLines{Lines: []LineQuantity{{"a", 1, 1}}})...).then(LinesCancelled{
		Lines: []CancelledLine{{1, "a", 1, 10_000_000, 0, 0}}, VoidedMicros: 10_000_000,
	})
	given(t, free(CancelLines{Lines: line("a", 1)})...).then(LinesCancelled{
		Lines: []CancelledLine{{2, "a", 1, 0, 0, 0}}, SubtotalMicros: 10_000_000, TotalMicros: 10_000_000,
	})

	// Packed by the line: it is neither cancelled nor amended away, and the other one is.
	packed := given(t, free(CreateFulfilment{"f", second})...).then(FulfilmentCreated{"f", second})
	packed.when(CancelLines{Lines: second}).refused(CodeOverCancellation)
	packed.when(Amend{Lines: []AmendLine{{SKU: "a", Line: 2}}}).refused(CodeOverAmendment)
	packed.when(CancelLines{Lines: line("a", 1)}).at(Confirmed, "voided", "unfulfilled")
}

func TestORD69UnknownLines(t *testing.T) {
	s := given(t, paid()...)
	for _, named := range []LineQuantity{{"a", 1, 2}, {"a", 1, 4}, {"a", 1, -1}, {"x", 1, 1}} {
		lines := []LineQuantity{named}
		s.when(Ship{FulfilmentID: "f", Lines: lines}).refused(CodeUnknownLine)
		s.when(CreateFulfilment{"f", lines}).refused(CodeUnknownLine)
		s.when(CancelLines{Lines: lines}).refused(CodeUnknownLine)
	}
	s = given(t, delivered()...)
	s.when(Ship{FulfilmentID: "g"})
	s.when(Deliver{"g", []LineQuantity{{"b", 1, 1}}}).refused(CodeUnknownLine)
	s.when(RequestReturn{ReturnID: "r", Lines: []LineQuantity{{"b", 1, 1}}}).refused(CodeUnknownLine)
	s.when(RequestReturn{ReturnID: "r"}).when(back(ReturnedLine{"b", 1, Damaged, 3})).refused(CodeUnknownLine)
}

// Events of before lines had numbers mean the lines that they meant then: the first ones of their SKU, those in stock
// before backordered ones, and where the event has a price those of that price.
func TestORD69EventsWithoutNumbers(t *testing.T) {
	o := given(t, twoSKUs(OnAccount), backordered(2)).order // of a, one of line 1 and that of line 3 are backordered
	for _, ev := range []Event{
		FulfilmentCreated{"f", line("a", 1)},
		LinesShipped{FulfilmentID: "f", Lines: line("a", 1)},
		OrderBackorderFilled{Filled: line("a", 2)},
		LinesCancelled{Lines: []CancelledLine{{0, "b", 1, 2_000_000, 0, 0}}, SubtotalMicros: 10_345_000,
			TotalMicros: 10_340_000},
		LinesShipped{FulfilmentID: "g", Lines: []LineQuantity{{"a", 2, 0}, {"b", 3, 0}}},
		LinesDelivered{"f", line("a", 1)},
		LinesDelivered{"g", line("a", 2)},
		ReturnRequested{ReturnID: "r", Lines: line("a", 2)},
		ReturnReceived{ReturnID: "r", Lines: []ReceivedLine{{0, "a", 1, 1_115_000, Damaged, 0, 0}}},
		ReturnCancelled{ReturnID: "r", Lines: line("a", 1)},
	} {
		before := o
		o = Evolve(o, ev, Facts{})
		if problem := checkOrder(before, o); problem != "" {
			t.Fatalf("%T: %s", ev, problem)
		}
	}
	want := []Fulfilment{
		{ID: "f", Lines: []LineQuantity{{"a", 1, 1}}, Delivered: true, ReservationVersion: 5},
		{
			ID: "g", Lines: []LineQuantity{{"a", 1, 1}, {"b", 3, 2}, {"a", 1, 3}},
			Arrived: []LineQuantity{{"a", 1, 1}, {"a", 1, 3}}, ReservationVersion: 8,
		},
	}
	if !reflect.DeepEqual(o.Fulfilments, want) {
		t.Errorf("fulfilments %+v", o.Fulfilments)
	}
	if l := o.Lines; l[0].Delivered != 2 || l[2].Delivered != 1 || l[0].Returned != 1 || l[1].Cancelled != 1 {
		t.Errorf("lines %+v", l)
	}
	if r := o.Returns[0].Lines; !reflect.DeepEqual(r, []ReturnLine{{"a", 1, 1, 1}}) {
		t.Errorf("returned %+v", r)
	}
}
