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

// Payment is what an order keeps of a payment that has the provider's reference, or the provider's ID of the fact.
//
//	ORD-21  A payment whose reference the order already has for the same action is the same payment, whoever reports it,
//	        and wherever the order stands by then: nothing is written. With another amount: payment_reference_reused.
//	        ORD-67 says what an ID of the provider changes. An order has at most 1,000 payments with a reference or an ID
//	        (too_many_payments). Amounts are more than 0, and whole minor units of the currency (invalid_amount).
//	ORD-62  What providers and carriers did is recorded wherever the order stands, on hold and after its end too: it has
//	        happened. That is AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment, and Deliver of
//	        what has shipped.
//	ORD-67  One action with one ProviderEventID is one payment, however late it is told again: nothing is written. With
//	        another amount or reference: provider_event_reused. Payments of one reference with different IDs are
//	        different, such as partial captures. One with an ID and one without are the same where reference and amount
//	        are: the first one with an ID gives it to the other (PaymentIdentified), and the next one is another payment.
//	        A void or a refund without an amount, and with an ID that is new, is of all that is left; where nothing is
//	        left, it is the one of its reference without an ID.
//	ORD-75  A payment may name its provider (invalid_provider; limits.NameFault). Two payments that name different ones
//	        are different, whatever reference or ID they share. Where one of them names none, ORD-21 and ORD-67 decide
//	        without it: payments of before, and a shipment's capture, are found again. An ID that becomes known brings
//	        the provider along.
type Payment struct {
	Action       PaymentAction
	Reference    string
	AmountMicros int64
	// ProviderEventID is the payment provider's ID of this very fact, such as that of a webhook; "": it was not told.
	ProviderEventID string
	// Provider is the payment provider's name, such as stripe; "": it was not told.
	Provider string
}

// acceptsPayments applies ORD-62.
func (o *Order) acceptsPayments() bool { return o.Kind == KindOrder && o.Lifecycle != None }

// PaymentIdentified says which payment, recorded without it, has the provider's ID (ORD-67).
type PaymentIdentified struct{ Payment }

// repeated applies ORD-21 and ORD-67: it reports whether the order already has this payment. An amount of 0 is that of
// the first.
func (o *Order) repeated(told Payment) (bool, error) {
	same, err := o.recorded(told)
	return same != nil, err
}

// alreadyHas is repeated with the events that follow from a payment that the order has: the provider's ID may be new.
func (o *Order) alreadyHas(told Payment) (bool, []Event, error) {
	same, err := o.recorded(told)
	if same == nil || err != nil || same.ProviderEventID != "" || told.ProviderEventID == "" {
		return same != nil, nil, err
	}
	identified := *same
	identified.ProviderEventID = told.ProviderEventID
	if identified.Provider == "" {
		identified.Provider = told.Provider
	}
	return true, []Event{PaymentIdentified{identified}}, nil
}

// checkProvider checks what a payment tells of its provider.
func (p Payment) checkProvider() error {
	if err := checkName("provider", p.Provider, limits.MaxProviderLength); err != nil {
		return err
	}
	return checkText("provider_event_id", p.ProviderEventID, limits.MaxProviderEventIDLength)
}

// mayShareProvider applies ORD-75: false where two payments name different providers.
func mayShareProvider(a, b string) bool { return a == b || a == "" || b == "" }

