package inventory

import "slices"

// BackorderFilled gives an order stock that it waited for (INV-26). Step is the newest of the order. Location is where
// it waited, and Backordered what it still waits for there. Reserved and Committed are the portions of Quantity that
// were found at other locations; the reservation has them there from now on.
type BackorderFilled struct {
	Step        Step
	Location    string
	Quantity    int64
	Backordered int64
	Reserved    []Allocation
	Committed   []Allocation
}

// waiting reports whether an order may wait for stock after the events.
func waiting(item Item, events []Event) bool {
	if len(item.Backorders) > 0 {
		return true
	}
	for k := range events {
		if _, ok := events[k].Change.(StockBackordered); ok {
			return true
		}
	}
	return false
}

// fill appends BackorderFilled events to those that were decided (INV-26).
func fill(item Item, res Reservation, events []Event) []Event {
	for k := range events {
		item, res = Evolve(item, res, events[k])
	}
	covered, backorders := item.covered(), item.Backorders
	item.Backorders = nil // not needed for levels; without them Evolve need not copy the list for each event
	for _, b := range backorders {
		if !item.fillable(covered) {
			break
		}
		if event, filled := item.fillOrder(b, covered); filled {
			item, _ = Evolve(item, Reservation{}, event)
			events = append(events, event)
		}
	}
	return events
}

// covered says, by location, how much of what is backordered is in stock after all. What was reserved before any
// backorder is covered first.
func (i *Item) covered() map[string]int64 {
	covered := map[string]int64{}
	for _, b := range i.Backorders {
		covered[b.Location] += b.Quantity
	}
	for location := range covered {
		short := max(0, -i.at(location).Available)
		covered[location] = max(0, covered[location]-short)
	}
	return covered
}

// fillable reports whether anything is left to fill backorders with.
func (i *Item) fillable(covered map[string]int64) bool {
	for k := range i.Locations {
		if l := &i.Locations[k]; l.Level.Available > 0 || covered[l.Location] > 0 {
			return true
		}
	}
	return false
}

// fillOrder gives one order what there is for it, and reduces covered by it.
func (i *Item) fillOrder(b Backorder, covered map[string]int64) (Event, bool) {
	filled := BackorderFilled{
		Step: Step{b.OrderID, b.PlacedEventID, b.Version, b.Allocation}, Location: b.Location,
		Quantity: min(b.Quantity, covered[b.Location]),
	}
	covered[b.Location] -= filled.Quantity
	home := LocationLevel{b.Location, i.at(b.Location)}
	changed := []LocationLevel{home}
	for _, away := range i.elsewhere(&b, b.Quantity-filled.Quantity) {
		quantity := away.Quantity
		filled.Quantity += quantity
		committed := min(quantity, b.Committed)
		reserved := quantity - committed
		b.Committed -= committed
		if committed > 0 {
			filled.Committed = append(filled.Committed, Allocation{away.Location, committed})
		}
		if reserved > 0 {
			filled.Reserved = append(filled.Reserved, Allocation{away.Location, reserved})
		}
		moved := Level{Available: quantity, Reserved: -reserved, Committed: -committed}
		changed[0].Level = changed[0].Level.plus(moved)
		changed = append(changed, LocationLevel{away.Location, i.at(away.Location).minus(moved)})
	}
	if filled.Quantity == 0 {
		return Event{}, false
	}
	if len(changed) == 1 {
		changed = nil // stock of its own location changes no level
	}
	filled.Backordered = b.Quantity - filled.Quantity
	return Event{Change: filled, Locations: changed, Total: i.Total()}, true
}

// elsewhere is what a backorder can be filled with from other locations than its own (INV-62).
func (i *Item) elsewhere(b *Backorder, quantity int64) (allocations []Allocation) {
	if quantity == 0 {
		return nil
	}
	others, _ := i.candidates(b.Allocation).partition(func(c candidate) bool { return c.location != b.Location })
	switch {
	case b.Allocation == nil || b.Allocation.Policy == Split:
		allocations, _ = others.split(quantity)
	case b.Allocation.Policy == FewestLocations:
		allocations, _ = others.fewest(quantity)
	}
	return allocations
}

func (c BackorderFilled) evolve(item *Item, res *Reservation) {
	item.fillBackorder(&c)
	if res.OrderID == c.Step.OrderID && res.PlacedEventID == c.Step.PlacedEventID {
		res.moveBackorder(c.Location, c.Backordered, c.Reserved, c.Committed)
	}
}

// fillBackorder reduces what an order waits for. An order that waits for nothing any more leaves the list.
func (i *Item) fillBackorder(c *BackorderFilled) {
	k := slices.IndexFunc(i.Backorders, func(b Backorder) bool { return b.isFilledBy(c) })
	switch {
	case k < 0:
	case k == 0 && c.Backordered == 0:
		i.Backorders = i.Backorders[1:] // mostly it is the first: no copy of all the others
	default:
		i.Backorders = slices.Clone(i.Backorders)
		if i.Backorders[k].apply(c); c.Backordered == 0 {
			i.Backorders = slices.Delete(i.Backorders, k, k+1)
		}
	}
	if len(i.Backorders) == 0 {
		i.Backorders = nil
	}
}

// moveBackorder says what a reservation waits for at a location, and what it has at others instead of there.
func (r *Reservation) moveBackorder(location string, backordered int64, reserved, committed []Allocation) {
	locations := make([]ReservationAt, len(r.Locations), len(r.Locations)+len(reserved)+len(committed))
	copy(locations, r.Locations)
	r.Locations = locations
	if k := r.find(location); k >= 0 {
		locations[k].Backordered = backordered
		locations[k].Reserved -= units(reserved)
		locations[k].Committed -= units(committed)
	}
	r.add(reserved, func(h *ReservationAt) *int64 { return &h.Reserved })
	r.add(committed, func(h *ReservationAt) *int64 { return &h.Committed })
	r.sumBackordered()
}

// AfterFills returns who still waits after the events of one decision that fill backorders, in their order. The result
// is that of evolving by each event, with one copy of the list instead of one for each event.
func AfterFills(waiting []Backorder, events []Event) []Backorder {
	var left []Backorder
	for _, b := range waiting {
		if len(events) > 0 {
			if c, ok := events[0].Change.(BackorderFilled); ok && b.isFilledBy(&c) {
				events = events[1:]
				if b.apply(&c); b.Quantity == 0 {
					continue
				}
			}
		}
		left = append(left, b)
	}
	return left
}

func (b *Backorder) isFilledBy(c *BackorderFilled) bool {
	return b.OrderID == c.Step.OrderID && b.PlacedEventID == c.Step.PlacedEventID && b.Location == c.Location
}

func (b *Backorder) apply(c *BackorderFilled) {
	b.Quantity = c.Backordered
	b.Reserved -= units(c.Reserved)
	b.Committed -= units(c.Committed)
}
