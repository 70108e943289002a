package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// fulfilment is one shipment, or one that is being packed.
type fulfilment struct {
	units       int64
	pending     bool // it has not shipped
	failed      bool // something of it did not arrive
	reversed    bool // it was taken back
	undelivered []undelivered
}

// undelivered is what of a line has shipped and not arrived, and what has. Its number is 0 in shipments of before
// ORD-69.
type undelivered struct {
	sku              string
	line             int32
	units, delivered int64
}

// is reports whether a delivery is of this.
func (u undelivered) is(q *eventv1.LineQuantity) bool {
	return u.sku == q.Sku && (u.line == int32(q.Line) || u.line == 0)
}

// foldFulfilment folds what is packed, shipped and delivered.
func (c *checker) foldFulfilment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_FulfilmentCreatedV2:
		f := ch.FulfilmentCreatedV2
		_, again := o.fulfilments[f.FulfilmentId]
		c.check(Transitions, !again && f.FulfilmentId != "" && units(f.Lines) > 0,
			"%s: fulfilment %q is there already, or of nothing", at(rec), f.FulfilmentId)
		o.setFulfilment(f.FulfilmentId, fulfilment{units: units(f.Lines), pending: true})
	case *eventv1.OrderEvent_FulfilmentCancelled:
		id := ch.FulfilmentCancelled.FulfilmentId
		c.check(Transitions, o.fulfilments[id].pending, "%s: fulfilment %q is not waiting to ship", at(rec), id)
		delete(o.fulfilments, id)
	case *eventv1.OrderEvent_LinesShippedV2:
		c.checkInStock(rec, o, ch.LinesShippedV2)
		c.foldShipment(rec, o, ch.LinesShippedV2.FulfilmentId, ch.LinesShippedV2.Lines)
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		c.foldShipment(rec, o, ch.ShipmentReconciledV2.FulfilmentId, ch.ShipmentReconciledV2.Lines)
	case *eventv1.OrderEvent_LinesDeliveredV2:
		c.foldDelivery(rec, o, ch.LinesDeliveredV2)
	case *eventv1.OrderEvent_DeliveryFailed:
		c.foldFailedDelivery(rec, o, ch.DeliveryFailed)
	case *eventv1.OrderEvent_ShipmentReversed:
		c.foldShipmentReversed(rec, o, ch.ShipmentReversed)
	case *eventv1.OrderEvent_DeliveryReversed:
		c.foldDeliveryReversed(rec, o, ch.DeliveryReversed)
	}
}

func (o *order) setFulfilment(id string, f fulfilment) {
	if o.fulfilments == nil {
		o.fulfilments = map[string]fulfilment{}
	}
	o.fulfilments[id] = f
}

// foldShipment folds a shipment, which is a new fulfilment or one that was pending.
func (c *checker) foldShipment(rec *eventlog.Record, o *order, id string, lines []*eventv1.LineQuantity) {
	packed, again := o.fulfilments[id]
	c.check(Transitions, id != "" && (!again || packed.pending && packed.units == units(lines)),
		"%s: shipment %q is there already", at(rec), id)
	o.setFulfilment(id, fulfilment{units: units(lines), undelivered: c.allUndelivered(lines)})
	c.check(Transitions, len(lines) > 0, "%s: a shipment of nothing", at(rec))
	for _, shipped := range lines {
		n := c.named(rec, o, shipped.Line, shipped.Sku)
		if n != nil {
			n.shipped += shipped.Quantity
			c.checkNumbered(rec, n, n.price)
		}
		l := o.line(shipped.Sku)
		if l == nil {
			c.check(Transitions, false, "%s: shipped %s, which was not ordered", at(rec), shipped.Sku)
			continue
		}
		l.shipped += shipped.Quantity
		o.dropBackordered(l, n, 0)
		c.check(Transitions, shipped.Quantity > 0 && l.shipped <= l.ordered,
			"%s: shipped %d of %d ordered of %s", at(rec), l.shipped, l.ordered, l.sku)
	}
	switch {
	case o.allShipped():
		o.status = "completed"
	case o.status == "on_hold":
		o.statusBeforeHold = "confirmed"
	default:
		o.status = "confirmed"
	}
}

