package orderview

import (
	"time"

	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// applyPayment folds events of payments, and sets the payment deadline.
func (o *Order) applyPayment(ev *eventv1.OrderEvent, e *Entry) {
	var amount int64
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		e.Reference = c.PaymentStarted.Reference
		o.setDeadline(c.PaymentStarted.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_OrderReopened:
		o.setDeadline(c.OrderReopened.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_PaymentAuthorized:
		amount, e.Reference = c.PaymentAuthorized.AmountMicros, c.PaymentAuthorized.Reference
		o.authorized += amount
		o.paymentFailed = false
		o.clearPaymentDue()
	case *eventv1.OrderEvent_PaymentCaptured:
		amount, e.Reference = c.PaymentCaptured.AmountMicros, c.PaymentCaptured.Reference
		o.captured += amount
		o.voided -= c.PaymentCaptured.UnvoidedMicros
		o.refundDue += c.PaymentCaptured.RefundDueMicros
		o.clearPaymentDue()
	case *eventv1.OrderEvent_PaymentVoided:
		amount, e.Reference = c.PaymentVoided.AmountMicros, c.PaymentVoided.Reference
		e.Reason = c.PaymentVoided.Reason
		o.voided += amount
	case *eventv1.OrderEvent_PaymentRefunded:
		amount, e.Reference = c.PaymentRefunded.AmountMicros, c.PaymentRefunded.Reference
		e.Reason = c.PaymentRefunded.Reason
		o.refunded += amount
		o.refundDue = max(0, o.refundDue-amount)
	case *eventv1.OrderEvent_PaymentFailed:
		e.Reference, e.Reason = c.PaymentFailed.Reference, c.PaymentFailed.Reason
		o.paymentFailed = true
	}
	if amount != 0 {
		e.Amount = o.amount(amount)
	}
}

func (o *Order) setDeadline(micros int64) {
	o.PaymentDeadline = ""
	if micros != 0 {
		o.PaymentDeadline = time.UnixMicro(micros).UTC().Format(time.RFC3339)
	}
}

// setTotals sets the subtotal, which is exact, and the total, which is rounded to the currency.
func (o *Order) setTotals(subtotal, total int64) {
	o.totalMicros = total
	o.Subtotal, o.Total = o.amount(subtotal), o.amount(total)
}

// owed is the order's total without the price of the goods that came back. The price of all of them together is
// rounded once.
func (o *Order) owed() int64 {
	returned := o.returned
	if c, ok := money.Lookup(o.Currency); ok {
		if rounded, err := c.Round(returned); err == nil {
			returned = rounded
		}
	}
	return max(0, o.totalMicros-returned)
}

// uncovered is what of the owed amount is neither captured nor authorized.
func (o *Order) uncovered() int64 {
	return max(0, o.owed()-(o.authorized-o.voided)+o.refunded+o.refundDue)
}

// clearPaymentDue ends that a payment is due for an amendment, once the whole order is covered.
func (o *Order) clearPaymentDue() { o.costsMore = o.costsMore && o.uncovered() > 0 }

func (o *Order) paymentStatus() string {
	authorized := o.authorized - o.voided
	switch {
	case o.refunded > 0 && o.refunded >= o.captured:
		return "refunded"
	case o.refunded > 0:
		return "partially_refunded"
	case o.captured > 0 && o.captured >= o.owed():
		return "captured"
	case o.captured > 0:
		return "partially_captured"
	case o.voided > 0 && authorized == 0:
		return "voided"
	case authorized > 0 && authorized >= o.owed():
		return "authorized"
	case o.paymentFailed:
		return "failed"
	}
	return "pending"
}
