package inventory

import (
	"iter"
	"slices"
)

// A shortfall is what a location lacks of what orders were promised there.
//
//	INV-70  After each decision, whatever a location lacks of what is promised there has an owner. Units that no order
//	        waits for yet are taken from safety_stock first (SafetyStockSet; INV-73 restores it). Then the reservations
//	        that have stock of the location lose it, the one that was promised last first (ReservationFellShort). A
//	        reservation is promised when it first reserves something of the item; an amendment keeps that.
//	INV-71  What a reservation loses at a location is reserved, or committed, at other locations of the item, as far as
//	        they have it available and its rule allows: split at each in the order of INV-60, fewest_locations as INV-61
//	        says, single_location all that it has or nothing, and not once some has shipped. What is not found is
//	        backordered where it was lost, whatever the backorder limit. Orders that lose something at the same time
//	        begin to wait in the order in which they were promised, behind those that wait already (INV-26).
//	INV-72  At most 10,000 orders wait for an item. What is missing beyond that has an owner as soon as fewer wait. A
//	        shortfall of a log from before INV-70 has one from the item's next change on.

// ReservationFellShort says that Quantity of what a reservation had at Location is missing. Step is the newest of the
// order. Reserved and Committed are what it has at other locations instead from now on. Backordered is what it waits
// for at Location, with what it waited for before.
type ReservationFellShort struct {
	Step        Step
	Location    string
	Quantity    int64
	Backordered int64
	Reserved    []Allocation
	Committed   []Allocation
}

// FallsShort reports whether a location lacks something that nobody waits for, and that an order may lose, or has goods
// for a safety stock that is less than it is to be.
func (i *Item) FallsShort() bool {
	if len(i.SafetyStockTargets) > 0 && i.fillsSafetyStock() {
		return true
	}
	for k := range i.Locations {
		if l := &i.Locations[k].Level; l.Available < 0 && i.missing(k) > 0 &&
			(l.SafetyStock > 0 || l.Reserved+l.Committed > i.waitingAt(i.Locations[k].Location)) {
			return true
		}
	}
	return false
}

// missing is what a location lacks beyond what orders wait for there.
func (i *Item) missing(k int) int64 {
	l := &i.Locations[k]
	if l.Level.Available >= 0 {
		return 0
	}
	return max(0, -l.Level.Available-i.waitingAt(l.Location))
}

// waitingAt is what orders wait for at a location.
func (i *Item) waitingAt(location string) (units int64) {
	for k := range i.Backorders {
		if i.Backorders[k].Location == location {
			units += i.Backorders[k].Quantity
		}
	}
	return units
}

// DecideShortfall says who loses what an item lacks (INV-70, INV-71), and fills up safety stock (INV-73). Call it
// after the events of a decision that leave the item short (FallsShort). promised are the open reservations of the
// item, the one that was promised last first; it is read no further than needed, and once for each location that
// lacks something.
func DecideShortfall(item Item, promised iter.Seq[Reservation]) []Event {
	d := shortfallDecision{item: item}
	for k := range item.Locations {
		if item.Locations[k].Level.Available < 0 {
			d.releaseSafetyStock(k)
			d.lose(k, promised)
		}
	}
	if len(d.events) > 0 && len(d.item.Backorders) > 0 {
		fills := fill(d.item, Reservation{}, nil)
		d.events = append(d.events, fills...)
		d.item.Backorders = nil // levels alone are needed from here on
		for _, ev := range fills {
			d.item, _ = Evolve(d.item, Reservation{}, ev)
		}
	}
	d.fillSafetyStock()
	return d.events
}

type shortfallDecision struct {
	item   Item
	events []Event
}

// apply adds an event, and brings the item up to date.
func (d *shortfallDecision) apply(ev Event, res Reservation) {
	d.item, _ = Evolve(d.item, res, ev)
	d.events = append(d.events, ev)
}

// releaseSafetyStock covers what is missing at a location with what is held back there.
func (d *shortfallDecision) releaseSafetyStock(k int) {
	l := d.item.Locations[k]
	quantity := min(d.item.missing(k), l.Level.SafetyStock)
	if quantity <= 0 {
		return
	}
	set := SafetyStockSet{
		Location: l.Location, Quantity: l.Level.SafetyStock - quantity, Delta: -quantity,
		Target: max(l.Level.SafetyStock, d.item.safetyStockTarget(l.Location)),
	}
	delta := Level{SafetyStock: -quantity, Available: quantity}
	l.Level = l.Level.plus(delta)
	d.apply(Event{Change: set, Locations: []LocationLevel{l}, Total: d.item.Total().plus(delta)}, Reservation{})
}

// loss is what a reservation loses.
type loss struct {
	res      Reservation
	quantity int64
}

