package inventory

import "slices"

// What a step does with stock that the reservation has: release, commit, fulfil.
//
//	INV-15  What the reservation has beyond the step is released, from reserved first, then from committed
//	        (ReservationReleased).
//	INV-16  Reserved becomes committed as the step says (ReservationCommitted). Committed never becomes reserved again.
//	INV-17  Committed, then reserved, becomes fulfilled (StockFulfilled). This is never refused: the goods have left the
//	        shelf. Where a location has less on hand than leaves it, the rest must have been there: it is added first, as
//	        a correction whose reference is the order's ID (StockAdjusted). Fulfilled never goes back.

// ReservationReleased gave Quantity back to available.
type ReservationReleased struct {
	Step          Step
	Quantity      int64
	FromReserved  []Allocation
	FromCommitted []Allocation
}

// ReservationCommitted made Quantity of reserved committed.
type ReservationCommitted struct {
	Step        Step
	Quantity    int64
	Allocations []Allocation
}

// StockFulfilled removed Quantity from on_hand: it has shipped. FromAvailable is that of a past document, Backordered
// the portion that was backordered: it was there after all.
type StockFulfilled struct {
	Step          Step
	Quantity      int64
	FromReserved  []Allocation
	FromCommitted []Allocation
	FromAvailable []Allocation
	Backordered   []Allocation
}

// shrink releases what the step no longer wants (INV-15).
func (d *stepDecision) shrink() {
	excess := d.excess()
	if excess <= 0 {
		return
	}
	fromReserved := min(excess, max(0, d.reserved-d.cmd.Reserved))
	fromCommitted := min(excess-fromReserved, max(0, d.committed-d.cmd.Committed))
	if fromReserved+fromCommitted > 0 {
		d.release(fromReserved, fromCommitted)
	}
}

func (d *stepDecision) release(reserved, committed int64) {
	d.catchUp()
	d.reserved -= reserved
	d.committed -= committed
	fromReserved := d.pick(reserved, reservedAt, backorderedAt)
	fromCommitted := d.pick(committed, committedAt, backorderedAt)
	changed := d.levels(
		levelChange{fromReserved, func(l *Level, q int64) { l.Reserved -= q; l.Available += q }},
		levelChange{fromCommitted, func(l *Level, q int64) { l.Committed -= q; l.Available += q }})
	d.emit(ReservationReleased{
		Step: d.step, Quantity: reserved + committed, FromReserved: fromReserved, FromCommitted: fromCommitted,
	}, changed)
}

// commit makes reserved stock committed (INV-16).
func (d *stepDecision) commit() {
	quantity := min(d.cmd.Committed-d.committed, d.reserved-d.cmd.Reserved)
	if quantity <= 0 {
		return
	}
	d.catchUp()
	d.reserved -= quantity
	d.committed += quantity
	picked := d.pick(quantity, reservedAt, inStockAt)
	changed := d.levels(levelChange{picked, func(l *Level, q int64) { l.Reserved -= q; l.Committed += q }})
	d.emit(ReservationCommitted{Step: d.step, Quantity: quantity, Allocations: picked}, changed)
}

// fulfil removes from the shelf what has left it (INV-17).
func (d *stepDecision) fulfil() {
	shipped := max(0, d.cmd.Fulfilled-d.fulfilled)
	committed := min(shipped, max(0, d.committed-d.cmd.Committed))
	reserved := min(shipped-committed, max(0, d.reserved-d.cmd.Reserved))
	if committed+reserved == 0 {
		return
	}
	d.catchUp()
	d.committed -= committed
	d.reserved -= reserved
	d.fulfilled += committed + reserved
	fromCommitted := d.pick(committed, committedAt, inStockAt)
	fromReserved := d.pick(reserved, reservedAt, inStockAt)
	d.find(fromCommitted, fromReserved)
	changed := d.levels(
		levelChange{fromCommitted, func(l *Level, q int64) { l.Committed -= q; l.OnHand -= q }},
		levelChange{fromReserved, func(l *Level, q int64) { l.Reserved -= q; l.OnHand -= q }})
	d.emit(StockFulfilled{
		Step: d.step, Quantity: committed + reserved, FromReserved: fromReserved, FromCommitted: fromCommitted,
		Backordered: d.noLongerBackordered(fromCommitted, fromReserved),
	}, changed)
}

