package inventory

// Event is one change of an item, with the levels that it left behind.
type Event struct {
	Change Change
	// Locations are the ones that changed, as they stand after the event.
	Locations []LocationLevel
	// Total is all locations added up, after the event.
	Total Level
}

// Change is one of the changes below; the set is closed.
type Change interface{ isChange() }

// Step names the order's step that a change answers.
type Step struct {
	OrderID       string
	PlacedEventID ID
	Version       uint64
	// Allocation is the order's rule; nil: it has none.
	Allocation *AllocationRule
}

// Allocation is a quantity at a location.
type Allocation struct {
	Location string
	Quantity int64
}

// The closed set of Change. Its fields are those of the event schema (schemas/holdfast/event/v1/inventory.proto).
type (
	ItemRegistered struct{ Description string }
	StockReceived  struct {
		Location  string
		Quantity  int64
		Reference string
		// Expected is the part that was incoming under the same reference.
		Expected int64
	}
	StockMoved struct {
		Location  string
		From, To  State
		Quantity  int64
		Reference string
	}
	StockExpected struct {
		Location  string
		Quantity  int64
		Delta     int64
		Reference string
	}
	// TransferShipped took Quantity off the shelf of FromLocation; it is incoming at ToLocation.
	TransferShipped struct {
		TransferID               string
		FromLocation, ToLocation string
		Quantity                 int64
		Reference                string
	}
	// TransferReceived put Quantity on the shelf of ToLocation, and Damaged beside it; Missing has left incoming
	// and is nowhere; Rejected is in quality control of FromLocation, for a Reason.
	TransferReceived struct {
		TransferID                           string
		FromLocation, ToLocation             string
		Quantity, Missing, Damaged, Rejected int64
		Reason                               string
	}
	StockAdjusted struct {
		Location  string
		Delta     int64
		Reason    Reason
		Reference string
	}
	StockCounted struct {
		Location  string
		Counted   int64
		Delta     int64
		Reference string
		// CountedAtVersion is the item's version when counting began; 0: nobody asked.
		CountedAtVersion uint64
	}
	SafetyStockSet struct {
		Location string
		Quantity int64
		Delta    int64
	}
	BackorderLimitSet struct{ Limit int64 }
	StockReserved     struct {
		Step        Step
		Quantity    int64
		Allocations []Allocation
	}
	StockBackordered struct {
		Step        Step
		Quantity    int64
		Backordered int64
		Allocations []Allocation
	}
	ReservationRejected struct {
		Step      Step
		Quantity  int64
		Available int64
		Reason    RejectionReason
	}
	ReservationCommitted struct {
		Step        Step
		Quantity    int64
		Allocations []Allocation
	}
	ReservationReleased struct {
		Step          Step
		Quantity      int64
		FromReserved  []Allocation
		FromCommitted []Allocation
	}
	StockFulfilled struct {
		Step          Step
		Quantity      int64
		FromReserved  []Allocation
		FromCommitted []Allocation
		FromAvailable []Allocation
	}
	StockRestocked struct {
		Step        Step
		Quantity    int64
		Allocations []Allocation
		Reason      Reason
		// Damaged is the part of Quantity that went to damaged, not to available.
		Damaged []Allocation
		// ReturnedAt is what, with this, came back to a location that was named for it.
		ReturnedAt []ReturnedAt
	}
	// BackorderFilled gives an order what it waited for. Step is its newest; Location is where it waited,
	// Backordered what it still waits for there. Reserved and Committed are the parts of Quantity that
	// were found at other locations and are held there from now on.
	BackorderFilled struct {
		Step        Step
		Location    string
		Quantity    int64
		Backordered int64
		Reserved    []Allocation
		Committed   []Allocation
	}
)

func (ItemRegistered) isChange()       {}
func (StockReceived) isChange()        {}
func (StockMoved) isChange()           {}
func (StockExpected) isChange()        {}
func (TransferShipped) isChange()      {}
func (TransferReceived) isChange()     {}
func (StockAdjusted) isChange()        {}
func (StockCounted) isChange()         {}
func (SafetyStockSet) isChange()       {}
func (BackorderLimitSet) isChange()    {}
func (StockReserved) isChange()        {}
func (StockBackordered) isChange()     {}
func (ReservationRejected) isChange()  {}
func (ReservationCommitted) isChange() {}
func (ReservationReleased) isChange()  {}
func (StockFulfilled) isChange()       {}
func (StockRestocked) isChange()       {}
func (BackorderFilled) isChange()      {}
