package order

import "github.com/holdfast/holdfast/pkg/money"

// What an order costs, and what of it is authorized, paid and due.
//
//	ORD-61  What the customer keeps is worth the total without what came back and without the charges that were given
//	        back with it, rounded as ORD-4 does, and without goodwill; nothing once the order was rejected or
//	        cancelled, or has expired. Captured money that has not gone back and is not due to never exceeds that, and
//	        neither does it together with what is authorized and open.
//	ORD-64  A prepaid order packs and ships only while what is paid and authorized covers what the customer keeps
//	        (payment_required). Ship and ShipFulfilment may give an UncoveredReason, which is recorded.
//	ORD-65  Where a void, a refund, an amendment or goods that left unpaid (ORD-19) leave a confirmed prepaid order
//	        without cover, or with less than before, CoverLost follows: it waits for its payment again, until the
//	        command's deadline. At its end what has not shipped is cancelled: the whole order, or its remaining lines
//	        with what is being packed. The reason is payment_expired.

// PaymentExpiredReason is the reason why an order, or what remained of it, was cancelled at its payment deadline.
const PaymentExpiredReason = "payment_expired"

// CoverLost says that the order is no longer paid, how much is due, and until when it waits for that (ORD-65).
type CoverLost struct{ PaymentDueMicros, PaymentDeadlineMicros int64 }

func (e CoverLost) evolve(o *Order, _ Facts) {
	o.PaymentDue, o.CoverLost = true, true
	o.PaymentDeadlineMicros = e.PaymentDeadlineMicros
}

// withCover adds CoverLost where events, which void or refund money, raise the total or confirm what is not paid, leave
// a confirmed order without cover (ORD-65).
func (o *Order) withCover(events []Event, deadlineMicros int64) []Event {
	if o.Terms != Prepaid {
		return events
	}
	after := o.after(events)
	missing := after.uncovered()
	waited := after.CoverLost && o.Lifecycle != Completed // a completed order waits for nothing: its deadline is over
	if after.offHold() != Confirmed || missing == 0 || waited && missing <= o.uncovered() {
		return events
	}
	return append(events, CoverLost{
		PaymentDueMicros: missing, PaymentDeadlineMicros: max(o.PaymentDeadlineMicros, deadlineMicros),
	})
}

// authorized is what was authorized and not voided, captured or not.
func (o *Order) authorized() int64 { return o.AuthorizedMicros - o.VoidedMicros }

// openAuthorization is what is authorized and neither captured nor voided.
func (o *Order) openAuthorization() int64 { return o.authorized() - o.CapturedMicros }

// paid is captured money that has not gone back and is not due to.
func (o *Order) paid() int64 { return o.CapturedMicros - o.RefundedMicros - o.RefundDueMicros }

// kept is what the customer has to pay in the end: the total without what came back, nothing once the order has ended
// (ORD-61).
func (o *Order) kept() int64 {
	switch o.Lifecycle {
	case Rejected, Cancelled, Expired:
		return 0
	case None, Placed, Reserved, Confirmed, Completed, OnHold:
	}
	return o.keptOf(o.TotalMicros)
}

// keptOf is a total without what came back. All that came back is rounded once, together.
func (o *Order) keptOf(totalMicros int64) int64 {
	return max(0, totalMicros-o.returned()-o.GoodwillMicros)
}

// returned is what all that came back had cost, with the charges that were given back with it.
func (o *Order) returned() int64 {
	var returned int64
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Returned > 0 {
			returned += o.lineReturned(l) // within the total
		}
	}
	for _, c := range o.Charges {
		returned += o.cost(c.ReturnedMicros, 0, c.ReturnedTaxMicros)
	}
	if unit, ok := money.Lookup(o.Currency); ok {
		if rounded, err := unit.Round(returned); err == nil {
			return rounded
		}
	}
	return returned
}

// uncovered is how much of the total is neither paid nor authorized. An order that has ended counts as if it went on.
func (o *Order) uncovered() int64 { return o.uncoveredOf(o.TotalMicros) }

// uncoveredOf is uncovered for another total.
func (o *Order) uncoveredOf(totalMicros int64) int64 {
	return max(0, o.keptOf(totalMicros)-o.paid()-o.openAuthorization())
}

// surplus is what is authorized, and what is captured, beyond a total (ORD-61).
func (o *Order) surplus(totalMicros int64) (voided, refundDue int64) {
	unpaid := o.keptOf(totalMicros) - o.paid()
	return max(0, o.openAuthorization()-max(0, unpaid)), max(0, -unpaid)
}

// refunding: money has gone back, or is due to (ORD-55).
func (o *Order) refunding() bool { return o.RefundedMicros+o.RefundDueMicros > 0 }

// clearPaymentDue notes that the order is covered again (ORD-57, ORD-65).
func (o *Order) clearPaymentDue() {
	o.PaymentDue = o.PaymentDue && o.uncovered() > 0
	o.CoverLost = o.CoverLost && o.PaymentDue
}

// shippedWorth is what costs what has shipped and did not come back, rounded once.
func (o *Order) shippedWorth() int64 {
	var worth int64
	for i := range o.Lines {
		l := &o.Lines[i]
		worth += o.partCost(l, l.Shipped-l.Returned)
	}
	rounded, err := roundTotal(worth, o.Currency)
	if err != nil {
		return worth
	}
	return rounded
}

// checkAmount checks an amount that a provider moves (ORD-21): it is more than 0, and whole minor units.
func (o *Order) checkAmount(micros int64) error {
	if micros <= 0 {
		return refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if unit, ok := money.Lookup(o.Currency); ok && micros%unit.MinorUnit() != 0 {
		return refuse(CodeInvalidAmount, "/amount",
			"an amount in "+o.Currency+" is a multiple of "+unit.Format(unit.MinorUnit()))
	}
	return nil
}

// roundTotal rounds what lines add up to, once, to the currency's minor unit (ORD-4).
func roundTotal(micros int64, currency string) (int64, error) {
	unit, ok := money.Lookup(currency)
	if !ok {
		return 0, unknownCurrency()
	}
	rounded, err := unit.Round(micros)
	if err != nil {
		return 0, refuse(CodeAmountOverflow, "/lines", "the amount is too large")
	}
	return rounded, nil
}

func unknownCurrency() *Error {
	return refuse(CodeUnknownCurrency, "/currency", "not an ISO 4217 currency")
}
