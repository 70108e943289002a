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
		e.Change = &eventv1.OrderEvent_PaymentAuthorizedV2{PaymentAuthorizedV2: &eventv1.PaymentAuthorizedV2{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			MatchedMicros: c.MatchedMicros,
			VoidedMicros:  c.VoidedMicros,
		}}
		return "holdfast.payment_authorized.v2"
	case order.PaymentCaptured:
		e.Change = &eventv1.OrderEvent_PaymentCapturedV2{PaymentCapturedV2: &eventv1.PaymentCapturedV2{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			UnvoidedMicros:  c.UnvoidedMicros,
			RefundDueMicros: c.RefundDueMicros, UnmatchedMicros: c.UnmatchedMicros,
		}}
		return "holdfast.payment_captured.v2"
	case order.PaymentVoided:
		e.Change = &eventv1.OrderEvent_PaymentVoidedV2{PaymentVoidedV2: &eventv1.PaymentVoidedV2{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Reason: c.Reason, UnmatchedMicros: c.UnmatchedMicros,
		}}
		return "holdfast.payment_voided.v2"
	case order.PaymentRefunded:
		e.Change = &eventv1.OrderEvent_PaymentRefundedV2{PaymentRefundedV2: &eventv1.PaymentRefundedV2{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Reason: c.Reason, GoodwillMicros: c.GoodwillMicros,
			UnmatchedMicros: c.UnmatchedMicros, MatchedMicros: c.MatchedMicros,
		}}
		return "holdfast.payment_refunded.v2"
	case order.CoverLost:
		e.Change = &eventv1.OrderEvent_CoverLost{CoverLost: &eventv1.CoverLost{
			PaymentDueMicros: c.PaymentDueMicros, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
		}}
		return "holdfast.cover_lost.v1"
	case order.PaymentFailed:
		e.Change = &eventv1.OrderEvent_PaymentFailed{
			PaymentFailed: &eventv1.PaymentFailed{
				Reference: c.Reference, ProviderEventId: c.ProviderEventID, Reason: c.Reason,
			}}
		return "holdfast.payment_failed.v1"
	case order.PaymentIdentified:
		e.Change = &eventv1.OrderEvent_PaymentIdentified{PaymentIdentified: &eventv1.PaymentIdentified{
			Action: eventv1.PaymentAction(c.Action), Reference: c.Reference, AmountMicros: c.AmountMicros,
			ProviderEventId: c.ProviderEventID,
		}}
		return "holdfast.payment_identified.v1"
	}
	return ""
}

// readPayment is the inverse of setPayment.
func readPayment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		return order.PaymentStarted{Reference: c.PaymentStarted.Reference,
			PaymentDeadlineMicros: c.PaymentStarted.PaymentDeadlineMicros}
	case *eventv1.OrderEvent_PaymentAuthorizedV2:
		p := c.PaymentAuthorizedV2
		return order.PaymentAuthorized{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			MatchedMicros: p.MatchedMicros,
			VoidedMicros:  p.VoidedMicros,
		}
	case *eventv1.OrderEvent_PaymentCapturedV2:
		p := c.PaymentCapturedV2
		return order.PaymentCaptured{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			UnvoidedMicros:  p.UnvoidedMicros,
			RefundDueMicros: p.RefundDueMicros, UnmatchedMicros: p.UnmatchedMicros,
		}
	case *eventv1.OrderEvent_PaymentVoidedV2:
		p := c.PaymentVoidedV2
		return order.PaymentVoided{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Reason: p.Reason, UnmatchedMicros: p.UnmatchedMicros,
		}
	case *eventv1.OrderEvent_PaymentRefundedV2:
		p := c.PaymentRefundedV2
		return order.PaymentRefunded{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Reason: p.Reason, GoodwillMicros: p.GoodwillMicros,
			UnmatchedMicros: p.UnmatchedMicros, MatchedMicros: p.MatchedMicros,
		}
	case *eventv1.OrderEvent_CoverLost:
		return order.CoverLost{
			PaymentDueMicros: c.CoverLost.PaymentDueMicros, PaymentDeadlineMicros: c.CoverLost.PaymentDeadlineMicros,
		}
	case *eventv1.OrderEvent_PaymentFailed:
		p := c.PaymentFailed
		return order.PaymentFailed{Reference: p.Reference, ProviderEventID: p.ProviderEventId, Reason: p.Reason}
	case *eventv1.OrderEvent_PaymentIdentified:
		p := c.PaymentIdentified
		return order.PaymentIdentified{Payment: order.Payment{
			Action: order.PaymentAction(p.Action), Reference: p.Reference, AmountMicros: p.AmountMicros,
			ProviderEventID: p.ProviderEventId,
		}}
	}
	return nil
}
