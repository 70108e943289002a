package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// held is what providers hold for an order and have not paid out.
func (o *order) held() int64 { return o.authorized - o.voided - o.captured }

// payment follows money, and the ends of an order that give it back.
func (c *checker) payment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderConfirmed:
		o.status = "confirmed"
		c.check(Money, o.onAccount || o.authorized-o.voided >= o.total, "%s: confirmed with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_PaymentStarted:
		c.check(Transitions, !o.onAccount && ch.PaymentStarted.PaymentDeadlineMicros >= o.deadline, "%s: the deadline goes from %d to %d", at(rec), o.deadline, ch.PaymentStarted.PaymentDeadlineMicros)
		o.deadline = ch.PaymentStarted.PaymentDeadlineMicros
	case *eventv1.OrderEvent_OrderReopened:
		o.status, o.deadline = "placed", ch.OrderReopened.PaymentDeadlineMicros
		c.check(Money, o.authorized-o.voided >= o.total, "%s: reopened with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_OrderCancelled:
		voided, refund := ch.OrderCancelled.VoidedMicros, ch.OrderCancelled.RefundDueMicros
		o.status = "cancelled"
		c.check(Money, voided == o.held() && refund == o.captured-o.refunded-o.refundDue,
			"%s: cancelled with %d voided and %d to refund, of %d held and %d captured", at(rec), voided, refund, o.held(), o.captured-o.refunded-o.refundDue)
		o.voided += voided
		o.refundDue += refund
		for _, l := range o.lines {
			c.check(Transitions, l.shipped == 0, "%s: cancelled after %d of %s had shipped", at(rec), l.shipped, l.sku)
		}
	case *eventv1.OrderEvent_OrderExpired:
		o.status = "expired"
		c.check(Money, ch.OrderExpired.VoidedMicros == o.held(), "%s: expired with %d voided of %d held", at(rec), ch.OrderExpired.VoidedMicros, o.held())
		o.voided += ch.OrderExpired.VoidedMicros
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
		c.check(Money, ch.PaymentAuthorized.AmountMicros > 0 && o.authorized-o.voided <= o.total, "%s: authorized %d of a total of %d", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_PaymentCaptured:
		o.captured += ch.PaymentCaptured.AmountMicros
		c.check(Money, ch.PaymentCaptured.AmountMicros > 0 && o.held() >= 0, "%s: captured %d of %d authorized", at(rec), o.captured, o.authorized-o.voided)
	case *eventv1.OrderEvent_PaymentVoided:
		o.voided += ch.PaymentVoided.AmountMicros
		c.check(Money, ch.PaymentVoided.AmountMicros > 0 && o.held() >= 0, "%s: voided %d, more than was held", at(rec), ch.PaymentVoided.AmountMicros)
	case *eventv1.OrderEvent_PaymentRefunded:
		o.refunded += ch.PaymentRefunded.AmountMicros
		o.refundDue = max(0, o.refundDue-ch.PaymentRefunded.AmountMicros)
		c.check(Money, ch.PaymentRefunded.AmountMicros > 0 && o.refunded <= o.captured, "%s: refunded %d of %d captured", at(rec), o.refunded, o.captured)
	}
}