// lose has reservations lose what is missing at a location.
func (d *shortfallDecision) lose(k int, promised iter.Seq[Reservation]) {
	missing, location := d.item.missing(k), d.item.Locations[k].Location
	if missing == 0 {
		return
	}
	var losses []loss
	for res := range promised {
		if h := res.find(location); h >= 0 {
			if quantity := min(missing, inStockAt(&res.Locations[h])); quantity > 0 {
				losses = append(losses, loss{res, quantity})
				missing -= quantity
			}
		}
		if missing == 0 {
			break
		}
	}
	for _, l := range slices.Backward(losses) {
		// A reservation that has moved as a whole may have left something to those after it.
		if quantity := min(l.quantity, d.item.missing(k)); quantity > 0 {
			d.loseOne(&l.res, k, quantity)
		}
	}
}

// loseOne moves what one reservation loses to other locations, or has the order wait for it.
func (d *shortfallDecision) loseOne(res *Reservation, k int, quantity int64) {
	at := d.item.Locations[k]
	h := res.Locations[res.find(at.Location)]
	moved := d.elsewhere(res, &h, quantity)
	units := units(moved)
	fell := ReservationFellShort{
		Step: Step{res.OrderID, res.PlacedEventID, res.Version, res.Allocation}, Location: at.Location, Quantity: quantity,
		Backordered: min(h.Backordered+max(0, quantity-units), h.Reserved+h.Committed-units),
	}
	if fell.Backordered > h.Backordered && h.Backordered == 0 && len(d.item.Backorders) >= MaxBackorders {
		return // INV-72
	}
	changed := []LocationLevel{at}
	for _, a := range moved {
		committed := min(a.Quantity, h.Committed)
		reserved := a.Quantity - committed
		h.Committed -= committed
		if committed > 0 {
			fell.Committed = append(fell.Committed, Allocation{a.Location, committed})
		}
		if reserved > 0 {
			fell.Reserved = append(fell.Reserved, Allocation{a.Location, reserved})
		}
		level := Level{Available: a.Quantity, Reserved: -reserved, Committed: -committed}
		changed[0].Level = changed[0].Level.plus(level)
		changed = append(changed, LocationLevel{a.Location, d.item.at(a.Location).minus(level)})
	}
	if len(changed) == 1 {
		changed = nil // an order that waits where it had stock changes no level
	}
	d.apply(Event{Change: fell, Locations: changed, Total: d.item.Total()}, *res)
}

// elsewhere is what a reservation can have at other locations of what it loses at one (INV-71).
func (d *shortfallDecision) elsewhere(res *Reservation, h *ReservationAt, quantity int64) (allocations []Allocation) {
	others, _ := d.item.candidates(res.Allocation).partition(func(c candidate) bool { return c.location != h.Location })
	switch {
	case res.Allocation == nil || res.Allocation.Policy == Split:
		allocations, _ = others.split(quantity)
	case res.Allocation.Policy == FewestLocations:
		used, unused := others.partition(func(c candidate) bool { return res.uses(c.location) })
		allocations, quantity = used.split(quantity)
		more, _ := unused.fewest(quantity)
		allocations = append(allocations, more...)
	case h.Fulfilled == 0:
		all := h.Reserved + h.Committed
		for _, c := range others {
			if c.available >= all {
				return []Allocation{{c.location, all}}
			}
		}
	}
	return allocations
}

func (c ReservationFellShort) evolve(item *Item, res *Reservation) {
	item.fallShort(&c, res)
	if res.OrderID == c.Step.OrderID && res.PlacedEventID == c.Step.PlacedEventID {
		res.moveBackorder(c.Location, c.Backordered, c.Reserved, c.Committed)
	}
}

// fallShort has an order wait that lost stock. One that waits already keeps its place.
func (i *Item) fallShort(c *ReservationFellShort, res *Reservation) {
	after := *res
	after.moveBackorder(c.Location, c.Backordered, c.Reserved, c.Committed)
	h := after.find(c.Location)
	if h < 0 {
		return
	}
	k := slices.IndexFunc(i.Backorders, func(b Backorder) bool {
		return b.OrderID == c.Step.OrderID && b.PlacedEventID == c.Step.PlacedEventID && b.Location == c.Location
	})
	switch {
	case k < 0 && c.Backordered > 0:
		i.Backorders = append(slices.Clip(i.Backorders), after.backorder(&after.Locations[h]))
	case k >= 0 && c.Backordered == 0:
		i.Backorders = slices.Delete(slices.Clone(i.Backorders), k, k+1)
	case k >= 0:
		i.Backorders = slices.Clone(i.Backorders)
		i.Backorders[k] = after.backorder(&after.Locations[h])
	}
	if len(i.Backorders) == 0 {
		i.Backorders = nil
	}
}
