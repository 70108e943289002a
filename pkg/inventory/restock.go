package inventory

import "slices"

// Goods that come back: SetReservation wants more restocked or damaged than the reservation has.
//
//	INV-18  Growth of restocked goes to available (StockRestocked, reason return): first to the locations that are named
//	        for it (ReturnedAt), then to those that the order was fulfilled from, in their order, up to what left each
//	        and has not come back. What never left, as with a credit note, goes to the item's first location.
//	INV-40  Growth of damaged goes to damaged of the same locations, after restocked, in the same StockRestocked: these
//	        goods came back, and cannot be sold again.

// StockRestocked added Quantity to on_hand: Allocations to available, Damaged to damaged.
type StockRestocked struct {
	Step        Step
	Quantity    int64
	Allocations []Allocation
	Reason      Reason
	Damaged     []Allocation
	// ReturnedAt is all that has come back by now to locations that were named for it.
	ReturnedAt []ReturnedAt
	// Reversed are all shipments that were taken back by now.
	Reversed []Reversed
}

func (d *stepDecision) restock() {
	d.reverse()
	quantity, damaged := max(0, d.cmd.Restocked-d.restocked), max(0, d.cmd.Damaged-d.damaged)
	if quantity+damaged == 0 {
		return
	}
	d.catchUp()
	d.restocked += quantity
	d.damaged += damaged
	away := d.away()
	restocked := d.comeBack(away, quantity, func(r *ReturnedAt) int64 { return r.Restocked })
	d.cameBack = append(d.cameBack, restocked...)
	broken := d.comeBack(away, damaged, func(r *ReturnedAt) int64 { return r.Damaged })
	changed := d.levels(
		levelChange{restocked, func(l *Level, q int64) { l.Available += q; l.OnHand += q }},
		levelChange{broken, func(l *Level, q int64) { l.Damaged += q; l.OnHand += q }})
	d.emit(StockRestocked{
		Step: d.step, Quantity: quantity + damaged, Allocations: restocked, Damaged: broken,
		Reason: ReasonReturn, ReturnedAt: d.cmd.ReturnedAt, Reversed: d.res.Reversed,
	}, changed)
}

// away is what has left each location for the order and has not come back there.
func (d *stepDecision) away() []Allocation {
	away := make([]Allocation, 0, len(d.res.Locations))
	for _, h := range d.res.Locations {
		if n := h.Fulfilled - h.Restocked - h.Damaged; n > 0 {
			away = append(away, Allocation{h.Location, n})
		}
	}
	return away
}

// comeBack allocates a quantity that came back as INV-18 says. It reduces away by it.
func (d *stepDecision) comeBack(
	away []Allocation, quantity int64, field func(*ReturnedAt) int64,
) (allocations []Allocation) {
	put := func(location string, n int64) {
		quantity -= n
		allocations = add(allocations, location, n)
		if k := slices.IndexFunc(away, func(a Allocation) bool { return a.Location == location }); k >= 0 {
			away[k].Quantity = max(0, away[k].Quantity-n)
		}
	}
	for _, at := range d.cmd.ReturnedAt {
		before := ReturnedAt{}
		k := slices.IndexFunc(d.res.ReturnedAt, func(r ReturnedAt) bool { return r.Location == at.Location })
		if k >= 0 {
			before = d.res.ReturnedAt[k]
		}
		n := min(quantity, field(&at)-field(&before))
		// The item may have no room for another location. Then the goods go where they would without a name.
		if _, err := d.item.location(at.Location); n > 0 && err == nil {
			put(at.Location, n)
		}
	}
	for _, a := range away {
		if n := min(quantity, a.Quantity); n > 0 {
			put(a.Location, n)
		}
	}
	if quantity > 0 {
		put(d.item.first(), quantity)
	}
	return allocations
}

// add adds a quantity at a location.
func add(allocations []Allocation, location string, quantity int64) []Allocation {
	k := slices.IndexFunc(allocations, func(a Allocation) bool { return a.Location == location })
	if k >= 0 {
		allocations[k].Quantity += quantity
		return allocations
	}
	return append(allocations, Allocation{location, quantity})
}

func (c StockRestocked) evolve(_ *Item, res *Reservation) {
	res.advance(c.Step, c.Allocations, c.Damaged)
	res.add(c.Allocations, func(h *ReservationAt) *int64 { return &h.Restocked })
	res.add(c.Damaged, func(h *ReservationAt) *int64 { return &h.Damaged })
	res.ReturnedAt = c.ReturnedAt
	if c.Reversed != nil { // a former release knows none, and forgets none by that
		res.Reversed = c.Reversed
	}
}
