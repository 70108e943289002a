package orderview

import (
	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// amend folds amendments: what is asked for, and what came of it. Their entries name the lines as they should be.
func (o *Order) amend(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_AmendmentRequested:
		e.Lines, e.Reason = amendedTo(c.AmendmentRequested.Lines), c.AmendmentRequested.Reason
	case *eventv1.OrderEvent_OrderAmended:
		e.Lines = amendedTo(c.OrderAmended.Lines)
		o.amended(c.OrderAmended)
	case *eventv1.OrderEvent_AmendmentDeclined:
		e.Short, e.Reason = short(c.AmendmentDeclined.Short), c.AmendmentDeclined.Reason
	}
}

func amendedTo(lines []*eventv1.AmendedLine) []LineQuantity {
	out := make([]LineQuantity, len(lines))
	for i, l := range lines {
		out[i] = LineQuantity{l.Sku, l.Quantity}
	}
	return out
}

func (o *Order) amended(e *eventv1.OrderAmended) {
	touched := map[string]bool{}
	for _, l := range e.Lines {
		touched[l.Sku] = true
		at := int(l.Line) - 1
		if at < 0 || at >= len(o.Lines) {
			at = len(o.Lines)
			o.Lines = append(o.Lines, Line{SKU: l.Sku})
		}
		to := &o.Lines[at]
		to.Quantity, to.UnitPrice, to.Amount = l.Quantity, money.Format(l.UnitPriceMicros), money.Format(l.Quantity*l.UnitPriceMicros)
	}
	for i := range o.Lines {
		if touched[o.Lines[i].SKU] {
			o.Lines[i].Backordered = 0 // what waits still is stated anew
		}
	}
	o.backorder(e.Backordered)
	o.totalMicros = e.TotalMicros
	o.Subtotal, o.Total = money.Format(e.SubtotalMicros), o.amount(e.TotalMicros)
	o.voided += e.VoidedMicros
	o.refundDue += e.RefundDueMicros
	o.costsMore = e.PaymentDueMicros > 0
}

// paidUp notes that nothing is due any more of what an amendment has added.
func (o *Order) paidUp() { o.costsMore = o.costsMore && o.uncovered() > 0 }
