package inventory

import "slices"

// move is a change of levels at some locations.
type move struct {
	allocations []Allocation
	apply       func(l *Level, quantity int64)
}

// levels returns the locations that the moves change, as they leave them.
func (s *step) levels(moves ...move) []LocationLevel {
	count := 0
	for _, m := range moves {
		count += len(m.allocations)
	}
	if count == 0 {
		return nil
	}
	changed := make([]LocationLevel, 0, count)
	for _, m := range moves {
		for _, a := range m.allocations {
			k := 0
			for k < len(changed) && changed[k].Location != a.Location {
				k++
			}
			if k == len(changed) {
				changed = append(changed, LocationLevel{a.Location, s.item.at(a.Location)})
			}
			m.apply(&changed[k].Level, a.Quantity)
		}
	}
	return changed
}

// pick chooses where a quantity that the reservation holds comes from, in the order of its locations: what
// is preferred there first, then the rest.
func (s *step) pick(quantity int64, held, preferred func(*HeldAt) int64) []Allocation {
	var picked []Allocation
	if s.res.Backordered > 0 {
		picked, quantity = s.pickFrom(nil, quantity, func(h *HeldAt) int64 { return min(held(h), preferred(h)) })
	}
	picked, _ = s.pickFrom(picked, quantity, held)
	return picked
}

// pickFrom adds to what is picked, and returns what is still to pick.
func (s *step) pickFrom(picked []Allocation, quantity int64, limit func(*HeldAt) int64) ([]Allocation, int64) {
	for k := range s.res.Held {
		if quantity == 0 {
			break
		}
		h := &s.res.Held[k]
		i := slices.IndexFunc(picked, func(a Allocation) bool { return a.Location == h.Location })
		part := limit(h)
		if i >= 0 {
			part -= picked[i].Quantity
		}
		if part = min(part, quantity); part <= 0 {
			continue
		}
		quantity -= part
		if i >= 0 {
			picked[i].Quantity += part
			continue
		}
		picked = append(picked, Allocation{h.Location, part})
	}
	return picked, quantity
}

// isBackordered is preferred for a release, isThere for a shipment (INV-25).
func isBackordered(h *HeldAt) int64 { return h.Backordered }
func isThere(h *HeldAt) int64       { return h.Reserved + h.Committed - h.Backordered }

func heldReserved(h *HeldAt) int64  { return h.Reserved }
func heldCommitted(h *HeldAt) int64 { return h.Committed }

// shrink releases what the step no longer wants (INV-15).
func (s *step) shrink() {
	excess := s.excess()
	if excess <= 0 {
		return
	}
	fromReserved := min(excess, max(0, s.reserved-s.cmd.Reserved))
	fromCommitted := min(excess-fromReserved, max(0, s.committed-s.cmd.Committed))
	if fromReserved+fromCommitted > 0 {
		s.release(fromReserved, fromCommitted)
	}
}

func (s *step) release(reserved, committed int64) {
	s.catchUp()
	s.reserved -= reserved
	s.committed -= committed
	fromReserved := s.pick(reserved, heldReserved, isBackordered)
	fromCommitted := s.pick(committed, heldCommitted, isBackordered)
	changed := s.levels(
		move{fromReserved, func(l *Level, q int64) { l.Reserved -= q; l.Available += q }},
		move{fromCommitted, func(l *Level, q int64) { l.Committed -= q; l.Available += q }})
	s.emit(ReservationReleased{
		Step: s.id, Quantity: reserved + committed, FromReserved: fromReserved, FromCommitted: fromCommitted,
	}, changed)
}

// commit moves reserved to committed (INV-16).
func (s *step) commit() {
	quantity := min(s.cmd.Committed-s.committed, s.reserved-s.cmd.Reserved)
	if quantity <= 0 {
		return
	}
	s.catchUp()
	s.reserved -= quantity
	s.committed += quantity
	picked := s.pick(quantity, heldReserved, isThere)
	changed := s.levels(move{picked, func(l *Level, q int64) { l.Reserved -= q; l.Committed += q }})
	s.emit(ReservationCommitted{Step: s.id, Quantity: quantity, Allocations: picked}, changed)
}

