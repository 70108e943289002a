package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// CancelLines removes quantities that have not shipped from an order.
//
//	ORD-29  At most what has not shipped and is in no fulfilment is cancelled (over_cancellation), from the last line of
//	        a SKU on, and what is backordered first; not all of an order of which nothing has shipped
//	        (nothing_would_be_left). The total is that of what remains, as ORD-4 makes it. What is authorized beyond it
//	        is voided, and what is captured beyond it is due for refund. OrderConfirmed follows when that pays the order.
type CancelLines struct {
	Lines  []LineQuantity
	Reason string
}

// LinesCancelled has the lines with their prices, what the order costs without them, and the money that this releases.
type LinesCancelled struct {
	Lines                         []PlaceLine
	Reason                        string
	SubtotalMicros, TotalMicros   int64
	VoidedMicros, RefundDueMicros int64
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
	if len(c.Lines) == 0 {
		return nil, refuse(CodeInvalidLines, "/lines", "names the lines to cancel")
	}
	chosen, err := o.shippable().choose(c.Lines, choice{over: CodeOverCancellation})
	if err != nil {
		return nil, err
	}
	cancelled, left := o.spreadCancelled(chosen)
	if left == 0 && o.shippedUnits() == 0 {
		return nil, o.refuseHere(CodeNothingLeft, "nothing would be left of the order: cancel it as a whole")
	}
	ev := LinesCancelled{Lines: cancelled, Reason: c.Reason}
	if err := o.priceCancelled(&ev); err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 2), ev)
	if o.Lifecycle == Reserved && o.Terms == Prepaid && o.uncoveredOf(ev.TotalMicros) == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// spreadCancelled spreads what is cancelled over the lines of its SKUs, the last first. left is what then remains to
// ship.
func (o *Order) spreadCancelled(chosen []LineQuantity) (cancelled []PlaceLine, left int64) {
	cancelling := bySKU(chosen)
	for i := len(o.Lines) - 1; i >= 0; i-- {
		l := &o.Lines[i]
		n := cancelling.use(l.SKU, l.left())
		left += l.left() - n
		if n > 0 {
			cancelled = append(cancelled, PlaceLine{SKU: l.SKU, Quantity: n, UnitPriceMicros: l.UnitPriceMicros})
		}
	}
	slices.Reverse(cancelled)
	return cancelled, left
}

// priceCancelled fills in what the order costs without the cancelled lines, and the money that this releases.
func (o *Order) priceCancelled(ev *LinesCancelled) error {
	ev.SubtotalMicros = o.SubtotalMicros
	for _, l := range ev.Lines {
		ev.SubtotalMicros -= l.Quantity * l.UnitPriceMicros // within the subtotal
	}
	var err error
	if ev.TotalMicros, err = roundTotal(ev.SubtotalMicros, o.Currency); err != nil {
		return err
	}
	ev.VoidedMicros, ev.RefundDueMicros = o.surplus(ev.TotalMicros)
	return nil
}

// Lines of the same SKU and price are reduced, the last first.
func (e LinesCancelled) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	for _, gone := range e.Lines {
		left := gone.Quantity
		for i := len(o.Lines) - 1; i >= 0 && left > 0; i-- {
			l := &o.Lines[i]
			if l.SKU != gone.SKU || l.UnitPriceMicros != gone.UnitPriceMicros {
				continue
			}
			n := min(left, l.left())
			l.Cancelled += n
			left -= n
			l.Backordered = max(0, l.Backordered-n)
		}
	}
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.clearPaymentDue()
	if !slices.ContainsFunc(o.Lines, func(l Line) bool { return l.left() > 0 }) {
		o.Lifecycle, o.HeldFrom = Completed, None
	}
	o.reservationChanged()
}
