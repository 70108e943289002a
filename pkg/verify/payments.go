package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// foldPayment folds payments, and what confirms, cancels, expires or reopens an order because of them.
func (c *checker) foldPayment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderConfirmed:
		o.status = "confirmed"
		c.check(Money, o.onAccount || o.uncovered() == 0,
			"%s: confirmed with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_PaymentStarted:
		c.check(Transitions, o.status != "confirmed" || o.coverLost, "%s: nothing is due", at(rec))
		c.check(Transitions, !o.onAccount && ch.PaymentStarted.PaymentDeadlineMicros >= o.deadline,
			"%s: the deadline goes from %d to %d", at(rec), o.deadline, ch.PaymentStarted.PaymentDeadlineMicros)
		o.deadline = ch.PaymentStarted.PaymentDeadlineMicros
	case *eventv1.OrderEvent_OrderReopened:
		o.status, o.deadline = "placed", ch.OrderReopened.PaymentDeadlineMicros
		for i := range o.lines { // stock is asked anew
			o.arrive(o.lines[i].sku, o.lines[i].backordered)
			o.lines[i].backordered = 0
		}
		c.check(Money, o.uncovered() == 0 && o.captured == 0,
			"%s: reopened with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_OrderCancelled:
		o.status = "cancelled"
		c.checkCancelledByTimer(rec, o, ev)
		c.foldMoneyBack(rec, o, "cancelled", ch.OrderCancelled.VoidedMicros, ch.OrderCancelled.RefundDueMicros)
		for _, l := range o.lines {
			c.check(Transitions, l.shipped == 0, "%s: cancelled after %d of %s had shipped", at(rec), l.shipped, l.sku)
		}
	case *eventv1.OrderEvent_OrderExpired:
		o.status = "expired"
		c.foldMoneyBack(rec, o, "expired", ch.OrderExpired.VoidedMicros, ch.OrderExpired.RefundDueMicros)
		c.check(Transitions, o.deadline > 0 && ev.Meta.RecordedAtMicros >= o.deadline,
			"%s: expired at %d, its deadline is %d", at(rec), ev.Meta.RecordedAtMicros, o.deadline)
	default:
		c.foldAmount(rec, o, ev)
	}
}

// providerEvent is a fact that a payment provider has an ID of.
type providerEvent struct {
	action       int32  // eventv1.PaymentAction
	id, provider string // the provider's name is empty where it was not told
}

// is reports whether two facts are the same: names of providers tell them apart where both have one (ORD-75).
func (p providerEvent) is(other providerEvent) bool {
	return p.action == other.action && p.id == other.id &&
		(p.provider == other.provider || p.provider == "" || other.provider == "")
}

// providersFact is what a payment provider did: its name, its reference, and its ID of the fact. The action is 0 for an
// event that tells of nothing that it did.
func providersFact(ev *eventv1.OrderEvent) (fact providerEvent, reference string) {
	of := func(action eventv1.PaymentAction, p interface {
		GetReference() string
		GetProviderEventId() string
		GetProvider() string
	}) (providerEvent, string) {
		return providerEvent{int32(action), p.GetProviderEventId(), p.GetProvider()}, p.GetReference()
	}
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		return of(eventv1.PaymentAction_PAYMENT_ACTION_AUTHORIZED, ch.PaymentAuthorizedV3)
	case *eventv1.OrderEvent_PaymentCapturedV3:
		return of(eventv1.PaymentAction_PAYMENT_ACTION_CAPTURED, ch.PaymentCapturedV3)
	case *eventv1.OrderEvent_PaymentVoidedV3:
		return of(eventv1.PaymentAction_PAYMENT_ACTION_VOIDED, ch.PaymentVoidedV3)
	case *eventv1.OrderEvent_PaymentRefundedV3:
		return of(eventv1.PaymentAction_PAYMENT_ACTION_REFUNDED, ch.PaymentRefundedV3)
	case *eventv1.OrderEvent_PaymentFailed:
		return of(eventv1.PaymentAction_PAYMENT_ACTION_FAILED, ch.PaymentFailed)
	case *eventv1.OrderEvent_PaymentIdentified:
		return of(ch.PaymentIdentified.Action, ch.PaymentIdentified)
	}
	return providerEvent{}, ""
}

