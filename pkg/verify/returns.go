package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// foldReturn folds goods that come back, and the money that is due for them.
func (c *checker) foldReturn(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequestedV2:
		r := ch.ReturnRequestedV2
		_, again := o.returns[r.ReturnId]
		c.check(Transitions, !again && r.ReturnId != "" && units(r.Lines) > 0,
			"%s: return %q is there already, or of nothing", at(rec), r.ReturnId)
		if o.returns == nil {
			o.returns = map[string]int64{}
		}
		o.returns[r.ReturnId] = units(r.Lines)
		c.checkReturnRequest(rec, o)
	case *eventv1.OrderEvent_ReturnReceivedV3:
		c.foldReturnReceived(rec, o, ch.ReturnReceivedV3)
	case *eventv1.OrderEvent_ReturnCancelledV2:
		r := ch.ReturnCancelledV2
		left, ok := o.returns[r.ReturnId]
		c.check(Transitions, ok && left > 0 && units(r.Lines) == left,
			"%s: gives up %d units of return %q, of which %d are to come", at(rec), units(r.Lines), r.ReturnId, left)
		if ok {
			o.returns[r.ReturnId] = 0
		}
	}
}

// checkReturnRequest checks that no more is to come back, in all returns, than was delivered and has not come back.
func (c *checker) checkReturnRequest(rec *eventlog.Record, o *order) {
	var there, requested int64
	for _, l := range o.lines {
		there += l.delivered - l.returned
	}
	for _, left := range o.returns {
		requested += left
	}
	c.check(Transitions, requested <= there,
		"%s: %d units are to come back of %d that were delivered", at(rec), requested, there)
}

func (c *checker) foldReturnReceived(rec *eventlog.Record, o *order, r *eventv1.ReturnReceivedV3) {
	left, ok := o.returns[r.ReturnId]
	var came int64
	for _, back := range r.Lines {
		if n := c.named(rec, o, back.Line, back.Sku); n != nil {
			c.checkShares(rec, n, back.Quantity, back.DiscountMicros, back.TaxMicros)
			n.returned += back.Quantity
			n.returnedDiscount += back.DiscountMicros
			n.returnedTax += back.TaxMicros
			c.checkNumbered(rec, n, back.UnitPriceMicros)
		}
		l := o.line(back.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: %s came back, which was not ordered", at(rec), back.Sku)
			continue
		}
		came += back.Quantity
		o.costs.addReturned(back.Line, back.Quantity*back.UnitPriceMicros, back.DiscountMicros, back.TaxMicros)
		l.returned += back.Quantity
		switch back.Condition {
		case eventv1.Condition_CONDITION_RESELLABLE:
		case eventv1.Condition_CONDITION_DAMAGED:
			l.damaged += back.Quantity
		default:
			c.check(Transitions, false, "%s: %s came back in condition %v", at(rec), back.Sku, back.Condition)
		}
		c.check(Transitions, back.Quantity > 0 && l.returned <= l.delivered,
			"%s: %d of %s came back, %d were delivered", at(rec), l.returned, l.sku, l.delivered)
	}
	o.credit(r.Charges, true)
	c.check(Money, r.ReturnedMicros == 0 || r.ReturnedMicros == o.costs.rounded(o.currency, true),
		"%s: %d is said to have come back, it should be %d", at(rec), r.ReturnedMicros,
		o.costs.rounded(o.currency, true))
	c.check(Transitions, ok && came > 0 && came <= left,
		"%s: %d units of return %q came, of which %d were to come", at(rec), came, r.ReturnId, left)
	if ok {
		o.returns[r.ReturnId] = left - came
	}
	c.foldExcess(rec, o, r.VoidedMicros, r.RefundDueMicros)
}
