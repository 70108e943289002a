package inventory

import "slices"

// A shipment that was recorded by mistake: the goods never left, and are on hand where it took them from.
//
//	INV-69  Growth of restocked that is of shipments that were taken back (Reversed) goes to available before all else
//	        that comes back (StockRestocked, reason correction): to the locations that the shipment took it from, as far
//	        as it has not come back there. What one step took for several shipments is theirs together. What is not
//	        found like this goes as INV-18 says. The order has it committed again at once (INV-67). The goods come back
//	        to the books in any case: where the location was counted after the shipment, or the shipment added units that
//	        the books did not have (INV-17), it is to be counted again.

// Reversed is a shipment of an order that was taken back: the step that it left with, and its quantity.
type Reversed struct {
	Version  uint64
	Quantity int64
}

// Departure is what left a location with a step.
type Departure struct {
	Version uint64
	Allocation
}

// reverse applies INV-69.
func (d *stepDecision) reverse() {
	var back []Allocation
	for _, r := range d.cmd.Reversed {
		quantity := r.Quantity
		if k := slices.IndexFunc(d.res.Reversed, func(b Reversed) bool { return b.Version == r.Version }); k >= 0 {
			quantity -= d.res.Reversed[k].Quantity
		}
		quantity = min(quantity, d.cmd.Restocked-d.restocked-units(back))
		if quantity > 0 {
			d.catchUp()
			back = d.comeBackFrom(r.Version, quantity, back)
		}
	}
	if len(back) == 0 {
		return
	}
	d.restocked += units(back)
	d.cameBack = back
	changed := d.levels(levelChange{back, func(l *Level, q int64) { l.Available += q; l.OnHand += q }})
	d.emit(StockRestocked{
		Step: d.step, Quantity: units(back), Allocations: back, Reason: ReasonCorrection,
		ReturnedAt: d.res.ReturnedAt, Reversed: d.cmd.Reversed,
	}, changed)
}

// comeBackFrom adds to back where the goods of a shipment are, which left with the step of a version.
func (d *stepDecision) comeBackFrom(version uint64, quantity int64, back []Allocation) []Allocation {
	away := d.away()
	for k := range away {
		away[k].Quantity -= unitsAt(back, away[k].Location)
	}
	for _, left := range d.res.departed(version) {
		k := slices.IndexFunc(away, func(a Allocation) bool { return a.Location == left.Location })
		if k < 0 {
			continue
		}
		if n := min(quantity, left.Quantity, away[k].Quantity); n > 0 {
			back = add(back, left.Location, n)
			away[k].Quantity -= n
			quantity -= n
		}
	}
	for _, a := range away {
		if n := min(quantity, a.Quantity); n > 0 {
			back = add(back, a.Location, n)
			quantity -= n
		}
	}
	if quantity > 0 {
		back = add(back, d.item.first(), quantity)
	}
	return back
}

// depart notes what a step takes away. A reservation of one location needs no notes.
func (r *Reservation) depart(taken ...[]Allocation) {
	if len(r.Locations) < 2 {
		return
	}
	departures := slices.Clone(r.Departures)
	for _, allocations := range taken {
		for _, a := range allocations {
			departures = append(departures, Departure{r.Version, a})
		}
	}
	r.Departures = departures
}

// noteDeparted notes what has left a reservation that had one location so far, where it has several from now on. It is
// called while the newest step before is still known: a step may write other events before the one that takes goods.
//
// Example: 4 ship from main with step 3. With step 6 the order gets 2 units at north. They ship with step 7, which also
// releases 1 at main, and that comes first. What left with step 3 is noted by step 6.
func (r *Reservation) noteDeparted(added [][]Allocation) {
	if len(r.Departures) > 0 || !r.hasSeveral(added) {
		return
	}
	for _, h := range r.Locations {
		if h.Fulfilled > 0 {
			r.Departures = append(r.Departures, Departure{r.Version, Allocation{h.Location, h.Fulfilled}})
		}
	}
}

// hasSeveral reports whether the reservation has several locations with those that are added.
func (r *Reservation) hasSeveral(added [][]Allocation) bool {
	if len(r.Locations) != 1 {
		return len(r.Locations) > 1
	}
	for _, allocations := range added {
		for _, a := range allocations {
			if a.Location != r.Locations[0].Location {
				return true
			}
		}
	}
	return false
}

// departed is what left with the step of a version, or with the next one, if that step did not come by itself.
func (r *Reservation) departed(version uint64) (departed []Departure) {
	for _, d := range r.Departures { // in the order of their versions
		if d.Version >= version && (len(departed) == 0 || d.Version == departed[0].Version) {
			departed = append(departed, d)
		}
	}
	return departed
}
