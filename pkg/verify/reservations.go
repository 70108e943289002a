package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// id is an event's ID.
type id [16]byte

func idOf(b []byte) (i id) {
	copy(i[:], b)
	return i
}

// reservation is what stock has set aside for an order, of one SKU.
type reservation struct {
	quantities
	sku    string
	placed id
	// version is that of the newest step of the order that stock answered. itemVersion and offset are those of the event
	// that answered it.
	version, itemVersion uint64
	offset               int64
	// backorderedAt has the backordered units by location, backordered their sum.
	backorderedAt map[string]int64
	backordered   int64
	// rule is the allocation rule of the newest step. byLocation is kept for orders that have a rule.
	rule       *eventv1.AllocationRule
	byLocation map[string]locationUnits
	// reversed is how much of restocked is of shipments that were taken back.
	reversed int64
}

// quantities are a reservation's units by state. Restocked and damaged units have come back.
type quantities struct{ reserved, committed, fulfilled, restocked, damaged int64 }

// foldReservation applies what an order's step moves.
func (c *checker) foldReservation(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		s := ch.StockReserved
		r := c.reservationOfStep(rec, it, s.Step)
		if !s.ShipsAgain || r.singleLocation() { // what came back is taken where it came back (INV-67)
			c.checkAllocation(rec, it, r, s.Quantity, 0, s.Allocations)
		}
		c.foldReserved(rec, it, r, s.Quantity, s.Allocations)
	case *eventv1.InventoryEvent_StockBackordered:
		b := ch.StockBackordered
		r := c.reservationOfStep(rec, it, b.Step)
		c.checkAllocation(rec, it, r, b.Quantity, b.Backordered, b.Allocations)
		c.foldReserved(rec, it, r, b.Quantity, b.Allocations)
		c.foldStockBackordered(rec, it, b)
	case *eventv1.InventoryEvent_BackorderFilled:
		c.foldBackorderFilled(rec, it, ch.BackorderFilled)
	case *eventv1.InventoryEvent_ReservationFellShort:
		c.foldFellShort(rec, it, ch.ReservationFellShort)
	case *eventv1.InventoryEvent_ReservationRejected:
		c.reservationOfStep(rec, it, ch.ReservationRejected.Step)
	case *eventv1.InventoryEvent_ReservationCommitted:
		c.foldCommitted(rec, it, ch.ReservationCommitted)
	case *eventv1.InventoryEvent_ReservationReleased:
		c.foldReleased(rec, it, ch.ReservationReleased)
	case *eventv1.InventoryEvent_StockFulfilled:
		c.foldFulfilled(rec, it, ch.StockFulfilled)
	case *eventv1.InventoryEvent_StockRestocked:
		c.foldRestocked(rec, it, ch.StockRestocked)
	}
}

func (c *checker) foldReserved(
	rec *eventlog.Record, it *item, r *reservation, quantity int64, allocations []*eventv1.Allocation,
) {
	n := c.applyAllocations(rec, it, allocations, func(l *eventv1.Level, q int64) { l.Available -= q; l.Reserved += q })
	r.reserved += n
	for _, a := range allocations {
		r.track(a.Location, a.Quantity, 0)
	}
	c.checkMoved(rec, r, n, quantity)
	c.check(Conserved, n > 0, "%s: reserves nothing", at(rec))
}

func (c *checker) foldCommitted(rec *eventlog.Record, it *item, ch *eventv1.ReservationCommitted) {
	r := c.reservationOfStep(rec, it, ch.Step)
	n := c.applyAllocations(rec, it, ch.Allocations, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.Committed += q })
	r.reserved -= n
	r.committed += n
	c.checkMoved(rec, r, n, ch.Quantity)
	c.check(Conserved, n > 0, "%s: commits nothing", at(rec))
}

func (c *checker) foldRestocked(rec *eventlog.Record, it *item, ch *eventv1.StockRestocked) {
	r := c.reservationOfStep(rec, it, ch.Step)
	n := c.applyAllocations(rec, it, ch.Allocations, func(l *eventv1.Level, q int64) { l.OnHand += q; l.Available += q })
	damaged := c.applyAllocations(rec, it, ch.Damaged, func(l *eventv1.Level, q int64) { l.OnHand += q; l.Damaged += q })
	r.restocked += n
	r.damaged += damaged
	c.checkReversed(rec, r, ch)
	c.checkMoved(rec, r, n+damaged, ch.Quantity)
	c.check(Conserved, n+damaged > 0, "%s: restocks nothing", at(rec))
}

