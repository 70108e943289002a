package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setShipment fills the change for fulfilments and their shipments.
func setShipment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.LinesShipped:
		e.Change = &eventv1.OrderEvent_LinesShippedV2{LinesShippedV2: &eventv1.LinesShippedV2{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), TrackingReference: c.TrackingReference,
			UncoveredReason: c.UncoveredReason,
		}}
		return "holdfast.lines_shipped.v2"
	case order.LinesDelivered:
		e.Change = &eventv1.OrderEvent_LinesDeliveredV2{
			LinesDeliveredV2: &eventv1.LinesDeliveredV2{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.lines_delivered.v2"
	case order.FulfilmentCreated:
		e.Change = &eventv1.OrderEvent_FulfilmentCreatedV2{
			FulfilmentCreatedV2: &eventv1.FulfilmentCreatedV2{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.fulfilment_created.v2"
	case order.FulfilmentCancelled:
		e.Change = &eventv1.OrderEvent_FulfilmentCancelled{
			FulfilmentCancelled: &eventv1.FulfilmentCancelled{FulfilmentId: c.FulfilmentID, Reason: c.Reason}}
		return "holdfast.fulfilment_cancelled.v1"
	case order.ShipmentReconciled:
		e.Change = &eventv1.OrderEvent_ShipmentReconciledV2{
			ShipmentReconciledV2: &eventv1.ShipmentReconciledV2{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.shipment_reconciled.v2"
	}
	return ""
}

// readShipment is the inverse of setShipment.
func readShipment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_LinesShippedV2:
		p := c.LinesShippedV2
		return order.LinesShipped{
			FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines), TrackingReference: p.TrackingReference,
			UncoveredReason: p.UncoveredReason,
		}
	case *eventv1.OrderEvent_LinesDeliveredV2:
		return order.LinesDelivered{FulfilmentID: c.LinesDeliveredV2.FulfilmentId,
			Lines: fromQuantities(c.LinesDeliveredV2.Lines)}
	case *eventv1.OrderEvent_FulfilmentCreatedV2:
		p := c.FulfilmentCreatedV2
		return order.FulfilmentCreated{FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines)}
	case *eventv1.OrderEvent_FulfilmentCancelled:
		return order.FulfilmentCancelled{FulfilmentID: c.FulfilmentCancelled.FulfilmentId,
			Reason: c.FulfilmentCancelled.Reason}
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		return order.ShipmentReconciled{FulfilmentID: c.ShipmentReconciledV2.FulfilmentId,
			Lines: fromQuantities(c.ShipmentReconciledV2.Lines)}
	}
	return nil
}
