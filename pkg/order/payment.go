package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Limits of payments.
const (
	// MaxPayments bounds the payments of one order that have a reference.
	MaxPayments = 1_000
	// MaxPaymentStarts bounds how often the payment deadline of an order moves.
	MaxPaymentStarts = 10
)

// Reasons of voids that the rules decide.
const (
	// LatePaymentReason is that of a payment for an order that has ended.
	LatePaymentReason = "late_payment"
	// RejectedReason is that of an order which stock does not have.
	RejectedReason = "order_rejected"
)

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

// Payment is what an order keeps of a payment that has the provider's reference.
//
//	ORD-21  A payment whose reference the order already has for the same action is the same payment, whoever reports it,
//	        and wherever the order stands by then: nothing is written. With another amount: payment_reference_reused. An
//	        order has at most 1,000 payments with a reference (too_many_payments).
//	ORD-62  What providers and carriers did is recorded wherever the order stands, on hold and after its end too: it has
//	        happened. That is AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment, and Deliver of
//	        what has shipped.
type Payment struct {
	Action       PaymentAction
	Reference    string
	AmountMicros int64
}

// acceptsPayments applies ORD-62.
func (o *Order) acceptsPayments() bool { return o.Kind == KindOrder && o.Lifecycle != None }

// repeated applies ORD-21: it reports whether the order already has this payment. An amount of 0 is that of the first.
func (o *Order) repeated(action PaymentAction, reference string, amountMicros int64) (bool, error) {
	if err := checkText("reference", reference, limits.MaxReferenceLength); err != nil || reference == "" {
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

// recordPayment keeps what ORD-21 needs.
func (o *Order) recordPayment(action PaymentAction, reference string, amountMicros int64) {
	if reference != "" {
		payments := append(make([]Payment, 0, len(o.Payments)+1), o.Payments...)
		o.Payments = append(payments, Payment{action, reference, amountMicros})
	}
}

// StartPayment records that the customer is paying: the order waits for it until DeadlineMicros, which the writer sets
// (received time plus the configured payment window).
//
//	ORD-20  The deadline of an order that waits for its payment moves to the command's, never back, and at most 10 times
//	        (too_many_payments).
type StartPayment struct {
	Reference      string
	DeadlineMicros int64
}

// PaymentStarted moved the payment deadline.
type PaymentStarted struct {
	Reference             string
	PaymentDeadlineMicros int64
}

func (c StartPayment) decide(o *Order) ([]Event, error) {
	if repeat, err := o.repeated(Started, c.Reference, 0); repeat || err != nil {
		return nil, err
	}
	if o.Kind != KindOrder || !o.awaitsPayment() {
		return nil, o.illegal("start_payment")
	}
	if o.PaymentStarts >= MaxPaymentStarts {
		return nil, o.refuseHere(CodeTooManyPayments, "payments for the order have started too often")
	}
	deadline := max(o.PaymentDeadlineMicros, c.DeadlineMicros)
	return []Event{PaymentStarted{Reference: c.Reference, PaymentDeadlineMicros: deadline}}, nil
}

// awaitsPayment reports whether the order ends at its deadline unless it is paid.
func (o *Order) awaitsPayment() bool {
	return o.Terms == Prepaid && (o.Lifecycle == Placed || o.Lifecycle == Reserved)
}

func (e PaymentStarted) evolve(o *Order, _ Facts) {
	o.PaymentDeadlineMicros = e.PaymentDeadlineMicros
	o.PaymentStarts++
	o.recordPayment(Started, e.Reference, 0)
}

// AuthorizePayment records that a payment provider has authorized the amount. DeadlineMicros is how long the order then
// waits for the remaining amount, or, when it had expired, for stock.
//
//	ORD-10  The amount is more than 0 (invalid_amount), and at most what is kept (ORD-61) and neither paid nor authorized
//	        (over_authorization). A reserved order is confirmed once the total is authorized; a placed one then waits for
//	        stock's answer. Before that, PaymentStarted follows, while ORD-20 allows it.
//	ORD-25  A payment may come too late. An expired order is placed again when its total is authorized at once, and asks
//	        stock anew: it is confirmed when stock has it, and rejected, with the payment voided, when not. Less than the
//	        total is voided at once (PaymentVoided); so are payments of cancelled and rejected orders, and of expired
//	        ones of which money was captured.
type AuthorizePayment struct {
	AmountMicros   int64
	Reference      string
	DeadlineMicros int64
}

// PaymentAuthorized says that a provider has authorized the amount.
type PaymentAuthorized struct {
	AmountMicros int64
	Reference    string
}

// OrderReopened says that an expired order is placed again (ORD-25).
type OrderReopened struct{ PaymentDeadlineMicros int64 }

func (c AuthorizePayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("authorize_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if repeat, err := o.repeated(Authorized, c.Reference, c.AmountMicros); repeat || err != nil {
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

func (e PaymentAuthorized) evolve(o *Order, _ Facts) {
	o.AuthorizedMicros += e.AmountMicros
	o.PaymentFailed = false
	o.clearPaymentDue()
	o.recordPayment(Authorized, e.Reference, e.AmountMicros)
}

func (e OrderReopened) evolve(o *Order, _ Facts) {
	o.Lifecycle, o.PaymentDeadlineMicros = Placed, e.PaymentDeadlineMicros
	o.reservationChanged()
}

// CapturePayment records that money was captured.
//
//	ORD-11  The amount is more than 0 (invalid_amount), and all captures together at most what was ever authorized
//	        (over_capture). If the order had voided some of it, that is no longer voided. What is paid then beyond what
//	        is kept is due for refund (ORD-61). A reserved order is confirmed when this covers the total.
type CapturePayment struct {
	AmountMicros int64
	Reference    string
}

// PaymentCaptured says that money was captured. UnvoidedMicros is how much of it the order had voided, and
// RefundDueMicros how much of it has to go back.
type PaymentCaptured struct {
	AmountMicros                    int64
	Reference                       string
	UnvoidedMicros, RefundDueMicros int64
}

func (c CapturePayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("capture_payment")
	}
	if c.AmountMicros <= 0 {
		return nil, refuse(CodeInvalidAmount, "/amount", "an amount is more than 0")
	}
	if repeat, err := o.repeated(Captured, c.Reference, c.AmountMicros); repeat || err != nil {
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

func (e PaymentCaptured) evolve(o *Order, _ Facts) {
	o.CapturedMicros += e.AmountMicros
	o.VoidedMicros -= e.UnvoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.clearPaymentDue()
	o.recordPayment(Captured, e.Reference, e.AmountMicros)
}
