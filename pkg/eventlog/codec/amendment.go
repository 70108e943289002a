package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setAmendment fills the change for other quantities and prices.
func setAmendment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.LinesCancelled:
		e.Change = &eventv1.OrderEvent_LinesCancelledV2{LinesCancelledV2: &eventv1.LinesCancelledV2{
			Lines: toCancelled(c.Lines), Reason: c.Reason, SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.lines_cancelled.v2"
	case order.AmendmentRequested:
		e.Change = &eventv1.OrderEvent_AmendmentRequested{
			AmendmentRequested: &eventv1.AmendmentRequested{Lines: toAmended(c.Lines), Reason: c.Reason}}
		return "holdfast.amendment_requested.v1"
	case order.OrderAmended:
		e.Change = &eventv1.OrderEvent_OrderAmended{OrderAmended: &eventv1.OrderAmended{
			Lines: toAmended(c.Lines), Backordered: toQuantities(c.Backordered),
			SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros, PaymentDueMicros: c.PaymentDueMicros,
		}}
		return "holdfast.order_amended.v1"
	case order.AmendmentDeclined:
		e.Change = &eventv1.OrderEvent_AmendmentDeclined{
			AmendmentDeclined: &eventv1.AmendmentDeclined{Short: toShort(c.Short), Reason: c.Reason}}
		return "holdfast.amendment_declined.v1"
	}
	return ""
}

// readAmendment is the inverse of setAmendment.
func readAmendment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_LinesCancelledV2:
		p := c.LinesCancelledV2
		return order.LinesCancelled{
			Lines: fromCancelled(p.Lines), Reason: p.Reason, SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros,
		}
	case *eventv1.OrderEvent_AmendmentRequested:
		return order.AmendmentRequested{Lines: fromAmended(c.AmendmentRequested.Lines), Reason: c.AmendmentRequested.Reason}
	case *eventv1.OrderEvent_OrderAmended:
		p := c.OrderAmended
		return order.OrderAmended{
			Lines: fromAmended(p.Lines), Backordered: fromQuantities(p.Backordered),
			SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros, PaymentDueMicros: p.PaymentDueMicros,
		}
	case *eventv1.OrderEvent_AmendmentDeclined:
		return order.AmendmentDeclined{Short: fromShort(c.AmendmentDeclined.Short), Reason: c.AmendmentDeclined.Reason}
	}
	return nil
}

func toCancelled(lines []order.CancelledLine) []*eventv1.CancelledLine {
	return messages(lines, func(m *eventv1.CancelledLine, l *order.CancelledLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
	})
}

func fromCancelled(lines []*eventv1.CancelledLine) []order.CancelledLine {
	return values(lines, func(l *eventv1.CancelledLine) order.CancelledLine {
		return order.CancelledLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
		}
	})
}

func toAmended(lines []order.AmendedLine) []*eventv1.AmendedLine {
	return messages(lines, func(m *eventv1.AmendedLine, l *order.AmendedLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		m.FormerQuantity, m.FormerUnitPriceMicros = l.FormerQuantity, l.FormerUnitPriceMicros
	})
}

func fromAmended(lines []*eventv1.AmendedLine) []order.AmendedLine {
	return values(lines, func(l *eventv1.AmendedLine) order.AmendedLine {
		return order.AmendedLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			FormerQuantity: l.FormerQuantity, FormerUnitPriceMicros: l.FormerUnitPriceMicros,
		}
	})
}
