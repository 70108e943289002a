package order

// Command is one of the commands below; the set is closed.
type Command interface{ isCommand() }

// Place asks for an order. Terms default to Prepaid. PaymentDeadlineMicros is set by the writer
// (received time + the configured payment window) for Prepaid.
type Place struct {
	OrderID               string
	CustomerID, Currency  string
	Country, Reference    string
	Lines                 []PlaceLine
	Terms                 PaymentTerms
	PaymentDeadlineMicros int64
	AtMicros              int64
	// TotalMicros is what the client expects to pay; nil: not checked.
	TotalMicros *int64
	// Allocation says where the goods come from; nil: from any location, in the order of their first use.
	Allocation *AllocationRule
}

// PlaceLine is a line as it was ordered.
type PlaceLine struct {
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
}

// Held is what stock answered for one SKU; Rejected with the reason when it could not be had.
type Held struct {
	SKU                                       string
	Reserved, Committed, Fulfilled, Restocked int64
	Damaged, Backordered                      int64
	Rejected                                  bool
	Available                                 int64
	RejectionReason                           int32
}

// RefusedAll reports whether stock rejected the order, and holds nothing of it from before.
func (h Held) RefusedAll() bool {
	return h.Rejected && h.Reserved|h.Committed|h.Fulfilled|h.Restocked|h.Damaged == 0
}

// RecordReservation brings stock's answers to the step of ReservationVersion: all SKUs answered, or
// at least one rejected. Answers to an older step change nothing.
// It yields OrderReserved, OrderBackordered or OrderRejected (from Placed; on account followed by OrderConfirmed),
// ReservationSettled (other states, and for imported documents). An amendment under way becomes
// OrderAmended or AmendmentDeclined. An import that was asked for becomes the document, or OrderRejected; an order whose
// stock is lost, OrderCancelled.
type RecordReservation struct {
	ReservationVersion uint64
	Held               []Held
}

// RecordBackorder brings how much of a SKU is still backordered, as stock has it for the step of
// ReservationVersion: absolute. Only a smaller quantity than the order knows of changes anything.
type RecordBackorder struct {
	SKU                string
	ReservationVersion uint64
	Backordered        int64
}

// StartPayment records that the customer is paying: the order waits until DeadlineMicros, which the writer sets
// (received time + the configured payment window).
type StartPayment struct {
	Reference      string
	DeadlineMicros int64
}

// AuthorizePayment records that a payment provider holds the amount; the order is confirmed once the total is
// authorized. DeadlineMicros is how long it then waits for the rest, or, when it had expired, for stock.
type AuthorizePayment struct {
	AmountMicros   int64
	Reference      string
	DeadlineMicros int64
}

// CapturePayment records that money was taken, wherever the order stands by then.
type CapturePayment struct {
	AmountMicros int64
	Reference    string
}

// VoidPayment records that a provider let go of money that it held; 0: all of it.
type VoidPayment struct {
	AmountMicros      int64
	Reference, Reason string
}

// RefundPayment records that captured money went back; 0: all of it.
type RefundPayment struct {
	AmountMicros      int64
	Reference, Reason string
}

// FailPayment records that a payment did not come about.
type FailPayment struct{ Reference, Reason string }

// Confirm confirms an order whose total is authorized or that is on account.
type Confirm struct{}

// Cancel ends an order that has not shipped.
type Cancel struct{ Reason string }

// Ship records goods that left; no lines: all that is left to ship.
type Ship struct {
	FulfilmentID      string
	Lines             []LineQuantity
	TrackingReference string
	// Capture takes the money for what ships, as far as it is authorized; with the last shipment all that is.
	// PaymentReference is the provider's for it, "" for none: the fulfilment's ID then stands for it.
	Capture          bool
	PaymentReference string
}

// CreateFulfilment sets lines aside for a shipment that is being packed; no lines: all that can ship.
type CreateFulfilment struct {
	FulfilmentID string
	Lines        []LineQuantity
}

// ShipFulfilment records that a fulfilment left.
type ShipFulfilment struct {
	FulfilmentID      string
	TrackingReference string
	Capture           bool
	PaymentReference  string
}

// CancelFulfilment gives up a fulfilment that has not left; its lines may ship otherwise.
type CancelFulfilment struct{ FulfilmentID, Reason string }

// CancelLines takes quantities that have not shipped off an order.
type CancelLines struct {
	Lines  []LineQuantity
	Reason string
}

// Amend changes quantities and prices of lines, or adds lines.
type Amend struct {
	Lines  []AmendLine
	Reason string
}

// AmendLine is a line as it should be. Line is its place in the order, from 1; it may be 0 where the order has one line
// of the SKU, or none: then the line is new. Quantity is absolute, with what is cancelled and shipped of it; without a
// price a line keeps the one that it has.
type AmendLine struct {
	SKU             string
	Line            int32
	Quantity        int64
	UnitPriceMicros *int64
}

// Hold stops an order where it is: it does not ship, and does not expire.
type Hold struct{ Reason string }

// Resume lets it go on. DeadlineMicros is how long it then waits for its payment.
type Resume struct{ DeadlineMicros int64 }

// Deliver records that a shipment arrived, or lines of it; no lines: all of it that has not yet.
type Deliver struct {
	FulfilmentID string
	Lines        []LineQuantity
}

// RequestReturn says what a customer will send back; no lines: all that has been delivered.
type RequestReturn struct {
	ReturnID string
	Lines    []LineQuantity
	Reason   string
}

// ReceiveReturn records goods that came back, in parts or all at once.
type ReceiveReturn struct {
	ReturnID string
	Lines    []ReturnedLine
	// Location is where they came back to; "": to where they had left from.
	Location string
}

// CancelReturn gives up what of a return has not come.
type CancelReturn struct{ ReturnID, Reason string }

// Expire ends an order whose payment deadline has passed at AtMicros; before the deadline, or when it is not waiting for a payment, it does nothing.
type Expire struct{ AtMicros int64 }

// ImportDocument records a past order or credit note. Quantities are positive. AskStock is set by the writer where stock
// is that of other shards: the document then waits for their answer.
type ImportDocument struct {
	OrderID              string
	Kind                 Kind
	CustomerID, Currency string
	Country, Reference   string
	Lines                []PlaceLine
	AtMicros             int64
	AskStock             bool
}

// ReconcileShipment completes the order's side of stock found fulfilled.
type ReconcileShipment struct{ Lines []LineQuantity }

func (Place) isCommand()             {}
func (RecordReservation) isCommand() {}
func (RecordBackorder) isCommand()   {}
func (AuthorizePayment) isCommand()  {}
func (CapturePayment) isCommand()    {}
func (StartPayment) isCommand()      {}
func (VoidPayment) isCommand()       {}
func (RefundPayment) isCommand()     {}
func (FailPayment) isCommand()       {}
func (Confirm) isCommand()           {}
func (Cancel) isCommand()            {}
func (Ship) isCommand()              {}
func (CreateFulfilment) isCommand()  {}
func (ShipFulfilment) isCommand()    {}
func (CancelFulfilment) isCommand()  {}
func (CancelLines) isCommand()       {}
func (Amend) isCommand()             {}
func (Hold) isCommand()              {}
func (Resume) isCommand()            {}
func (Deliver) isCommand()           {}
func (RequestReturn) isCommand()     {}
func (ReceiveReturn) isCommand()     {}
func (CancelReturn) isCommand()      {}
func (Expire) isCommand()            {}
func (ImportDocument) isCommand()    {}
func (ReconcileShipment) isCommand() {}
