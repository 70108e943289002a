package inventory

import (
	"strconv"
	"unicode/utf8"
)

// Decide says what a command does to an item. res is the reservation that the command's order holds
// (the zero value for commands without one). A refusal is an *Error; it writes nothing.
// For SetReservation the answer to a short or unknown SKU is a ReservationRejected event, not an error:
// it must be remembered. A step that is older than or equal to res.Version (same PlacedEventID) returns no events and no error.
//
// The rules:
//
//	INV-1   RegisterItem makes an item known or changes its description. The description that it has
//	        already: no event, no error.
//	INV-2   Every other stock command needs a registered item: unknown_sku.
//	INV-3   No location means "main". A location is plain text of at most 64 bytes (invalid_location),
//	        and an item has at most 1,000 of them (too_many_locations).
//	INV-4   ReceiveStock: 1 to MaxQuantity (invalid_quantity); on_hand and available grow.
//	INV-5   AdjustStock: the delta is not 0 and at most MaxQuantity either way (invalid_delta), the reason
//	        is known (invalid_reason). It may not take on_hand of the location below 0 (negative_on_hand);
//	        available may fall below 0: promised stock is missing.
//	INV-6   CountStock: 0 to MaxQuantity (invalid_quantity). It sets on_hand; the difference goes to
//	        available. A count that confirms the figure is recorded as well.
//	INV-7   SetSafetyStock: 0 to MaxQuantity (invalid_quantity). The difference moves between available
//	        and safety_stock; available must have it (insufficient_stock). No difference: no event.
//	INV-8   SetBackorderLimit: 0 to MaxBackorderLimit (invalid_quantity). No difference: no event.
//	INV-9   Quantities stay within ±MaxLevel, by location and in total: quantity_overflow.
//	INV-10  SetReservation is a new step when its PlacedEventID is another one than the reservation's, or
//	        its Version is greater. Any other step writes nothing.
//	INV-11  Another PlacedEventID replaces the reservation: what the old one still binds is released first.
//	INV-12  Growth of reserved + committed + fulfilled must fit what can be reserved: available of the
//	        locations above 0, and what backorders leave of their limit. A location below 0 never blocks the others. It is taken from locations in order
//	        of first use, or as the step's rule says (INV-60), the backordered rest at the first: StockReserved, or
//	        StockBackordered.
//	INV-13  Growth that does not fit, an item that is not registered, and Refuse write ReservationRejected,
//	        which takes nothing; in this order of reasons: unknown_sku, insufficient_stock, other_line. What the order
//	        held before it holds still, and the next step that asks for no more finds it.
//	INV-14  Imported: growth must fit available of the locations above 0, and goes straight from there (StockFulfilled), or
//	        is reserved first where the step says so. An item that is not registered is refused also where nothing grows.
//	INV-15  Shrinking releases what exceeds the step, from reserved first, then from committed.
//	INV-16  Reserved becomes committed as the step says (ReservationCommitted); committed never goes back.
//	INV-17  Committed, then reserved, becomes fulfilled (StockFulfilled), always: it has left the shelf, even
//	        when on_hand falls below 0. Fulfilled never goes back.
//	INV-18  Growth of restocked goes to available of the locations that are named for it (ReturnedAt), without a name of those
//	        that the order was fulfilled from, the first of them
//	        first, as far as it has not come back there; what never left goes to the first location (StockRestocked, reason return).
//	INV-19  A new step writes at least one event: ReservationReleased of 0 when there is nothing to change.
//	INV-20  A step's quantities are 0 to MaxStepQuantity (invalid_quantity), its order ID is set, its version is at least 1
//	        and Imported goes without committed, and with reserved or fulfilled, not both (invalid_step).
//	INV-21  Every event carries the levels of the locations that it changed, and of all added up.
//	INV-22  MoveStock: 1 to MaxQuantity (invalid_quantity) from one state to another one (invalid_state), at
//	        one location. The state that it leaves must have it (insufficient_stock).
//	INV-23  ExpectStock: 0 to MaxQuantity (invalid_quantity), absolute for a location and a reference; the
//	        difference goes to incoming. No difference: no event. An item expects at most 1,000 deliveries
//	        (too_many_deliveries).
//	INV-24  A receipt takes what was expected at its location under its reference out of incoming, as far
//	        as it goes.
//	INV-25  What a reservation holds and is not there yet is backordered. Releases give it up first, shipments
//	        take it last. At most 10,000 orders wait for an item; beyond that the backorder limit counts as 0.
//	INV-26  Whatever leaves stock that backorders can have fills them, in the order of their arrival
//	        (BackorderFilled): first from their own location, once what is promised there is covered, then
//	        from what is available elsewhere, as their rule allows (INV-62). An order keeps its place while it waits for
//	        anything, and what an amendment makes it wait for more is filled in that place too.
//	INV-27  ShipTransfer: 1 to MaxQuantity (invalid_quantity) from one location to another (same_location), under an
//	        ID of its own (invalid_transfer_id, transfer_exists). The location that it leaves must have it
//	        available (insufficient_stock). On its way it is on_hand nowhere, and incoming where it goes. An item
//	        has at most 1,000 transfers on their way (too_many_transfers).
//	INV-28  ReceiveTransfer: at most what of a transfer (unknown_transfer) is on its way (over_transfer), arrived, damaged,
//	        missing and rejected together, and not nothing (invalid_quantity). What arrives becomes available, or damaged; what
//	        is missing leaves incoming; what is rejected, for a reason (invalid_reason), is in quality control of the
//	        location that sent it, until somebody has looked.
//	INV-40  Growth of damaged goes to damaged of the same locations, after what can be sold, in the same StockRestocked: those
//	        goods came back, and cannot be sold again.
//	INV-60  A step may bring the order's allocation rule: it tries the locations that the rule lists first, in
//	        its order, as far as the item has them, then the others in order of first use. A location below 0
//	        has nothing, and takes nothing from the others. Without a rule: split, and none listed. The rule
//	        is about this item alone: other SKUs of the order may come from other locations.
//	INV-61  single_location takes all of an order from one location: where the order has taken some, or else the
//	        first that has it all, or else, backordered, the one that has most. What one location has is all
//	        that can be reserved. fewest_locations takes it from as few further locations as have it together,
//	        of those that are as few the ones that come first; from all, when all have less. split takes what
//	        each has.
//	INV-62  What a rule backorders is backordered at the first location that it takes from, or tries. A
//	        backorder of single_location is filled at its own location alone; others elsewhere as their rule says.
//	INV-63  CountStock may name the item's version when counting began. If on_hand of the location has changed since,
//	        the count is of another state: count_outdated. Reservations, moves between states and other locations
//	        do not matter. A version that the item has not reached: invalid_counted_at_version.
func Decide(item Item, res Reservation, cmd Command) ([]Event, error) {
	events, err := decide(item, res, cmd)
	if err == nil && len(events) > 0 && waiting(item, events) {
		events = fill(item, res, events)
	}
	return events, err
}

