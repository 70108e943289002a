package inventory

import "github.com/holdfast/holdfast/pkg/limits"

// State is a portion of on_hand that is not reserved for an order. A closed set; values equal those of the event
// schema.
type State int32

// The states.
const (
	StateAvailable State = iota + 1
	StateDamaged
	StateQualityControl
	StateSafetyStock
)

// MoveStock moves units of one location between states that are not reserved for an order.
//
//	INV-22  The quantity is 1 to MaxQuantity (invalid_quantity), from one state to another (invalid_state). The state
//	        that it leaves has at least the quantity (insufficient_stock). What is promised to orders counts as available
//	        where it becomes damaged or goes to quality_control: those orders then fall short (INV-70). What safety_stock
//	        is to be changes with what is moved out of it, or into it. After a move from it to available it is to be what
//	        is left: more would be taken from what was just put up for sale (INV-73).
type MoveStock struct {
	Location  string
	From, To  State
	Quantity  int64
	Reference string
}

// StockMoved moved Quantity from one state to another.
type StockMoved struct {
	Location  string
	From, To  State
	Quantity  int64
	Reference string
}

func (c MoveStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Quantity < 1 || c.Quantity > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a move is "+limits.Quantities(1))
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	level := item.at(location)
	var delta Level
	from, to := level.state(c.From), delta.state(c.To)
	switch {
	case from == nil:
		return nil, refuse(CodeInvalidState, "/from", "the state is not one that stock moves between")
	case to == nil || c.From == c.To:
		return nil, refuse(CodeInvalidState, "/to", "the state is not another one that stock moves between")
	case *from < c.Quantity && !c.takesPromised(&level):
		return nil, refuse(CodeInsufficientStock, "/quantity", "the location has less than that in this state")
	}
	*to = c.Quantity
	*delta.state(c.From) = -c.Quantity
	c.Location = location
	return item.event(StockMoved(c), LocationLevel{location, delta})
}

func (c StockMoved) evolve(item *Item, _ *Reservation) {
	target := item.safetyStockTarget(c.Location)
	switch {
	case target == 0: // safety_stock is what it is to be
	case c.From == StateSafetyStock && c.To == StateAvailable:
		item.setSafetyStockTarget(c.Location, 0)
	case c.From == StateSafetyStock:
		item.setSafetyStockTarget(c.Location, target-c.Quantity)
	case c.To == StateSafetyStock:
		item.setSafetyStockTarget(c.Location, target+c.Quantity)
	}
}

// state is the quantity of a state; nil for an unknown state.
func (l *Level) state(s State) *int64 {
	switch s {
	case StateAvailable:
		return &l.Available
	case StateDamaged:
		return &l.Damaged
	case StateQualityControl:
		return &l.QualityControl
	case StateSafetyStock:
		return &l.SafetyStock
	}
	return nil
}

// takesPromised reports whether goods are moved that may be promised to orders, and are on hand.
func (c *MoveStock) takesPromised(l *Level) bool {
	return c.From == StateAvailable && c.To != StateSafetyStock && l.Available+l.Reserved+l.Committed >= c.Quantity
}
