package codec

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setReturn fills the change for goods that come back.
func setReturn(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.ReturnRequested:
		e.Change = &eventv1.OrderEvent_ReturnRequestedV2{ReturnRequestedV2: &eventv1.ReturnRequestedV2{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_requested.v2"
	case order.ReturnReceived:
		e.Change = &eventv1.OrderEvent_ReturnReceivedV3{ReturnReceivedV3: &eventv1.ReturnReceivedV3{
			ReturnId: c.ReturnID, Lines: toReceived(c.Lines),
			RefundDueMicros: c.RefundDueMicros, VoidedMicros: c.VoidedMicros, Location: c.Location,
			Charges: toCredits(c.Charges), ReturnedMicros: c.ReturnedMicros,
		}}
		return "holdfast.return_received.v3"
	case order.ReturnCancelled:
		e.Change = &eventv1.OrderEvent_ReturnCancelledV2{ReturnCancelledV2: &eventv1.ReturnCancelledV2{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_cancelled.v2"
	}
	return ""
}

// readReturn is the inverse of setReturn.
func readReturn(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequestedV2:
		p := c.ReturnRequestedV2
		return order.ReturnRequested{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	case *eventv1.OrderEvent_ReturnReceivedV3:
		p := c.ReturnReceivedV3
		if slices.ContainsFunc(p.Lines, unknownCondition) {
			return nil
		}
		return order.ReturnReceived{
			ReturnID: p.ReturnId, Lines: fromReceived(p.Lines),
			RefundDueMicros: p.RefundDueMicros, VoidedMicros: p.VoidedMicros, Location: p.Location,
			Charges: fromCredits(p.Charges), ReturnedMicros: p.ReturnedMicros,
		}
	case *eventv1.OrderEvent_ReturnCancelledV2:
		p := c.ReturnCancelledV2
		return order.ReturnCancelled{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	}
	return nil
}

func unknownCondition(l *eventv1.ReturnedLine) bool {
	return l.Condition != eventv1.Condition_CONDITION_RESELLABLE && l.Condition != eventv1.Condition_CONDITION_DAMAGED
}

func toReceived(lines []order.ReceivedLine) []*eventv1.ReturnedLine {
	return messages(lines, func(m *eventv1.ReturnedLine, l *order.ReceivedLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		m.Condition = eventv1.Condition(l.Condition)
		m.DiscountMicros, m.TaxMicros = l.DiscountMicros, l.TaxMicros
	})
}

func fromReceived(lines []*eventv1.ReturnedLine) []order.ReceivedLine {
	return values(lines, func(l *eventv1.ReturnedLine) order.ReceivedLine {
		return order.ReceivedLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			Condition: order.Condition(l.Condition), DiscountMicros: l.DiscountMicros, TaxMicros: l.TaxMicros,
		}
	})
}
