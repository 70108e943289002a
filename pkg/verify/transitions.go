package verify

// Legal changes of status (I12): what may happen to an order in which status.

// anyStatus are all statuses of an order that was placed.
var anyStatus = []string{
	"placed", "reserved", "confirmed", "on_hold", "completed", "rejected", "cancelled", "expired",
}

// Groups of statuses.
var (
	unconfirmedStatuses = []string{"placed", "reserved"}
	activeStatuses      = []string{"reserved", "confirmed"}
	openStatuses        = []string{"placed", "reserved", "confirmed", "on_hold"}
	activeOrOnHold      = []string{"reserved", "confirmed", "on_hold"}
	shippedStatuses     = []string{"confirmed", "completed", "on_hold"}
)

// statusesBefore lists the statuses that an event may follow; "" is that of an order that does not exist yet.
var statusesBefore = map[string][]string{
	"order_placed":         {""},
	"import_requested":     {"", "rejected"},
	"order_imported":       {"", "placed", "rejected"},
	"credit_note_imported": {"", "placed", "rejected"},

	"order_reserved":         {"placed"},
	"order_backordered":      {"placed"},
	"order_rejected":         {"placed"},
	"order_backorder_filled": activeOrOnHold,
	"order_fell_short":       activeOrOnHold,
	"reservation_settled":    anyStatus,

	"payment_started":    {"placed", "reserved", "confirmed"},
	"payment_authorized": anyStatus,
	"payment_captured":   anyStatus,
	"payment_voided":     anyStatus,
	"payment_refunded":   anyStatus,
	"payment_failed":     anyStatus,
	"payment_identified": anyStatus,
	"cover_lost":         {"confirmed", "on_hold"},

	"order_confirmed": {"reserved"},
	"order_held":      activeStatuses,
	"order_resumed":   {"on_hold"},
	"order_cancelled": openStatuses,
	"order_expired":   unconfirmedStatuses,
	"order_reopened":  {"expired"},

	"lines_cancelled":     activeOrOnHold,
	"amendment_requested": activeStatuses,
	"order_amended":       activeOrOnHold,
	"amendment_declined":  activeOrOnHold,

	"fulfilment_created":   {"confirmed"},
	"fulfilment_cancelled": shippedStatuses,
	"lines_shipped":        {"confirmed"},
	"shipment_reconciled":  openStatuses,
	"lines_delivered":      shippedStatuses,
	"delivery_failed":      shippedStatuses,
	"shipment_reversed":    shippedStatuses,
	"delivery_reversed":    shippedStatuses,

	"return_requested": shippedStatuses,
	"return_received":  shippedStatuses,
	"return_cancelled": shippedStatuses,
}

// notWhileAmending lists what does not happen to an order before stock has answered its amendment.
var notWhileAmending = []string{
	"amendment_requested", "order_cancelled", "order_expired", "lines_cancelled", "fulfilment_created",
	"lines_shipped", "shipment_reconciled", "delivery_failed", "shipment_reversed",
}

// changesWanted lists the events after which an order wants another reservation than before.
var changesWanted = []string{
	"order_placed", "import_requested", "order_imported", "credit_note_imported", "order_rejected",
	"order_confirmed", "order_cancelled", "order_expired", "order_reopened",
	"lines_cancelled", "amendment_requested", "order_amended", "amendment_declined",
	"lines_shipped", "shipment_reconciled", "delivery_failed", "shipment_reversed", "return_received",
}

// documentEvents lists the events that make a past document, documentMayHave all events of one.
var (
	documentEvents  = []string{"import_requested", "order_imported", "credit_note_imported"}
	documentMayHave = append([]string{"reservation_settled", "order_rejected"}, documentEvents...)
)
