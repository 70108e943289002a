package inventory

import "slices"

// Reservation is what one order has of one SKU. It outlives the order: its version is what makes a late or repeated
// step harmless.
type Reservation struct {
	OrderID       string
	PlacedEventID ID
	// Version is that of the newest step seen: the order's version at which what it wants last changed. 0: none seen.
	Version   uint64
	Locations []ReservationAt
	// Backordered is how much of reserved and committed is not in stock yet, over all locations. BackorderVersion is the
	// item's version at which that last changed; 0: never.
	Backordered      int64
	BackorderVersion uint64
	// PromisedVersion is the item's version at which it first reserved something; 0: it never did.
	PromisedVersion uint64
	// Allocation is the rule of the newest step seen; nil: it has none.
	Allocation *AllocationRule
	// ReturnedAt is what came back to locations that were named for it.
	ReturnedAt []ReturnedAt
	// Reversed are the shipments that were taken back, Departures what left where with which step: of a reservation that
	// has several locations (INV-69).
	Reversed   []Reversed
	Departures []Departure
	// Rejected is set when the newest step was rejected.
	Rejected *Rejection
}

// ReservationAt is what a reservation has at one location.
type ReservationAt struct {
	Location                                  string
	Reserved, Committed, Fulfilled, Restocked int64
	// Damaged came back like Restocked, and cannot be sold again.
	Damaged int64
	// Backordered is how much of Reserved and Committed is not in stock yet.
	Backordered int64
}

// ReturnedAt is what came back of an order to a location that was named for it.
type ReturnedAt struct {
	Location           string
	Restocked, Damaged int64
}

// Allocation is a quantity at a location.
type Allocation struct {
	Location string
	Quantity int64
}

// Step names the order's step that a change answers.
type Step struct {
	OrderID       string
	PlacedEventID ID
	Version       uint64
	// Allocation is the order's rule; nil: it has none.
	Allocation *AllocationRule
}

// StepOf returns the order's step that a change answers, or whose reservation it fills; false for a change of no
// reservation.
func StepOf(c Change) (Step, bool) {
	switch c := c.(type) {
	case StockReserved:
		return c.Step, true
	case StockBackordered:
		return c.Step, true
	case ReservationRejected:
		return c.Step, true
	case ReservationCommitted:
		return c.Step, true
	case ReservationReleased:
		return c.Step, true
	case StockFulfilled:
		return c.Step, true
	case StockRestocked:
		return c.Step, true
	case BackorderFilled:
		return c.Step, true
	case ReservationFellShort:
		return c.Step, true
	}
	return Step{}, false
}

// SetReservation is the order's step: its reservation of this SKU as it should be. Quantities are absolute. What was
// ordered and is in none of them was never reserved, or is released.
//
//	INV-10  A step is new when its PlacedEventID differs from the reservation's, or its Version is greater. Any other
//	        step writes nothing.
//	INV-11  A step of another PlacedEventID replaces the reservation: what the former one still binds is released
//	        first.
//	INV-19  A new step of a registered item writes at least one event: ReservationReleased of 0 when there is nothing to
//	        change.
//	INV-20  Quantities are 0 to MaxStepQuantity (invalid_quantity). The order ID is set, the version is at least 1, the
//	        policy of a rule is known, and Imported goes without committed and not with both reserved and fulfilled
//	        (invalid_step).
//	INV-64  A step of an item that is not registered writes nothing: there is no stock to remember it. If it wants
//	        anything, or is of a past document, it is refused: unknown_sku. A repeat that comes after the item was
//	        registered is new to it; the order, which has ended since, then asks for nothing with its newest step.
type SetReservation struct {
	OrderID       string
	PlacedEventID ID
	Version       uint64
	Reserved      int64
	Committed     int64
	Fulfilled     int64
	Restocked     int64
	// Damaged came back like Restocked, and cannot be sold again.
	Damaged int64
	// ReturnedAt is how much of Restocked and Damaged has a location named for it.
	ReturnedAt []ReturnedAt
	// Reversed are the shipments that were taken back: Fulfilled and Restocked include them (INV-69).
	Reversed []Reversed
	// Allocation says how growth is spread over locations; nil: in order of their first use.
	Allocation *AllocationRule
	// Imported: the step is that of a past document. What is missing leaves available at once, or is reserved without
	// backorders.
	Imported bool
	// Refuse: another SKU of the same order is short, so this one records a rejection too.
	Refuse bool
	// ShipAgain is the portion of Committed that had left, did not arrive or was taken back, and ships again (INV-67).
	ShipAgain int64
}

