package inventory

// moveStock applies INV-22.
func moveStock(item Item, c MoveStock) ([]Event, error) {
	if c.Quantity < 1 || c.Quantity > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a move is 1 to 1000000000 units")
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
	case *from < c.Quantity:
		return nil, refuse(CodeInsufficientStock, "/quantity", "the location has less than that in this state")
	}
	*to = c.Quantity
	*delta.state(c.From) = -c.Quantity
	c.Location = location
	return change(item, StockMoved(c), location, delta)
}

// expectStock applies INV-23.
func expectStock(item Item, c ExpectStock) ([]Event, error) {
	if c.Quantity < 0 || c.Quantity > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "an expected delivery is 0 to 1000000000 units")
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	delta := c.Quantity
	if k := item.delivery(location, c.Reference); k >= 0 {
		delta -= item.Expected[k].Quantity
	} else if len(item.Expected) >= MaxDeliveries {
		return nil, refuse(CodeTooManyDeliveries, "/reference", "an item expects at most 1000 deliveries at a time")
	}
	if delta == 0 {
		return nil, nil
	}
	expected := StockExpected{Location: location, Quantity: c.Quantity, Delta: delta, Reference: c.Reference}
	return change(item, expected, location, Level{Incoming: delta})
}

// state is the quantity of a state that stock moves between; nil for any other.
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

// delivery returns the index of an expected delivery, or -1.
func (i *Item) delivery(location, reference string) int {
	for k := range i.Expected {
		if d := &i.Expected[k]; d.Location == location && d.Reference == reference {
			return k
		}
	}
	return -1
}