func (c *checker) foldReleased(rec *eventlog.Record, it *item, ch *eventv1.ReservationReleased) {
	r := c.reservationOfStep(rec, it, ch.Step)
	reserved := c.applyAllocations(rec, it, ch.FromReserved, func(l *eventv1.Level, q int64) {
		l.Reserved -= q
		l.Available += q
	})
	committed := c.applyAllocations(rec, it, ch.FromCommitted, func(l *eventv1.Level, q int64) {
		l.Committed -= q
		l.Available += q
	})
	r.reserved -= reserved
	r.committed -= committed
	for _, a := range slices.Concat(ch.FromReserved, ch.FromCommitted) {
		it.addBackordered(ch.Step.GetOrderId(), r, a.Location, -min(a.Quantity, r.backorderedAt[a.Location]))
		r.track(a.Location, -a.Quantity, 0)
	}
	it.dropFilled()
	c.checkMoved(rec, r, reserved+committed, ch.Quantity)
}

func (c *checker) foldFulfilled(rec *eventlog.Record, it *item, ch *eventv1.StockFulfilled) {
	r := c.reservationOfStep(rec, it, ch.Step)
	reserved := c.applyAllocations(rec, it, ch.FromReserved, func(l *eventv1.Level, q int64) {
		l.Reserved -= q
		l.OnHand -= q
	})
	committed := c.applyAllocations(rec, it, ch.FromCommitted, func(l *eventv1.Level, q int64) {
		l.Committed -= q
		l.OnHand -= q
	})
	available := c.applyAllocations(rec, it, ch.FromAvailable, func(l *eventv1.Level, q int64) {
		l.Available -= q
		l.OnHand -= q
	})
	r.reserved -= reserved
	r.committed -= committed
	r.fulfilled += reserved + committed + available
	// Units that have left are not backordered any more.
	for _, a := range slices.Concat(ch.FromReserved, ch.FromCommitted) {
		gone := max(0, min(r.backorderedAt[a.Location], r.backordered-r.reserved-r.committed))
		for _, b := range ch.Backordered { // none in events of before they said so
			c.check(Conserved, b.Location != a.Location || b.Quantity == gone || gone == 0,
				"%s: %d at %s are said to be backordered no more, it should be %d", at(rec), b.Quantity, b.Location, gone)
		}
		it.addBackordered(ch.Step.GetOrderId(), r, a.Location, -gone)
		r.track(a.Location, -a.Quantity, a.Quantity)
	}
	it.dropFilled()
	c.checkMoved(rec, r, reserved+committed+available, ch.Quantity)
	c.check(Conserved, reserved+committed+available > 0, "%s: fulfils nothing", at(rec))
}

// applyAllocations applies a change to the level of each allocation, and returns the sum.
func (c *checker) applyAllocations(
	rec *eventlog.Record, it *item, allocations []*eventv1.Allocation, apply func(*eventv1.Level, int64),
) (sum int64) {
	for _, a := range allocations {
		c.check(Conserved, a.Quantity > 0, "%s: an allocation of %d at %s", at(rec), a.Quantity, a.Location)
		apply(it.touch(a.Location), a.Quantity)
		sum += a.Quantity
	}
	return sum
}

// checkMoved checks that an event states as much as its allocations move, and no more than the reservation has (I2).
func (c *checker) checkMoved(rec *eventlog.Record, r *reservation, moved, stated int64) {
	c.check(Conserved, moved == stated && stated >= 0,
		"%s: states a quantity of %d, its allocations are %d", at(rec), stated, moved)
	c.check(Conserved, r.reserved >= 0 && r.committed >= 0,
		"%s: takes more than the order holds, which leaves %d reserved and %d committed", at(rec), r.reserved, r.committed)
}

// reservationOfStep finds the reservation of a step. The versions of steps rise: a step is answered once. The answer
// may be several events, which follow each other directly.
func (c *checker) reservationOfStep(rec *eventlog.Record, it *item, s *eventv1.ReservationStep) *reservation {
	if s == nil || s.OrderId == "" || len(s.PlacedEventId) != 16 {
		c.check(Conserved, false, "%s: a change of a reservation without its step", at(rec))
		return &reservation{}
	}
	placed := idOf(s.PlacedEventId)
	account := c.accountOf(s.OrderId)
	r := account.reservation(it.sku)
	if r == nil {
		r = &reservation{sku: it.sku, placed: placed}
		account.reservations = append(account.reservations, r)
	}
	if r.placed != placed {
		// Another placement under the same order ID. Its events give back what is set aside for the former one.
		r.placed, r.version, r.fulfilled, r.restocked, r.damaged, r.reversed = placed, 0, 0, 0, 0, 0
		it.dropBackordered(s.OrderId, r)
		r.forgetShipped()
	}
	sameDecision := s.Version == r.version && it.version == r.itemVersion+1
	c.check(Conserved, s.Version > r.version || sameDecision,
		"%s: step %d of order %s after step %d", at(rec), s.Version, s.OrderId, r.version)
	r.rule = s.Allocation
	r.version, r.itemVersion, r.offset = max(r.version, s.Version), it.version, rec.Offset
	return r
}
