package inventory

// Command asks for a change of an item. The set is closed: the commands are types of this package. Each is in
// the file of its subject, with its rules, its event, and the methods that decide the one and apply the other.
type Command interface {
	decide(item *Item, res *Reservation) ([]Event, error)
}

// Event is one change of an item, with the levels that it left behind.
type Event struct {
	Change Change
	// Locations are those that changed, as they are after the event.
	Locations []LocationLevel
	// Total is the sum of all locations after the event.
	Total Level
}

// Change says what happened. The set is closed, and its fields are those of the event schema
// (schemas/holdfast/event/v1/inventory.proto). Levels are not its business: the event carries them.
type Change interface {
	evolve(item *Item, res *Reservation)
}

// Decide says what a command does to an item. res is the reservation of the command's order; it is the zero value for
// commands without an order. A refusal is an *Error, and writes nothing.
//
// The answer of SetReservation to a short SKU is a ReservationRejected event, not an error: it must be remembered. An
// unknown SKU has nothing to remember it (INV-64). A step that is not newer than res.Version (of the same
// PlacedEventID) returns no events and no error.
//
// The rules are numbered, and stand above the commands that they are about. docs/rules.md lists them all.
//
// Rules of all commands:
//
//	INV-2   A stock command other than RegisterItem needs a registered item: unknown_sku.
//	INV-9   Every quantity stays within ±MaxLevel, at each location and in total: quantity_overflow.
//	INV-21  Every event carries the levels of the locations that it changed, and the total of the item.
func Decide(item Item, res Reservation, cmd Command) ([]Event, error) {
	events, err := decide(item, res, cmd)
	if err == nil && len(events) > 0 && waiting(item, events) {
		events = fill(item, res, events)
	}
	return events, err
}

// decide makes the events of the command itself. It does not call cmd.decide: a call through the interface makes the
// compiler allocate the state and the command.
func decide(item Item, res Reservation, cmd Command) ([]Event, error) {
	switch c := cmd.(type) {
	case SetReservation:
		return c.decide(&item, &res)
	case RegisterItem:
		return c.decide(&item, &res)
	}
	if !item.Registered {
		return nil, refuse(CodeUnknownSKU, "", "no item is registered under this SKU")
	}
	switch c := cmd.(type) {
	case ReceiveStock:
		return c.decide(&item, &res)
	case ExpectStock:
		return c.decide(&item, &res)
	case MoveStock:
		return c.decide(&item, &res)
	case AdjustStock:
		return c.decide(&item, &res)
	case CountStock:
		return c.decide(&item, &res)
	case SetSafetyStock:
		return c.decide(&item, &res)
	case SetBackorderLimit:
		return c.decide(&item, &res)
	case ShipTransfer:
		return c.decide(&item, &res)
	case ReceiveTransfer:
		return c.decide(&item, &res)
	case CancelTransfer:
		return c.decide(&item, &res)
	}
	return nil, refuse(CodeUnknownCommand, "", "not a command of a stock item")
}

// Evolve returns the state after an event. It never fails on what Decide produced, and changes neither argument.
// Version grows by 1, and VisibleVersion follows it at each event that a client can see. Levels are those that the
// event carries; they are not computed again.
func Evolve(item Item, res Reservation, ev Event) (Item, Reservation) {
	item.Version++
	if Visible(ev.Change) {
		item.VisibleVersion = item.Version
	}
	before, backordered := item.Locations, res.Backordered
	item.Locations = withLevels(before, ev.Locations)
	item.noteOnHand(before, ev.Locations)
	switch c := ev.Change.(type) { // direct calls for frequent changes: through the interface the state would be allocated
	case BackorderFilled:
		c.evolve(&item, &res)
		res.noteBackordered(backordered, item.Version)
		return item, res // it has kept the waiting orders up to date itself
	case ReservationFellShort:
		c.evolve(&item, &res)
		res.noteBackordered(backordered, item.Version)
		return item, res // so has this
	case StockReserved:
		c.evolve(&item, &res)
	case ReservationCommitted:
		c.evolve(&item, &res)
	case StockFulfilled:
		c.evolve(&item, &res)
	case ReservationReleased:
		c.evolve(&item, &res)
	case StockReceived:
		c.evolve(&item, &res)
	case nil:
	default:
		item, res = evolveCopy(item, res, c)
	}
	if backordered > 0 || res.Backordered > 0 {
		res.sumBackordered()
		res.noteBackordered(backordered, item.Version)
		item.followBackorder(res)
	}
	return item, res
}

// evolveCopy calls evolve through the interface, on a copy of the state.
func evolveCopy(item Item, res Reservation, c Change) (Item, Reservation) {
	c.evolve(&item, &res)
	return item, res
}

// event makes the one event of a stock command. Each delta is added to its location; a location is named once.
func (i *Item) event(c Change, deltas ...LocationLevel) ([]Event, error) {
	total := i.Total()
	for k := range deltas {
		delta := deltas[k].Level
		deltas[k].Level = i.at(deltas[k].Location).plus(delta)
		total = total.plus(delta)
		if !deltas[k].Level.bounded() || !total.bounded() {
			return nil, refuse(CodeQuantityOverflow, "", "the item would have more units than can be counted")
		}
	}
	return []Event{{Change: c, Locations: deltas, Total: total}}, nil
}