// recorded is the payment of the order that is the same as the one that is told (ORD-21, ORD-67, ORD-75); nil: none is.
func (o *Order) recorded(told Payment) (*Payment, error) {
	if err := checkText("reference", told.Reference, limits.MaxReferenceLength); err != nil {
		return nil, err
	}
	if err := told.checkProvider(); err != nil {
		return nil, err
	}
	if !told.known() {
		return nil, nil
	}
	var same *Payment
	var sameReference bool
	for i := range o.Payments {
		p := &o.Payments[i]
		if p.Action != told.Action || !mayShareProvider(p.Provider, told.Provider) {
			continue
		}
		amount := told.AmountMicros == 0 || p.AmountMicros == told.AmountMicros
		switch {
		case p.ProviderEventID == told.ProviderEventID && p.ProviderEventID != "":
			return p, checkRepeated(amount && (told.Reference == "" || p.Reference == told.Reference))
		case p.Reference == told.Reference && p.Reference != "" && (p.ProviderEventID == "" || told.ProviderEventID == ""):
			sameReference = true
			if amount && same == nil {
				same = p
			}
		}
	}
	switch {
	case same != nil:
		return same, nil
	case sameReference && told.ProviderEventID == "":
		return nil, refuse(CodePaymentReferenceReused, "/reference", "the order has this reference with another amount")
	case len(o.Payments) >= MaxPayments:
		return nil, o.refuseHere(CodeTooManyPayments, "an order has at most 1000 payments")
	}
	return nil, nil
}

func (e PaymentIdentified) evolve(o *Order, _ Facts) {
	i := slices.IndexFunc(o.Payments, func(p Payment) bool {
		return p.Action == e.Action && p.Reference == e.Reference && p.AmountMicros == e.AmountMicros &&
			p.ProviderEventID == "" && (p.Provider == "" || p.Provider == e.Provider)
	})
	if i >= 0 {
		o.Payments = slices.Clone(o.Payments)
		o.Payments[i] = e.Payment
	}
}

// checkRepeated refuses an ID of the provider that comes again with something else (ORD-67).
func checkRepeated(same bool) error {
	if same {
		return nil
	}
	return refuse(CodeProviderEventReused, "/provider_event_id", "the order has this ID with another amount or reference")
}

// hasID reports whether the order has a payment with the ID that is told.
func (o *Order) hasID(told Payment) bool {
	return slices.ContainsFunc(o.Payments, func(p Payment) bool {
		return p.Action == told.Action && p.ProviderEventID == told.ProviderEventID &&
			mayShareProvider(p.Provider, told.Provider)
	})
}

// known: the payment can be told from others.
func (p Payment) known() bool { return p.Reference != "" || p.ProviderEventID != "" }

// recordPayment keeps what ORD-21 and ORD-67 need.
func (o *Order) recordPayment(p Payment) {
	if p.known() {
		payments := append(make([]Payment, 0, len(o.Payments)+1), o.Payments...)
		o.Payments = append(payments, p)
	}
}

// StartPayment records that the customer is paying: the order waits for it until DeadlineMicros, which the writer sets
// (received time plus the configured payment window).
//
//	ORD-20  The deadline of an order that waits for its payment (also again, ORD-65) moves to the command's, never back,
//	        and at most 10 times (too_many_payments).
type StartPayment struct {
	Reference, Provider string
	DeadlineMicros      int64
}

// PaymentStarted moved the payment deadline.
type PaymentStarted struct {
	Reference, Provider   string
	PaymentDeadlineMicros int64
}

func (c StartPayment) decide(o *Order) ([]Event, error) {
	told := Payment{Action: Started, Reference: c.Reference, Provider: c.Provider}
	if repeat, err := o.repeated(told); repeat || err != nil {
		return nil, err
	}
	if o.Kind != KindOrder || !o.AwaitsPayment() {
		return nil, o.illegal("start_payment")
	}
	if o.PaymentStarts >= MaxPaymentStarts {
		return nil, o.refuseHere(CodeTooManyPayments, "payments for the order have started too often")
	}
	deadline := max(o.PaymentDeadlineMicros, c.DeadlineMicros)
	return []Event{PaymentStarted{c.Reference, c.Provider, deadline}}, nil
}

// AwaitsPayment reports whether the order, or what has not shipped of it, ends at its payment deadline unless it is
// paid.
func (o *Order) AwaitsPayment() bool {
	switch o.Lifecycle {
	case Placed, Reserved:
		return o.Terms == Prepaid
	case Confirmed:
		return o.CoverLost
	case None, Completed, Rejected, Cancelled, Expired, OnHold:
	}
	return false
}

