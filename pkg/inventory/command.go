package inventory

// Command is one of the commands below; the set is closed.
type Command interface{ isCommand() }

// RegisterItem makes the SKU known, or changes its description.
type RegisterItem struct{ Description string }

// ReceiveStock adds goods that arrived.
type ReceiveStock struct {
	Location  string
	Quantity  int64
	Reference string
}

// MoveStock moves units between states that are not promised to anybody.
type MoveStock struct {
	Location  string
	From, To  State
	Quantity  int64
	Reference string
}

// ExpectStock says how much of a delivery is still to come to a location: absolute, 0 for none.
type ExpectStock struct {
	Location  string
	Quantity  int64
	Reference string
}

// ShipTransfer sends units from one location to another one.
type ShipTransfer struct {
	TransferID               string
	FromLocation, ToLocation string
	Quantity                 int64
	Reference                string
}

// ReceiveTransfer records what of a transfer has arrived, for sale or Damaged, what will not, and what the destination
// Rejected, for a Reason: that goes back to where it came from.
type ReceiveTransfer struct {
	TransferID                           string
	Quantity, Missing, Damaged, Rejected int64
	Reason                               string
}

// AdjustStock changes on_hand by Delta, for a reason.
type AdjustStock struct {
	Location  string
	Delta     int64
	Reason    Reason
	Reference string
}

// CountStock sets on_hand to what was counted.
type CountStock struct {
	Location  string
	Counted   int64
	Reference string
	// CountedAtVersion is the item's version when counting began; 0: whatever has happened since.
	CountedAtVersion uint64
}

// SetSafetyStock holds Quantity back from sale at a location.
type SetSafetyStock struct {
	Location string
	Quantity int64
}

// SetBackorderLimit lets orders wait for at most Limit units that are not there, all locations together.
type SetBackorderLimit struct{ Limit int64 }

// SetReservation is the order's step: how its reservation of this SKU should be, absolute.
// Ordered quantities that are in none of the four were never taken or are given back.
type SetReservation struct {
	OrderID       string
	PlacedEventID ID
	Version       uint64
	Reserved      int64
	Committed     int64
	Fulfilled     int64
	Restocked     int64
	// Damaged goods came back too, and cannot be sold again.
	Damaged int64
	// ReturnedAt are the parts of both that have a location named for them.
	ReturnedAt []ReturnedAt
	// Allocation says how growth is spread over locations; nil: in order of their first use.
	Allocation *AllocationRule
	// Imported: a past document; what is missing is taken from available at once, or reserved of what is there.
	Imported bool
	// Refuse: another SKU of the same order cannot be had, so this one records a rejection too.
	Refuse bool
}

func (RegisterItem) isCommand()      {}
func (ReceiveStock) isCommand()      {}
func (MoveStock) isCommand()         {}
func (ExpectStock) isCommand()       {}
func (ShipTransfer) isCommand()      {}
func (ReceiveTransfer) isCommand()   {}
func (AdjustStock) isCommand()       {}
func (CountStock) isCommand()        {}
func (SetSafetyStock) isCommand()    {}
func (SetBackorderLimit) isCommand() {}
func (SetReservation) isCommand()    {}
