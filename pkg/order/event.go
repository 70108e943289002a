package order

// Event is one of the events below; the set is closed.
type Event interface{ isEvent() }

// The closed set of Event. Its fields are those of the event schema (schemas/holdfast/event/v1/order.proto).
type (
	OrderPlaced struct {
		CustomerID, Currency        string
		Lines                       []PlaceLine
		SubtotalMicros, TotalMicros int64
		Terms                       PaymentTerms
		PaymentDeadlineMicros       int64
		Country, Reference          string
		Allocation                  *AllocationRule
	}
	OrderReserved        struct{}
	OrderBackordered     struct{ Backordered []LineQuantity }
	OrderBackorderFilled struct{ Filled []LineQuantity }
	OrderRejected        struct {
		Short           []ShortLine
		RefundDueMicros int64
	}
	PaymentAuthorized struct {
		AmountMicros int64
		Reference    string
	}
	// PaymentCaptured: UnvoidedMicros is the part that the order had given back, and that was captured all the same.
	PaymentCaptured struct {
		AmountMicros                    int64
		Reference                       string
		UnvoidedMicros, RefundDueMicros int64
	}
	PaymentStarted struct {
		Reference             string
		PaymentDeadlineMicros int64
	}
	PaymentVoided struct {
		AmountMicros      int64
		Reference, Reason string
	}
	PaymentRefunded struct {
		AmountMicros      int64
		Reference, Reason string
	}
	PaymentFailed  struct{ Reference, Reason string }
	OrderReopened  struct{ PaymentDeadlineMicros int64 }
	OrderConfirmed struct{}
	OrderCancelled struct {
		Reason                        string
		VoidedMicros, RefundDueMicros int64
	}
	OrderExpired struct{ VoidedMicros, RefundDueMicros int64 }
	LinesShipped struct {
		FulfilmentID      string
		Lines             []LineQuantity
		TrackingReference string
	}
	// LinesCancelled: the lines with their prices, what the order costs without them, and the money that is set free.
	LinesCancelled struct {
		Lines                         []PlaceLine
		Reason                        string
		SubtotalMicros, TotalMicros   int64
		VoidedMicros, RefundDueMicros int64
	}
	// AmendmentRequested: stock is asked for what the lines want more of.
	AmendmentRequested struct {
		Lines  []AmendedLine
		Reason string
	}
	// OrderAmended: the lines are as they should be. Backordered is what waits of their SKUs then, with the money that is
	// set free, and what must be authorized before the order ships.
	OrderAmended struct {
		Lines                         []AmendedLine
		Backordered                   []LineQuantity
		SubtotalMicros, TotalMicros   int64
		VoidedMicros, RefundDueMicros int64
		PaymentDueMicros              int64
	}
	// AmendmentDeclined: the order stays as it was. Short says why; the Reason is set where stock is not.
	AmendmentDeclined struct {
		Short  []ShortLine
		Reason string
	}
	OrderHeld struct{ Reason string }
	// OrderResumed: Confirmed, or else reserved until the payment deadline.
	OrderResumed struct {
		Confirmed             bool
		PaymentDeadlineMicros int64
	}
	FulfilmentCreated struct {
		FulfilmentID string
		Lines        []LineQuantity
	}
	FulfilmentCancelled struct{ FulfilmentID, Reason string }
	LinesDelivered      struct {
		FulfilmentID string
		Lines        []LineQuantity
	}
	// DocumentImported is OrderImported or CreditNoteImported of the schema, by its Kind.
	DocumentImported struct {
		Kind                        Kind
		CustomerID, Currency        string
		Lines                       []PlaceLine
		SubtotalMicros, TotalMicros int64
		Country, Reference          string
	}
	// ImportRequested: stock is asked whether it has the Document, which follows if it does.
	ImportRequested struct{ Document DocumentImported }
	ReturnRequested struct {
		ReturnID string
		Lines    []LineQuantity
		Reason   string
	}
	// ReturnReceived: what came back, with its prices and by its condition.
	ReturnReceived struct {
		ReturnID            string
		Resellable, Damaged []PlaceLine
		// What is captured, and authorized, beyond what the customer keeps.
		RefundDueMicros, VoidedMicros int64
		Location                      string
	}
	// ReturnCancelled gives up the Lines that had not come.
	ReturnCancelled struct {
		ReturnID string
		Lines    []LineQuantity
		Reason   string
	}
	ReservationSettled struct{ ReservationVersion uint64 }
	// ShipmentReconciled: FulfilmentID is the fulfilment that was being packed of the Lines, or one of its own.
	ShipmentReconciled struct {
		FulfilmentID string
		Lines        []LineQuantity
	}
)

func (OrderPlaced) isEvent()          {}
func (OrderReserved) isEvent()        {}
func (OrderBackordered) isEvent()     {}
func (OrderBackorderFilled) isEvent() {}
func (OrderRejected) isEvent()        {}
func (PaymentAuthorized) isEvent()    {}
func (PaymentCaptured) isEvent()      {}
func (PaymentStarted) isEvent()       {}
func (PaymentVoided) isEvent()        {}
func (PaymentRefunded) isEvent()      {}
func (PaymentFailed) isEvent()        {}
func (OrderReopened) isEvent()        {}
func (OrderConfirmed) isEvent()       {}
func (OrderCancelled) isEvent()       {}
func (OrderExpired) isEvent()         {}
func (LinesShipped) isEvent()         {}
func (LinesCancelled) isEvent()       {}
func (AmendmentRequested) isEvent()   {}
func (OrderAmended) isEvent()         {}
func (AmendmentDeclined) isEvent()    {}
func (OrderHeld) isEvent()            {}
func (OrderResumed) isEvent()         {}
func (FulfilmentCreated) isEvent()    {}
func (FulfilmentCancelled) isEvent()  {}
func (LinesDelivered) isEvent()       {}
func (DocumentImported) isEvent()     {}
func (ImportRequested) isEvent()      {}
func (ReturnRequested) isEvent()      {}
func (ReturnReceived) isEvent()       {}
func (ReturnCancelled) isEvent()      {}
func (ReservationSettled) isEvent()   {}
func (ShipmentReconciled) isEvent()   {}
