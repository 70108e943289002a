// Package inventory holds the rules of stock: what an item's levels are, how reservations change
// them, and which commands are refused. It is pure: no I/O, no clock, no context; time and IDs enter
// with the command.
//
// It owns one aggregate, the stock item, keyed by SKU with all its locations inside. It does not know
// of orders beyond their ID and the absolute reservation that they want.
package inventory

// Level is how much of an item there is, by state, in units. Always:
//
//	OnHand = Available + Reserved + Committed + SafetyStock + Damaged + QualityControl
//
// Incoming stands outside. Available is negative where stock is backordered, or where a count or an
// adjustment fell short of what is promised.
type Level struct {
	OnHand, Available, Reserved, Committed, SafetyStock, Damaged, QualityControl, Incoming int64
}

// LocationLevel is the level of one location.
type LocationLevel struct {
	Location string
	Level    Level
}

// Item is the decision state of one SKU. The zero value is an item that nobody has registered.
type Item struct {
	SKU            string
	Version        uint64
	Registered     bool
	Description    string
	BackorderLimit int64
	// Locations stand in order of first use. Evolve copies before it changes them.
	Locations []LocationLevel
	// OnHandVersions has, for each of Locations, the item's version at which its on_hand last changed; 0, or
	// missing at the end: never. Evolve copies before it changes them.
	OnHandVersions []uint64
	// Expected are the deliveries that make up incoming, in the order of their first mention. Evolve
	// copies before it changes them.
	Expected []Delivery
	// Backorders are the orders that wait for stock to come, in the order of their arrival. Evolve copies
	// before it changes them.
	Backorders []Backorder
	// Transfers are on their way between locations, in the order in which they left. Evolve copies before
	// it changes them.
	Transfers []Transfer
}

// Transfer is what is on its way from one location to another; Quantity has not arrived yet.
type Transfer struct {
	ID, FromLocation, ToLocation string
	Quantity                     int64
}

// Backorder is an order that waits at a location: Quantity of what it holds there is not there yet.
// Version, Reserved, Committed and Allocation repeat its reservation.
type Backorder struct {
	OrderID             string
	PlacedEventID       ID
	Version             uint64
	Location            string
	Quantity            int64
	Reserved, Committed int64
	Allocation          *AllocationRule
}

// Delivery is what is still to come to a location under a reference.
type Delivery struct {
	Location, Reference string
	Quantity            int64
}

// State is a part of on_hand that is not promised to an order. A closed set; values equal those of the
// event schema.
type State int32

// The states.
const (
	StateAvailable State = iota + 1
	StateDamaged
	StateQualityControl
	StateSafetyStock
)

// ID is a UUID.
type ID [16]byte

// Reservation is what one order holds of one SKU. It outlives the order: its version is what makes a
// late or repeated step harmless.
type Reservation struct {
	OrderID       string
	PlacedEventID ID
	// Version is the order's version at which the newest step seen last changed; 0: none seen.
	Version uint64
	Held    []HeldAt
	// Backordered is what of reserved and committed is not there yet, over all locations.
	Backordered int64
	// Allocation is the rule of the newest step seen; nil: it has none.
	Allocation *AllocationRule
	// ReturnedAt is what came back to a location that was named for it.
	ReturnedAt []ReturnedAt
	Rejected   *Rejection
}

// ReturnedAt is what came back of an order to a location that was named for it.
type ReturnedAt struct {
	Location           string
	Restocked, Damaged int64
}

// HeldAt is the part of a reservation at one location.
type HeldAt struct {
	Location                                  string
	Reserved, Committed, Fulfilled, Restocked int64
	// Damaged came back like Restocked, and cannot be sold again.
	Damaged int64
	// Backordered is the part of Reserved and Committed that is not there yet.
	Backordered int64
}

// Rejection says why nothing was reserved.
type Rejection struct {
	Requested, Available int64
	Reason               RejectionReason
}

// RejectionReason is a closed set; its values equal those of the event schema.
type RejectionReason int32

// The reasons.
const (
	InsufficientStock RejectionReason = 1
	UnknownSKU        RejectionReason = 2
	OtherLine         RejectionReason = 3
)

// Reason says why stock changed other than by an order; values equal the event schema's.
type Reason int32

// The reasons, in the order of the event schema.
const (
	ReasonCorrection Reason = iota + 1
	ReasonCycleCount
	ReasonDamaged
	ReasonReceived
	ReasonRestock
	ReasonShrinkage
	ReasonPromotion
	ReasonReturn
	ReasonOther
)
