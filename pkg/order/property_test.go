package order

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func drawLines(t *rapid.T) []PlaceLine {
	lines := make([]PlaceLine, rapid.IntRange(0, 4).Draw(t, "lines"))
	for i := range lines {
		lines[i] = PlaceLine{
			SKU:             rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "sku"),
			Quantity:        rapid.Int64Range(0, 5).Draw(t, "quantity"),
			UnitPriceMicros: rapid.Int64Range(0, 3_000_000).Draw(t, "price"),
		}
	}
	return lines
}

func drawQuantities(t *rapid.T) []LineQuantity {
	lines := make([]LineQuantity, rapid.IntRange(0, 3).Draw(t, "lines"))
	for i := range lines {
		lines[i] = LineQuantity{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "sku"), rapid.Int64Range(0, 3).Draw(t, "quantity")}
	}
	return lines
}

func drawAmend(t *rapid.T) Amend {
	c := Amend{Lines: make([]AmendLine, rapid.IntRange(0, 3).Draw(t, "lines"))}
	for i := range c.Lines {
		c.Lines[i] = AmendLine{
			SKU:      rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "sku"),
			Line:     rapid.Int32Range(0, 4).Draw(t, "line"),
			Quantity: rapid.Int64Range(0, 6).Draw(t, "quantity"),
		}
		if rapid.Bool().Draw(t, "priced") {
			c.Lines[i].UnitPriceMicros = price(rapid.Int64Range(0, 3_000_000).Draw(t, "price"))
		}
	}
	return c
}

func drawAnswers(t *rapid.T, o Order) RecordReservation {
	c := held(o)
	c.Reconciliation = rapid.IntRange(0, 5).Draw(t, "reconciliation") == 0
	for i := range c.Held {
		h := &c.Held[i]
		switch rapid.IntRange(0, 9).Draw(t, "answer") {
		case 0:
			h.Rejected, h.Reserved, h.RejectionReason = true, 0, rapid.Int32Range(1, 3).Draw(t, "reason")
		case 1:
			h.Backordered = rapid.Int64Range(0, h.Reserved).Draw(t, "backordered")
		case 2:
			h.Reserved /= 2
		}
	}
	return c
}

func drawCommand(t *rapid.T, o Order) Command {
	amount := rapid.SampledFrom([]int64{o.TotalMicros, o.TotalMicros - o.AuthorizedMicros, o.AuthorizedMicros, 1, 0, 500_000}).Draw(t, "amount")
	fulfilment := rapid.SampledFrom([]string{"f1", "f2", "f3", "f4"}).Draw(t, "fulfilment")
	reference := rapid.SampledFrom([]string{"", "", "p1", "p2"}).Draw(t, "reference")
	terms := rapid.SampledFrom([]PaymentTerms{Prepaid, OnAccount}).Draw(t, "terms")
	returned := rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "return")
	switch rapid.IntRange(0, 38).Draw(t, "command") {
	case 36, 37, 38:
		return drawAmend(t)
	case 0, 1:
		return Place{OrderID: "o-1", Currency: "EUR", Lines: drawLines(t), Terms: terms, PaymentDeadlineMicros: 50}
	case 2, 3, 4:
		return drawAnswers(t, o)
	case 5, 6:
		return AuthorizePayment{amount, reference, rapid.Int64Range(40, 60).Draw(t, "deadline")}
	case 7:
		return CapturePayment{amount, reference}
	case 8:
		return Confirm{}
	case 9:
		return Cancel{}
	case 10:
		return Ship{FulfilmentID: fulfilment}
	case 11:
		return Ship{FulfilmentID: fulfilment, Lines: drawQuantities(t)}
	case 12:
		return Deliver{FulfilmentID: fulfilment}
	case 13:
		return Expire{rapid.Int64Range(40, 60).Draw(t, "at")}
	case 29:
		return Deliver{FulfilmentID: fulfilment}
	case 30:
		return Deliver{FulfilmentID: fulfilment, Lines: drawQuantities(t)}
	case 31:
		return RequestReturn{ReturnID: returned, Lines: drawQuantities(t)}
	case 32:
		return CancelReturn{ReturnID: returned}
	case 33, 34:
		c := ReceiveReturn{ReturnID: returned}
		for _, l := range drawQuantities(t) {
			c.Lines = append(c.Lines, ReturnedLine{l.SKU, l.Quantity, Condition(rapid.Int32Range(1, 2).Draw(t, "condition"))})
		}
		return c
	case 28:
		return RecordBackorder{"a", o.ReservationVersion, rapid.Int64Range(0, 3).Draw(t, "backordered")}
	case 14:
		return ReconcileShipment{drawQuantities(t)}
	case 15:
		return StartPayment{reference, rapid.Int64Range(40, 60).Draw(t, "deadline")}
	case 16:
		return VoidPayment{amount, reference, ""}
	case 17:
		return RefundPayment{amount, reference, ""}
	case 18:
		return FailPayment{reference, "declined"}
	case 20:
		return Hold{}
	case 21:
		return Resume{rapid.Int64Range(40, 60).Draw(t, "deadline")}
	case 22, 23:
		return CancelLines{Lines: drawQuantities(t)}
	case 24:
		return CreateFulfilment{fulfilment, drawQuantities(t)}
	case 25:
		return CreateFulfilment{FulfilmentID: fulfilment}
	case 26:
		return ShipFulfilment{FulfilmentID: fulfilment, Capture: true, PaymentReference: reference}
	case 27:
		return CancelFulfilment{FulfilmentID: fulfilment}
	case 19:
		return Ship{FulfilmentID: fulfilment, Lines: drawQuantities(t), Capture: true, PaymentReference: reference}
	}
	return ImportDocument{Kind: Kind(rapid.Int32Range(0, 2).Draw(t, "kind")), Currency: "EUR", Lines: drawLines(t)}
}

