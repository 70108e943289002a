package inventory

import "github.com/holdfast/holdfast/pkg/limits"

// SetBackorderLimit lets orders wait for at most Limit units that are not in stock, at all locations together.
//
//	INV-8   The limit is 0 to MaxBackorderLimit (invalid_quantity). No difference: no event.
type SetBackorderLimit struct{ Limit int64 }

// BackorderLimitSet set the item's backorder limit.
type BackorderLimitSet struct{ Limit int64 }

func (c SetBackorderLimit) decide(item *Item, _ *Reservation) ([]Event, error) {
	if c.Limit < 0 || c.Limit > MaxBackorderLimit {
		return nil, refuse(CodeInvalidQuantity, "/limit", "a backorder limit is "+limits.Quantities(0))
	}
	if c.Limit == item.BackorderLimit {
		return nil, nil
	}
	return item.event(BackorderLimitSet(c))
}

func (c BackorderLimitSet) evolve(item *Item, _ *Reservation) { item.BackorderLimit = c.Limit }

// Backorder is an order that waits at a location: Quantity of its reservation there is not in stock yet. Version,
// Reserved, Committed and Allocation repeat its reservation.
//
//	INV-25  What is reserved or committed and not in stock yet is backordered. Releases give it up first, shipments use
//	        it last. At most 10,000 orders wait for an item; beyond that the backorder limit counts as 0.
//	INV-26  Whatever makes stock available fills backorders (BackorderFilled). What comes to a location goes to the
//	        orders that wait there, in the order of their arrival, once what was reserved there before is covered. What
//	        is then available goes to the orders that wait at other locations, in the order of their arrival, as their
//	        rule allows (INV-62). An order keeps its place while it waits for anything. What an amendment makes it wait
//	        for more is filled in that place too.
//	INV-62  With a rule, a backorder is at the first location that the rule allocates at, or else tries. A backorder of
//	        single_location is filled from its own location alone, so it is passed over by what comes to another
//	        location; others are filled from other locations as their rule says.
type Backorder struct {
	OrderID             string
	PlacedEventID       ID
	Version             uint64
	Location            string
	Quantity            int64
	Reserved, Committed int64
	Allocation          *AllocationRule
}

// backorderable is what is left of the backorder limit, with all that orders wait for: what fell short counts against
// the limit, and may be more than it.
func (i *Item) backorderable() int64 {
	if len(i.Backorders) >= MaxBackorders {
		return 0
	}
	left := i.BackorderLimit
	for k := range i.Backorders {
		left -= i.Backorders[k].Quantity
	}
	return max(0, left)
}

// followBackorder brings the waiting orders up to date with a reservation that changed. An order keeps its place while
// it waits for anything.
func (i *Item) followBackorder(r Reservation) {
	kept := make([]Backorder, 0, len(i.Backorders)+1)
	for _, b := range i.Backorders {
		if b.OrderID == r.OrderID {
			k := r.find(b.Location)
			if k < 0 || r.Locations[k].Backordered == 0 || b.PlacedEventID != r.PlacedEventID {
				continue
			}
			b = r.backorder(&r.Locations[k])
		}
		kept = append(kept, b)
	}
	waits := func(location string) bool {
		for k := range kept {
			if kept[k].OrderID == r.OrderID && kept[k].Location == location {
				return true
			}
		}
		return false
	}
	for k := range r.Locations {
		if h := &r.Locations[k]; h.Backordered > 0 && !waits(h.Location) {
			kept = append(kept, r.backorder(h))
		}
	}
	if i.Backorders = kept; len(kept) == 0 {
		i.Backorders = nil
	}
}

func (r *Reservation) backorder(h *ReservationAt) Backorder {
	return Backorder{
		r.OrderID, r.PlacedEventID, r.Version, h.Location, h.Backordered, h.Reserved, h.Committed, r.Allocation,
	}
}

// noteBackordered keeps the item's version at which Backordered last changed.
func (r *Reservation) noteBackordered(before int64, version uint64) {
	if r.Backordered != before {
		r.BackorderVersion = version
	}
}

// sumBackordered keeps what is backordered within reserved and committed, by location, and adds it up.
func (r *Reservation) sumBackordered() {
	r.Backordered = 0
	for k := range r.Locations {
		h := &r.Locations[k]
		h.Backordered = min(h.Backordered, h.Reserved+h.Committed)
		r.Backordered += h.Backordered
	}
}