// fulfil takes off the shelf what has left it (INV-17).
func (s *step) fulfil() {
	left := max(0, s.cmd.Fulfilled-s.fulfilled)
	committed := min(left, max(0, s.committed-s.cmd.Committed))
	reserved := min(left-committed, max(0, s.reserved-s.cmd.Reserved))
	if committed+reserved == 0 {
		return
	}
	s.catchUp()
	s.committed -= committed
	s.reserved -= reserved
	s.fulfilled += committed + reserved
	fromCommitted := s.pick(committed, heldCommitted, isThere)
	fromReserved := s.pick(reserved, heldReserved, isThere)
	changed := s.levels(
		move{fromCommitted, func(l *Level, q int64) { l.Committed -= q; l.OnHand -= q }},
		move{fromReserved, func(l *Level, q int64) { l.Reserved -= q; l.OnHand -= q }})
	s.emit(StockFulfilled{
		Step: s.id, Quantity: committed + reserved, FromReserved: fromReserved, FromCommitted: fromCommitted,
	}, changed)
}

// restock puts returned goods back (INV-18, INV-40).
func (s *step) restock() {
	quantity, damaged := max(0, s.cmd.Restocked-s.restocked), max(0, s.cmd.Damaged-s.damaged)
	if quantity+damaged == 0 {
		return
	}
	s.catchUp()
	s.restocked += quantity
	s.damaged += damaged
	away := s.away()
	back := s.backTo(away, quantity, func(r *ReturnedAt) int64 { return r.Restocked })
	broken := s.backTo(away, damaged, func(r *ReturnedAt) int64 { return r.Damaged })
	changed := s.levels(
		move{back, func(l *Level, q int64) { l.Available += q; l.OnHand += q }},
		move{broken, func(l *Level, q int64) { l.Damaged += q; l.OnHand += q }})
	s.emit(StockRestocked{
		Step: s.id, Quantity: quantity + damaged, Allocations: back, Damaged: broken, Reason: ReasonReturn, ReturnedAt: s.cmd.ReturnedAt,
	}, changed)
}

// away is what has left each location that the order was fulfilled from, and has not come back there.
func (s *step) away() []Allocation {
	away := make([]Allocation, 0, len(s.res.Held))
	for _, h := range s.res.Held {
		if n := h.Fulfilled - h.Restocked - h.Damaged; n > 0 {
			away = append(away, Allocation{h.Location, n})
		}
	}
	return away
}

// backTo is where a quantity goes: to the locations that were named for it, then to what is away; what never left, as that
// of a credit note, to the first location.
func (s *step) backTo(away []Allocation, quantity int64, part func(*ReturnedAt) int64) (back []Allocation) {
	put := func(location string, n int64) {
		quantity -= n
		back = add(back, location, n)
		if k := slices.IndexFunc(away, func(a Allocation) bool { return a.Location == location }); k >= 0 {
			away[k].Quantity = max(0, away[k].Quantity-n)
		}
	}
	for _, at := range s.cmd.ReturnedAt {
		before := ReturnedAt{}
		if k := slices.IndexFunc(s.res.ReturnedAt, func(r ReturnedAt) bool { return r.Location == at.Location }); k >= 0 {
			before = s.res.ReturnedAt[k]
		}
		n := min(quantity, part(&at)-part(&before))
		if _, err := s.item.location(at.Location); n > 0 && err == nil { // one too many gets nothing
			put(at.Location, n)
		}
	}
	for _, a := range away {
		if n := min(quantity, a.Quantity); n > 0 {
			put(a.Location, n)
		}
	}
	if quantity > 0 {
		put(s.item.first(), quantity)
	}
	return back
}

// add adds a quantity at a location.
func add(allocations []Allocation, location string, quantity int64) []Allocation {
	if k := slices.IndexFunc(allocations, func(a Allocation) bool { return a.Location == location }); k >= 0 {
		allocations[k].Quantity += quantity
		return allocations
	}
	return append(allocations, Allocation{location, quantity})
}
