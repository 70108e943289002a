package inventory

// Growth of a reservation: SetReservation wants more than the reservation has.
//
//	INV-12  Growth of reserved + committed + fulfilled must fit what can be reserved: available of the locations above 0,
//	        and what is left of the backorder limit. A location below 0 does not block the others. Growth is allocated to
//	        locations in order of their first use, or as the step's rule says (INV-60); what they do not have is
//	        backordered at the first: StockReserved, or StockBackordered.
//	INV-13  Growth that does not fit, and Refuse, write ReservationRejected, which reserves nothing. The first of these
//	        reasons that applies is given: insufficient_stock, other_line. What the order had before stays, and the next
//	        step that wants no more than that succeeds.
//	INV-14  Imported: growth must fit available of the locations above 0. It leaves available at once (StockFulfilled),
//	        or is reserved first where the step says so.

// StockReserved reserved Quantity for an order, all of it in stock. ShipsAgain: it came back to these locations for
// that order (INV-67).
type StockReserved struct {
	Step        Step
	Quantity    int64
	Allocations []Allocation
	ShipsAgain  bool
}

// StockBackordered reserved Quantity for an order, of which Backordered is not in stock yet. The first of Allocations
// includes it. ShipsAgain: the backorder limit does not count for it (INV-67).
type StockBackordered struct {
	Step        Step
	Quantity    int64
	Backordered int64
	Allocations []Allocation
	ShipsAgain  bool
}

// ReservationRejected reserved nothing: Quantity was asked for, Available could have been reserved.
type ReservationRejected struct {
	Step      Step
	Quantity  int64
	Available int64
	Reason    RejectionReason
}

// Rejection says why nothing was reserved.
type Rejection struct {
	Requested, Available int64
	Reason               RejectionReason
}

// RejectionReason is a closed set; its values equal those of the event schema.
type RejectionReason int32

// The reasons. UnknownSKU is that of answers (INV-64), and of events that were written before that rule.
const (
	InsufficientStock RejectionReason = 1
	UnknownSKU        RejectionReason = 2
	OtherLine         RejectionReason = 3
)

// grow allocates what the step wants more than the reservation has (INV-12 to INV-14). false: the step was rejected.
func (d *stepDecision) grow() bool {
	growth := max(0, -d.excess())
	restock := max(0, d.cmd.Restocked-d.restocked) + max(0, d.cmd.Damaged-d.damaged)
	if growth == 0 && !d.cmd.Refuse {
		return true
	}
	reservable := d.reservable()
	var reason RejectionReason
	switch {
	case growth > reservable:
		reason = InsufficientStock
	case d.cmd.Refuse:
		reason = OtherLine
	default:
		d.reserve(growth, false)
		return true
	}
	d.emit(ReservationRejected{
		Step: d.step, Quantity: growth + restock, Available: reservable, Reason: reason,
	}, nil)
	return false
}

// reserve allocates a quantity that fits, or that ships again.
func (d *stepDecision) reserve(quantity int64, shipsAgain bool) {
	allocations, backordered := d.allocate(quantity)
	if d.cmd.Imported && d.cmd.Reserved == 0 {
		d.fulfilled += quantity
		changed := d.levels(levelChange{allocations, func(l *Level, q int64) { l.Available -= q; l.OnHand -= q }})
		d.emit(StockFulfilled{Step: d.step, Quantity: quantity, FromAvailable: allocations}, changed)
		return
	}
	d.reserved += quantity
	changed := d.levels(reserving(allocations))
	if backordered > 0 {
		d.emit(StockBackordered{
			Step: d.step, Quantity: quantity, Backordered: backordered, Allocations: allocations, ShipsAgain: shipsAgain,
		}, changed)
		return
	}
	d.emit(StockReserved{Step: d.step, Quantity: quantity, Allocations: allocations}, changed)
}

func reserving(allocations []Allocation) levelChange {
	return levelChange{allocations, func(l *Level, q int64) { l.Available -= q; l.Reserved += q }}
}

func (c StockReserved) evolve(item *Item, res *Reservation) {
	res.advance(c.Step, c.Allocations)
	res.promised(item)
	res.add(c.Allocations, func(h *ReservationAt) *int64 { return &h.Reserved })
}

// promised notes when the reservation first reserved something (INV-70).
func (r *Reservation) promised(item *Item) {
	if r.PromisedVersion == 0 {
		r.PromisedVersion = item.Version
	}
}

func (c StockBackordered) evolve(item *Item, res *Reservation) {
	res.advance(c.Step, c.Allocations)
	res.promised(item)
	res.add(c.Allocations, func(h *ReservationAt) *int64 { return &h.Reserved })
	if len(c.Allocations) > 0 {
		first := []Allocation{{c.Allocations[0].Location, c.Backordered}}
		res.add(first, func(h *ReservationAt) *int64 { return &h.Backordered })
	}
	res.Backordered += c.Backordered
}

func (c ReservationRejected) evolve(_ *Item, res *Reservation) {
	res.advance(c.Step)
	res.Rejected = &Rejection{Requested: c.Quantity, Available: c.Available, Reason: c.Reason}
}
