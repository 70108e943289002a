// Package order has the rules of an order's life: which command it accepts when, and what money and quantities allow.
// It is pure: no I/O, no clock, no context. Time and IDs come in with the command.
//
// It owns one aggregate, the order (past credit notes included), which is keyed by order ID. It says which reservation
// the order wants (Wanted); package inventory decides whether stock has it.
//
// decide.go has Decide and Evolve. Every command has its rules, its events and their methods in the file of its
// subject.
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

// String is the API's word for a lifecycle: "placed", "reserved", …
func (l Lifecycle) String() string {
	switch l {
	case None:
		return "none"
	case Placed:
		return "placed"
	case Reserved:
		return "reserved"
	case Confirmed:
		return "confirmed"
	case Completed:
		return "completed"
	case Rejected:
		return "rejected"
	case Cancelled:
		return "cancelled"
	case Expired:
		return "expired"
	case OnHold:
		return "on_hold"
	}
	return "unknown"
}

// Order is the decision state. The zero value is an order that was never placed. Evolve copies a slice before it
// changes it.
type Order struct {
	ID string
	// Version counts the order's events. VisibleVersion is that of the last one that a client can see (Visible).
	Version, VisibleVersion uint64
	Kind                    Kind
	CustomerID, Currency    string
	Country, Reference      string
	Lines                   []Line
	Charges                 []ChargeLeft
	// TaxesIncluded: prices have their taxes in them. RoundByLine: each line is rounded, and not all of them together.
	TaxesIncluded, RoundByLine  bool
	SubtotalMicros, TotalMicros int64
	Terms                       PaymentTerms
	PaymentDeadlineMicros       int64
	OccurredAtMicros            int64
	Lifecycle                   Lifecycle
	// HeldFrom is the lifecycle before OnHold.
	HeldFrom                         Lifecycle
	AuthorizedMicros, CapturedMicros int64
	VoidedMicros, RefundedMicros     int64
	// RefundDueMicros is captured money that has to go back, and has not gone back yet.
	RefundDueMicros int64
	// GoodwillMicros is refunded money that was no longer owed by anybody: the customer keeps the goods (ORD-23).
	GoodwillMicros int64
	Payments       []Payment
	// Unmatched are facts of payments that were told before those that they follow from (ORD-66).
	Unmatched []Payment
	// PaymentStarts is how often the deadline has moved. PaymentFailed: the newest payment has failed.
	PaymentStarts int32
	PaymentFailed bool
	PlacedEventID ID
	// ReservationVersion is the order's version at which the reservation it wants last changed.
	ReservationVersion uint64
	// Settled: stock has answered ReservationVersion.
	Settled     bool
	Fulfilments []Fulfilment
	Returns     []Return
	// ReturnedTo is what came back to locations that were named for it.
	ReturnedTo []ReturnedTo
	// ReversedShipments are those that were taken back. What they had is in no line any more.
	ReversedShipments []ReversedShipment
	// Allocation goes with every reservation that the order wants; nil: it has no rule.
	Allocation *AllocationRule
	// Short is why stock did not have the order, or its newest amendment.
	Short []ShortLine
	// Amendment is the one that stock has not answered, nil for none.
	Amendment *Amendment
	// DeclinedAmendments are the versions at which amendments were requested that were declined.
	DeclinedAmendments []uint64
	// SKUsToRelease are SKUs that no line of the order has, and that stock may have reserved: those of declined
	// amendments, and of a past document that was asked for with other lines before. The order wants 0 of them.
	SKUsToRelease []string
	// Amendments counts all that were requested.
	Amendments int32
	// PaymentDue: an amendment made the confirmed order cost more than is authorized, or money that covered it is gone.
	PaymentDue bool
	// CoverLost: money that covered the confirmed order is gone. It ends at its payment deadline unless that comes again.
	CoverLost bool
	// StockVersions are the newest versions of items that the order has news of: of what is backordered of them (ORD-33).
	StockVersions []StockVersion
	// RequestedDocument is a past document that waits for stock; nil: none does. The event that imports it has all of it.
	RequestedDocument *DocumentImported
}

// Line is one line of an order. Quantities are units.
type Line struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
	Backordered     int64
	Cancelled       int64
	// Shipped has left, and has arrived or is on its way.
	Shipped   int64
	Delivered int64
	// Returned came back; Damaged is the portion of it that cannot be sold again.
	Returned, Damaged int64
	// Undelivered had left and did not arrive: it is not in Shipped any more. Of that, UndeliveredDamaged came back and
	// cannot be sold again, and Lost did not come back. The rest came back resellable.
	Undelivered, UndeliveredDamaged, Lost int64
	// ShipAgain did not arrive, and stock has not answered for it yet (ORD-77).
	ShipAgain int64
	// DiscountMicros and TaxMicros are those of all units that are not cancelled. What of them went with units that came
	// back is a part of them.
	DiscountMicros, TaxMicros                 int64
	ReturnedDiscountMicros, ReturnedTaxMicros int64
}

// LineQuantity is a quantity of a line. Line is its number, from 1; 0: the SKU is meant, whatever lines have it
// (ORD-69).
type LineQuantity struct {
	SKU      string
	Quantity int64
	Line     int32
}

// left is what is still to ship of a line, the backordered portion included.
func (l *Line) left() int64 { return l.Quantity - l.Cancelled - l.Shipped }

// offHold is the lifecycle of the order, or the one before it was put on hold.
func (o *Order) offHold() Lifecycle {
	if o.Lifecycle == OnHold {
		return o.HeldFrom
	}
	return o.Lifecycle
}

// leftUnits is what is still to ship of all lines.
func (o *Order) leftUnits() (left int64) {
	for i := range o.Lines {
		left += o.Lines[i].left()
	}
	return left
}

func (o *Order) shippedUnits() int64 {
	var shipped int64
	for i := range o.Lines {
		shipped += o.Lines[i].Shipped
	}
	return shipped
}

// Undecided reports whether what stock answers decides something: of the order itself, or of an amendment.
func (o *Order) Undecided() bool { return o.Lifecycle == Placed || o.Amendment != nil }

// Open reports whether the order may still change stock: it has not ended, or stock has not answered its newest step.
func (o Order) Open() bool {
	switch o.Lifecycle {
	case None:
		return false
	case Placed, Reserved, Confirmed, OnHold:
		return true
	case Completed, Rejected, Cancelled, Expired:
	}
	return !o.Settled
}

// reservationChanged notes that the order wants another reservation from this version on.
func (o *Order) reservationChanged() {
	o.ReservationVersion, o.Settled = max(o.Version, o.ReservationVersion+1), false
}