// checkProviderEvent checks that each fact of a payment provider is recorded once, and that an ID which became known
// later is that of a payment without one (ORD-67).
func (c *checker) checkProviderEvent(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	fact, reference := providersFact(ev)
	kind := schema.PaymentActions.Word(eventv1.PaymentAction(fact.action)) // "": any number may be in the log
	if ev.GetPaymentIdentified() != nil {
		c.check(Money, kind != "" && fact.id != "" && o.unidentified[fact.action] > 0,
			"%s: the provider's event %q is said to be a payment without an ID, and there is none", at(rec), fact.id)
		if kind == "" {
			return
		}
		o.unidentified[fact.action]--
	}
	if fact.id == "" {
		if reference != "" && fact.action != 0 {
			o.unidentified[fact.action]++
		}
		return
	}
	c.check(Money, !slices.ContainsFunc(o.providerEvents, fact.is),
		"%s: the provider's event %q is %s twice", at(rec), fact.id, kind)
	o.providerEvents = append(o.providerEvents, fact)
}

// foldAmount folds events that move money.
func (c *checker) foldAmount(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	c.checkProviderEvent(rec, o, ev)
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		c.foldAuthorization(rec, o, ch.PaymentAuthorizedV3)
	case *eventv1.OrderEvent_PaymentCapturedV3:
		c.foldCapture(rec, o, ch.PaymentCapturedV3)
	case *eventv1.OrderEvent_PaymentVoidedV3:
		p := ch.PaymentVoidedV3
		o.voided += p.AmountMicros
		o.earlyVoided += p.UnmatchedMicros
		c.check(Money, p.AmountMicros+p.UnmatchedMicros > 0 && o.uncaptured() >= 0,
			"%s: voided %d, more than was held", at(rec), p.AmountMicros)
		c.check(Money, p.UnmatchedMicros == 0 || p.UnmatchedMicros > 0 && o.uncaptured() == 0,
			"%s: %d voided before they were authorized, with %d held", at(rec), p.UnmatchedMicros, o.uncaptured())
	case *eventv1.OrderEvent_PaymentRefundedV3:
		c.foldRefund(rec, o, ch.PaymentRefundedV3)
	case *eventv1.OrderEvent_CoverLost:
		lost := ch.CoverLost
		c.check(Money, !o.onAccount && lost.PaymentDueMicros > 0 && lost.PaymentDueMicros == o.uncovered(),
			"%s: %d are said to be due, it should be %d", at(rec), lost.PaymentDueMicros, o.uncovered())
		c.check(Transitions, lost.PaymentDeadlineMicros >= o.deadline,
			"%s: the deadline goes from %d to %d", at(rec), o.deadline, lost.PaymentDeadlineMicros)
		o.paymentDue, o.coverLost, o.deadline = true, true, lost.PaymentDeadlineMicros
	}
}

// foldRefund folds money that went back. What is no goodwill is first of what is due.
func (c *checker) foldRefund(rec *eventlog.Record, o *order, p *eventv1.PaymentRefundedV3) {
	present := min(p.AmountMicros, o.paid())
	o.refunded += p.AmountMicros
	o.goodwill += p.GoodwillMicros
	o.earlyRefunded += p.UnmatchedMicros - p.MatchedMicros
	c.check(Money, p.AmountMicros+p.UnmatchedMicros > 0 && o.refunded <= o.captured,
		"%s: refunded %d of %d captured", at(rec), o.refunded, o.captured)
	c.check(Money, p.UnmatchedMicros == 0 || p.UnmatchedMicros > 0 && o.refunded == o.captured,
		"%s: %d refunded before they were captured, with %d of %d refunded",
		at(rec), p.UnmatchedMicros, o.refunded, o.captured)
	c.check(Money, p.MatchedMicros >= 0 && p.MatchedMicros <= p.AmountMicros && o.earlyRefunded >= 0,
		"%s: %d of %d had been refunded before, which is more than was told", at(rec), p.MatchedMicros, p.AmountMicros)
	c.check(Money, p.GoodwillMicros >= 0 && (p.GoodwillMicros <= max(0, p.AmountMicros-o.refundDue) ||
		p.GoodwillMicros == present),
		"%s: %d of %d refunded are goodwill, with %d due", at(rec), p.GoodwillMicros, p.AmountMicros, o.refundDue)
	o.refundDue = max(0, o.refundDue-(p.AmountMicros-p.GoodwillMicros))
}

