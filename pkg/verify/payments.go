package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
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
		c.check(Transitions, !o.onAccount && ch.PaymentStarted.PaymentDeadlineMicros >= o.deadline,
			"%s: the deadline goes from %d to %d", at(rec), o.deadline, ch.PaymentStarted.PaymentDeadlineMicros)
		o.deadline = ch.PaymentStarted.PaymentDeadlineMicros
	case *eventv1.OrderEvent_OrderReopened:
		o.status, o.deadline = "placed", ch.OrderReopened.PaymentDeadlineMicros
		c.check(Money, o.uncovered() == 0 && o.captured == 0,
			"%s: reopened with %d of %d authorized", at(rec), o.authorized-o.voided, o.total)
	case *eventv1.OrderEvent_OrderCancelled:
		o.status = "cancelled"
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

// foldAmount folds events that move money.
func (c *checker) foldAmount(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentAuthorized:
		o.authorized += ch.PaymentAuthorized.AmountMicros
		c.check(Money, ch.PaymentAuthorized.AmountMicros > 0 && o.paid()+o.uncaptured() <= o.owed(),
			"%s: %d are paid and authorized of %d", at(rec), o.paid()+o.uncaptured(), o.owed())
	case *eventv1.OrderEvent_PaymentCaptured:
		c.foldCapture(rec, o, ch.PaymentCaptured)
	case *eventv1.OrderEvent_PaymentVoided:
		o.voided += ch.PaymentVoided.AmountMicros
		c.check(Money, ch.PaymentVoided.AmountMicros > 0 && o.uncaptured() >= 0,
			"%s: voided %d, more than was held", at(rec), ch.PaymentVoided.AmountMicros)
	case *eventv1.OrderEvent_PaymentRefunded:
		o.refunded += ch.PaymentRefunded.AmountMicros
		o.refundDue = max(0, o.refundDue-ch.PaymentRefunded.AmountMicros)
		c.check(Money, ch.PaymentRefunded.AmountMicros > 0 && o.refunded <= o.captured,
			"%s: refunded %d of %d captured", at(rec), o.refunded, o.captured)
	}
}

// foldCapture folds money that a provider has captured. It may capture what was voided before, which is then voided no
// more, and what nobody has to pay, which is due for refund.
func (c *checker) foldCapture(rec *eventlog.Record, o *order, p *eventv1.PaymentCaptured) {
	c.check(Money, p.UnvoidedMicros == max(0, p.AmountMicros-o.uncaptured()),
		"%s: captured %d with %d held, %d are said to have been voided",
		at(rec), p.AmountMicros, o.uncaptured(), p.UnvoidedMicros)
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
