package inventory

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
)

// ReceiveStock adds goods that arrived.
//
//	INV-4   The quantity is 1 to MaxQuantity (invalid_quantity). on_hand and available grow by it.
//	INV-24  What was expected at the location under the same reference leaves incoming, up to the quantity that
//	        arrived.
//	INV-65  A unit cost is 0 or more (invalid_cost), and has a currency of ISO 4217 (unknown_currency). It is
//	        recorded with the receipt, and no decision asks for it.
type ReceiveStock struct {
	Location  string
	Quantity  int64
	Reference string
	Cost      UnitCost
}

// UnitCost is what one unit cost the shop, in millionths of the currency. Without a currency the cost is not known; a
// known cost of 0 is that of goods that were free.
type UnitCost struct {
	Micros   int64
	Currency string
}

// StockReceived added Quantity to a location.
type StockReceived struct {
	Location  string
	Quantity  int64
	Reference string
	// Expected is how much of Quantity was incoming under the same reference.
	Expected int64
	Cost     UnitCost
}

func (c ReceiveStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Quantity < 1 || c.Quantity > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a receipt is "+limits.Quantities(1))
	}
	if err := c.Cost.check(); err != nil {
		return nil, err
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	received := StockReceived{Location: location, Quantity: c.Quantity, Reference: c.Reference, Cost: c.Cost}
	if k := item.delivery(location, c.Reference); k >= 0 {
		received.Expected = min(c.Quantity, item.Expected[k].Quantity)
	}
	return item.event(received, LocationLevel{location, Level{
		OnHand: c.Quantity, Available: c.Quantity, Incoming: -received.Expected,
	}})
}

// check refuses a cost below 0 or above MaxAmount, and one of no currency, or of one that does not exist.
func (c UnitCost) check() error {
	if c == (UnitCost{}) {
		return nil
	}
	if _, ok := money.Lookup(c.Currency); !ok {
		return refuse(CodeUnknownCurrency, "/cost_currency", "a unit cost has a currency of ISO 4217")
	}
	if c.Micros < 0 || c.Micros > limits.MaxAmount*money.MicrosPerUnit {
		return refuse(CodeInvalidCost, "/unit_cost", "a unit cost is 0 to 1000000000")
	}
	return nil
}

func (c StockReceived) evolve(item *Item, _ *Reservation) {
	item.expect(c.Location, c.Reference, -c.Expected)
}

// ExpectStock says how much of a delivery is still to come to a location. The quantity is absolute; 0 means none.
//
//	INV-23  The quantity is 0 to MaxQuantity (invalid_quantity). It replaces what was expected at the location under the
//	        same reference; the difference goes to incoming. No difference: no event. An item expects at most 1,000
//	        deliveries at a time, and their references together have at most 255,000 bytes (too_many_deliveries).
type ExpectStock struct {
	Location  string
	Quantity  int64
	Reference string
}

// StockExpected set what is still to come of a delivery; incoming changed by Delta.
type StockExpected struct {
	Location  string
	Quantity  int64
	Delta     int64
	Reference string
}

// Delivery is what is still to come to a location under a reference.
type Delivery struct {
	Location, Reference string
	Quantity            int64
}

func (c ExpectStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Quantity < 0 || c.Quantity > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "an expected delivery is "+limits.Quantities(0))
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	delta := c.Quantity
	if k := item.delivery(location, c.Reference); k >= 0 {
		delta -= item.Expected[k].Quantity
	} else if !item.hasRoomForDelivery(c.Reference) {
		return nil, refuse(CodeTooManyDeliveries, "/reference",
			"an item expects at most 1000 deliveries at a time, whose references have 255000 bytes together")
	}
	if delta == 0 {
		return nil, nil
	}
	expected := StockExpected{Location: location, Quantity: c.Quantity, Delta: delta, Reference: c.Reference}
	return item.event(expected, LocationLevel{location, Level{Incoming: delta}})
}

// hasRoomForDelivery reports whether the item may expect one more delivery.
func (i *Item) hasRoomForDelivery(reference string) bool {
	bytes := len(reference)
	for k := range i.Expected {
		bytes += len(i.Expected[k].Reference)
	}
	return len(i.Expected) < MaxDeliveries && bytes <= MaxDeliveryReferencesBytes
}

func (c StockExpected) evolve(item *Item, _ *Reservation) {
	item.expect(c.Location, c.Reference, c.Delta)
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

// expect changes what is still to come of a delivery. A delivery with nothing to come is removed.
func (i *Item) expect(location, reference string, delta int64) {
	if delta == 0 {
		return
	}
	i.Expected = slices.Clone(i.Expected)
	k := i.delivery(location, reference)
	if k < 0 {
		i.Expected = append(i.Expected, Delivery{location, reference, delta})
		return
	}
	if i.Expected[k].Quantity += delta; i.Expected[k].Quantity == 0 {
		i.Expected = slices.Delete(i.Expected, k, k+1)
	}
}
