package codec

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setShipment fills the change for fulfilments and their shipments.
func setShipment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.LinesShipped:
		e.Change = &eventv1.OrderEvent_LinesShippedV2{LinesShippedV2: &eventv1.LinesShippedV2{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), TrackingReference: c.TrackingReference,
			UncoveredReason: c.UncoveredReason, BackorderedReason: c.BackorderedReason,
		}}
		return "holdfast.lines_shipped.v2"
	case order.LinesDelivered:
		e.Change = &eventv1.OrderEvent_LinesDeliveredV2{
			LinesDeliveredV2: &eventv1.LinesDeliveredV2{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.lines_delivered.v2"
	case order.DeliveryFailed:
		e.Change = &eventv1.OrderEvent_DeliveryFailed{DeliveryFailed: &eventv1.DeliveryFailed{
			FulfilmentId: c.FulfilmentID, Lines: toUndelivered(c.Lines), Location: c.Location, Reason: c.Reason,
		}}
		return "holdfast.delivery_failed.v1"
	case order.ShipmentReversed:
		e.Change = &eventv1.OrderEvent_ShipmentReversed{ShipmentReversed: &eventv1.ShipmentReversed{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.shipment_reversed.v1"
	case order.DeliveryReversed:
		e.Change = &eventv1.OrderEvent_DeliveryReversed{DeliveryReversed: &eventv1.DeliveryReversed{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.delivery_reversed.v1"
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
			UncoveredReason: p.UncoveredReason, BackorderedReason: p.BackorderedReason,
		}
	case *eventv1.OrderEvent_LinesDeliveredV2:
		return order.LinesDelivered{FulfilmentID: c.LinesDeliveredV2.FulfilmentId,
			Lines: fromQuantities(c.LinesDeliveredV2.Lines)}
	case *eventv1.OrderEvent_DeliveryFailed:
		p := c.DeliveryFailed
		if slices.ContainsFunc(p.Lines, unknownUndelivered) {
			return nil
		}
		return order.DeliveryFailed{
			FulfilmentID: p.FulfilmentId, Lines: fromUndelivered(p.Lines), Location: p.Location, Reason: p.Reason,
		}
	case *eventv1.OrderEvent_ShipmentReversed:
		p := c.ShipmentReversed
		return order.ShipmentReversed{FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	case *eventv1.OrderEvent_DeliveryReversed:
		p := c.DeliveryReversed
		return order.DeliveryReversed{FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
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

func unknownUndelivered(l *eventv1.UndeliveredLine) bool {
	return l.Condition < eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_RESELLABLE ||
		l.Condition > eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_LOST
}

func toUndelivered(lines []order.UndeliveredLine) []*eventv1.UndeliveredLine {
	return messages(lines, func(m *eventv1.UndeliveredLine, l *order.UndeliveredLine) {
		m.Line, m.Sku, m.Quantity = uint32(l.Line), l.SKU, l.Quantity
		m.Condition = eventv1.UndeliveredCondition(l.Condition)
	})
}

func fromUndelivered(lines []*eventv1.UndeliveredLine) []order.UndeliveredLine {
	return values(lines, func(l *eventv1.UndeliveredLine) order.UndeliveredLine {
		return order.UndeliveredLine{
			SKU: l.Sku, Quantity: l.Quantity, Condition: order.Condition(l.Condition), Line: int32(l.Line),
		}
	})
}
