package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// CancelLines removes quantities that have not shipped from an order.
//
//	ORD-29  At most what has not shipped and is in no fulfilment is cancelled (over_cancellation), and of each line
//	        what is backordered first; not all of an order of which nothing has shipped (nothing_would_be_left). The
//	        total is that of what remains, as ORD-4 makes it. What is authorized beyond it is voided, and what is
//	        captured beyond it is due for refund. OrderConfirmed follows when that pays the order.
type CancelLines struct {
	Lines  []LineQuantity
	Reason string
	// Charges are what of charges goes with them. There may be charges without lines.
	Charges []ChargeCredit
}

// LinesCancelled has the lines with their prices, what the order costs without them, and the money that this releases.
type LinesCancelled struct {
	Lines                         []CancelledLine
	Reason                        string
	SubtotalMicros, TotalMicros   int64
	VoidedMicros, RefundDueMicros int64
	Charges                       []ChargeCredit
}

// CancelledLine is a part of a line that will not ship, at the price that it has, with its shares of discounts and
// taxes.
type CancelledLine struct {
	Line                      int32
	SKU                       string
	Quantity                  int64
	UnitPriceMicros           int64
	DiscountMicros, TaxMicros int64
}

func (c CancelLines) decide(o *Order) ([]Event, error) {
	lifecycle := o.offHold()
	if o.Kind != KindOrder || (lifecycle != Reserved && lifecycle != Confirmed) {
		return nil, o.illegal("cancel_lines")
	}
	if o.Amendment != nil {
		return nil, o.amendmentPending()
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	if len(c.Lines) == 0 && len(c.Charges) == 0 {
		return nil, refuse(CodeInvalidLines, "/lines", "names the lines to cancel, or charges")
	}
	credits, err := o.credits(c.Charges)
	if err != nil {
		return nil, err
	}
	chosen, err := o.shippable().choose(o, c.Lines, choice{over: CodeOverCancellation, cancel: true})
	if err != nil {
		return nil, err
	}
	if len(chosen) > 0 && units(chosen) == o.leftUnits() && o.shippedUnits() == 0 {
		return nil, o.refuseHere(CodeNothingLeft, "nothing would be left of the order: cancel it as a whole")
	}
	ev := LinesCancelled{Lines: o.cancelled(chosen), Reason: c.Reason, Charges: credits}
	if err := o.priceCancelled(&ev); err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 2), ev)
	if o.Lifecycle == Reserved && o.Terms == Prepaid && o.uncoveredOf(ev.TotalMicros) == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// cancelled gives lines, each of which is there once, their prices and shares.
func (o *Order) cancelled(lines []LineQuantity) []CancelledLine {
	if len(lines) == 0 {
		return nil
	}
	cancelled := make([]CancelledLine, len(lines))
	for i, l := range lines {
		line := &o.Lines[l.Line-1]
		discount, tax := line.shares(l.Quantity)
		cancelled[i] = CancelledLine{l.Line, l.SKU, l.Quantity, line.UnitPriceMicros, discount, tax}
	}
	return cancelled
}

func units(lines []LineQuantity) (sum int64) {
	for _, l := range lines {
		sum += l.Quantity
	}
	return sum
}

// priceCancelled fills in what the order costs without the cancelled lines, and the money that this releases.
func (o *Order) priceCancelled(ev *LinesCancelled) error {
	after := *o
	after.takeOff(ev)
	var err error
	if ev.SubtotalMicros, ev.TotalMicros, err = after.reprice(); err != nil {
		return err
	}
	ev.VoidedMicros, ev.RefundDueMicros = o.surplus(ev.TotalMicros)
	return nil
}

// takeOff takes cancelled lines and charges off the order.
func (o *Order) takeOff(e *LinesCancelled) {
	o.Lines = slices.Clone(o.Lines)
	for _, gone := range e.Lines {
		unshipped := o.priced(gone.SKU, gone.UnitPriceMicros, (*Line).left)
		for _, part := range unshipped.takeLast(LineQuantity{gone.SKU, gone.Quantity, gone.Line}, nil) {
			l := &o.Lines[part.Line-1]
			l.Cancelled += part.Quantity
			l.Backordered = max(0, l.Backordered-part.Quantity)
			l.ShipAgain = min(l.ShipAgain, l.left())
			l.DiscountMicros -= gone.DiscountMicros // those of before ORD-69, which may be of several lines, have none
			l.TaxMicros -= gone.TaxMicros
		}
	}
	o.credit(e.Charges, false)
}

func (e LinesCancelled) evolve(o *Order, _ Facts) {
	o.takeOff(&e)
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.clearPaymentDue()
	if !slices.ContainsFunc(o.Lines, func(l Line) bool { return l.left() > 0 }) {
		o.Lifecycle, o.HeldFrom = Completed, None
	}
	o.reservationChanged()
}