func decide(item Item, res Reservation, cmd Command) ([]Event, error) {
	switch c := cmd.(type) {
	case SetReservation:
		return setReservation(item, res, c)
	case RegisterItem:
		return registerItem(item, c)
	}
	if !item.Registered {
		return nil, refuse(CodeUnknownSKU, "", "no item is registered under this SKU")
	}
	switch c := cmd.(type) {
	case ReceiveStock:
		return receiveStock(item, c)
	case MoveStock:
		return moveStock(item, c)
	case ExpectStock:
		return expectStock(item, c)
	case ShipTransfer:
		return shipTransfer(item, c)
	case ReceiveTransfer:
		return receiveTransfer(item, c)
	case AdjustStock:
		return adjustStock(item, c)
	case CountStock:
		return countStock(item, c)
	case SetSafetyStock:
		return setSafetyStock(item, c)
	case SetBackorderLimit:
		return setBackorderLimit(item, c)
	}
	return nil, refuse(CodeUnknownCommand, "", "not a command of a stock item")
}

func registerItem(item Item, c RegisterItem) ([]Event, error) {
	if len(c.Description) > MaxDescriptionBytes || !utf8.ValidString(c.Description) {
		return nil, refuse(CodeInvalidDescription, "/description", "a description is at most 1024 bytes of UTF-8")
	}
	if len(item.SKU) > MaxSKUBytes || !plain(item.SKU) {
		return nil, refuse(CodeInvalidSKU, "", "a SKU is at most 64 bytes of text without control characters or outer spaces")
	}
	if item.Registered && item.Description == c.Description {
		return nil, nil
	}
	return []Event{{Change: ItemRegistered(c), Total: item.Total()}}, nil
}

func receiveStock(item Item, c ReceiveStock) ([]Event, error) {
	if c.Quantity < 1 || c.Quantity > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a receipt is 1 to 1000000000 units")
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	received := StockReceived{Location: location, Quantity: c.Quantity, Reference: c.Reference}
	if k := item.delivery(location, c.Reference); k >= 0 {
		received.Expected = min(c.Quantity, item.Expected[k].Quantity)
	}
	return change(item, received, location, Level{OnHand: c.Quantity, Available: c.Quantity, Incoming: -received.Expected})
}

