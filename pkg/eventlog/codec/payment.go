package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setPayment fills the change for money.
func setPayment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.PaymentStarted:
		e.Change = &eventv1.OrderEvent_PaymentStarted{
			PaymentStarted: &eventv1.PaymentStarted{Reference: c.Reference, PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.payment_started.v1"
	case order.PaymentAuthorized:
		e.Change = &eventv1.OrderEvent_PaymentAuthorized{
			PaymentAuthorized: &eventv1.PaymentAuthorized{AmountMicros: c.AmountMicros, Reference: c.Reference}}
		return "holdfast.payment_authorized.v1"
	case order.PaymentCaptured:
		e.Change = &eventv1.OrderEvent_PaymentCaptured{PaymentCaptured: &eventv1.PaymentCaptured{
			AmountMicros: c.AmountMicros, Reference: c.Reference, UnvoidedMicros: c.UnvoidedMicros,
			RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.payment_captured.v1"
	case order.PaymentVoided:
		e.Change = &eventv1.OrderEvent_PaymentVoided{
			PaymentVoided: &eventv1.PaymentVoided{AmountMicros: c.AmountMicros, Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_voided.v1"
	case order.PaymentRefunded:
		e.Change = &eventv1.OrderEvent_PaymentRefunded{
			PaymentRefunded: &eventv1.PaymentRefunded{AmountMicros: c.AmountMicros, Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_refunded.v1"
	case order.PaymentFailed:
		e.Change = &eventv1.OrderEvent_PaymentFailed{
			PaymentFailed: &eventv1.PaymentFailed{Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_failed.v1"
	}
	return ""
}

// readPayment is the inverse of setPayment.
func readPayment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		return order.PaymentStarted{Reference: c.PaymentStarted.Reference,
			PaymentDeadlineMicros: c.PaymentStarted.PaymentDeadlineMicros}
	case *eventv1.OrderEvent_PaymentAuthorized:
		return order.PaymentAuthorized{AmountMicros: c.PaymentAuthorized.AmountMicros,
			Reference: c.PaymentAuthorized.Reference}
	case *eventv1.OrderEvent_PaymentCaptured:
		p := c.PaymentCaptured
		return order.PaymentCaptured{
			AmountMicros: p.AmountMicros, Reference: p.Reference, UnvoidedMicros: p.UnvoidedMicros,
			RefundDueMicros: p.RefundDueMicros,
		}
	case *eventv1.OrderEvent_PaymentVoided:
		p := c.PaymentVoided
		return order.PaymentVoided{AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason}
	case *eventv1.OrderEvent_PaymentRefunded:
		p := c.PaymentRefunded
		return order.PaymentRefunded{AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason}
	case *eventv1.OrderEvent_PaymentFailed:
		return order.PaymentFailed{Reference: c.PaymentFailed.Reference, Reason: c.PaymentFailed.Reason}
	}
	return nil
}