// noLongerBackordered is what of units that leave was backordered: what is left of the reservation waits for no more
// than it is.
func (d *stepDecision) noLongerBackordered(fromCommitted, fromReserved []Allocation) (gone []Allocation) {
	if d.res.Backordered == 0 {
		return nil
	}
	for k := range d.res.Locations {
		h := &d.res.Locations[k]
		left := h.Reserved + h.Committed - unitsAt(fromCommitted, h.Location) - unitsAt(fromReserved, h.Location)
		if n := h.Backordered - left; n > 0 {
			gone = append(gone, Allocation{h.Location, n})
		}
	}
	return gone
}

// find adds to the books what leaves a location beyond what it has on hand: it must have been there (INV-17).
func (d *stepDecision) find(fromCommitted, fromReserved []Allocation) {
	for k := range d.item.Locations {
		l := d.item.Locations[k]
		found := unitsAt(fromCommitted, l.Location) + unitsAt(fromReserved, l.Location) - max(0, l.Level.OnHand)
		if found <= 0 {
			continue
		}
		l.Level = l.Level.plus(Level{OnHand: found, Available: found})
		d.emit(StockAdjusted{l.Location, found, ReasonCorrection, d.step.OrderID}, []LocationLevel{l})
		d.catchUp()
	}
}

// unitsAt is what allocations have of a location.
func unitsAt(allocations []Allocation, location string) (quantity int64) {
	for _, a := range allocations {
		if a.Location == location {
			quantity += a.Quantity
		}
	}
	return quantity
}

func reservedAt(h *ReservationAt) int64  { return h.Reserved }
func committedAt(h *ReservationAt) int64 { return h.Committed }

// A release prefers backorderedAt, a shipment inStockAt (INV-25).
func backorderedAt(h *ReservationAt) int64 { return h.Backordered }
func inStockAt(h *ReservationAt) int64     { return h.Reserved + h.Committed - h.Backordered }

// pick chooses the locations that a quantity of the reservation comes from, in their order. Each has at most has, and
// what is preferred there goes first.
func (d *stepDecision) pick(quantity int64, has, preferred func(*ReservationAt) int64) []Allocation {
	var picked []Allocation
	if d.res.Backordered > 0 {
		picked, quantity = d.pickFrom(nil, quantity, func(h *ReservationAt) int64 { return min(has(h), preferred(h)) })
	}
	picked, _ = d.pickFrom(picked, quantity, has)
	return picked
}

// pickFrom adds to what is picked, and returns what is still to pick.
func (d *stepDecision) pickFrom(
	picked []Allocation, quantity int64, limit func(*ReservationAt) int64,
) ([]Allocation, int64) {
	for k := range d.res.Locations {
		if quantity == 0 {
			break
		}
		h := &d.res.Locations[k]
		i := slices.IndexFunc(picked, func(a Allocation) bool { return a.Location == h.Location })
		n := limit(h)
		if i >= 0 {
			n -= picked[i].Quantity
		}
		if n = min(n, quantity); n <= 0 {
			continue
		}
		quantity -= n
		if i >= 0 {
			picked[i].Quantity += n
			continue
		}
		picked = append(picked, Allocation{h.Location, n})
	}
	return picked, quantity
}

func (c ReservationReleased) evolve(_ *Item, res *Reservation) {
	res.advance(c.Step)
	res.change(c.FromReserved, func(h *ReservationAt, q int64) {
		h.Reserved, h.Backordered = h.Reserved-q, max(0, h.Backordered-q)
	})
	res.change(c.FromCommitted, func(h *ReservationAt, q int64) {
		h.Committed, h.Backordered = h.Committed-q, max(0, h.Backordered-q)
	})
}

func (c ReservationCommitted) evolve(_ *Item, res *Reservation) {
	res.advance(c.Step)
	res.change(c.Allocations, func(h *ReservationAt, q int64) { h.Reserved -= q; h.Committed += q })
}

func (c StockFulfilled) evolve(_ *Item, res *Reservation) {
	res.advance(c.Step, c.FromAvailable)
	res.depart(c.FromReserved, c.FromCommitted)
	res.change(c.FromReserved, func(h *ReservationAt, q int64) { h.Reserved -= q; h.Fulfilled += q })
	res.change(c.FromCommitted, func(h *ReservationAt, q int64) { h.Committed -= q; h.Fulfilled += q })
	res.add(c.FromAvailable, func(h *ReservationAt) *int64 { return &h.Fulfilled })
}
