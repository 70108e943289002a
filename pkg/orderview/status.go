package orderview

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// statusCompleted is reached when nothing is left to ship; all others by an event of their own.
const (
	statusCompleted = "completed"
	statusOnHold    = "on_hold"
)

// statuses are all that an order can have.
var statuses = []string{"placed", "reserved", "confirmed", statusOnHold, statusCompleted, "rejected", "cancelled", "expired"}

var causes = map[eventv1.Cause]string{
	eventv1.Cause_CAUSE_COMMAND:        "command",
	eventv1.Cause_CAUSE_SAGA:           "saga",
	eventv1.Cause_CAUSE_TIMER:          "timer",
	eventv1.Cause_CAUSE_RECONCILIATION: "reconciliation",
}

var policies = map[eventv1.AllocationPolicy]string{
	eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION:  "single_location",
	eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS: "fewest_locations",
	eventv1.AllocationPolicy_ALLOCATION_POLICY_SPLIT:            "split",
}

// statusAfter is the status that an event leads to by itself; "" when it leaves the status, or when the
// quantities decide.
func statusAfter(ev *eventv1.OrderEvent) string {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced, *eventv1.OrderEvent_OrderReopened, *eventv1.OrderEvent_ImportRequested:
		return "placed"
	case *eventv1.OrderEvent_OrderReserved, *eventv1.OrderEvent_OrderBackordered:
		return "reserved"
	case *eventv1.OrderEvent_OrderRejected:
		return "rejected"
	case *eventv1.OrderEvent_OrderConfirmed:
		return "confirmed"
	case *eventv1.OrderEvent_OrderCancelled:
		return "cancelled"
	case *eventv1.OrderEvent_OrderExpired:
		return "expired"
	case *eventv1.OrderEvent_OrderHeld:
		return statusOnHold
	case *eventv1.OrderEvent_OrderResumed:
		if c.OrderResumed.Confirmed {
			return "confirmed"
		}
		return "reserved"
	case *eventv1.OrderEvent_OrderImported, *eventv1.OrderEvent_CreditNoteImported:
		return statusCompleted
	}
	return ""
}

// statusShipped is the status after a shipment that leaves units to ship.
func statusShipped(status string, left int64) string {
	switch {
	case left <= 0:
		return statusCompleted
	case status == statusOnHold:
		return statusOnHold // only a reconciled shipment finds it so
	}
	return "confirmed"
}

// TypeOf is the API's name of an event: the same in all its versions.
func TypeOf(ev *eventv1.OrderEvent) string {
	if name, _ := schema.Name(ev); name != "" {
		return name
	}
	return "unknown"
}
