package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// spot is what an order with an allocation rule has at a location: still there, or gone from there.
type spot struct{ open, gone int64 }

// note follows where an order's units are. Orders without a rule may have them anywhere.
func (r *reservation) note(location string, open, gone int64) {
	if r.rule == nil {
		return
	}
	if r.spots == nil {
		r.spots = map[string]spot{}
	}
	s := r.spots[location]
	if s.open, s.gone = s.open+open, s.gone+gone; s == (spot{}) {
		delete(r.spots, location)
		return
	}
	r.spots[location] = s
}

// replaced forgets what a former placement has shipped.
func (r *reservation) replaced() {
	for location, s := range r.spots {
		r.note(location, 0, -s.gone)
	}
}

// allocated holds a reservation that is about to be made to the order's rule. Stock is as it was before.
func (c *checker) allocated(rec *eventlog.Record, it *item, r *reservation, quantity, backordered int64, allocations []*eventv1.Allocation) {
	if r.rule == nil {
		return
	}
	if r.rule.Policy == eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION {
		c.atOne(rec, it, r, quantity, backordered, allocations)
		return
	}
	if backordered > 0 {
		c.check(Agreement, it.sellable()+backordered == quantity, "%s: %d of %d are backordered with %d on the shelf", at(rec), backordered, quantity, it.sellable())
		return
	}
	if r.rule.Policy == eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS {
		got, least := it.fewest(r, quantity, allocations)
		c.check(Agreement, got == least, "%s: %d further locations give %d, %d would do", at(rec), got, quantity, least)
		return
	}
	c.inOrder(rec, it, r, quantity, allocations)
}

// atOne: one location gives all of it, the one that gave before; backordered is only what no location has.
func (c *checker) atOne(rec *eventlog.Record, it *item, r *reservation, quantity, backordered int64, allocations []*eventv1.Allocation) {
	if len(allocations) != 1 {
		c.check(Agreement, false, "%s: %d locations give what one should", at(rec), len(allocations))
		return
	}
	name := allocations[0].Location
	_, before := r.spots[name]
	c.check(Agreement, before || len(r.spots) == 0, "%s: %s gives to an order that has all at %v", at(rec), name, r.spots)
	c.check(Agreement, before || backordered == 0 || it.most() == it.has(name),
		"%s: %d of %d are backordered at %s, another location has %d", at(rec), backordered, quantity, name, it.most())
}

// fewest counts the locations that an order has nothing at and that give something, and how few would do.
func (it *item) fewest(r *reservation, quantity int64, allocations []*eventv1.Allocation) (got, least int) {
	var others []int64
	for _, l := range it.locations {
		if _, held := r.spots[l.name]; held {
			quantity -= max(0, l.level.Available)
		} else {
			others = append(others, max(0, l.level.Available))
		}
	}
	for _, a := range allocations {
		if _, held := r.spots[a.Location]; !held {
			got++
		}
	}
	slices.Sort(others)
	for ; quantity > 0 && least < len(others); least++ {
		quantity -= others[len(others)-1-least]
	}
	return got, least
}

// inOrder: every location gives what it has before the next one gives anything.
func (c *checker) inOrder(rec *eventlog.Record, it *item, r *reservation, quantity int64, allocations []*eventv1.Allocation) {
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
		should := min(quantity, it.has(name))
		c.check(Agreement, given[name] == should, "%s: %s gives %d, in its turn it should give %d", at(rec), name, given[name], should)
		quantity -= should
	}
}

// most is what the location has that has most.
func (it *item) most() (most int64) {
	for _, l := range it.locations {
		most = max(most, l.level.Available)
	}
	return most
}

func (it *item) has(name string) int64 {
	if l := it.find(name); l != nil {
		return max(0, l.level.Available)
	}
	return 0
}

// sellable adds up what locations have; one that is short takes nothing from the others.
func (it *item) sellable() (sum int64) {
	for _, l := range it.locations {
		sum += max(0, l.level.Available)
	}
	return sum
}

// reservable is what a step's order could have had.
func (it *item) reservable(step *eventv1.ReservationStep) int64 {
	if !it.registered {
		return 0
	}
	left := max(0, it.backorderLimit-it.waitedFor())
	if step.GetAllocation().GetPolicy() != eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION {
		return it.sellable() + left
	}
	there := it.most()
	if r := it.reservations[step.OrderId]; r != nil && len(r.spots) > 0 {
		there = 0
		for name := range r.spots { // one, if its rule was followed
			there += it.has(name)
		}
	}
	return there + left
}

func sameRule(a, b *eventv1.AllocationRule) bool {
	return (a == nil) == (b == nil) && a.GetPolicy() == b.GetPolicy() && slices.Equal(a.GetLocations(), b.GetLocations())
}