// stepDecision decides one SetReservation. Its sums include every event at once. item and res follow only when a later
// change needs locations (catchUp), because most steps make one change with one event.
type stepDecision struct {
	cmd     SetReservation
	step    Step
	item    Item
	res     Reservation
	events  []Event
	applied int // how many of events are in item and res
	err     error
	// The sums of the reservation after the events so far.
	reserved, committed, fulfilled, restocked, damaged int64
	// cameBack is what this step restocked.
	cameBack []Allocation
}

func (c SetReservation) decide(item *Item, res *Reservation) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if !item.Registered {
		return nil, c.decideUnregistered()
	}
	same := res.Version > 0 && res.PlacedEventID == c.PlacedEventID
	if same && c.Version <= res.Version {
		return nil, nil
	}
	d := &stepDecision{
		cmd: c, step: Step{c.OrderID, c.PlacedEventID, c.Version, c.Allocation}, item: *item, res: *res,
	}
	d.reserved, d.committed, d.fulfilled, d.restocked = res.Sums()
	d.damaged = res.Damaged()
	if !same {
		d.replace()
	}
	again := d.setAsideAgain()
	if d.grow() {
		d.shrink()
		d.commit()
		d.fulfil()
		d.restock()
		d.commitAgain(again)
	}
	if len(d.events) == 0 {
		d.emit(ReservationReleased{Step: d.step}, nil)
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.events, nil
}

// decideUnregistered applies INV-64.
func (c *SetReservation) decideUnregistered() error {
	if c.Reserved|c.Committed|c.Fulfilled|c.Restocked|c.Damaged == 0 && !c.Imported {
		return nil
	}
	return refuse(CodeUnknownSKU, "", "no item is registered under this SKU")
}

// check applies INV-20.
func (c *SetReservation) check() error {
	for _, quantity := range [...]int64{c.Reserved, c.Committed, c.Fulfilled, c.Restocked, c.Damaged, c.ShipAgain} {
		if quantity < 0 || quantity > MaxStepQuantity {
			return refuse(CodeInvalidQuantity, "", "a reservation's quantities are 0 to 2^50 units")
		}
	}
	switch {
	case c.OrderID == "":
		return refuse(CodeInvalidStep, "", "a step names its order")
	case c.Version == 0:
		return refuse(CodeInvalidStep, "", "a step's version is at least 1")
	case c.Allocation != nil && (c.Allocation.Policy < SingleLocation || c.Allocation.Policy > Split):
		return refuse(CodeInvalidStep, "", "an allocation has one of the known policies")
	case c.Imported && (c.Committed > 0 || c.Reserved > 0 && c.Fulfilled > 0):
		return refuse(CodeInvalidStep, "", "a past document commits nothing, and reserves only before it takes")
	}
	return nil
}

// emit adds an event that leaves the changed locations as given (INV-21), within bounds (INV-9).
func (d *stepDecision) emit(c Change, changed []LocationLevel) {
	total := d.item.Total()
	for k := range changed {
		after := changed[k].Level
		total = total.plus(after).minus(d.item.at(changed[k].Location))
		if !after.bounded() || !total.bounded() {
			d.err = refuse(CodeQuantityOverflow, "", "the item would have more units than can be counted")
		}
	}
	d.events = append(d.events, Event{Change: c, Locations: changed, Total: total})
}

// catchUp applies the events that were decided so far.
func (d *stepDecision) catchUp() {
	for ; d.applied < len(d.events); d.applied++ {
		d.item, d.res = Evolve(d.item, d.res, d.events[d.applied])
	}
}

