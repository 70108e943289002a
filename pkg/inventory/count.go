package inventory

import (
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
)

// AdjustStock changes on_hand by Delta, for a reason.
//
//	INV-5   The delta is not 0, and at most MaxQuantity either way (invalid_delta). The reason is a known one
//	        (invalid_reason). on_hand of the location does not fall below 0 (negative_on_hand). available may: then stock
//	        that is reserved is missing.
type AdjustStock struct {
	Location  string
	Delta     int64
	Reason    Reason
	Reference string
}

// StockAdjusted changed on_hand and available by Delta.
type StockAdjusted struct {
	Location  string
	Delta     int64
	Reason    Reason
	Reference string
}

// Reason says why stock changed other than by an order. A closed set; values equal those of the event schema.
type Reason int32

// The reasons, in the order of the event schema.
const (
	ReasonCorrection Reason = iota + 1
	ReasonCycleCount
	ReasonDamaged
	ReasonReceived
	ReasonRestock
	ReasonShrinkage
	ReasonPromotion
	ReasonReturn
	ReasonOther
)

func (c AdjustStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Delta == 0 || c.Delta > limits.MaxQuantity || c.Delta < -limits.MaxQuantity {
		return nil, refuse(CodeInvalidDelta, "/delta",
			"an adjustment is not 0 and at most "+strconv.Itoa(limits.MaxQuantity)+" units either way")
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
	return item.event(StockAdjusted(c), LocationLevel{location, Level{OnHand: c.Delta, Available: c.Delta}})
}

func (StockAdjusted) evolve(*Item, *Reservation) {} // only levels change

// CountStock sets on_hand of a location to what was counted.
//
//	INV-6   The count is 0 to MaxQuantity (invalid_quantity). The difference to on_hand also goes to available. A count
//	        that confirms on_hand is recorded as well.
//	INV-63  The command may name the item's version at which counting began. If on_hand of the location has changed
//	        since, the count is refused: count_outdated. Reservations, moves between states and other locations do not
//	        matter. A version that the item has not reached: invalid_counted_at_version.
type CountStock struct {
	Location  string
	Counted   int64
	Reference string
	// CountedAtVersion is the item's version when counting began; 0: do not check.
	CountedAtVersion uint64
}

// StockCounted set on_hand to Counted, a change of Delta.
type StockCounted struct {
	Location  string
	Counted   int64
	Delta     int64
	Reference string
	// CountedAtVersion is the one of the command; 0: not checked.
	CountedAtVersion uint64
}

func (c CountStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Counted < 0 || c.Counted > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/counted", "a count is "+limits.Quantities(0))
	}
	location, err := item.stockPlace(c.Location, c.Reference)
	if err != nil {
		return nil, err
	}
	if err := item.checkCountedAt(location, c.CountedAtVersion); err != nil {
		return nil, err
	}
	delta := c.Counted - item.at(location).OnHand
	counted := StockCounted{
		Location: location, Counted: c.Counted, Delta: delta,
		Reference: c.Reference, CountedAtVersion: c.CountedAtVersion,
	}
	return item.event(counted, LocationLevel{location, Level{OnHand: delta, Available: delta}})
}

func (StockCounted) evolve(*Item, *Reservation) {} // only levels change

// checkCountedAt applies INV-63.
func (i *Item) checkCountedAt(location string, version uint64) error {
	if version > i.Version {
		return refuse(CodeInvalidCountedAt, "/counted_at_version",
			"the item has not come to that version: it is at "+strconv.FormatUint(i.VisibleVersion, 10))
	}
	k := i.find(location)
	if version == 0 || k < 0 || k >= len(i.OnHandVersions) || i.OnHandVersions[k] <= version {
		return nil
	}
	onHand := i.Locations[k].Level.OnHand
	outdated := refuse(CodeCountOutdated, "/counted_at_version",
		"the location has "+strconv.FormatInt(onHand, 10)+
			" on hand since version "+strconv.FormatUint(i.OnHandVersions[k], 10)+": count again")
	outdated.OnHand = &onHand
	return outdated
}
