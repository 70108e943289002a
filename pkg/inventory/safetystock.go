package inventory

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// SetSafetyStock says how much of a location is to be kept from sale.
//
//	INV-7   The quantity is 0 to MaxQuantity (invalid_quantity). It is what safety_stock is to be: as much of the
//	        difference as the location has available moves there at once (SafetyStockSet). What is more than that goes
//	        back to available. No difference: no event.
//	INV-73  Where safety_stock is less than it is to be, it takes what the location has available at the end of each
//	        decision (SafetyStockSet), after orders that wait (INV-26). A shortfall that takes from it (INV-70) leaves
//	        what it is to be.
//
// Example: 10 are to be held back, and 6 are there: 6 are. Of a receipt of 7 safety stock takes 4, and 3 are for sale.
type SetSafetyStock struct {
	Location string
	Quantity int64
}

// SafetyStockSet set safety_stock to Quantity, a change of Delta. Target is what it is to be, where that is more; 0: it
// is what it is to be.
type SafetyStockSet struct {
	Location string
	Quantity int64
	Delta    int64
	Target   int64
}

func (c SetSafetyStock) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Quantity < 0 || c.Quantity > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "safety stock is "+limits.Quantities(0))
	}
	location, err := item.location(c.Location)
	if err != nil {
		return nil, err
	}
	level := item.at(location)
	if c.Quantity == max(level.SafetyStock, item.safetyStockTarget(location)) {
		return nil, nil
	}
	set := heldBack(&level, location, c.Quantity)
	return item.event(set, LocationLevel{location, Level{SafetyStock: set.Delta, Available: -set.Delta}})
}

// heldBack is the safety stock of a location that is to be target.
func heldBack(level *Level, location string, target int64) SafetyStockSet {
	quantity := min(target, level.SafetyStock+max(0, level.Available))
	set := SafetyStockSet{Location: location, Quantity: quantity, Delta: quantity - level.SafetyStock}
	if quantity < target {
		set.Target = target
	}
	return set
}

func (c SafetyStockSet) evolve(item *Item, _ *Reservation) {
	if c.Target <= c.Quantity {
		c.Target = 0
	}
	if c.Target != item.safetyStockTarget(c.Location) {
		item.setSafetyStockTarget(c.Location, c.Target)
	}
}

// safetyStockTarget is what safety_stock of a location is to be, where it is less; 0: it is what it is to be.
func (i *Item) safetyStockTarget(location string) int64 {
	return unitsAt(i.SafetyStockTargets, location)
}

// setSafetyStockTarget sets what safety_stock of a location is to be; 0: it is that.
func (i *Item) setSafetyStockTarget(location string, quantity int64) {
	targets := slices.Clone(i.SafetyStockTargets)
	k := slices.IndexFunc(targets, func(a Allocation) bool { return a.Location == location })
	switch {
	case k >= 0 && quantity == 0:
		targets = slices.Delete(targets, k, k+1)
	case k >= 0:
		targets[k].Quantity = quantity
	case quantity > 0:
		targets = append(targets, Allocation{location, quantity})
	}
	if len(targets) == 0 {
		targets = nil
	}
	i.SafetyStockTargets = targets
}

// fillsSafetyStock reports whether a location has something available for safety stock that is less than it is to be.
func (i *Item) fillsSafetyStock() bool {
	for _, t := range i.SafetyStockTargets {
		if i.at(t.Location).Available > 0 {
			return true
		}
	}
	return false
}

// fillSafetyStock applies INV-73.
func (d *shortfallDecision) fillSafetyStock() {
	for _, t := range d.item.SafetyStockTargets {
		level := d.item.at(t.Location)
		set := heldBack(&level, t.Location, t.Quantity)
		if set.Delta == 0 {
			continue
		}
		delta := Level{SafetyStock: set.Delta, Available: -set.Delta}
		changed := []LocationLevel{{t.Location, level.plus(delta)}}
		d.apply(Event{Change: set, Locations: changed, Total: d.item.Total().plus(delta)}, Reservation{})
	}
}
