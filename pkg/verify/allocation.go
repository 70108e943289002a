package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// locationUnits is what an order with an allocation rule has at a location, what was shipped to it from there, and how
// much of that was taken back.
type locationUnits struct{ present, shipped, reversed int64 }

// singleLocation reports whether all of the order has to be at one location.
func (r *reservation) singleLocation() bool {
	return r.rule.GetPolicy() == eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION
}

// track follows where an order's units are. Units of orders without a rule may be anywhere.
func (r *reservation) track(location string, present, shipped int64) {
	if r.rule == nil {
		return
	}
	if r.byLocation == nil {
		r.byLocation = map[string]locationUnits{}
	}
	u := r.byLocation[location]
	if u.present, u.shipped = u.present+present, u.shipped+shipped; u == (locationUnits{}) {
		delete(r.byLocation, location)
		return
	}
	r.byLocation[location] = u
}

// forgetShipped forgets what was shipped to a former placement of the order.
func (r *reservation) forgetShipped() {
	for location, u := range r.byLocation {
		shipped := u.shipped
		u.reversed = 0
		r.byLocation[location] = u
		r.track(location, 0, -shipped)
	}
}

// checkAllocation checks that a reservation follows the order's rule. Stock is as it was before the reservation.
func (c *checker) checkAllocation(
	rec *eventlog.Record, it *item, r *reservation, quantity, backordered int64, allocations []*eventv1.Allocation,
) {
	if r.rule == nil {
		return
	}
	if r.singleLocation() {
		c.checkSingleLocation(rec, it, r, quantity, backordered, allocations)
		return
	}
	if backordered > 0 {
		c.check(Agreement, it.sellable()+backordered == quantity,
			"%s: %d of %d are backordered with %d on the shelf", at(rec), backordered, quantity, it.sellable())
		return
	}
	if r.rule.Policy == eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS {
		got, least := it.fewestLocations(r, quantity, allocations)
		c.check(Agreement, got == least,
			"%s: %d further locations give %d, %d would do", at(rec), got, quantity, least)
		return
	}
	c.checkSplit(rec, it, r, quantity, allocations)
}

// checkSingleLocation: one location gives all units, the same one for all reservations of the order. Units are
// backordered only where no location has enough.
func (c *checker) checkSingleLocation(
	rec *eventlog.Record, it *item, r *reservation, quantity, backordered int64, allocations []*eventv1.Allocation,
) {
	if len(allocations) != 1 {
		c.check(Agreement, false, "%s: %d locations give what one should", at(rec), len(allocations))
		return
	}
	name := allocations[0].Location
	_, before := r.byLocation[name]
	c.check(Agreement, before || len(r.byLocation) == 0,
		"%s: %s gives to an order that has all at %v", at(rec), name, r.byLocation)
	c.check(Agreement, before || backordered == 0 || it.largestAvailable() == it.availableAt(name),
		"%s: %d of %d are backordered at %s, another location has %d",
		at(rec), backordered, quantity, name, it.largestAvailable())
}

// fewestLocations counts the locations that give something and had nothing of the order before, and how few of such
// would have been enough.
func (it *item) fewestLocations(
	r *reservation, quantity int64, allocations []*eventv1.Allocation,
) (got, least int) {
	var others []int64
	for _, l := range it.locations {
		if _, before := r.byLocation[l.name]; before {
			quantity -= max(0, l.level.Available)
		} else {
			others = append(others, max(0, l.level.Available))
		}
	}
	for _, a := range allocations {
		if _, before := r.byLocation[a.Location]; !before {
			got++
		}
	}
	slices.Sort(others)
	for ; quantity > 0 && least < len(others); least++ {
		quantity -= others[len(others)-1-least]
	}
	return got, least
}

// checkSplit: in the rule's order, and then the item's, every location gives all it has before the next one gives.
func (c *checker) checkSplit(
	rec *eventlog.Record, it *item, r *reservation, quantity int64, allocations []*eventv1.Allocation,
) {
	names := slices.Clone(r.rule.Locations)
	for _, l := range it.locations {
		names = append(names, l.name)
	}
	given := map[string]int64{}
	for _, a := range allocations {
		given[a.Location] += a.Quantity
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		should := min(quantity, it.availableAt(name))
		c.check(Agreement, given[name] == should,
			"%s: %s gives %d, in its turn it should give %d", at(rec), name, given[name], should)
		quantity -= should
	}
}

// largestAvailable is what the location with the most units has.
func (it *item) largestAvailable() (most int64) {
	for _, l := range it.locations {
		most = max(most, l.level.Available)
	}
	return most
}

func (it *item) availableAt(name string) int64 {
	if l := it.find(name); l != nil {
		return max(0, l.level.Available)
	}
	return 0
}

// sellable adds up what locations have. A location with less than nothing does not lower what the others can sell.
func (it *item) sellable() (sum int64) {
	for _, l := range it.locations {
		sum += max(0, l.level.Available)
	}
	return sum
}

// reservable is how much a step's order could have got, backordered units included. It may have a reservation.
func (it *item) reservable(step *eventv1.ReservationStep, r *reservation) int64 {
	if !it.registered {
		return 0
	}
	left := max(0, it.backorderLimit-it.backorderedUnits())
	if step.GetAllocation().GetPolicy() != eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION {
		return it.sellable() + left
	}
	there := it.largestAvailable()
	if r != nil && len(r.byLocation) > 0 {
		there = 0
		for name := range r.byLocation { // one location, where the rule was followed
			there += it.availableAt(name)
		}
	}
	return there + left
}

func sameRule(a, b *eventv1.AllocationRule) bool {
	return (a == nil) == (b == nil) && a.GetPolicy() == b.GetPolicy() &&
		slices.Equal(a.GetLocations(), b.GetLocations())
}
