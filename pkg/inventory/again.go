package inventory

// Goods that ship again: they had left, did not arrive, and the order still wants them.
//
//	INV-67  Growth of committed that ships again (ShipAgain) is not refused: the order has been promised it. It is
//	        reserved and committed after the rest of the step. What this step restocked goes to it first, where that came
//	        back, also while other orders wait there; of a single_location order, only at its location. The rest is
//	        allocated as INV-12 and INV-61 say, and what is not available is backordered beyond any limit.
//
// Example: a parcel of 3 comes back, 2 of which can be sold again, while another order waits for 5. Both are committed
// to the order of the parcel, and its third unit is backordered behind the 5.

// setAsideAgain takes what ships again out of the step, and returns how much that is.
func (d *stepDecision) setAsideAgain() int64 {
	again := min(d.cmd.ShipAgain, d.cmd.Committed, max(0, -d.excess()))
	d.cmd.Committed -= again
	return again
}

// commitAgain reserves and commits what ships again (INV-67).
func (d *stepDecision) commitAgain(quantity int64) {
	if quantity == 0 {
		return
	}
	d.cmd.Committed += quantity
	d.catchUp()
	if back := d.takeBack(quantity); len(back) > 0 {
		quantity -= units(back)
		d.reserved += units(back)
		changed := d.levels(reserving(back))
		d.emit(StockReserved{Step: d.step, Quantity: units(back), Allocations: back, ShipsAgain: true}, changed)
		d.catchUp()
	}
	if quantity > 0 {
		d.reserve(quantity, true)
	}
	d.commit()
}

// takeBack chooses at most a quantity of what this step restocked.
func (d *stepDecision) takeBack(quantity int64) (back []Allocation) {
	rule := d.cmd.Allocation
	for _, a := range d.cameBack {
		if rule != nil && rule.Policy == SingleLocation && a.Location != d.single(quantity).location {
			continue
		}
		if n := min(quantity, a.Quantity); n > 0 {
			back = append(back, Allocation{a.Location, n})
			quantity -= n
		}
	}
	return back
}
