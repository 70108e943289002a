package order

import "slices"

// MaxPayments bounds the payments of one order that have a reference, MaxPaymentStarts how often its deadline moves.
const (
	MaxPayments      = 1_000
	MaxPaymentStarts = 10
)

// LatePaymentReason is the reason of a void that follows a payment for an order that cannot take it any more.
const LatePaymentReason = "late_payment"

// RejectedReason is the reason of a void that follows a rejection.
const RejectedReason = "order_rejected"

// PaymentAction is what happened to money. The values are stored: only append.
type PaymentAction int32

// The actions.
const (
	Authorized PaymentAction = iota + 1
	Captured
	Voided
	Refunded
	Started
	Failed
)

// Payment is what an order remembers of a payment that has the provider's reference.
type Payment struct {
	Action       PaymentAction
	Reference    string
	AmountMicros int64
}

// startPayment applies ORD-20.
func (o *Order) startPayment(c StartPayment) ([]Event, error) {
	if repeat, err := o.repeats(Started, c.Reference, 0); repeat || err != nil {
		return nil, err
	}
	if o.Kind != KindOrder || !o.awaitsPayment() {
		return nil, o.illegal("start_payment")
	}
	if o.PaymentStarts >= MaxPaymentStarts {
		return nil, o.refuseHere(CodeTooManyPayments, "payments for the order have started too often")
	}
	return []Event{PaymentStarted{Reference: c.Reference, PaymentDeadlineMicros: max(o.PaymentDeadlineMicros, c.DeadlineMicros)}}, nil
}

// awaitsPayment: the order ends at its deadline unless it is paid.
func (o *Order) awaitsPayment() bool {
	return o.Terms == Prepaid && (o.Lifecycle == Placed || o.Lifecycle == Reserved)
}

