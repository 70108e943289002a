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
	c.check(Transitions, ok && !f.pending && !f.reversed && !f.failed && !arrived && units(r.Lines) == f.units,
		"%s: %d units of shipment %q are taken back, which is %+v", at(rec), units(r.Lines), r.FulfilmentId, f)
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
