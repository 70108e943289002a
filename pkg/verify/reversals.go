package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// foldShipmentReversed folds a shipment that was taken back, all of it, before anything of it arrived or failed to
// (ORD-79). Its goods are left to ship.
func (c *checker) foldShipmentReversed(rec *eventlog.Record, o *order, r *eventv1.ShipmentReversed) {
	f, ok := o.fulfilments[r.FulfilmentId]
	arrived := slices.ContainsFunc(f.undelivered, func(u undelivered) bool { return u.delivered > 0 })
	c.check(Transitions, ok && !f.pending && !f.reversed && !f.failed && !arrived && f.isAll(r.Lines),
		"%s: %v of shipment %q is taken back, which is %+v", at(rec), r.Lines, r.FulfilmentId, f)
	if ok {
		f.reversed, f.undelivered = true, nil
		o.fulfilments[r.FulfilmentId] = f
	}
	for _, q := range r.Lines {
		n := c.named(rec, o, q.Line, q.Sku)
		if n != nil {
			n.shipped -= q.Quantity
			n.backordered += q.Quantity
			c.checkNumbered(rec, n, n.price)
		}
		if l := o.line(q.Sku); l != nil {
			l.shipped -= q.Quantity
			l.reversed += q.Quantity
			l.backordered += q.Quantity
			c.check(Transitions, q.Quantity > 0 && l.shipped >= l.delivered,
				"%s: %d of %s never left; %d are shipped then, and %d delivered",
				at(rec), q.Quantity, l.sku, l.shipped, l.delivered)
		}
	}
	if o.status == "completed" {
		o.status = "confirmed"
	}
}

// isAll reports whether lines are all that a shipment has, line by line. Lines of old shipments have no numbers.
func (f fulfilment) isAll(lines []*eventv1.LineQuantity) bool {
	left := slices.Clone(f.undelivered)
	for _, q := range lines {
		missing := q.Quantity
		for i := range left {
			if left[i].is(q) {
				n := min(missing, left[i].units)
				left[i].units -= n
				missing -= n
			}
		}
		if missing != 0 || q.Quantity <= 0 {
			return false
		}
	}
	return !slices.ContainsFunc(left, func(u undelivered) bool { return u.units != 0 })
}

// checkReversed checks what a step says of shipments that were taken back: their quantity grows by what came back for
// the reason correction, and to a location comes back at most what left it (INV-69).
func (c *checker) checkReversed(rec *eventlog.Record, r *reservation, ch *eventv1.StockRestocked) {
	var reversed int64
	for _, shipment := range ch.Reversed {
		reversed += shipment.Quantity
	}
	if ch.Reason != eventv1.Reason_REASON_CORRECTION {
		c.check(Conserved, reversed == r.reversed,
			"%s: says that %d were taken back, which are %d", at(rec), reversed, r.reversed)
		return
	}
	c.check(Conserved, reversed-r.reversed == ch.Quantity && len(ch.Damaged) == 0,
		"%s: %d come back of shipments, of which %d were taken back before, and %d are now",
		at(rec), ch.Quantity, r.reversed, reversed)
	r.reversed = reversed
	if r.rule == nil {
		return // the units of such orders are not followed
	}
	for _, a := range ch.Allocations {
		u, known := r.byLocation[a.Location]
		c.check(Conserved, u.reversed+a.Quantity <= u.shipped,
			"%s: %d come back to %s of shipments, to which %d came back before of the %d that left it",
			at(rec), a.Quantity, a.Location, u.reversed, u.shipped)
		if u.reversed += a.Quantity; known {
			r.byLocation[a.Location] = u
		}
	}
}

// foldDeliveryReversed folds a delivery that was taken back, of units that did not come back (ORD-81).
func (c *checker) foldDeliveryReversed(rec *eventlog.Record, o *order, d *eventv1.DeliveryReversed) {
	f, ok := o.fulfilments[d.FulfilmentId]
	c.check(Transitions, ok && len(d.Lines) > 0,
		"%s: %d lines of %q have not arrived after all, which has not shipped", at(rec), len(d.Lines), d.FulfilmentId)
	for _, q := range d.Lines {
		i := slices.IndexFunc(f.undelivered, func(u undelivered) bool { return u.is(q) })
		c.check(Transitions, i >= 0 && q.Quantity > 0 && q.Quantity <= f.undelivered[i].delivered,
			"%s: %d of %s in shipment %q have not arrived after all, of which it says %v",
			at(rec), q.Quantity, q.Sku, d.FulfilmentId, f.undelivered)
		if i >= 0 {
			f.undelivered[i].units += q.Quantity
			f.undelivered[i].delivered -= q.Quantity
		}
		if n := c.named(rec, o, q.Line, q.Sku); n != nil {
			n.delivered -= q.Quantity
			c.checkNumbered(rec, n, n.price)
		}
		if l := o.line(q.Sku); l != nil {
			l.delivered -= q.Quantity
			c.check(Transitions, l.delivered >= l.returned,
				"%s: %d of %s are delivered then, and %d came back", at(rec), l.delivered, l.sku, l.returned)
		}
	}
}