// checkCancelledByTimer checks what a deadline has cancelled: an order that had lost its cover.
func (c *checker) checkCancelledByTimer(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	c.check(Transitions, ev.Meta.Cause != eventv1.Cause_CAUSE_TIMER ||
		o.coverLost && o.deadline > 0 && ev.Meta.RecordedAtMicros >= o.deadline,
		"%s: cancelled at %d, its deadline is %d", at(rec), ev.Meta.RecordedAtMicros, o.deadline)
}

// foldAuthorization folds money that a provider keeps for the order. What was captured before is authorized already,
// and what was voided before is voided.
func (c *checker) foldAuthorization(rec *eventlog.Record, o *order, p *eventv1.PaymentAuthorizedV3) {
	o.authorized += p.AmountMicros - p.MatchedMicros
	o.voided += p.VoidedMicros
	o.earlyCaptured -= p.MatchedMicros
	o.earlyVoided -= p.VoidedMicros
	c.check(Money, p.AmountMicros > 0 && o.paid()+o.uncaptured() <= o.owed(),
		"%s: %d are paid and authorized of %d", at(rec), o.paid()+o.uncaptured(), o.owed())
	c.check(Money, p.MatchedMicros >= 0 && p.VoidedMicros >= 0 && p.MatchedMicros+p.VoidedMicros <= p.AmountMicros &&
		o.earlyCaptured >= 0 && o.earlyVoided >= 0,
		"%s: of %d authorized, %d had been captured and %d voided, which is more than was told",
		at(rec), p.AmountMicros, p.MatchedMicros, p.VoidedMicros)
}

// foldCapture folds money that a provider has captured. It may capture what was voided before, which is then voided no
// more, and what nobody has to pay, which is due for refund.
func (c *checker) foldCapture(rec *eventlog.Record, o *order, p *eventv1.PaymentCapturedV3) {
	beyond := max(0, p.AmountMicros-o.uncaptured())
	early := max(0, beyond-o.voided)
	c.check(Money, p.UnvoidedMicros == beyond-early && p.UnmatchedMicros == early,
		"%s: captured %d with %d held and %d voided, %d are said to have been voided, and %d not authorized",
		at(rec), p.AmountMicros, o.uncaptured(), o.voided, p.UnvoidedMicros, p.UnmatchedMicros)
	o.authorized += p.UnmatchedMicros
	o.earlyCaptured += p.UnmatchedMicros
	o.captured += p.AmountMicros
	o.voided -= p.UnvoidedMicros
	c.check(Money, p.AmountMicros > 0 && o.uncaptured() >= 0 && o.voided >= 0,
		"%s: captured %d of %d authorized", at(rec), o.captured, o.authorized)
	owed := o.owed()
	if slices.Contains([]string{"rejected", "cancelled", "expired"}, o.status) {
		owed = 0
	}
	due := max(0, o.paid()-owed)
	c.check(Money, p.RefundDueMicros == due, "%s: %d are due for refund, it should be %d", at(rec), p.RefundDueMicros, due)
	o.refundDue += p.RefundDueMicros
}

// foldMoneyBack folds the end of an order, which voids all that is authorized and refunds all that was paid.
func (c *checker) foldMoneyBack(rec *eventlog.Record, o *order, ended string, voided, refundDue int64) {
	c.check(Money, voided == o.uncaptured() && refundDue == o.paid(),
		"%s: %s with %d voided and %d to refund, of %d held and %d captured",
		at(rec), ended, voided, refundDue, o.uncaptured(), o.paid())
	o.voided += voided
	o.refundDue += refundDue
}

// foldExcess folds money that is not needed any more, because the order costs less than before.
func (c *checker) foldExcess(rec *eventlog.Record, o *order, voided, refundDue int64) {
	wantVoided, wantDue := o.excess()
	c.check(Money, voided == wantVoided && refundDue == wantDue,
		"%s: %d voided and %d due, should be %d and %d", at(rec), voided, refundDue, wantVoided, wantDue)
	o.voided += voided
	o.refundDue += refundDue
}