// authorizePayment applies ORD-10 and ORD-25.
func (o *Order) authorizePayment(c AuthorizePayment) ([]Event, error) {
	if !o.takesPayments() {
		return nil, o.illegal("authorize_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if repeat, err := o.repeats(Authorized, c.Reference, c.AmountMicros); repeat || err != nil {
		return nil, err
	}
	missing := o.uncovered()
	if c.AmountMicros > missing {
		return nil, refuse(CodeOverAuthorization, "/amount", "more than the order's total would be authorized")
	}
	events := append(make([]Event, 0, 2), PaymentAuthorized{AmountMicros: c.AmountMicros, Reference: c.Reference})
	whole := c.AmountMicros == missing
	switch o.Lifecycle {
	case Placed, Reserved:
		if whole && o.Lifecycle == Placed {
			return events, nil // stock's answer confirms it (ORD-8)
		}
		if whole {
			return append(events, OrderConfirmed{}), nil
		}
		if o.Terms == Prepaid && c.DeadlineMicros > o.PaymentDeadlineMicros && o.PaymentStarts < MaxPaymentStarts {
			events = append(events, PaymentStarted{PaymentDeadlineMicros: c.DeadlineMicros})
		}
	case Expired:
		if whole && o.CapturedMicros == 0 {
			return append(events, OrderReopened{PaymentDeadlineMicros: c.DeadlineMicros}), nil
		}
		events = append(events, PaymentVoided{AmountMicros: c.AmountMicros, Reason: LatePaymentReason})
	case Cancelled, Rejected:
		events = append(events, PaymentVoided{AmountMicros: c.AmountMicros, Reason: LatePaymentReason})
	case None, Confirmed, Completed, OnHold:
	}
	return events, nil
}

// takesPayments: what a provider tells of an order is recorded wherever it stands (ORD-62).
func (o *Order) takesPayments() bool { return o.Kind == KindOrder && o.Lifecycle != None }

// capturePayment applies ORD-11, ORD-61 and ORD-62.
func (o *Order) capturePayment(c CapturePayment) ([]Event, error) {
	if !o.takesPayments() {
		return nil, o.illegal("capture_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if repeat, err := o.repeats(Captured, c.Reference, c.AmountMicros); repeat || err != nil {
		return nil, err
	}
	unvoided := max(0, c.AmountMicros-o.openAuthorization())
	if unvoided > o.VoidedMicros {
		return nil, refuse(CodeOverCapture, "/amount", "more than what was authorized would be captured")
	}
	events := append(make([]Event, 0, 2), PaymentCaptured{
		AmountMicros: c.AmountMicros, Reference: c.Reference,
		UnvoidedMicros: unvoided, RefundDueMicros: max(0, o.paid()+c.AmountMicros-o.kept()),
	})
	if o.Lifecycle == Reserved && unvoided > 0 && unvoided >= o.uncovered() {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

// voidPayment applies ORD-22.
func (o *Order) voidPayment(c VoidPayment) ([]Event, error) {
	amount, err := o.giveBack(Voided, c.AmountMicros, c.Reference, c.Reason, o.openAuthorization(), CodeOverVoid, CodeNothingToVoid)
	if amount == 0 || err != nil {
		return nil, err
	}
	return []Event{PaymentVoided{AmountMicros: amount, Reference: c.Reference, Reason: c.Reason}}, nil
}

// refundPayment applies ORD-23.
func (o *Order) refundPayment(c RefundPayment) ([]Event, error) {
	amount, err := o.giveBack(Refunded, c.AmountMicros, c.Reference, c.Reason, o.CapturedMicros-o.RefundedMicros, CodeOverRefund, CodeNothingToRefund)
	if amount == 0 || err != nil {
		return nil, err
	}
	return []Event{PaymentRefunded{AmountMicros: amount, Reference: c.Reference, Reason: c.Reason}}, nil
}

// giveBack is the amount that a void or a refund takes off what is left; 0: nothing, this is a repeat.
func (o *Order) giveBack(action PaymentAction, amount int64, reference, reason string, left int64, over, nothing string) (int64, error) {
	if !o.takesPayments() {
		return 0, o.illegal(map[PaymentAction]string{Voided: "void_payment", Refunded: "refund_payment"}[action])
	}
	if amount < 0 {
		return 0, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if err := checkText("reason", reason, MaxReasonBytes); err != nil {
		return 0, err
	}
	if repeat, err := o.repeats(action, reference, amount); repeat || err != nil {
		return 0, err
	}
	switch {
	case left == 0:
		return 0, o.refuseHere(nothing, "there is no money to give back")
	case amount > left:
		return 0, refuse(over, "/amount", "more than what is left would be given back")
	case amount == 0:
		return left, nil
	}
	return amount, nil
}

// failPayment applies ORD-24.
func (o *Order) failPayment(c FailPayment) ([]Event, error) {
	if !o.takesPayments() {
		return nil, o.illegal("fail_payment")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	if repeat, err := o.repeats(Failed, c.Reference, 0); repeat || err != nil {
		return nil, err
	}
	return []Event{PaymentFailed(c)}, nil
}

// repeats applies ORD-21: whether the order has this payment already. An amount of 0 is that of the first.
func (o *Order) repeats(action PaymentAction, reference string, amountMicros int64) (bool, error) {
	if err := checkText("reference", reference, MaxReferenceBytes); err != nil || reference == "" {
		return false, err
	}
	i := slices.IndexFunc(o.Payments, func(p Payment) bool { return p.Action == action && p.Reference == reference })
	switch {
	case i < 0 && len(o.Payments) >= MaxPayments:
		return false, o.refuseHere(CodeTooManyPayments, "an order has at most 1000 payments")
	case i < 0:
		return false, nil
	case amountMicros != 0 && o.Payments[i].AmountMicros != amountMicros:
		return false, refuse(CodePaymentReferenceReused, "/reference", "the order has this reference with another amount")
	}
	return true, nil
}

// remember keeps what ORD-21 needs.
func (o *Order) remember(action PaymentAction, reference string, amountMicros int64) {
	if reference != "" {
		payments := append(make([]Payment, 0, len(o.Payments)+1), o.Payments...)
		o.Payments = append(payments, Payment{action, reference, amountMicros})
	}
}

// confirm applies ORD-12.
func (o *Order) confirm() ([]Event, error) {
	if o.Lifecycle != Reserved {
		return nil, o.illegal("confirm_order")
	}
	if o.Terms != OnAccount && o.uncovered() > 0 {
		return nil, o.refuseHere(CodePaymentRequired, "the order's total is not authorized yet")
	}
	return []Event{OrderConfirmed{}}, nil
}

// cancel applies ORD-13.
func (o *Order) cancel(c Cancel) ([]Event, error) {
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	if o.Kind == KindOrder && (o.Lifecycle == Completed || o.phase() == Confirmed && o.shippedUnits() > 0) {
		return nil, o.refuseHere(CodeAlreadyShipped, "part of the order has shipped")
	}
	if !o.cancellable() {
		return nil, o.illegal("cancel_order")
	}
	return o.giveUpAmendment(o.cancelled(c.Reason)), nil
}

func (o *Order) cancellable() bool {
	if o.Kind != KindOrder {
		return false
	}
	switch o.phase() {
	case Placed, Reserved:
		return true
	case Confirmed:
		return o.shippedUnits() == 0
	case None, Completed, Rejected, Cancelled, Expired, OnHold:
	}
	return false
}

func (o *Order) cancelled(reason string) OrderCancelled {
	return OrderCancelled{Reason: reason, VoidedMicros: o.openAuthorization(), RefundDueMicros: o.paid()}
}

// authorized is what providers hold or held and did not give back before it was captured.
func (o *Order) authorized() int64 { return o.AuthorizedMicros - o.VoidedMicros }

// openAuthorization is what a provider still holds.
func (o *Order) openAuthorization() int64 { return o.authorized() - o.CapturedMicros }

// paid is what was captured, has not gone back, and is not due to.
func (o *Order) paid() int64 { return o.CapturedMicros - o.RefundedMicros - o.RefundDueMicros }

// kept is what the customer has to pay in the end: the total without what came back, nothing once the order has ended.
func (o *Order) kept() int64 {
	switch o.Lifecycle {
	case Rejected, Cancelled, Expired:
		return 0
	case None, Placed, Reserved, Confirmed, Completed, OnHold:
	}
	return o.keptOf(o.TotalMicros)
}

// uncovered is what of it is neither paid nor held by a provider; an ended order counts as if it went on.
func (o *Order) uncovered() int64 { return o.uncoveredOf(o.TotalMicros) }

func (o *Order) uncoveredOf(totalMicros int64) int64 {
	return max(0, o.keptOf(totalMicros)-o.paid()-o.openAuthorization())
}

// expire applies ORD-17.
func (o *Order) expire(c Expire) ([]Event, error) {
	if !o.awaitsPayment() || o.PaymentDeadlineMicros == 0 || c.AtMicros < o.PaymentDeadlineMicros {
		return nil, nil
	}
	return o.giveUpAmendment(OrderExpired{VoidedMicros: o.openAuthorization(), RefundDueMicros: o.paid()}), nil
}
