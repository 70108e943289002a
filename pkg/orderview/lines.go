package orderview

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Events name the lines of quantities by their numbers. Stock's answers name SKUs alone, and so do events from before
// lines had numbers; an order may have several lines of one SKU. So each change says in which order the lines get their
// share, and how much a line has room for.

// distribute gives quantities to the lines that they name, and the others to the lines of their SKUs, from the first
// line on. room is how much a line can get. It returns the quantities for the timeline.
func (o *Order) distribute(
	quantities []*eventv1.LineQuantity, room func(*Line) int64, give func(*Line, int64),
) []LineQuantity {
	for _, q := range quantities {
		left := q.Quantity
		for _, l := range o.linesOf(q.Line, q.Sku) {
			n := min(left, room(l))
			give(l, n)
			left -= n
		}
	}
	return lineQuantities(quantities)
}

// linesOf are the lines that a quantity may be of: the one of that number, then those of its SKU.
func (o *Order) linesOf(number uint32, sku string) (lines []*Line) {
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Number == number {
			lines = append(lines, l)
		}
	}
	for i := range o.Lines {
		if l := &o.Lines[i]; l.SKU == sku && l.Number != number {
			lines = append(lines, l)
		}
	}
	return lines
}

func lineQuantities(quantities []*eventv1.LineQuantity) (out []LineQuantity) {
	for _, q := range quantities {
		out = append(out, LineQuantity{Line: q.Line, SKU: q.Sku, Quantity: q.Quantity})
	}
	return out
}

// backorder marks units as backordered, from the last line of a SKU on: fill begins with the first.
func (o *Order) backorder(q []*eventv1.LineQuantity) []LineQuantity {
	slices.Reverse(o.Lines)
	defer slices.Reverse(o.Lines)
	return o.distribute(q,
		func(l *Line) int64 { return l.unshipped() - l.Backordered },
		func(l *Line, n int64) { l.Backordered += n })
}

// fill notes stock that has come for backordered units.
func (o *Order) fill(q []*eventv1.LineQuantity) []LineQuantity {
	return o.distribute(q,
		func(l *Line) int64 { return l.Backordered },
		func(l *Line, n int64) { l.Backordered -= n })
}

func (o *Order) ship(q []*eventv1.LineQuantity) []LineQuantity {
	lines := o.distribute(q, (*Line).unshipped, func(l *Line, n int64) { l.Shipped += n })
	for i := range o.Lines {
		o.Lines[i].Backordered = min(o.Lines[i].Backordered, o.Lines[i].unshipped())
	}
	o.Status = statusAfterShipment(o.Status, o.unshipped())
	return lines
}

func (o *Order) deliver(q []*eventv1.LineQuantity) []LineQuantity {
	return o.distribute(q,
		func(l *Line) int64 { return l.Shipped - l.Delivered },
		func(l *Line, n int64) { l.Delivered += n })
}

// failDelivery notes units that did not arrive: they are left to ship again, and wait until stock has them.
func (o *Order) failDelivery(d *eventv1.DeliveryFailed) (out []LineQuantity) {
	for _, q := range d.Lines {
		out = append(out, LineQuantity{
			Line: q.Line, SKU: q.Sku, Quantity: q.Quantity, Condition: schema.UndeliveredConditions.Word(q.Condition),
		})
		for i := range o.Lines {
			if l := &o.Lines[i]; l.Number == q.Line {
				l.Shipped -= q.Quantity
				l.Undelivered += q.Quantity
				l.Backordered += q.Quantity
				if q.Condition == eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_LOST {
					l.Lost += q.Quantity
				}
			}
		}
	}
	o.Status = statusAfterFailure(o.Status)
	return out
}

// reverseShipment notes units that never left: they are left to ship, and wait until stock has answered.
func (o *Order) reverseShipment(q []*eventv1.LineQuantity) []LineQuantity {
	o.Status = statusAfterFailure(o.Status)
	return o.distribute(q,
		func(l *Line) int64 { return l.Shipped - l.Delivered },
		func(l *Line, n int64) { l.Shipped -= n; l.Backordered += n })
}

// reverseDelivery notes units that have not arrived after all.
func (o *Order) reverseDelivery(q []*eventv1.LineQuantity) []LineQuantity {
	return o.distribute(q,
		func(l *Line) int64 { return l.Delivered - l.Returned },
		func(l *Line, n int64) { l.Delivered -= n })
}

// cancelLines cancels units: of the lines that are named, or from the last line of a SKU and price on.
func (o *Order) cancelLines(c *eventv1.LinesCancelledV2) []LineQuantity {
	var out []LineQuantity
	for _, cancelled := range c.Lines {
		out = append(out, LineQuantity{Line: cancelled.Line, SKU: cancelled.Sku, Quantity: cancelled.Quantity})
		left, price := cancelled.Quantity, o.amount(cancelled.UnitPriceMicros)
		for i := len(o.Lines) - 1; i >= 0 && left > 0; i-- {
			l := &o.Lines[i]
			if l.SKU != cancelled.Sku || l.UnitPrice != price || cancelled.Line != 0 && cancelled.Line != l.Number {
				continue
			}
			o.changeShares(l, -cancelled.DiscountMicros, -cancelled.TaxMicros) // those of before lines had numbers have none
			n := min(left, l.unshipped())
			l.Cancelled += n
			l.Backordered = max(0, l.Backordered-n)
			left -= n
		}
	}
	o.credit(c.Charges, false)
	o.setTotals(c.SubtotalMicros, c.TotalMicros)
	o.voided += c.VoidedMicros
	o.due.cancellation += c.RefundDueMicros
	o.clearPaymentDue()
	if o.unshipped() == 0 {
		o.Status = statusCompleted
	}
	return out
}

// endLines ends what has not shipped, when the order ends: nothing is backordered any more.
func (o *Order) endLines(end func(*Line)) {
	o.underpaid = false // nobody waits for it any more
	for i := range o.Lines {
		o.Lines[i].Backordered = 0
		end(&o.Lines[i])
	}
}

// unshipped is what is still to ship of a line.
func (l *Line) unshipped() int64 { return l.Quantity - l.Cancelled - l.Shipped }

// unshipped is what is still to ship of all lines.
func (o *Order) unshipped() (units int64) {
	for i := range o.Lines {
		units += o.Lines[i].unshipped()
	}
	return units
}
