package orderview

import (
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// applyAmendment folds an amendment: its request, and whether it was granted or declined. The lines of the timeline's
// entries are what the amended lines should be.
func (o *Order) applyAmendment(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_AmendmentRequestedV2:
		e.Lines, e.Reason = amendedQuantities(c.AmendmentRequestedV2.Lines), c.AmendmentRequestedV2.Reason
	case *eventv1.OrderEvent_OrderAmendedV2:
		e.Lines = amendedQuantities(c.OrderAmendedV2.Lines)
		o.amendLines(c.OrderAmendedV2)
	case *eventv1.OrderEvent_AmendmentDeclined:
		e.Short, e.Reason = short(c.AmendmentDeclined.Short), c.AmendmentDeclined.Reason
	}
}

func amendedQuantities(lines []*eventv1.AmendedLine) []LineQuantity {
	out := make([]LineQuantity, len(lines))
	for i, l := range lines {
		out[i] = LineQuantity{Line: l.Line, SKU: l.Sku, Quantity: l.Quantity}
	}
	return out
}

func (o *Order) amendLines(e *eventv1.OrderAmendedV2) {
	amended := map[string]bool{} // by SKU
	for _, l := range e.Lines {
		amended[l.Sku] = true
		at := int(l.Line) - 1
		if at < 0 || at >= len(o.Lines) {
			at = len(o.Lines)
			o.Lines = append(o.Lines, Line{Number: uint32(at) + 1, SKU: l.Sku})
		}
		line := &o.Lines[at]
		line.Quantity, line.UnitPrice = l.Quantity, o.amount(l.UnitPriceMicros)
		line.Amount = o.amount(l.Quantity * l.UnitPriceMicros)
		o.changeShares(line, l.DiscountMicros-l.FormerDiscountMicros, l.TaxMicros-l.FormerTaxMicros)
	}
	for i := range o.Lines {
		if amended[o.Lines[i].SKU] {
			o.Lines[i].Backordered = 0 // the event states all that is backordered of an amended SKU
		}
	}
	o.backorder(e.Backordered)
	o.credit(e.Charges, false)
	o.setTotals(e.SubtotalMicros, e.TotalMicros)
	o.voided += e.VoidedMicros
	o.due.amendment += e.RefundDueMicros
	o.underpaid = e.PaymentDueMicros > 0
}
