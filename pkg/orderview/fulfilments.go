package orderview

import (
	"slices"
	"time"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The statuses of a fulfilment.
const (
	fulfilmentPending            = "pending"
	fulfilmentShipped            = "shipped"
	fulfilmentPartiallyDelivered = "partially_delivered"
	fulfilmentDelivered          = "delivered"
	fulfilmentFailed             = "failed"
	fulfilmentReversed           = "reversed"
	fulfilmentCancelled          = "cancelled"
)

// linesDelivered is the type of a delivery's entry in the timeline.
const linesDelivered = "lines_delivered"

// applyFulfilment folds what an event says of fulfilments. The quantities of the order's lines are folded elsewhere.
func (o *Order) applyFulfilment(ev *eventv1.OrderEvent, at time.Time) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_FulfilmentCreatedV2:
		o.setFulfilment(c.FulfilmentCreatedV2.FulfilmentId, c.FulfilmentCreatedV2.Lines).Status = fulfilmentPending
	case *eventv1.OrderEvent_LinesShippedV2:
		f := o.setFulfilment(c.LinesShippedV2.FulfilmentId, c.LinesShippedV2.Lines)
		f.Status, f.TrackingReference, f.ShippedAt = fulfilmentShipped, c.LinesShippedV2.TrackingReference, &at
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		if id := c.ShipmentReconciledV2.FulfilmentId; id != "" { // early events of this type have none
			f := o.setFulfilment(id, c.ShipmentReconciledV2.Lines)
			f.Status, f.ShippedAt = fulfilmentShipped, &at
		}
	case *eventv1.OrderEvent_LinesDeliveredV2:
		o.deliverFulfilment(c.LinesDeliveredV2, at)
	case *eventv1.OrderEvent_DeliveryFailed:
		o.failFulfilment(c.DeliveryFailed)
	case *eventv1.OrderEvent_ShipmentReversed:
		if f := o.fulfilment(c.ShipmentReversed.FulfilmentId); f != nil {
			f.Status, f.Reason = fulfilmentReversed, c.ShipmentReversed.Reason
		}
	case *eventv1.OrderEvent_DeliveryReversed:
		o.reverseFulfilment(c.DeliveryReversed)
	case *eventv1.OrderEvent_FulfilmentCancelled:
		if f := o.fulfilment(c.FulfilmentCancelled.FulfilmentId); f != nil {
			f.Status, f.Reason = fulfilmentCancelled, c.FulfilmentCancelled.Reason
		}
	case *eventv1.OrderEvent_OrderCancelled, *eventv1.OrderEvent_OrderExpired: // pending ones do not ship any more
		for i := range o.Fulfilments {
			if f := &o.Fulfilments[i]; f.Status == fulfilmentPending {
				f.Status = fulfilmentCancelled
			}
		}
	}
}

// fulfilment finds a fulfilment; nil: there is none with this ID.
func (o *Order) fulfilment(id string) *Fulfilment {
	i := slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return &o.Fulfilments[i]
}

// setFulfilment sets the lines of a fulfilment, which is added where it is new.
func (o *Order) setFulfilment(id string, lines []*eventv1.LineQuantity) *Fulfilment {
	f := o.fulfilment(id)
	if f == nil {
		o.Fulfilments = append(o.Fulfilments, Fulfilment{ID: id})
		f = &o.Fulfilments[len(o.Fulfilments)-1]
	}
	f.Lines = make([]FulfilmentLine, len(lines))
	for i, l := range lines {
		f.Lines[i] = FulfilmentLine{Line: l.Line, SKU: l.Sku, Quantity: l.Quantity}
	}
	return f
}

// deliverFulfilment notes a delivery: of the lines that it names, or of the first lines of a SKU.
func (o *Order) deliverFulfilment(d *eventv1.LinesDeliveredV2, at time.Time) {
	f := o.fulfilment(d.FulfilmentId)
	if f == nil {
		return
	}
	for _, q := range d.Lines {
		left := q.Quantity
		deliver := func(named bool) {
			for i := range f.Lines {
				if l := &f.Lines[i]; l.SKU == q.Sku && (l.Line == q.Line) == named {
					n := min(left, l.underWay())
					l.Delivered += n
					left -= n
				}
			}
		}
		deliver(true)
		deliver(false)
	}
	f.DeliveredAt = &at
	f.setArrived()
}

// failFulfilment notes what of a shipment did not arrive.
func (o *Order) failFulfilment(d *eventv1.DeliveryFailed) {
	f := o.fulfilment(d.FulfilmentId)
	if f == nil {
		return
	}
	for _, q := range d.Lines {
		i := slices.IndexFunc(f.Lines, func(l FulfilmentLine) bool {
			return l.SKU == q.Sku && (l.Line == q.Line || l.Line == 0) && l.underWay() > 0
		})
		if i >= 0 {
			f.Lines[i].Undelivered += q.Quantity
		}
	}
	f.Reason = d.Reason
	f.setArrived()
}

// reverseFulfilment notes a delivery that was a mistake.
func (o *Order) reverseFulfilment(d *eventv1.DeliveryReversed) {
	f := o.fulfilment(d.FulfilmentId)
	if f == nil {
		return
	}
	for _, q := range d.Lines {
		i := slices.IndexFunc(f.Lines, func(l FulfilmentLine) bool {
			return l.SKU == q.Sku && (l.Line == q.Line || l.Line == 0) && l.Delivered > 0
		})
		if i >= 0 {
			f.Lines[i].Delivered -= q.Quantity
		}
	}
	f.Reason, f.Status = d.Reason, fulfilmentShipped
	if !slices.ContainsFunc(f.Lines, func(l FulfilmentLine) bool { return l.Delivered > 0 }) || !o.deliveredAtOnce(f) {
		f.DeliveredAt = nil
	}
	f.setArrived()
}

// deliveredAtOnce reports whether all deliveries of a shipment were at the same time. Of others it is not known when
// what is left of them arrived.
func (o *Order) deliveredAtOnce(f *Fulfilment) bool {
	return f.DeliveredAt != nil && !slices.ContainsFunc(o.Timeline, func(e Entry) bool {
		return e.Type == linesDelivered && e.FulfilmentID == f.ID && !e.OccurredAt.Equal(*f.DeliveredAt)
	})
}

// underWay is what has neither arrived nor failed to.
func (l *FulfilmentLine) underWay() int64 { return l.Quantity - l.Delivered - l.Undelivered }

// setArrived sets the status of a shipment of which something has arrived, or failed to.
func (f *Fulfilment) setArrived() {
	var delivered, underWay int64
	for i := range f.Lines {
		delivered += f.Lines[i].Delivered
		underWay += f.Lines[i].underWay()
	}
	switch {
	case underWay > 0 && delivered > 0:
		f.Status = fulfilmentPartiallyDelivered
	case underWay > 0:
	case delivered > 0:
		f.Status = fulfilmentDelivered
	default:
		f.Status = fulfilmentFailed
	}
}

// fulfilmentStatus is that of the order as a whole; "" for a credit note, which has nothing to fulfil.
func (o *Order) fulfilmentStatus() string {
	if o.Kind == "credit_note" {
		return ""
	}
	var shipped, delivered int64
	for i := range o.Lines {
		shipped += o.Lines[i].Shipped
		delivered += o.Lines[i].Delivered
	}
	switch {
	case shipped == 0:
		return "unfulfilled"
	case o.unshipped() > 0:
		return "partially_fulfilled"
	case delivered < shipped:
		return "fulfilled"
	}
	return "delivered"
}