// replace releases what a former placement of the order still binds, and starts from nothing (INV-11).
func (d *stepDecision) replace() {
	if d.reserved+d.committed > 0 {
		d.release(d.reserved, d.committed)
		d.catchUp()
	}
	d.res = Reservation{}
	d.reserved, d.committed, d.fulfilled, d.restocked, d.damaged = 0, 0, 0, 0, 0
}

// excess is how much more the reservation has than the step wants; negative: how much less.
func (d *stepDecision) excess() int64 {
	return d.reserved + d.committed + d.fulfilled - d.cmd.Reserved - d.cmd.Committed - d.cmd.Fulfilled
}

// levelChange is a change of levels at some locations.
type levelChange struct {
	allocations []Allocation
	apply       func(l *Level, quantity int64)
}

// levels returns the levels of the locations that changes touch, after all of them.
func (d *stepDecision) levels(changes ...levelChange) []LocationLevel {
	count := 0
	for _, c := range changes {
		count += len(c.allocations)
	}
	if count == 0 {
		return nil
	}
	changed := make([]LocationLevel, 0, count)
	for _, c := range changes {
		for _, a := range c.allocations {
			k := 0
			for k < len(changed) && changed[k].Location != a.Location {
				k++
			}
			if k == len(changed) {
				changed = append(changed, LocationLevel{a.Location, d.item.at(a.Location)})
			}
			c.apply(&changed[k].Level, a.Quantity)
		}
	}
	return changed
}

// advance brings the reservation to a step, with a copy of Locations that has room for those that are added. A step of
// another placement starts from nothing: the stock of the former one is released by the event itself.
func (r *Reservation) advance(step Step, added ...[]Allocation) {
	switch {
	case r.Version == 0 || r.PlacedEventID != step.PlacedEventID:
		*r = Reservation{}
	case r.Version != step.Version:
		r.noteDeparted(added)
	}
	room := 0
	for _, allocations := range added {
		room += len(allocations)
	}
	r.OrderID, r.PlacedEventID, r.Version, r.Allocation = step.OrderID, step.PlacedEventID, step.Version, step.Allocation
	r.Rejected = nil
	if n := len(r.Locations); n+room > 0 {
		locations := make([]ReservationAt, n, n+room)
		copy(locations, r.Locations)
		r.Locations = locations
	}
}

// find returns the index of a location in Held, or -1.
func (r *Reservation) find(location string) int {
	return slices.IndexFunc(r.Locations, func(h ReservationAt) bool { return h.Location == location })
}

// add adds the allocations to one quantity of their locations.
func (r *Reservation) add(allocations []Allocation, field func(*ReservationAt) *int64) {
	for _, a := range allocations {
		i := r.find(a.Location)
		if i < 0 {
			i = len(r.Locations)
			r.Locations = append(r.Locations, ReservationAt{Location: a.Location})
		}
		*field(&r.Locations[i]) += a.Quantity
	}
}

// change applies a change at the allocations' locations. Locations that the reservation does not have are passed over:
// they belonged to one that has been replaced.
func (r *Reservation) change(allocations []Allocation, apply func(*ReservationAt, int64)) {
	for _, a := range allocations {
		if i := r.find(a.Location); i >= 0 {
			apply(&r.Locations[i], a.Quantity)
		}
	}
}

// Sums adds up what the reservation has over its locations.
func (r Reservation) Sums() (reserved, committed, fulfilled, restocked int64) {
	for k := range r.Locations {
		h := &r.Locations[k]
		reserved += h.Reserved
		committed += h.Committed
		fulfilled += h.Fulfilled
		restocked += h.Restocked
	}
	return reserved, committed, fulfilled, restocked
}

// Damaged adds up what came back and cannot be sold again.
func (r Reservation) Damaged() (damaged int64) {
	for k := range r.Locations {
		damaged += r.Locations[k].Damaged
	}
	return damaged
}

// Open reports whether the reservation still binds stock.
func (r Reservation) Open() bool {
	reserved, committed, _, _ := r.Sums()
	return reserved > 0 || committed > 0
}

func units(allocations []Allocation) (sum int64) {
	for _, a := range allocations {
		sum += a.Quantity
	}
	return sum
}
