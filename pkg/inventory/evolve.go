package inventory

import "slices"

// Evolve returns the state after an event; it never fails on what Decide produced, and changes neither argument.
// The levels are those that the event carries, not recomputed.
func Evolve(item Item, res Reservation, ev Event) (Item, Reservation) {
	item.Version++
	before := item.Locations
	item.Locations = withLevels(before, ev.Locations)
	item.noteOnHand(before, ev.Locations)
	backordered := res.Backordered
	switch c := ev.Change.(type) {
	case ItemRegistered:
		item.Registered, item.Description = true, c.Description
	case BackorderLimitSet:
		item.BackorderLimit = c.Limit
	case StockReceived:
		item.expect(c.Location, c.Reference, -c.Expected)
	case StockExpected:
		item.expect(c.Location, c.Reference, c.Delta)
	case TransferShipped:
		item.evolveTransferShipped(c)
	case TransferReceived:
		item.evolveTransferReceived(c)
	case StockMoved, StockAdjusted, StockCounted, SafetyStockSet:
		// All that they change are levels.
	case BackorderFilled:
		item.evolveFilled(c)
		return item, res.evolveFilled(c)
	default:
		res = res.evolve(c)
	}
	if backordered > 0 || res.Backordered > 0 {
		res.sumBackordered()
		item.followBackorder(res)
	}
	return item, res
}

// evolve applies what an order's step changed.
func (r Reservation) evolve(change Change) Reservation {
	switch c := change.(type) {
	case StockReserved:
		r = r.at(c.Step, len(c.Allocations))
		r.add(c.Allocations, func(h *HeldAt) *int64 { return &h.Reserved })
	case StockBackordered:
		r = r.at(c.Step, len(c.Allocations))
		r.add(c.Allocations, func(h *HeldAt) *int64 { return &h.Reserved })
		// The rest that was not there was allocated at the first of the locations.
		r.add(firstOf(c.Allocations, c.Backordered), func(h *HeldAt) *int64 { return &h.Backordered })
		r.Backordered += c.Backordered
	case ReservationRejected:
		r = r.at(c.Step, 0)
		r.Rejected = &Rejection{Requested: c.Quantity, Available: c.Available, Reason: c.Reason}
	case ReservationCommitted:
		r = r.at(c.Step, 0)
		r.move(c.Allocations, func(h *HeldAt, q int64) { h.Reserved -= q; h.Committed += q })
	case ReservationReleased:
		r = r.at(c.Step, 0)
		r.move(c.FromReserved, func(h *HeldAt, q int64) { h.Reserved -= q; h.Backordered = max(0, h.Backordered-q) })
		r.move(c.FromCommitted, func(h *HeldAt, q int64) { h.Committed -= q; h.Backordered = max(0, h.Backordered-q) })
	case StockFulfilled:
		r = r.at(c.Step, len(c.FromAvailable))
		r.move(c.FromReserved, func(h *HeldAt, q int64) { h.Reserved -= q; h.Fulfilled += q })
		r.move(c.FromCommitted, func(h *HeldAt, q int64) { h.Committed -= q; h.Fulfilled += q })
		r.add(c.FromAvailable, func(h *HeldAt) *int64 { return &h.Fulfilled })
	case StockRestocked:
		r = r.at(c.Step, len(c.Allocations)+len(c.Damaged))
		r.add(c.Allocations, func(h *HeldAt) *int64 { return &h.Restocked })
		r.add(c.Damaged, func(h *HeldAt) *int64 { return &h.Damaged })
		r.ReturnedAt = c.ReturnedAt
	}
	return r
}

// expect changes what is still to come of a delivery.
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

// withLevels returns a copy of locations with the changed ones replaced or appended.
func withLevels(locations, changed []LocationLevel) []LocationLevel {
	if len(changed) == 0 {
		return locations
	}
	out := make([]LocationLevel, len(locations), len(locations)+len(changed))
	copy(out, locations)
	for k := range changed {
		i := slices.IndexFunc(out, func(l LocationLevel) bool { return l.Location == changed[k].Location })
		if i < 0 {
			out = append(out, changed[k])
			continue
		}
		out[i] = changed[k]
	}
	return out
}

// noteOnHand keeps the versions at which on_hand changed true to an event.
func (i *Item) noteOnHand(before, changed []LocationLevel) {
	var versions []uint64
	for k := range changed {
		at, had := i.find(changed[k].Location), int64(0)
		if at < len(before) {
			had = before[at].Level.OnHand
		}
		if had == changed[k].Level.OnHand {
			continue
		}
		if versions == nil {
			versions = make([]uint64, len(i.Locations))
			copy(versions, i.OnHandVersions)
			i.OnHandVersions = versions
		}
		versions[at] = i.Version
	}
}

// at returns a copy of the reservation that has seen step, with room for more locations. A step of
// another placement starts from nothing: what the former one bound, the event itself gives back.
func (r Reservation) at(step Step, room int) Reservation {
	if r.Version == 0 || r.PlacedEventID != step.PlacedEventID {
		r = Reservation{}
	}
	r.OrderID, r.PlacedEventID, r.Version, r.Allocation = step.OrderID, step.PlacedEventID, step.Version, step.Allocation
	r.Rejected = nil
	if n := len(r.Held); n+room > 0 {
		held := make([]HeldAt, n, n+room)
		copy(held, r.Held)
		r.Held = held
	}
	return r
}

// add grows one quantity at the allocations' locations.
func (r *Reservation) add(allocations []Allocation, field func(*HeldAt) *int64) {
	for _, a := range allocations {
		i := slices.IndexFunc(r.Held, func(h HeldAt) bool { return h.Location == a.Location })
		if i < 0 {
			i = len(r.Held)
			r.Held = append(r.Held, HeldAt{Location: a.Location})
		}
		*field(&r.Held[i]) += a.Quantity
	}
}

// move applies a change to what is held at the allocations' locations. Locations that hold nothing
// are passed over: they belonged to a reservation that has been replaced.
func (r *Reservation) move(allocations []Allocation, apply func(*HeldAt, int64)) {
	for _, a := range allocations {
		for i := range r.Held {
			if r.Held[i].Location == a.Location {
				apply(&r.Held[i], a.Quantity)
				break
			}
		}
	}
}

// firstOf is a quantity at the first of some locations.
func firstOf(allocations []Allocation, quantity int64) []Allocation {
	if len(allocations) == 0 {
		return nil
	}
	return []Allocation{{allocations[0].Location, quantity}}
}
