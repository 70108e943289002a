package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setShipment fills the change for fulfilments and their shipments.
func setShipment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.LinesShipped:
		e.Change = &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), TrackingReference: c.TrackingReference,
			UncoveredReason: c.UncoveredReason,
		}}
		return "holdfast.lines_shipped.v1"
	case order.LinesDelivered:
		e.Change = &eventv1.OrderEvent_LinesDelivered{
			LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.lines_delivered.v1"
	case order.FulfilmentCreated:
		e.Change = &eventv1.OrderEvent_FulfilmentCreated{
			FulfilmentCreated: &eventv1.FulfilmentCreated{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.fulfilment_created.v1"
	case order.FulfilmentCancelled:
		e.Change = &eventv1.OrderEvent_FulfilmentCancelled{
			FulfilmentCancelled: &eventv1.FulfilmentCancelled{FulfilmentId: c.FulfilmentID, Reason: c.Reason}}
		return "holdfast.fulfilment_cancelled.v1"
	case order.ShipmentReconciled:
		e.Change = &eventv1.OrderEvent_ShipmentReconciled{
			ShipmentReconciled: &eventv1.ShipmentReconciled{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.shipment_reconciled.v1"
	}
	return ""
}

// readShipment is the inverse of setShipment.
func readShipment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_LinesShipped:
		p := c.LinesShipped
		return order.LinesShipped{
			FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines), TrackingReference: p.TrackingReference,
			UncoveredReason: p.UncoveredReason,
		}
	case *eventv1.OrderEvent_LinesDelivered:
		return order.LinesDelivered{FulfilmentID: c.LinesDelivered.FulfilmentId,
			Lines: fromQuantities(c.LinesDelivered.Lines)}
	case *eventv1.OrderEvent_FulfilmentCreated:
		p := c.FulfilmentCreated
		return order.FulfilmentCreated{FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines)}
	case *eventv1.OrderEvent_FulfilmentCancelled:
		return order.FulfilmentCancelled{FulfilmentID: c.FulfilmentCancelled.FulfilmentId,
			Reason: c.FulfilmentCancelled.Reason}
	case *eventv1.OrderEvent_ShipmentReconciled:
		return order.ShipmentReconciled{FulfilmentID: c.ShipmentReconciled.FulfilmentId,
			Lines: fromQuantities(c.ShipmentReconciled.Lines)}
	}
	return nil
}
