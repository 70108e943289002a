// Package order holds the rules of an order's life: what may follow what, and what money and
// quantities allow. It is pure: no I/O, no clock, no context; time and IDs enter with the command.
//
// It owns one aggregate, the order (past credit notes included), keyed by order ID. It says which
// reservation it wants (Wanted); package inventory decides whether it can be had.
package order

// ID is a UUID.
type ID [16]byte

// Kind tells an order from the past documents that share its topic.
type Kind int32

// The kinds.
const (
	KindOrder Kind = iota
	KindImportedOrder
	KindCreditNote
)

// Lifecycle is where an order stands. The values are stored: only append.
type Lifecycle int32

// The lifecycle.
const (
	None Lifecycle = iota
	Placed
	Reserved
	Confirmed
	Completed
	Rejected
	Cancelled
	Expired
	OnHold
)

// PaymentTerms equal the event schema's values.
type PaymentTerms int32

// The terms.
const (
	Prepaid   PaymentTerms = 1
	OnAccount PaymentTerms = 2
)

// Line is one line of an order. Quantities are units.
type Line struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
	Backordered     int64
	Cancelled       int64
	Shipped         int64
	Delivered       int64
	// Returned came back, Damaged is the part of it that cannot be sold again.
	Returned, Damaged int64
}

// Fulfilment is one shipment; Pending until it leaves, Delivered once all of it has arrived.
type Fulfilment struct {
	ID                 string
	Lines              []LineQuantity
	Pending, Delivered bool
	// Arrived is what has been delivered while the rest has not.
	Arrived []LineQuantity
}

// LineQuantity is a quantity of a SKU.
type LineQuantity struct {
	SKU      string
	Quantity int64
}

// ShortLine says why a SKU stood in the way of an order; Reason has the event schema's values.
type ShortLine struct {
	SKU                  string
	Requested, Available int64
	Reason               int32
}

// Order is the decision state. The zero value is an order that was never placed.
type Order struct {
	ID                          string
	Version                     uint64
	Kind                        Kind
	CustomerID, Currency        string
	Country, Reference          string
	Lines                       []Line
	SubtotalMicros, TotalMicros int64
	Terms                       PaymentTerms
	PaymentDeadlineMicros       int64
	OccurredAtMicros            int64
	Lifecycle                   Lifecycle
	// HeldFrom is the lifecycle before OnHold.
	HeldFrom                         Lifecycle
	AuthorizedMicros, CapturedMicros int64
	VoidedMicros, RefundedMicros     int64
	// RefundDueMicros is captured money that a cancellation promised to give back and that has not gone back yet.
	RefundDueMicros int64
	Payments        []Payment
	// PaymentStarts is how often the deadline has moved; PaymentFailed: the newest payment has failed.
	PaymentStarts int32
	PaymentFailed bool
	PlacedEventID ID
	// ReservationVersion is the order's version at which the reservation it wants last changed.
	ReservationVersion uint64
	// Settled: stock has answered ReservationVersion.
	Settled     bool
	Fulfilments []Fulfilment
	Returns     []Return
	// ReturnedTo is what of it came back to a location that was named for it.
	ReturnedTo []ReturnedTo
	// Allocation goes with every reservation that the order wants; nil: it has no rule.
	Allocation *AllocationRule
	// Short is what stood in the way of the order, or of its newest amendment.
	Short []ShortLine
	// Amendment is the one under way, nil for none; Declined are the versions at which those were asked for that came
	// to nothing, Asked the SKUs that only they named, Amendments counts all.
	Amendment  *Amendment
	Declined   []uint64
	Asked      []string
	Amendments int32
	// PaymentDue: an amendment made the order cost more than is authorized, and it does not ship before that is.
	PaymentDue bool
}

// Wanted is the reservation of one SKU as the order wants it: absolute, summed over its lines.
type Wanted struct {
	SKU                                       string
	Reserved, Committed, Fulfilled, Restocked int64
	// Restocked goods came back to be sold, Damaged ones not; ReturnedAt are the parts with a location named for them.
	Damaged    int64
	ReturnedAt []ReturnedAt
	Imported   bool
}

// ReturnedAt is what came back to a location that was named for it.
type ReturnedAt struct {
	Location           string
	Restocked, Damaged int64
}

// ReturnedTo is that of a SKU.
type ReturnedTo struct {
	SKU string
	ReturnedAt
}