func (e PaymentStarted) evolve(o *Order, _ Facts) {
	o.PaymentDeadlineMicros = e.PaymentDeadlineMicros
	o.PaymentStarts++
	o.recordPayment(Payment{Action: Started, Reference: e.Reference, Provider: e.Provider})
}

// AuthorizePayment records that a payment provider has authorized the amount. DeadlineMicros is how long the order then
// waits for the remaining amount, or, when it had expired, for stock.
//
//	ORD-10  The amount is at most what is kept (ORD-61) and neither paid nor authorized (over_authorization). A reserved
//	        order is confirmed once the total is authorized; a placed one then waits for stock's answer. Before that,
//	        PaymentStarted follows, while ORD-20 allows it.
//	ORD-25  A payment may come too late. An expired order is placed again when its total is authorized at once, and asks
//	        stock anew: it is confirmed when stock has it, and rejected, with the payment voided, when not. Less than the
//	        total is voided at once (PaymentVoided); so are payments of cancelled and rejected orders, and of expired
//	        ones of which money was captured.
type AuthorizePayment struct {
	AmountMicros                         int64
	Reference, ProviderEventID, Provider string
	DeadlineMicros                       int64
}

// PaymentAuthorized says that a provider has authorized the amount. MatchedMicros of it was captured before, and counts
// as authorized since then; VoidedMicros was voided before (ORD-66).
type PaymentAuthorized struct {
	AmountMicros                         int64
	Reference, ProviderEventID, Provider string
	MatchedMicros, VoidedMicros          int64
}

// OrderReopened says that an expired order is placed again (ORD-25).
type OrderReopened struct{ PaymentDeadlineMicros int64 }

func (c AuthorizePayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("authorize_payment")
	}
	if err := o.checkAmount(c.AmountMicros); err != nil {
		return nil, err
	}
	told := Payment{Authorized, c.Reference, c.AmountMicros, c.ProviderEventID, c.Provider}
	if had, events, err := o.alreadyHas(told); had || err != nil {
		return events, err
	}
	missing := o.uncovered()
	captured, voided := o.matchedWith(c, missing)
	left := c.AmountMicros - captured - voided
	if left > missing {
		return nil, refuse(CodeOverAuthorization, "/amount", "more than the order's total would be authorized")
	}
	events := append(make([]Event, 0, 2), PaymentAuthorized{
		AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventID: c.ProviderEventID, Provider: c.Provider,
		MatchedMicros: captured, VoidedMicros: voided,
	})
	if left == 0 {
		return events, nil
	}
	return o.authorizedMore(events, left, left == missing, c), nil
}

// matchedWith applies ORD-66: how much of an authorization was captured before, and how much voided.
func (o *Order) matchedWith(c AuthorizePayment, missing int64) (captured, voided int64) {
	all, same := o.waiting(Captured, c.Reference, c.Provider)
	captured = min(c.AmountMicros, same)
	if beyond := c.AmountMicros - captured - missing; beyond > 0 {
		captured += min(beyond, all-captured)
	}
	_, voided = o.waiting(Voided, c.Reference, c.Provider)
	return captured, min(voided, c.AmountMicros-captured)
}

// authorizedMore adds what follows from an authorization: whole of what the order lacked, or a part of it.
func (o *Order) authorizedMore(events []Event, amountMicros int64, whole bool, c AuthorizePayment) []Event {
	late := PaymentVoided{AmountMicros: amountMicros, Provider: c.Provider, Reason: LatePaymentReason}
	switch o.Lifecycle {
	case Placed, Reserved:
		if whole && o.Lifecycle == Placed {
			return events // stock's answer confirms it (ORD-8)
		}
		if whole {
			return append(events, OrderConfirmed{})
		}
		if o.Terms == Prepaid && c.DeadlineMicros > o.PaymentDeadlineMicros && o.PaymentStarts < MaxPaymentStarts {
			events = append(events, PaymentStarted{PaymentDeadlineMicros: c.DeadlineMicros})
		}
	case Expired:
		if whole && o.CapturedMicros == 0 {
			return append(events, OrderReopened{PaymentDeadlineMicros: c.DeadlineMicros})
		}
		events = append(events, late)
	case Cancelled, Rejected:
		events = append(events, late)
	case None, Confirmed, Completed, OnHold:
	}
	return events
}

