package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setReturn fills the change for goods that come back.
func setReturn(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.ReturnRequested:
		e.Change = &eventv1.OrderEvent_ReturnRequested{ReturnRequested: &eventv1.ReturnRequested{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_requested.v1"
	case order.ReturnReceived:
		e.Change = &eventv1.OrderEvent_ReturnReceivedV2{ReturnReceivedV2: &eventv1.ReturnReceivedV2{
			ReturnId: c.ReturnID, Lines: toReturned(c.Resellable, c.Damaged),
			RefundDueMicros: c.RefundDueMicros, VoidedMicros: c.VoidedMicros, Location: c.Location,
		}}
		return "holdfast.return_received.v2"
	case order.ReturnCancelled:
		e.Change = &eventv1.OrderEvent_ReturnCancelled{ReturnCancelled: &eventv1.ReturnCancelled{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_cancelled.v1"
	}
	return ""
}

// readReturn is the inverse of setReturn.
func readReturn(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequested:
		p := c.ReturnRequested
		return order.ReturnRequested{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	case *eventv1.OrderEvent_ReturnReceivedV2:
		return fromReturned(c.ReturnReceivedV2)
	case *eventv1.OrderEvent_ReturnCancelled:
		p := c.ReturnCancelled
		return order.ReturnCancelled{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	}
	return nil
}

// toReturned makes one list, with the condition on each line, of the domain's list for each condition.
func toReturned(resellable, damaged []order.PlaceLine) []*eventv1.ReturnedLine {
	n := len(resellable) + len(damaged)
	array, out := make([]eventv1.ReturnedLine, n), make([]*eventv1.ReturnedLine, n)
	for i := range out {
		v, l := &array[i], (*order.PlaceLine)(nil)
		if i < len(resellable) {
			l, v.Condition = &resellable[i], eventv1.Condition_CONDITION_RESELLABLE
		} else {
			l, v.Condition = &damaged[i-len(resellable)], eventv1.Condition_CONDITION_DAMAGED
		}
		v.Sku, v.Quantity, v.UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		out[i] = v
	}
	return out
}

// fromReturned is the inverse of toReturned; nil for an unknown condition.
func fromReturned(p *eventv1.ReturnReceivedV2) order.Event {
	e := order.ReturnReceived{ReturnID: p.ReturnId, RefundDueMicros: p.RefundDueMicros, VoidedMicros: p.VoidedMicros,
		Location: p.Location}
	for _, l := range p.Lines {
		line := order.PlaceLine{SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
		switch l.Condition {
		case eventv1.Condition_CONDITION_RESELLABLE:
			e.Resellable = append(e.Resellable, line)
		case eventv1.Condition_CONDITION_DAMAGED:
			e.Damaged = append(e.Damaged, line)
		default:
			return nil
		}
	}
	return e
}