// checkInStock checks that what ships is in stock as far as the order knows, or leaves for a reason, and that no reason
// is given without need (ORD-14). Goods that were packed before there were shortfalls left without one.
func (c *checker) checkInStock(rec *eventlog.Record, o *order, e *eventv1.LinesShippedV2) {
	_, packed := o.fulfilments[e.FulfilmentId]
	if packed && e.BackorderedReason == "" {
		return
	}
	lacks := false
	for _, shipped := range e.Lines {
		at := int(shipped.Line) - 1
		if at < 0 || at >= len(o.numbered) {
			return // of before lines had numbers, or a violation that foldShipment reports
		}
		n := &o.numbered[at]
		lacks = lacks || shipped.Quantity > n.ordered-n.shipped-n.backordered
	}
	c.check(Transitions, lacks == (e.BackorderedReason != ""),
		"%s: backordered goods ship: %t, with the reason %q", at(rec), lacks, e.BackorderedReason)
}

// foldDelivery folds what of a shipment arrives, in several deliveries or all at once.
func (c *checker) foldDelivery(rec *eventlog.Record, o *order, d *eventv1.LinesDeliveredV2) {
	f, ok := o.fulfilments[d.FulfilmentId]
	c.check(Transitions, ok && !f.pending && len(d.Lines) > 0,
		"%s: delivered %d lines of %q, which has not shipped", at(rec), len(d.Lines), d.FulfilmentId)
	for _, q := range d.Lines {
		if n := c.named(rec, o, q.Line, q.Sku); n != nil {
			n.delivered += q.Quantity
			c.checkNumbered(rec, n, n.price)
		}
		i := slices.IndexFunc(f.undelivered, func(u undelivered) bool { return u.is(q) })
		c.check(Transitions, i >= 0 && q.Quantity > 0 && q.Quantity <= f.undelivered[i].units,
			"%s: delivered %d of %s in shipment %q, of which %v are on their way",
			at(rec), q.Quantity, q.Sku, d.FulfilmentId, f.undelivered)
		if i >= 0 {
			f.undelivered[i].units -= q.Quantity
			f.undelivered[i].delivered += q.Quantity
		}
		if l := o.line(q.Sku); l != nil {
			l.delivered += q.Quantity
		}
	}
}

// foldFailedDelivery folds goods that had left and did not arrive. They are left to ship again.
func (c *checker) foldFailedDelivery(rec *eventlog.Record, o *order, d *eventv1.DeliveryFailed) {
	f, ok := o.fulfilments[d.FulfilmentId]
	c.check(Transitions, ok && !f.pending && len(d.Lines) > 0,
		"%s: %d lines of %q did not arrive, which has not shipped", at(rec), len(d.Lines), d.FulfilmentId)
	for _, q := range d.Lines {
		i := slices.IndexFunc(f.undelivered, func(u undelivered) bool { return u.sku == q.Sku && u.line == int32(q.Line) })
		if i < 0 {
			i = slices.IndexFunc(f.undelivered, func(u undelivered) bool { return u.sku == q.Sku && u.line == 0 })
		}
		c.check(Transitions, i >= 0 && q.Quantity > 0 && q.Quantity <= f.undelivered[i].units,
			"%s: %d of %s in shipment %q did not arrive, of which %v are on their way",
			at(rec), q.Quantity, q.Sku, d.FulfilmentId, f.undelivered)
		if i >= 0 {
			f.undelivered[i].units -= q.Quantity
		}
		if n := c.named(rec, o, q.Line, q.Sku); n != nil {
			n.shipped -= q.Quantity
			n.backordered += q.Quantity
			c.checkNumbered(rec, n, n.price)
		}
		if l := o.line(q.Sku); l != nil {
			l.fail(q)
			c.check(Transitions, l.shipped >= l.delivered && l.undeliveredDamaged+l.lost <= l.undelivered &&
				q.Condition != eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_UNSPECIFIED,
				"%s: %d of %s did not arrive in condition %v; %d are shipped then, and %d delivered",
				at(rec), q.Quantity, l.sku, q.Condition, l.shipped, l.delivered)
		}
	}
	if ok {
		f.failed = true
		o.fulfilments[d.FulfilmentId] = f
	}
	if o.status == "completed" {
		o.status = "confirmed"
	}
}

func (l *line) fail(q *eventv1.UndeliveredLine) {
	l.shipped -= q.Quantity
	l.undelivered += q.Quantity
	l.backordered += q.Quantity
	switch q.Condition {
	case eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_DAMAGED:
		l.undeliveredDamaged += q.Quantity
	case eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_LOST:
		l.lost += q.Quantity
	case eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_RESELLABLE,
		eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_UNSPECIFIED:
	}
}

// allUndelivered is a shipment of which nothing has arrived.
func (c *checker) allUndelivered(lines []*eventv1.LineQuantity) []undelivered {
	out := make([]undelivered, len(lines))
	for i, l := range lines {
		out[i] = undelivered{sku: c.intern(l.Sku), line: int32(l.Line), units: l.Quantity}
	}
	return out
}

func units(lines []*eventv1.LineQuantity) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}
