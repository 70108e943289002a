package inventory

import (
	"cmp"
	"math"
	"slices"
)

// AllocationPolicy says how what an order wants of an item may be spread over its locations. A closed set;
// values equal those of the event schema.
type AllocationPolicy int32

// The policies.
const (
	SingleLocation AllocationPolicy = iota + 1
	FewestLocations
	Split
)

// AllocationRule is an order's policy, with the locations that come first, in their order. None at all (nil)
// is Split without locations that come first.
type AllocationRule struct {
	Policy    AllocationPolicy
	Locations []string
}

// candidate is a location with what can be taken there: 0 where it is short.
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

// reservable is what the step's order may take of the item (INV-12, INV-14, INV-61).
func (s *step) reservable() int64 {
	there := s.item.Sellable()
	if rule := s.cmd.Allocation; rule != nil && rule.Policy == SingleLocation {
		there = s.single(math.MaxInt64).available
	}
	if s.cmd.Imported {
		return there
	}
	return there + s.item.backorderable()
}

// allocateBy chooses locations as a rule says; what they do not have is backordered at the first.
func (s *step) allocateBy(rule *AllocationRule, quantity int64) (taken []Allocation, backordered int64) {
	all := s.item.candidates(rule)
	home := s.item.first()
	if len(all) > 0 {
		home = all[0].location
	}
	left := quantity
	switch rule.Policy {
	case SingleLocation:
		c := s.single(quantity)
		return []Allocation{{c.location, quantity}}, max(0, quantity-c.available)
	case FewestLocations:
		var more []Allocation
		held, others := all.divide(func(c candidate) bool { return s.res.takenAt(c.location) })
		taken, left = held.split(left)
		more, left = others.fewest(left)
		if taken = append(taken, more...); len(taken) > 0 {
			home = taken[0].Location
		}
	case Split:
		taken, left = all.split(left)
	}
	return withRest(taken, home, left), left
}

// withRest adds what is backordered to what is taken: its location comes first.
func withRest(taken []Allocation, home string, left int64) []Allocation {
	switch {
	case left == 0:
	case len(taken) > 0 && taken[0].Location == home:
		taken[0].Quantity += left
	default:
		taken = append([]Allocation{{home, left}}, taken...)
	}
	return taken
}

// single is the one location that a quantity comes from: where the order has taken some already, or else the
// first that has it all, or else the one that has most.
func (s *step) single(quantity int64) candidate {
	all := s.item.candidates(s.cmd.Allocation)
	if held, _ := all.divide(func(c candidate) bool { return s.res.takenAt(c.location) }); len(held) > 0 {
		return held[0]
	}
	best := candidate{location: s.item.first()}
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

// takenAt reports whether the order has taken something at a location.
func (r *Reservation) takenAt(location string) bool {
	return slices.ContainsFunc(r.Held, func(h HeldAt) bool {
		return h.Location == location && h.Reserved+h.Committed+h.Fulfilled > 0
	})
}

// divide tells candidates apart, and leaves both parts in their order.
func (c candidates) divide(is func(candidate) bool) (yes, no candidates) {
	for _, one := range c {
		if is(one) {
			yes = append(yes, one)
		} else {
			no = append(no, one)
		}
	}
	return yes, no
}

// split takes what each has, in their order, and says what is left.
func (c candidates) split(quantity int64) (taken []Allocation, left int64) {
	for _, one := range c {
		if part := min(quantity, one.available); part > 0 {
			taken = append(taken, Allocation{one.location, part})
			quantity -= part
		}
	}
	return taken, quantity
}

// fewest takes a quantity at as few as have it together, of those that are as few the ones that come first.
// When all of them have less, it takes all there is.
func (c candidates) fewest(quantity int64) (taken []Allocation, left int64) {
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
	for k := 0; quantity > 0; k++ {
		// One of so many, if the largest that come after it have the rest.
		if part := min(quantity, c[k].available); part+c.largestAfter(bySize, k, count-1, quantity) >= quantity {
			taken = append(taken, Allocation{c[k].location, part})
			quantity -= part
			count--
		}
	}
	return taken, 0
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

// elsewhere is what a backorder can be filled with at other locations than its own (INV-62).
func (i *Item) elsewhere(b *Backorder, quantity int64) (taken []Allocation) {
	if quantity == 0 {
		return nil
	}
	others, _ := i.candidates(b.Allocation).divide(func(c candidate) bool { return c.location != b.Location })
	switch {
	case b.Allocation == nil || b.Allocation.Policy == Split:
		taken, _ = others.split(quantity)
	case b.Allocation.Policy == FewestLocations:
		taken, _ = others.fewest(quantity)
	}
	return taken
}
