package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// held is what providers hold for an order and have not paid out.
func (o *order) held() int64 { return o.authorized - o.voided - o.captured }

// paid is what was captured, has not gone back, and is not due to.
func (o *order) paid() int64 { return o.captured - o.refunded - o.refundDue }

// kept is what the order costs without what came back.
func (o *order) kept() int64 {
	return max(0, o.total-roundHalfEven(o.returned, minorUnit(o.currency)))
}

// uncovered is what of it is neither paid nor held by a provider.
func (o *order) uncovered() int64 { return max(0, o.kept()-o.paid()-o.held()) }

// setFree is the money that is authorized, and paid, beyond it.
func (o *order) setFree() (voided, refundDue int64) {
	refundDue = max(0, o.paid()-o.kept())
	return min(o.held(), max(0, o.held()+o.paid()-refundDue-o.kept())), refundDue
}

// payment follows money, and the ends of an order that give it back.
func (c *checker) payment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderConfirmed:
		o.status = "confirmed"
		c.check(Money, o.onAccount || o.uncovered() == 0, "%s: confirmed with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_PaymentStarted:
		c.check(Transitions, !o.onAccount && ch.PaymentStarted.PaymentDeadlineMicros >= o.deadline, "%s: the deadline goes from %d to %d", at(rec), o.deadline, ch.PaymentStarted.PaymentDeadlineMicros)
		o.deadline = ch.PaymentStarted.PaymentDeadlineMicros
	case *eventv1.OrderEvent_OrderReopened:
		o.status, o.deadline = "placed", ch.OrderReopened.PaymentDeadlineMicros
		c.check(Money, o.uncovered() == 0 && o.captured == 0, "%s: reopened with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_OrderCancelled:
		voided, refund := ch.OrderCancelled.VoidedMicros, ch.OrderCancelled.RefundDueMicros
		o.status = "cancelled"
		c.check(Money, voided == o.held() && refund == o.paid(),
			"%s: cancelled with %d voided and %d to refund, of %d held and %d captured", at(rec), voided, refund, o.held(), o.paid())
		o.voided += voided
		o.refundDue += refund
		for _, l := range o.lines {
			c.check(Transitions, l.shipped == 0, "%s: cancelled after %d of %s had shipped", at(rec), l.shipped, l.sku)
		}
	case *eventv1.OrderEvent_OrderExpired:
		o.status = "expired"
		voided, refund := ch.OrderExpired.VoidedMicros, ch.OrderExpired.RefundDueMicros
		c.check(Money, voided == o.held() && refund == o.paid(),
			"%s: expired with %d voided and %d to refund, of %d held and %d captured", at(rec), voided, refund, o.held(), o.paid())
		o.voided += voided
		o.refundDue += refund
		c.check(Transitions, o.deadline > 0 && ev.Meta.RecordedAtMicros >= o.deadline, "%s: expired at %d, its deadline is %d", at(rec), ev.Meta.RecordedAtMicros, o.deadline)
	default:
		c.amount(rec, o, ev)
	}
}

// amount follows events that move money.
func (c *checker) amount(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentAuthorized:
		o.authorized += ch.PaymentAuthorized.AmountMicros
		c.check(Money, ch.PaymentAuthorized.AmountMicros > 0 && o.paid()+o.held() <= o.kept(), "%s: %d are paid and authorized of %d", at(rec), o.paid()+o.held(), o.kept())
	case *eventv1.OrderEvent_PaymentCaptured:
		c.captured(rec, o, ch.PaymentCaptured)
	case *eventv1.OrderEvent_PaymentVoided:
		o.voided += ch.PaymentVoided.AmountMicros
		c.check(Money, ch.PaymentVoided.AmountMicros > 0 && o.held() >= 0, "%s: voided %d, more than was held", at(rec), ch.PaymentVoided.AmountMicros)
	case *eventv1.OrderEvent_PaymentRefunded:
		o.refunded += ch.PaymentRefunded.AmountMicros
		o.refundDue = max(0, o.refundDue-ch.PaymentRefunded.AmountMicros)
		c.check(Money, ch.PaymentRefunded.AmountMicros > 0 && o.refunded <= o.captured, "%s: refunded %d of %d captured", at(rec), o.refunded, o.captured)
	}
}

// captured follows money that a provider took: also what had been voided, and what nobody has to pay.
func (c *checker) captured(rec *eventlog.Record, o *order, p *eventv1.PaymentCaptured) {
	c.check(Money, p.UnvoidedMicros == max(0, p.AmountMicros-o.held()), "%s: captured %d with %d held, %d are said to have been voided",
		at(rec), p.AmountMicros, o.held(), p.UnvoidedMicros)
	o.captured += p.AmountMicros
	o.voided -= p.UnvoidedMicros
	c.check(Money, p.AmountMicros > 0 && o.held() >= 0 && o.voided >= 0, "%s: captured %d of %d authorized", at(rec), o.captured, o.authorized)
	kept := o.kept()
	if slices.Contains([]string{"rejected", "cancelled", "expired"}, o.status) {
		kept = 0
	}
	due := max(0, o.paid()-kept)
	c.check(Money, p.RefundDueMicros == due, "%s: %d are due for refund, it should be %d", at(rec), p.RefundDueMicros, due)
	o.refundDue += p.RefundDueMicros
}
