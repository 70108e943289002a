package inventory

import "slices"

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

// fill adds the events of INV-26 to those that were decided.
func fill(item Item, res Reservation, events []Event) []Event {
	for k := range events {
		item, res = Evolve(item, res, events[k])
	}
	there, backorders := item.there(), item.Backorders
	item.Backorders = nil // who waits does not change what there is, and is not taken off one by one
	for _, b := range backorders {
		if !item.fillable(there) {
			break
		}
		if event, filled := item.fillOne(b, there); filled {
			item, _ = Evolve(item, Reservation{}, event)
			events = append(events, event)
		}
	}
	return events
}

// there says, by location, how much of what is backordered is there after all: what was promised before
// any backorder comes first.
func (i Item) there() map[string]int64 {
	there := map[string]int64{}
	for _, b := range i.Backorders {
		there[b.Location] += b.Quantity
	}
	for location := range there {
		short := max(0, -i.at(location).Available)
		there[location] = max(0, there[location]-short)
	}
	return there
}

// fillable reports whether there is anything left to fill backorders with.
func (i *Item) fillable(there map[string]int64) bool {
	for k := range i.Locations {
		if l := &i.Locations[k]; l.Level.Available > 0 || there[l.Location] > 0 {
			return true
		}
	}
	return false
}

// fillOne gives one order what there is for it.
func (i Item) fillOne(b Backorder, there map[string]int64) (Event, bool) {
	filled := BackorderFilled{
		Step: Step{b.OrderID, b.PlacedEventID, b.Version, b.Allocation}, Location: b.Location,
		Quantity: min(b.Quantity, there[b.Location]),
	}
	there[b.Location] -= filled.Quantity
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
		changed = nil
	}
	filled.Backordered = b.Quantity - filled.Quantity
	return Event{Change: filled, Locations: changed, Total: i.Total()}, true
}

// evolveFilled takes what was filled off what an order waits for.
func (i *Item) evolveFilled(c BackorderFilled) {
	k := slices.IndexFunc(i.Backorders, func(b Backorder) bool { return b.isFilledBy(&c) })
	switch {
	case k < 0:
	case k == 0 && c.Backordered == 0:
		i.Backorders = i.Backorders[1:] // most are the first: no copy of all the others
	default:
		i.Backorders = slices.Clone(i.Backorders)
		if i.Backorders[k].take(&c); c.Backordered == 0 {
			i.Backorders = slices.Delete(i.Backorders, k, k+1)
		}
	}
	if len(i.Backorders) == 0 {
		i.Backorders = nil
	}
}

// AfterFills returns who still waits after the events of one decision that fill backorders, in their order. It is the same as
// evolving by each, with one copy of the list instead of one for each.
func AfterFills(waiting []Backorder, events []Event) []Backorder {
	var left []Backorder
	for _, b := range waiting {
		if len(events) > 0 {
			if c, ok := events[0].Change.(BackorderFilled); ok && b.isFilledBy(&c) {
				events = events[1:]
				if b.take(&c); b.Quantity == 0 {
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

func (b *Backorder) take(c *BackorderFilled) {
	b.Quantity, b.Reserved, b.Committed = c.Backordered, b.Reserved-units(c.Reserved), b.Committed-units(c.Committed)
}

// evolveFilled does the same for the reservation, if it is the one that was filled.
func (r Reservation) evolveFilled(c BackorderFilled) Reservation {
	if r.OrderID != c.Step.OrderID || r.PlacedEventID != c.Step.PlacedEventID {
		return r
	}
	held := make([]HeldAt, len(r.Held), len(r.Held)+len(c.Reserved)+len(c.Committed))
	copy(held, r.Held)
	r.Held = held
	k := slices.IndexFunc(held, func(h HeldAt) bool { return h.Location == c.Location })
	if k >= 0 {
		held[k].Backordered = c.Backordered
		held[k].Reserved -= units(c.Reserved)
		held[k].Committed -= units(c.Committed)
	}
	r.add(c.Reserved, func(h *HeldAt) *int64 { return &h.Reserved })
	r.add(c.Committed, func(h *HeldAt) *int64 { return &h.Committed })
	r.sumBackordered()
	return r
}

// followBackorder keeps the waiting orders true to a reservation that changed: an order keeps its place
// while it waits for anything.
func (i *Item) followBackorder(r Reservation) {
	kept := make([]Backorder, 0, len(i.Backorders)+1)
	for _, b := range i.Backorders {
		if b.OrderID == r.OrderID {
			k := slices.IndexFunc(r.Held, func(h HeldAt) bool { return h.Location == b.Location })
			if k < 0 || r.Held[k].Backordered == 0 || b.PlacedEventID != r.PlacedEventID {
				continue
			}
			b = r.backorder(&r.Held[k])
		}
		kept = append(kept, b)
	}
	for k := range r.Held {
		h := &r.Held[k]
		if h.Backordered > 0 && !slices.ContainsFunc(kept, func(b Backorder) bool {
			return b.OrderID == r.OrderID && b.Location == h.Location
		}) {
			kept = append(kept, r.backorder(h))
		}
	}
	if i.Backorders = kept; len(kept) == 0 {
		i.Backorders = nil
	}
}

func (r Reservation) backorder(h *HeldAt) Backorder {
	return Backorder{r.OrderID, r.PlacedEventID, r.Version, h.Location, h.Backordered, h.Reserved, h.Committed, r.Allocation}
}

// sumBackordered keeps what is backordered within what is held, by location, and adds it up.
func (r *Reservation) sumBackordered() {
	r.Backordered = 0
	for k := range r.Held {
		h := &r.Held[k]
		h.Backordered = min(h.Backordered, h.Reserved+h.Committed)
		r.Backordered += h.Backordered
	}
}

func units(allocations []Allocation) (sum int64) {
	for _, a := range allocations {
		sum += a.Quantity
	}
	return sum
}
