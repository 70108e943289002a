package orderview

import (
	"slices"
	"time"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Fulfilment is a shipment, or one that is being packed. What was shipped before this platform knew of it, an imported
// order, is in the lines' quantities alone.
type Fulfilment struct {
	ID     string `json:"fulfilment_id"`
	Status string `json:"status"` // pending, shipped, partially_delivered, delivered, cancelled
	// TrackingReference is the carrier's.
	TrackingReference string           `json:"tracking_reference,omitempty"`
	ShippedAt         *time.Time       `json:"shipped_at,omitempty"`
	DeliveredAt       *time.Time       `json:"delivered_at,omitempty"` // of the last delivery
	Reason            string           `json:"reason,omitempty"`       // why it was cancelled
	Lines             []FulfilmentLine `json:"lines"`
}

// FulfilmentLine is a SKU's part of a fulfilment, in units.
type FulfilmentLine struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	Delivered int64  `json:"delivered"`
}

// The statuses of a fulfilment.
const (
	fulfilmentPending            = "pending"
	fulfilmentShipped            = "shipped"
	fulfilmentPartiallyDelivered = "partially_delivered"
	fulfilmentDelivered          = "delivered"
	fulfilmentCancelled          = "cancelled"
)

// fulfil folds what an event says of fulfilments; the lines' own quantities are followed elsewhere.
func (o *Order) fulfil(ev *eventv1.OrderEvent, at time.Time) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_FulfilmentCreated:
		o.pack(c.FulfilmentCreated.FulfilmentId, c.FulfilmentCreated.Lines).Status = fulfilmentPending
	case *eventv1.OrderEvent_LinesShipped:
		f := o.pack(c.LinesShipped.FulfilmentId, c.LinesShipped.Lines)
		f.Status, f.TrackingReference, f.ShippedAt = fulfilmentShipped, c.LinesShipped.TrackingReference, &at
	case *eventv1.OrderEvent_ShipmentReconciled:
		if id := c.ShipmentReconciled.FulfilmentId; id != "" { // none in events of before they had one
			f := o.pack(id, c.ShipmentReconciled.Lines)
			f.Status, f.ShippedAt = fulfilmentShipped, &at
		}
	case *eventv1.OrderEvent_LinesDelivered:
		o.arrive(c.LinesDelivered, at)
	case *eventv1.OrderEvent_FulfilmentCancelled:
		for i := range o.Fulfilments {
			if f := &o.Fulfilments[i]; f.ID == c.FulfilmentCancelled.FulfilmentId {
				f.Status, f.Reason = fulfilmentCancelled, c.FulfilmentCancelled.Reason
			}
		}
	case *eventv1.OrderEvent_OrderCancelled, *eventv1.OrderEvent_OrderExpired: // what was being packed will not leave
		for i := range o.Fulfilments {
			if f := &o.Fulfilments[i]; f.Status == fulfilmentPending {
				f.Status = fulfilmentCancelled
			}
		}
	}
}

// pack finds a fulfilment, which is made when it is new, and says what is in it.
func (o *Order) pack(id string, lines []*eventv1.LineQuantity) *Fulfilment {
	i := slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == id })
	if i < 0 {
		i = len(o.Fulfilments)
		o.Fulfilments = append(o.Fulfilments, Fulfilment{ID: id})
	}
	f := &o.Fulfilments[i]
	f.Lines = make([]FulfilmentLine, len(lines))
	for k, l := range lines {
		f.Lines[k] = FulfilmentLine{SKU: l.Sku, Quantity: l.Quantity}
	}
	return f
}

// arrive notes a delivery; a SKU that stands in several lines fills the first first.
func (o *Order) arrive(d *eventv1.LinesDelivered, at time.Time) {
	i := slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == d.FulfilmentId })
	if i < 0 {
		return
	}
	f := &o.Fulfilments[i]
	for _, q := range d.Lines {
		left := q.Quantity
		for k := range f.Lines {
			if l := &f.Lines[k]; l.SKU == q.Sku {
				n := min(left, l.Quantity-l.Delivered)
				l.Delivered += n
				left -= n
			}
		}
	}
	f.Status, f.DeliveredAt = fulfilmentDelivered, &at
	if slices.ContainsFunc(f.Lines, func(l FulfilmentLine) bool { return l.Delivered < l.Quantity }) {
		f.Status = fulfilmentPartiallyDelivered
	}
}
