package orderview

import (
	"slices"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The statuses of an order. An order is completed when nothing is left to ship; every other status is reached by an
// event of its own.
const (
	statusPlaced    = "placed"
	statusReserved  = "reserved"
	statusConfirmed = "confirmed"
	statusCompleted = "completed"
	statusRejected  = "rejected"
	statusCancelled = "cancelled"
	statusExpired   = "expired"
	statusOnHold    = "on_hold"
)

var statuses = []string{
	statusPlaced, statusReserved, statusConfirmed, statusCompleted,
	statusRejected, statusCancelled, statusExpired, statusOnHold,
}

// Statuses are all that an order can have, in the order in which the API lists them.
func Statuses() []string { return slices.Clone(statuses) }

// statusAfter is the status that an event leads to by itself. It is "" where the event keeps the status, or where the
// quantities that are left decide.
func statusAfter(ev *eventv1.OrderEvent) string {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2, *eventv1.OrderEvent_OrderReopened, *eventv1.OrderEvent_ImportRequestedV2:
		return statusPlaced
	case *eventv1.OrderEvent_OrderReserved, *eventv1.OrderEvent_OrderBackordered:
		return statusReserved
	case *eventv1.OrderEvent_OrderRejected:
		return statusRejected
	case *eventv1.OrderEvent_OrderConfirmed:
		return statusConfirmed
	case *eventv1.OrderEvent_OrderCancelled:
		return statusCancelled
	case *eventv1.OrderEvent_OrderExpired:
		return statusExpired
	case *eventv1.OrderEvent_OrderHeld:
		return statusOnHold
	case *eventv1.OrderEvent_OrderResumed:
		if c.OrderResumed.Confirmed {
			return statusConfirmed
		}
		return statusReserved
	case *eventv1.OrderEvent_OrderImportedV2, *eventv1.OrderEvent_CreditNoteImportedV2:
		return statusCompleted
	}
	return ""
}

// statusAfterShipment is the status after a shipment; unshipped are the units that are left to ship.
func statusAfterShipment(status string, unshipped int64) string {
	switch {
	case unshipped <= 0:
		return statusCompleted
	case status == statusOnHold:
		return statusOnHold // only a reconciled shipment ships an order on hold
	}
	return statusConfirmed
}

// statusAfterFailure is the status after goods did not arrive, or never left: they are left to ship.
func statusAfterFailure(status string) string {
	if status == statusCompleted {
		return statusConfirmed
	}
	return status
}