// legal says where each lifecycle may go.
var legal = map[Lifecycle][]Lifecycle{
	None:      {Placed, Completed},
	Placed:    {Placed, Reserved, Rejected, Cancelled, Expired, Confirmed, Completed},
	Reserved:  {Reserved, Confirmed, Cancelled, Expired, Completed, OnHold},
	Confirmed: {Confirmed, Completed, Cancelled, OnHold},
	OnHold:    {OnHold, Reserved, Confirmed, Completed, Cancelled},
	Completed: {Completed}, Rejected: {Rejected}, Cancelled: {Cancelled}, Expired: {Expired, Placed},
}

// checkSubtotal holds what an order costs to its lines; one that was cancelled as a whole keeps its price.
func checkSubtotal(o Order) string {
	if o.Lifecycle == Cancelled || o.Version == 0 {
		return ""
	}
	if subtotal, total, err := o.reprice(); err != nil || subtotal != o.SubtotalMicros || total != o.TotalMicros {
		return "the lines do not make the total"
	}
	return ""
}

// Whatever comes in: the ledgers hold, versions have no gaps, only legal state changes happen, and a
// wanted reservation never changes without its version.
func TestRandomCommandsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o Order
		for range rapid.IntRange(1, 40).Draw(t, "length") {
			cmd := drawCommand(t, o)
			events, err := Decide(o, cmd)
			var refusal *Error
			if err != nil && (!errors.As(err, &refusal) || len(events) > 0) {
				t.Fatalf("error %v with %d events", err, len(events))
			}
			for _, ev := range events {
				before := o
				o = Evolve(o, ev, Facts{EventID: ID{byte(o.Version + 1)}})
				if problem := checkOrder(before, o); problem != "" {
					t.Fatalf("%T: %s", ev, problem)
				}
				ok := false
				for _, next := range legal[before.Lifecycle] {
					ok = ok || next == o.Lifecycle
				}
				if !ok {
					t.Fatalf("%T takes an order from %s to %s", ev, before.Lifecycle, o.Lifecycle)
				}
			}
			var wanted, ordered int64
			for _, w := range o.Wanted() {
				wanted += w.Reserved + w.Committed + w.Fulfilled
				if w.Restocked+w.Damaged > max(w.Fulfilled, w.Restocked) { // a credit note restocks what never left
					t.Fatalf("wants back %+v", w)
				}
			}
			for _, l := range o.Lines {
				ordered += l.Quantity
			}
			if o.Amendment != nil {
				for _, l := range growth(o.Amendment.Lines) {
					ordered += l.Quantity
				}
			}
			if problem := checkSubtotal(o); problem != "" {
				t.Fatal(problem)
			}
			if wanted > ordered {
				t.Fatalf("wants %d of %d", wanted, ordered)
			}
		}
	})
}
