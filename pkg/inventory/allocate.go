package inventory

import (
	"cmp"
	"math"
	"slices"
)

// AllocationPolicy says how what an order wants of an item may be spread over its locations. A closed set; values
// equal those of the event schema.
type AllocationPolicy int32

// The policies.
const (
	SingleLocation AllocationPolicy = iota + 1
	FewestLocations
	Split
)

// AllocationRule is an order's policy, with the locations that come first, in their order. No rule at all (nil) means
// Split, with no location first.
//
//	INV-60  A step may bring the order's allocation rule. It tries the locations that the rule lists first, in its order,
//	        as far as the item has them; then the others, in order of first use. A location below 0 has nothing, and
//	        reduces nothing of the others. Without a rule: split, and none listed. The rule is about this item alone:
//	        other SKUs of the order may come from other locations.
//	INV-61  single_location allocates all of an order at one location: where the order has some already, or else the
//	        first that has it all, or else, backordered, the one that has most. What one location has is all that can be
//	        reserved. fewest_locations allocates at as few further locations as have it together, and among equally few
//	        at those that come first; at all of them, when all together have less. split allocates what each has.
type AllocationRule struct {
	Policy    AllocationPolicy
	Locations []string
}

// candidate is a location with what can be allocated there; never below 0.
type candidate struct {
	location  string
	available int64
}

// candidates are an item's locations in the order in which a rule tries them (INV-60).
type candidates []candidate

func (i *Item) candidates(rule *AllocationRule) candidates {
	all := make(candidates, 0, len(i.Locations))
	add := func(k int) {
		all = append(all, candidate{i.Locations[k].Location, max(0, i.Locations[k].Level.Available)})
	}
	var first []string
	if rule != nil {
		first = rule.Locations
	}
	for n, name := range first {
		if k := i.find(name); k >= 0 && slices.Index(first, name) == n {
			add(k)
		}
	}
	for k := range i.Locations {
		if !slices.Contains(first, i.Locations[k].Location) {
			add(k)
		}
	}
	return all
}

// reservable is how much of the item the step's order can reserve (INV-12, INV-14, INV-61).
func (d *stepDecision) reservable() int64 {
	inStock := d.item.Sellable()
	if rule := d.cmd.Allocation; rule != nil && rule.Policy == SingleLocation {
		inStock = d.single(math.MaxInt64).available
	}
	if d.cmd.Imported {
		return inStock
	}
	return inStock + d.item.backorderable()
}

// allocate chooses locations in order of first use, or as the order's rule says. What they do not have is backordered
// at the first; the allocations include it.
func (d *stepDecision) allocate(quantity int64) (allocations []Allocation, backordered int64) {
	if d.cmd.Allocation != nil {
		return d.allocateBy(d.cmd.Allocation, quantity)
	}
	allocations = make([]Allocation, 0, 1)
	left := quantity
	for k := range d.item.Locations {
		location := &d.item.Locations[k]
		if n := min(left, location.Level.Available); n > 0 {
			allocations = append(allocations, Allocation{location.Location, n})
			left -= n
		}
		if left == 0 {
			return allocations, 0
		}
	}
	return withBackordered(allocations, d.item.first(), left), left
}

// allocateBy is allocate for an order with a rule.
func (d *stepDecision) allocateBy(
	rule *AllocationRule, quantity int64,
) (allocations []Allocation, backordered int64) {
	all := d.item.candidates(rule)
	home := d.item.first()
	if len(all) > 0 {
		home = all[0].location
	}
	left := quantity
	switch rule.Policy {
	case SingleLocation:
		c := d.single(quantity)
		return []Allocation{{c.location, quantity}}, max(0, quantity-c.available)
	case FewestLocations:
		var more []Allocation
		used, others := all.partition(func(c candidate) bool { return d.res.uses(c.location) })
		allocations, left = used.split(left)
		more, left = others.fewest(left)
		if allocations = append(allocations, more...); len(allocations) > 0 {
			home = allocations[0].Location
		}
	case Split:
		allocations, left = all.split(left)
	}
	return withBackordered(allocations, home, left), left
}

// withBackordered adds what is backordered to the allocations. Its location comes first.
func withBackordered(allocations []Allocation, home string, backordered int64) []Allocation {
	switch {
	case backordered == 0:
	case len(allocations) > 0 && allocations[0].Location == home:
		allocations[0].Quantity += backordered
	default:
		allocations = append([]Allocation{{home, backordered}}, allocations...)
	}
	return allocations
}

// single is the one location of single_location (INV-61).
func (d *stepDecision) single(quantity int64) candidate {
	all := d.item.candidates(d.cmd.Allocation)
	if used, _ := all.partition(func(c candidate) bool { return d.res.uses(c.location) }); len(used) > 0 {
		return used[0]
	}
	best := candidate{location: d.item.first()}
	for k, c := range all {
		if c.available >= quantity {
			return c
		}
		if k == 0 || c.available > best.available {
			best = c
		}
	}
	return best
}

// uses reports whether the order has something of a location, or has had it shipped from there.
func (r *Reservation) uses(location string) bool {
	return slices.ContainsFunc(r.Locations, func(h ReservationAt) bool {
		return h.Location == location && h.Reserved+h.Committed+h.Fulfilled > 0
	})
}

// partition separates candidates, and leaves both lists in their order.
func (c candidates) partition(is func(candidate) bool) (yes, no candidates) {
	for _, each := range c {
		if is(each) {
			yes = append(yes, each)
		} else {
			no = append(no, each)
		}
	}
	return yes, no
}

// split allocates what each has, in their order, and returns what is left of the quantity.
func (c candidates) split(quantity int64) (allocations []Allocation, left int64) {
	for _, each := range c {
		if n := min(quantity, each.available); n > 0 {
			allocations = append(allocations, Allocation{each.location, n})
			quantity -= n
		}
	}
	return allocations, quantity
}

// fewest allocates a quantity at as few candidates as have it together, and among equally few at those that come
// first. When all of them have less, it allocates all that they have.
func (c candidates) fewest(quantity int64) (allocations []Allocation, left int64) {
	bySize := make([]int, len(c))
	for k := range bySize {
		bySize[k] = k
	}
	slices.SortStableFunc(bySize, func(a, b int) int { return cmp.Compare(c[b].available, c[a].available) })
	count, sum := 0, int64(0)
	for count < len(c) && sum < quantity {
		sum += c[bySize[count]].available
		count++
	}
	if sum < quantity {
		return c.split(quantity)
	}
	// Candidate k is used if the largest of those after it have what is then left, so that no more than count are used.
	for k := 0; quantity > 0; k++ {
		if n := min(quantity, c[k].available); n+c.largestAfter(bySize, k, count-1, quantity) >= quantity {
			allocations = append(allocations, Allocation{c[k].location, n})
			quantity -= n
			count--
		}
	}
	return allocations, 0
}

// largestAfter adds up the largest n candidates that come after k, until they are enough.
func (c candidates) largestAfter(bySize []int, k, n int, enough int64) (sum int64) {
	for _, other := range bySize {
		if n == 0 || sum >= enough {
			break
		}
		if other > k {
			sum += c[other].available
			n--
		}
	}
	return sum
}
