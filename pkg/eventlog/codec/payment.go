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
			PaymentStarted: &eventv1.PaymentStarted{
				Reference: c.Reference, Provider: c.Provider, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
			}}
		return "holdfast.payment_started.v1"
	case order.PaymentAuthorized:
		e.Change = &eventv1.OrderEvent_PaymentAuthorizedV3{PaymentAuthorizedV3: &eventv1.PaymentAuthorizedV3{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Provider: c.Provider, MatchedMicros: c.MatchedMicros, VoidedMicros: c.VoidedMicros,
		}}
		return "holdfast.payment_authorized.v3"
	case order.PaymentCaptured:
		e.Change = &eventv1.OrderEvent_PaymentCapturedV3{PaymentCapturedV3: &eventv1.PaymentCapturedV3{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Provider: c.Provider, UnvoidedMicros: c.UnvoidedMicros,
			RefundDueMicros: c.RefundDueMicros, UnmatchedMicros: c.UnmatchedMicros,
		}}
		return "holdfast.payment_captured.v3"
	case order.PaymentVoided:
		e.Change = &eventv1.OrderEvent_PaymentVoidedV3{PaymentVoidedV3: &eventv1.PaymentVoidedV3{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Provider: c.Provider, Reason: c.Reason, UnmatchedMicros: c.UnmatchedMicros,
		}}
		return "holdfast.payment_voided.v3"
	case order.PaymentRefunded:
		e.Change = &eventv1.OrderEvent_PaymentRefundedV3{PaymentRefundedV3: &eventv1.PaymentRefundedV3{
			AmountMicros: c.AmountMicros, Reference: c.Reference, ProviderEventId: c.ProviderEventID,
			Provider: c.Provider, Reason: c.Reason, GoodwillMicros: c.GoodwillMicros,
			UnmatchedMicros: c.UnmatchedMicros, MatchedMicros: c.MatchedMicros,
		}}
		return "holdfast.payment_refunded.v3"
	case order.CoverLost:
		e.Change = &eventv1.OrderEvent_CoverLost{CoverLost: &eventv1.CoverLost{
			PaymentDueMicros: c.PaymentDueMicros, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
		}}
		return "holdfast.cover_lost.v1"
	case order.PaymentFailed:
		e.Change = &eventv1.OrderEvent_PaymentFailed{
			PaymentFailed: &eventv1.PaymentFailed{
				Reference: c.Reference, ProviderEventId: c.ProviderEventID, Provider: c.Provider, Reason: c.Reason,
			}}
		return "holdfast.payment_failed.v1"
	case order.PaymentIdentified:
		e.Change = &eventv1.OrderEvent_PaymentIdentified{PaymentIdentified: &eventv1.PaymentIdentified{
			Action: eventv1.PaymentAction(c.Action), Reference: c.Reference, AmountMicros: c.AmountMicros,
			ProviderEventId: c.ProviderEventID, Provider: c.Provider,
		}}
		return "holdfast.payment_identified.v1"
	}
	return ""
}

// readPayment is the inverse of setPayment.
func readPayment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		p := c.PaymentStarted
		return order.PaymentStarted{
			Reference: p.Reference, Provider: p.Provider, PaymentDeadlineMicros: p.PaymentDeadlineMicros,
		}
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		p := c.PaymentAuthorizedV3
		return order.PaymentAuthorized{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Provider: p.Provider, MatchedMicros: p.MatchedMicros, VoidedMicros: p.VoidedMicros,
		}
	case *eventv1.OrderEvent_PaymentCapturedV3:
		p := c.PaymentCapturedV3
		return order.PaymentCaptured{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Provider: p.Provider, UnvoidedMicros: p.UnvoidedMicros,
			RefundDueMicros: p.RefundDueMicros, UnmatchedMicros: p.UnmatchedMicros,
		}
	case *eventv1.OrderEvent_PaymentVoidedV3:
		p := c.PaymentVoidedV3
		return order.PaymentVoided{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Provider: p.Provider, Reason: p.Reason, UnmatchedMicros: p.UnmatchedMicros,
		}
	case *eventv1.OrderEvent_PaymentRefundedV3:
		p := c.PaymentRefundedV3
		return order.PaymentRefunded{
			AmountMicros: p.AmountMicros, Reference: p.Reference, ProviderEventID: p.ProviderEventId,
			Provider: p.Provider, Reason: p.Reason, GoodwillMicros: p.GoodwillMicros,
			UnmatchedMicros: p.UnmatchedMicros, MatchedMicros: p.MatchedMicros,
		}
	case *eventv1.OrderEvent_CoverLost:
		return order.CoverLost{
			PaymentDueMicros: c.CoverLost.PaymentDueMicros, PaymentDeadlineMicros: c.CoverLost.PaymentDeadlineMicros,
		}
	case *eventv1.OrderEvent_PaymentFailed:
		p := c.PaymentFailed
		return order.PaymentFailed{
			Reference: p.Reference, ProviderEventID: p.ProviderEventId, Provider: p.Provider, Reason: p.Reason,
		}
	case *eventv1.OrderEvent_PaymentIdentified:
		p := c.PaymentIdentified
		return order.PaymentIdentified{Payment: order.Payment{
			Action: order.PaymentAction(p.Action), Reference: p.Reference, AmountMicros: p.AmountMicros,
			ProviderEventID: p.ProviderEventId, Provider: p.Provider,
		}}
	}
	return nil
}
