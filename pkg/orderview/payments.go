package orderview

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// applyPayment folds events of payments, and sets the payment deadline.
func (o *Order) applyPayment(ev *eventv1.OrderEvent, e *Entry) {
	var amount int64
	e.Provider = providerOf(ev)
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		e.Reference = c.PaymentStarted.Reference
		o.setDeadline(c.PaymentStarted.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_OrderReopened:
		o.setDeadline(c.OrderReopened.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		p := c.PaymentAuthorizedV3
		amount, e.Reference, e.ProviderEventID = p.AmountMicros, p.Reference, p.ProviderEventId
		o.authorized += amount - p.MatchedMicros
		o.voided += p.VoidedMicros
		o.match("capture", p.Reference, p.Provider, p.MatchedMicros)
		o.match("void", p.Reference, p.Provider, p.VoidedMicros)
		o.paymentFailed = false
		o.clearPaymentDue()
	case *eventv1.OrderEvent_PaymentCapturedV3:
		p := c.PaymentCapturedV3
		amount, e.Reference, e.ProviderEventID = p.AmountMicros, p.Reference, p.ProviderEventId
		o.captured += amount
		o.authorized += p.UnmatchedMicros
		o.voided -= p.UnvoidedMicros
		o.due.overpayment += p.RefundDueMicros
		o.keepUnmatched("capture", p.Reference, p.Provider, p.UnmatchedMicros)
		o.clearPaymentDue()
	case *eventv1.OrderEvent_PaymentVoidedV3:
		p := c.PaymentVoidedV3
		amount, e.Reference, e.Reason = p.AmountMicros+p.UnmatchedMicros, p.Reference, p.Reason
		e.ProviderEventID = p.ProviderEventId
		o.voided += p.AmountMicros
		o.keepUnmatched("void", p.Reference, p.Provider, p.UnmatchedMicros)
	case *eventv1.OrderEvent_PaymentRefundedV3:
		p := c.PaymentRefundedV3
		amount, e.Reference, e.Reason = p.AmountMicros+p.UnmatchedMicros, p.Reference, p.Reason
		e.ProviderEventID = p.ProviderEventId
		o.refunded += p.AmountMicros
		o.goodwill += p.GoodwillMicros
		o.due.pay(p.AmountMicros - p.GoodwillMicros)
		o.keepUnmatched("refund", p.Reference, p.Provider, p.UnmatchedMicros)
		o.match("refund", p.Reference, p.Provider, p.MatchedMicros)
	case *eventv1.OrderEvent_CoverLost:
		amount = c.CoverLost.PaymentDueMicros
		o.underpaid = true
		o.setDeadline(c.CoverLost.PaymentDeadlineMicros)
	case *eventv1.OrderEvent_PaymentFailed:
		e.Reference, e.Reason = c.PaymentFailed.Reference, c.PaymentFailed.Reason
		e.ProviderEventID = c.PaymentFailed.ProviderEventId
		o.paymentFailed = true
	case *eventv1.OrderEvent_PaymentIdentified:
		p := c.PaymentIdentified
		amount, e.Reference, e.ProviderEventID = p.AmountMicros, p.Reference, p.ProviderEventId
		e.PaymentAction = schema.PaymentActions.Word(p.Action)
	}
	if amount != 0 {
		e.Amount = o.amount(amount)
	}
}

// providerOf is the name of the payment provider, where an event has it.
func providerOf(ev *eventv1.OrderEvent) string {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		return c.PaymentStarted.Provider
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		return c.PaymentAuthorizedV3.Provider
	case *eventv1.OrderEvent_PaymentCapturedV3:
		return c.PaymentCapturedV3.Provider
	case *eventv1.OrderEvent_PaymentVoidedV3:
		return c.PaymentVoidedV3.Provider
	case *eventv1.OrderEvent_PaymentRefundedV3:
		return c.PaymentRefundedV3.Provider
	case *eventv1.OrderEvent_PaymentFailed:
		return c.PaymentFailed.Provider
	case *eventv1.OrderEvent_PaymentIdentified:
		return c.PaymentIdentified.Provider
	}
	return ""
}

func (o *Order) setDeadline(micros int64) {
	o.PaymentDeadline, o.deadline = "", time.Time{}
	if micros != 0 {
		o.deadline = time.UnixMicro(micros).UTC()
		o.PaymentDeadline = o.deadline.Format(time.RFC3339)
	}
}

// setTotals sets the subtotal, which is exact, and the total, which is rounded to the currency.
func (o *Order) setTotals(subtotal, total int64) {
	o.totalMicros = total
	o.Subtotal, o.Total = o.amount(subtotal), o.amount(total)
}

// owed is the order's total without goodwill and what the goods that came back had cost. The prices of all of them
// together are rounded once.
func (o *Order) owed() int64 {
	if o.returnedCost > 0 {
		return max(0, o.totalMicros-o.returnedCost-o.goodwill)
	}
	returned := o.returned
	if c, ok := money.Lookup(o.Currency); ok {
		if rounded, err := c.Round(returned); err == nil {
			returned = rounded
		}
	}
	return max(0, o.totalMicros-returned-o.goodwill)
}

// uncovered is what of the owed amount is neither captured nor authorized.
func (o *Order) uncovered() int64 {
	return max(0, o.owed()-(o.authorized-o.voided)+o.refunded+o.due.sum())
}

// clearPaymentDue ends that a payment is due, once the whole order is covered.
func (o *Order) clearPaymentDue() { o.underpaid = o.underpaid && o.uncovered() > 0 }

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
	case o.totalMicros == 0:
		return "not_required"
	case o.paymentFailed:
		return "failed"
	}
	return "pending"
}