func (e PaymentAuthorized) evolve(o *Order, _ Facts) {
	o.AuthorizedMicros += e.AmountMicros - e.MatchedMicros
	o.VoidedMicros += e.VoidedMicros
	o.match(Captured, e.Reference, e.Provider, e.MatchedMicros)
	o.match(Voided, e.Reference, e.Provider, e.VoidedMicros)
	o.PaymentFailed = false
	o.clearPaymentDue()
	o.recordPayment(Payment{Authorized, e.Reference, e.AmountMicros, e.ProviderEventID, e.Provider})
}

func (e OrderReopened) evolve(o *Order, _ Facts) {
	o.Lifecycle, o.PaymentDeadlineMicros = Placed, e.PaymentDeadlineMicros
	o.reservationChanged()
}

// CapturePayment records that money was captured.
//
//	ORD-11  What the order had voided and is captured is no longer voided. What nobody had authorized counts as
//	        authorized (ORD-66). What is paid then beyond what is kept is due for refund (ORD-61). A reserved order is
//	        confirmed when this covers the total.
type CapturePayment struct {
	AmountMicros                         int64
	Reference, ProviderEventID, Provider string
	// DeadlineMicros is how long the order then waits for its payment, if a refund that was told before takes its cover.
	DeadlineMicros int64
}

// PaymentCaptured says that money was captured. UnvoidedMicros is how much of it the order had voided, UnmatchedMicros
// how much nobody had authorized, and RefundDueMicros how much of it has to go back.
type PaymentCaptured struct {
	AmountMicros                         int64
	Reference, ProviderEventID, Provider string
	UnvoidedMicros, RefundDueMicros      int64
	UnmatchedMicros                      int64
}

func (c CapturePayment) decide(o *Order) ([]Event, error) {
	if !o.acceptsPayments() {
		return nil, o.illegal("capture_payment")
	}
	if err := o.checkAmount(c.AmountMicros); err != nil {
		return nil, err
	}
	told := Payment{Captured, c.Reference, c.AmountMicros, c.ProviderEventID, c.Provider}
	if had, events, err := o.alreadyHas(told); had || err != nil {
		return events, err
	}
	beyond := max(0, c.AmountMicros-o.openAuthorization())
	unvoided := min(beyond, o.VoidedMicros)
	if err := o.checkUnmatched(beyond-unvoided, c.Reference, CodeOverCapture); err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 4), PaymentCaptured{
		AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventID: c.ProviderEventID, Provider: c.Provider,
		UnvoidedMicros: unvoided, UnmatchedMicros: beyond - unvoided,
		RefundDueMicros: max(0, o.paid()+c.AmountMicros-o.kept()),
	})
	events = o.withEarlyRefund(events, told, c.DeadlineMicros)
	if o.Lifecycle == Reserved && beyond > 0 {
		if after := o.after(events); after.uncovered() == 0 {
			events = append(events, OrderConfirmed{})
		}
	}
	return events, nil
}

// after is the order after events.
func (o *Order) after(events []Event) Order {
	after := *o
	for _, e := range events {
		after = Evolve(after, e, Facts{})
	}
	return after
}

func (e PaymentCaptured) evolve(o *Order, _ Facts) {
	o.CapturedMicros += e.AmountMicros
	o.AuthorizedMicros += e.UnmatchedMicros
	o.VoidedMicros -= e.UnvoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.keepUnmatched(Captured, e.Reference, e.Provider, e.UnmatchedMicros)
	o.clearPaymentDue()
	o.recordPayment(Payment{Captured, e.Reference, e.AmountMicros, e.ProviderEventID, e.Provider})
}
