package order

// authorizePayment applies ORD-10.
func (o *Order) authorizePayment(c AuthorizePayment) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Reserved && o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("authorize_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if err := checkText("reference", c.Reference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	missing := o.TotalMicros - o.AuthorizedMicros
	if c.AmountMicros > missing {
		return nil, refuse(CodeOverAuthorization, "/amount", "more than the order's total would be authorized")
	}
	events := append(make([]Event, 0, 2), PaymentAuthorized(c))
	if o.Lifecycle == Reserved && c.AmountMicros == missing {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// capturePayment applies ORD-11.
func (o *Order) capturePayment(c CapturePayment) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("capture_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if err := checkText("reference", c.Reference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	if c.AmountMicros > o.AuthorizedMicros-o.CapturedMicros {
		return nil, refuse(CodeOverCapture, "/amount", "more than what is authorized would be captured")
	}
	return []Event{PaymentCaptured(c)}, nil
}

// confirm applies ORD-12.
func (o *Order) confirm() ([]Event, error) {
	if o.Lifecycle != Reserved {
		return nil, o.illegal("confirm")
	}
	if o.Terms != OnAccount && o.AuthorizedMicros < o.TotalMicros {
		return nil, o.refuseHere(CodePaymentRequired, "the order's total is not authorized yet")
	}
	return []Event{OrderConfirmed{}}, nil
}

// cancel applies ORD-13.
func (o *Order) cancel(c Cancel) ([]Event, error) {
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	if o.Kind == KindOrder && (o.Lifecycle == Completed || o.Lifecycle == Confirmed && o.shippedUnits() > 0) {
		return nil, o.refuseHere(CodeAlreadyShipped, "part of the order has shipped")
	}
	if !o.cancellable() {
		return nil, o.illegal("cancel")
	}
	return []Event{o.cancelled(c.Reason)}, nil
}

func (o *Order) cancellable() bool {
	switch o.Lifecycle {
	case Placed, Reserved:
		return true
	case Confirmed:
		return o.shippedUnits() == 0
	case None, Completed, Rejected, Cancelled, Expired, OnHold:
	}
	return false
}

func (o *Order) cancelled(reason string) OrderCancelled {
	return OrderCancelled{Reason: reason, VoidedMicros: o.openAuthorization(), RefundDueMicros: o.CapturedMicros}
}

// openAuthorization is what a provider still holds.
func (o *Order) openAuthorization() int64 {
	return o.AuthorizedMicros - o.CapturedMicros - o.VoidedMicros
}

// expire applies ORD-17.
func (o *Order) expire(c Expire) ([]Event, error) {
	waiting := o.Lifecycle == Placed || o.Lifecycle == Reserved
	if !waiting || o.Terms != Prepaid || o.PaymentDeadlineMicros == 0 || c.AtMicros < o.PaymentDeadlineMicros {
		return nil, nil
	}
	return []Event{OrderExpired{VoidedMicros: o.openAuthorization()}}, nil
}
