package order

import "slices"

// hold applies ORD-27.
func (o *Order) hold(c Hold) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Reserved && o.Lifecycle != Confirmed) {
		return nil, o.illegal("hold_order")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	return []Event{OrderHeld(c)}, nil
}

// resume applies ORD-28.
func (o *Order) resume(c Resume) ([]Event, error) {
	if o.Lifecycle != OnHold {
		return nil, o.illegal("resume_order")
	}
	if o.HeldFrom == Confirmed {
		return []Event{OrderResumed{Confirmed: true}}, nil
	}
	events := append(make([]Event, 0, 2), OrderResumed{PaymentDeadlineMicros: max(o.PaymentDeadlineMicros, c.DeadlineMicros)})
	if o.uncovered() == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// phase is where an order stands, or where it stood when it was put on hold.
func (o *Order) phase() Lifecycle {
	if o.Lifecycle == OnHold {
		return o.HeldFrom
	}
	return o.Lifecycle
}

// cancelLines applies ORD-29.
func (o *Order) cancelLines(c CancelLines) ([]Event, error) {
	phase := o.phase()
	if o.Kind != KindOrder || (phase != Reserved && phase != Confirmed) {
		return nil, o.illegal("cancel_lines")
	}
	if o.Amendment != nil {
		return nil, o.amendmentPending()
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	if len(c.Lines) == 0 {
		return nil, refuse(CodeInvalidLines, "/lines", "names the lines to cancel")
	}
	chosen, err := o.free().choose(c.Lines, choice{over: CodeOverCancellation})
	if err != nil {
		return nil, err
	}
	cancelled, left := o.takeOff(chosen)
	if left == 0 && o.shippedUnits() == 0 {
		return nil, o.refuseHere(CodeNothingLeft, "nothing would be left of the order: cancel it as a whole")
	}
	ev := LinesCancelled{Lines: cancelled, Reason: c.Reason}
	if err := o.priceAfter(&ev); err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 2), ev)
	if o.Lifecycle == Reserved && o.Terms == Prepaid && o.uncoveredOf(ev.TotalMicros) == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// takeOff spreads what is cancelled over the lines of its SKUs, the last first; left is what then is still to ship.
func (o *Order) takeOff(chosen []LineQuantity) (cancelled []PlaceLine, left int64) {
	take := quantities(chosen)
	for i := len(o.Lines) - 1; i >= 0; i-- {
		l := &o.Lines[i]
		n := take.take(l.SKU, l.left())
		left += l.left() - n
		if n > 0 {
			cancelled = append(cancelled, PlaceLine{SKU: l.SKU, Quantity: n, UnitPriceMicros: l.UnitPriceMicros})
		}
	}
	slices.Reverse(cancelled)
	return cancelled, left
}

// priceAfter fills in what the order costs without the cancelled lines, and what money that sets free.
func (o *Order) priceAfter(ev *LinesCancelled) error {
	ev.SubtotalMicros = o.SubtotalMicros
	for _, l := range ev.Lines {
		ev.SubtotalMicros -= l.Quantity * l.UnitPriceMicros // a part of the subtotal
	}
	var err error
	if ev.TotalMicros, err = roundTotal(ev.SubtotalMicros, o.Currency); err != nil {
		return err
	}
	ev.VoidedMicros, ev.RefundDueMicros = o.setFree(ev.TotalMicros)
	return nil
}

// setFree is the money that a total leaves over: authorized beyond it, and captured beyond it (ORD-61).
func (o *Order) setFree(totalMicros int64) (voided, refundDue int64) {
	unpaid := o.keptOf(totalMicros) - o.paid()
	return max(0, o.openAuthorization()-max(0, unpaid)), max(0, -unpaid)
}

// createFulfilment applies ORD-30.
func (o *Order) createFulfilment(c CreateFulfilment) ([]Event, error) {
	if o.Kind != KindOrder || o.Lifecycle != Confirmed {
		return nil, o.illegal("create_fulfilment")
	}
	if err := o.checkMayShip(); err != nil {
		return nil, err
	}
	if err := o.checkNewFulfilment(c.FulfilmentID); err != nil {
		return nil, err
	}
	lines, err := o.toShip(c.Lines)
	if err != nil {
		return nil, err
	}
	return []Event{FulfilmentCreated{FulfilmentID: c.FulfilmentID, Lines: lines}}, nil
}

// shipFulfilment applies ORD-31.
func (o *Order) shipFulfilment(c ShipFulfilment) ([]Event, error) {
	if o.Kind != KindOrder || o.Lifecycle != Confirmed {
		return nil, o.illegal("ship_fulfilment")
	}
	if err := o.checkMayShip(); err != nil {
		return nil, err
	}
	if err := checkText("tracking_reference", c.TrackingReference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	f, err := o.pending(c.FulfilmentID)
	if err != nil {
		return nil, err
	}
	return o.shipped(LinesShipped{c.FulfilmentID, slices.Clone(f.Lines), c.TrackingReference}, c.Capture, c.PaymentReference)
}

// cancelFulfilment applies ORD-32.
func (o *Order) cancelFulfilment(c CancelFulfilment) ([]Event, error) {
	if o.Kind != KindOrder || (o.phase() != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("cancel_fulfilment")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	if _, err := o.pending(c.FulfilmentID); err != nil {
		return nil, err
	}
	return []Event{FulfilmentCancelled(c)}, nil
}

// pending finds a fulfilment that has not shipped.
func (o *Order) pending(id string) (*Fulfilment, error) {
	i := o.fulfilment(id)
	if i < 0 {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no fulfilment of this ID")
	}
	if !o.Fulfilments[i].Pending {
		return nil, o.refuseHere(CodeFulfilmentShipped, "the fulfilment has shipped")
	}
	return &o.Fulfilments[i], nil
}

// evolveLinesCancelled takes quantities off lines of their SKU and price, the last first.
func (o *Order) evolveLinesCancelled(e LinesCancelled) {
	o.Lines = slices.Clone(o.Lines)
	for _, gone := range e.Lines {
		rest := gone.Quantity
		for i := len(o.Lines) - 1; i >= 0 && rest > 0; i-- {
			l := &o.Lines[i]
			if l.SKU != gone.SKU || l.UnitPriceMicros != gone.UnitPriceMicros {
				continue
			}
			n := min(rest, l.left())
			l.Cancelled += n
			rest -= n
			l.Backordered = max(0, l.Backordered-n)
		}
	}
	o.SubtotalMicros, o.TotalMicros = e.SubtotalMicros, e.TotalMicros
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.paidUp()
	if !slices.ContainsFunc(o.Lines, func(l Line) bool { return l.left() > 0 }) {
		o.Lifecycle, o.HeldFrom = Completed, None
	}
	o.wantChanged()
}

// dropFulfilment forgets a fulfilment that will not ship.
func (o *Order) dropFulfilment(gone func(Fulfilment) bool) {
	o.Fulfilments = slices.DeleteFunc(slices.Clone(o.Fulfilments), gone)
}