func adjustStock(item Item, c AdjustStock) ([]Event, error) {
	if c.Delta == 0 || c.Delta > MaxQuantity || c.Delta < -MaxQuantity {
		return nil, refuse(CodeInvalidDelta, "/delta", "an adjustment is not 0 and at most 1000000000 units either way")
	}
	if c.Reason < ReasonCorrection || c.Reason > ReasonOther {
		return nil, refuse(CodeInvalidReason, "/reason", "the reason is not a known one")
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	if c.Delta < 0 && item.at(location).OnHand+c.Delta < 0 {
		return nil, refuse(CodeNegativeOnHand, "/delta", "the location does not have that much on hand")
	}
	c.Location = location
	return change(item, StockAdjusted(c), location, Level{OnHand: c.Delta, Available: c.Delta})
}

func countStock(item Item, c CountStock) ([]Event, error) {
	if c.Counted < 0 || c.Counted > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/counted", "a count is 0 to 1000000000 units")
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	if err := item.countedAt(location, c.CountedAtVersion); err != nil {
		return nil, err
	}
	delta := c.Counted - item.at(location).OnHand
	counted := StockCounted{
		Location: location, Counted: c.Counted, Delta: delta, Reference: c.Reference, CountedAtVersion: c.CountedAtVersion,
	}
	return change(item, counted, location, Level{OnHand: delta, Available: delta})
}

// countedAt applies INV-63.
func (i Item) countedAt(location string, version uint64) error {
	if version > i.Version {
		return refuse(CodeInvalidCountedAt, "/counted_at_version", "the item has not come to that version: it is at "+strconv.FormatUint(i.Version, 10))
	}
	k := i.find(location)
	if version == 0 || k < 0 || k >= len(i.OnHandVersions) || i.OnHandVersions[k] <= version {
		return nil
	}
	onHand := i.Locations[k].Level.OnHand
	outdated := refuse(CodeCountOutdated, "/counted_at_version", "the location has "+strconv.FormatInt(onHand, 10)+
		" on hand since version "+strconv.FormatUint(i.OnHandVersions[k], 10)+": count again")
	outdated.OnHand = &onHand
	return outdated
}

func setSafetyStock(item Item, c SetSafetyStock) ([]Event, error) {
	if c.Quantity < 0 || c.Quantity > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "safety stock is 0 to 1000000000 units")
	}
	location, err := item.location(c.Location)
	if err != nil {
		return nil, err
	}
	level := item.at(location)
	delta := c.Quantity - level.SafetyStock
	if delta == 0 {
		return nil, nil
	}
	if delta > 0 && delta > level.Available {
		return nil, refuse(CodeInsufficientStock, "/quantity", "the location has less available than would be held back")
	}
	set := SafetyStockSet{Location: location, Quantity: c.Quantity, Delta: delta}
	return change(item, set, location, Level{SafetyStock: delta, Available: -delta})
}

func setBackorderLimit(item Item, c SetBackorderLimit) ([]Event, error) {
	if c.Limit < 0 || c.Limit > MaxBackorderLimit {
		return nil, refuse(CodeInvalidQuantity, "/limit", "a backorder limit is 0 to 1000000000 units")
	}
	if c.Limit == item.BackorderLimit {
		return nil, nil
	}
	return []Event{{Change: BackorderLimitSet(c), Total: item.Total()}}, nil
}

// stockPlace checks where a stock command acts, and its reference.
func (i Item) stockPlace(location, reference string) (string, error) {
	if err := checkReference(reference); err != nil {
		return "", err
	}
	return i.location(location)
}

// change makes the one event of a stock command, which adds delta to one location.
func change(item Item, c Change, location string, delta Level) ([]Event, error) {
	return changes(item, c, LocationLevel{location, delta})
}

// changes is change for several locations, each once.
func changes(item Item, c Change, deltas ...LocationLevel) ([]Event, error) {
	total := item.Total()
	for k := range deltas {
		delta := deltas[k].Level
		deltas[k].Level = item.at(deltas[k].Location).plus(delta)
		total = total.plus(delta)
		if !deltas[k].Level.bounded() || !total.bounded() {
			return nil, refuse(CodeQuantityOverflow, "", "the item would have more units than can be counted")
		}
	}
	return []Event{{Change: c, Locations: deltas, Total: total}}, nil
}
