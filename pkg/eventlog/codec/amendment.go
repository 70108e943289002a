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
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros, Charges: toCredits(c.Charges),
		}}
		return "holdfast.lines_cancelled.v2"
	case order.AmendmentRequested:
		e.Change = &eventv1.OrderEvent_AmendmentRequestedV2{
			AmendmentRequestedV2: &eventv1.AmendmentRequestedV2{
				Lines: toAmended(c.Lines), Reason: c.Reason, Charges: toCredits(c.Charges),
			}}
		return "holdfast.amendment_requested.v2"
	case order.OrderAmended:
		e.Change = &eventv1.OrderEvent_OrderAmendedV2{OrderAmendedV2: &eventv1.OrderAmendedV2{
			Lines: toAmended(c.Lines), Backordered: toQuantities(c.Backordered),
			SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros, PaymentDueMicros: c.PaymentDueMicros,
			Charges: toCredits(c.Charges),
		}}
		return "holdfast.order_amended.v2"
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
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros, Charges: fromCredits(p.Charges),
		}
	case *eventv1.OrderEvent_AmendmentRequestedV2:
		p := c.AmendmentRequestedV2
		return order.AmendmentRequested{
			Lines: fromAmended(p.Lines), Reason: p.Reason, Charges: fromCredits(p.Charges),
		}
	case *eventv1.OrderEvent_OrderAmendedV2:
		p := c.OrderAmendedV2
		return order.OrderAmended{
			Lines: fromAmended(p.Lines), Backordered: fromQuantities(p.Backordered),
			SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros, PaymentDueMicros: p.PaymentDueMicros,
			Charges: fromCredits(p.Charges),
		}
	case *eventv1.OrderEvent_AmendmentDeclined:
		return order.AmendmentDeclined{Short: fromShort(c.AmendmentDeclined.Short), Reason: c.AmendmentDeclined.Reason}
	}
	return nil
}

func toCancelled(lines []order.CancelledLine) []*eventv1.CancelledLine {
	return messages(lines, func(m *eventv1.CancelledLine, l *order.CancelledLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		m.DiscountMicros, m.TaxMicros = l.DiscountMicros, l.TaxMicros
	})
}

func fromCancelled(lines []*eventv1.CancelledLine) []order.CancelledLine {
	return values(lines, func(l *eventv1.CancelledLine) order.CancelledLine {
		return order.CancelledLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			DiscountMicros: l.DiscountMicros, TaxMicros: l.TaxMicros,
		}
	})
}

func toAmended(lines []order.AmendedLine) []*eventv1.AmendedLine {
	return messages(lines, func(m *eventv1.AmendedLine, l *order.AmendedLine) {
		m.Line, m.Sku, m.Quantity, m.UnitPriceMicros = uint32(l.Line), l.SKU, l.Quantity, l.UnitPriceMicros
		m.FormerQuantity, m.FormerUnitPriceMicros = l.FormerQuantity, l.FormerUnitPriceMicros
		m.DiscountMicros, m.FormerDiscountMicros = l.DiscountMicros, l.FormerDiscountMicros
		m.TaxMicros, m.FormerTaxMicros = l.TaxMicros, l.FormerTaxMicros
	})
}

func fromAmended(lines []*eventv1.AmendedLine) []order.AmendedLine {
	return values(lines, func(l *eventv1.AmendedLine) order.AmendedLine {
		return order.AmendedLine{
			Line: int32(l.Line), SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			FormerQuantity: l.FormerQuantity, FormerUnitPriceMicros: l.FormerUnitPriceMicros,
			DiscountMicros: l.DiscountMicros, FormerDiscountMicros: l.FormerDiscountMicros,
			TaxMicros: l.TaxMicros, FormerTaxMicros: l.FormerTaxMicros,
		}
	})
}
