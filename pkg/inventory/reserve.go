package inventory

// step decides one SetReservation. The sums follow its events at once; item and res follow only when
// a later phase needs locations (catchUp), because most steps have one phase and one event.
type step struct {
	cmd     SetReservation
	id      Step
	item    Item
	res     Reservation
	events  []Event
	applied int
	err     error
	// What the reservation holds after the events so far.
	reserved, committed, fulfilled, restocked, damaged int64
}

// setReservation brings a reservation to where the order's step wants it (INV-10 to INV-21).
func setReservation(item Item, res Reservation, cmd SetReservation) ([]Event, error) {
	if err := checkStep(cmd); err != nil {
		return nil, err
	}
	same := res.Version > 0 && res.PlacedEventID == cmd.PlacedEventID
	if same && cmd.Version <= res.Version {
		return nil, nil
	}
	s := &step{cmd: cmd, id: Step{cmd.OrderID, cmd.PlacedEventID, cmd.Version, cmd.Allocation}, item: item, res: res}
	s.reserved, s.committed, s.fulfilled, s.restocked = res.Sums()
	s.damaged = res.Damaged()
	if !same {
		s.replace()
	}
	if s.grow() {
		s.shrink()
		s.commit()
		s.fulfil()
		s.restock()
	}
	if len(s.events) == 0 {
		s.emit(ReservationReleased{Step: s.id}, nil)
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.events, nil
}

// checkStep applies INV-20.
func checkStep(c SetReservation) error {
	for _, quantity := range [...]int64{c.Reserved, c.Committed, c.Fulfilled, c.Restocked, c.Damaged} {
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
func (s *step) emit(c Change, changed []LocationLevel) {
	total := s.item.Total()
	for k := range changed {
		after := changed[k].Level
		total = total.plus(after).minus(s.item.at(changed[k].Location))
		if !after.bounded() || !total.bounded() {
			s.err = refuse(CodeQuantityOverflow, "", "the item would have more units than can be counted")
		}
	}
	s.events = append(s.events, Event{Change: c, Locations: changed, Total: total})
}

// catchUp applies the events that were decided so far.
func (s *step) catchUp() {
	for ; s.applied < len(s.events); s.applied++ {
		s.item, s.res = Evolve(s.item, s.res, s.events[s.applied])
	}
}

// replace releases what a former placement of the order still binds, and starts from nothing (INV-11).
func (s *step) replace() {
	if s.reserved+s.committed > 0 {
		s.release(s.reserved, s.committed)
		s.catchUp()
	}
	s.res = Reservation{}
	s.reserved, s.committed, s.fulfilled, s.restocked, s.damaged = 0, 0, 0, 0, 0
}

// excess is how much more is held than the step wants; negative: how much less.
func (s *step) excess() int64 {
	return s.reserved + s.committed + s.fulfilled - s.cmd.Reserved - s.cmd.Committed - s.cmd.Fulfilled
}

// grow takes what the step wants more than is held (INV-12 to INV-14); false: the step was rejected.
func (s *step) grow() bool {
	growth := max(0, -s.excess())
	restock := max(0, s.cmd.Restocked-s.restocked) + max(0, s.cmd.Damaged-s.damaged)
	if growth == 0 && !s.cmd.Refuse && (restock == 0 && !s.cmd.Imported || s.item.Registered) {
		return true
	}
	reservable := s.reservable()
	var reason RejectionReason
	switch {
	case !s.item.Registered:
		reason, reservable = UnknownSKU, 0
	case growth > reservable:
		reason = InsufficientStock
	case s.cmd.Refuse:
		reason = OtherLine
	default:
		s.take(growth)
		return true
	}
	s.emit(ReservationRejected{Step: s.id, Quantity: growth + restock, Available: reservable, Reason: reason}, nil)
	return false
}

// take takes a quantity that fits.
func (s *step) take(quantity int64) {
	taken, backordered := s.allocate(quantity)
	if s.cmd.Imported && s.cmd.Reserved == 0 {
		s.fulfilled += quantity
		changed := s.levels(move{taken, func(l *Level, q int64) { l.Available -= q; l.OnHand -= q }})
		s.emit(StockFulfilled{Step: s.id, Quantity: quantity, FromAvailable: taken}, changed)
		return
	}
	s.reserved += quantity
	changed := s.levels(move{taken, func(l *Level, q int64) { l.Available -= q; l.Reserved += q }})
	if backordered > 0 {
		s.emit(StockBackordered{Step: s.id, Quantity: quantity, Backordered: backordered, Allocations: taken}, changed)
		return
	}
	s.emit(StockReserved{Step: s.id, Quantity: quantity, Allocations: taken}, changed)
}

// allocate chooses locations in order of first use, or as the order's rule says; what they do not have is
// backordered at the first.
func (s *step) allocate(quantity int64) (taken []Allocation, backordered int64) {
	if s.cmd.Allocation != nil {
		return s.allocateBy(s.cmd.Allocation, quantity)
	}
	taken = make([]Allocation, 0, 1)
	left := quantity
	for k := range s.item.Locations {
		location := &s.item.Locations[k]
		if part := min(left, location.Level.Available); part > 0 {
			taken = append(taken, Allocation{location.Location, part})
			left -= part
		}
		if left == 0 {
			return taken, 0
		}
	}
	return withRest(taken, s.item.first(), left), left
}
