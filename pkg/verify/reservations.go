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

// reservation is what an order holds of a SKU.
type reservation struct {
	held
	placed id
	// version of the order's step that it answers, and the item's version and offset when it did last.
	version, itemVersion uint64
	offset               int64
	// at has what is backordered, by location; backordered is its sum.
	at          map[string]int64
	backordered int64
	// rule is that of the newest step; spots are kept for orders that have one.
	rule  *eventv1.AllocationRule
	spots map[string]spot
}

// held are a reservation's quantities.
type held struct{ reserved, committed, fulfilled, restocked, damaged int64 }

// reservationChange applies what an order's step moves.
func (c *checker) reservationChange(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		c.reserve(rec, it, ch.StockReserved.Step, ch.StockReserved.Quantity, 0, ch.StockReserved.Allocations)
	case *eventv1.InventoryEvent_StockBackordered:
		c.reserve(rec, it, ch.StockBackordered.Step, ch.StockBackordered.Quantity, ch.StockBackordered.Backordered, ch.StockBackordered.Allocations)
		c.backorder(rec, it, ch.StockBackordered)
	case *eventv1.InventoryEvent_BackorderFilled:
		c.fill(rec, it, ch.BackorderFilled)
	case *eventv1.InventoryEvent_ReservationRejected:
		c.step(rec, it, ch.ReservationRejected.Step)
	case *eventv1.InventoryEvent_ReservationCommitted:
		r := c.step(rec, it, ch.ReservationCommitted.Step)
		n := c.move(rec, it, ch.ReservationCommitted.Allocations, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.Committed += q })
		r.reserved -= n
		r.committed += n
		c.account(rec, r, n, ch.ReservationCommitted.Quantity)
		c.check(Conserved, n > 0, "%s: commits nothing", at(rec))
	case *eventv1.InventoryEvent_ReservationReleased:
		c.release(rec, it, ch.ReservationReleased)
	case *eventv1.InventoryEvent_StockFulfilled:
		c.fulfil(rec, it, ch.StockFulfilled)
	case *eventv1.InventoryEvent_StockRestocked:
		r := c.step(rec, it, ch.StockRestocked.Step)
		n := c.move(rec, it, ch.StockRestocked.Allocations, func(l *eventv1.Level, q int64) { l.OnHand += q; l.Available += q })
		broken := c.move(rec, it, ch.StockRestocked.Damaged, func(l *eventv1.Level, q int64) { l.OnHand += q; l.Damaged += q })
		r.restocked += n
		r.damaged += broken
		c.account(rec, r, n+broken, ch.StockRestocked.Quantity)
		c.check(Conserved, n+broken > 0, "%s: restocks nothing", at(rec))
	}
}

func (c *checker) reserve(rec *eventlog.Record, it *item, s *eventv1.ReservationStep, quantity, backordered int64, allocations []*eventv1.Allocation) {
	r := c.step(rec, it, s)
	c.allocated(rec, it, r, quantity, backordered, allocations)
	n := c.move(rec, it, allocations, func(l *eventv1.Level, q int64) { l.Available -= q; l.Reserved += q })
	r.reserved += n
	for _, a := range allocations {
		r.note(a.Location, a.Quantity, 0)
	}
	c.account(rec, r, n, quantity)
	c.check(Conserved, n > 0, "%s: reserves nothing", at(rec))
}

func (c *checker) release(rec *eventlog.Record, it *item, ch *eventv1.ReservationReleased) {
	r := c.step(rec, it, ch.Step)
	reserved := c.move(rec, it, ch.FromReserved, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.Available += q })
	committed := c.move(rec, it, ch.FromCommitted, func(l *eventv1.Level, q int64) { l.Committed -= q; l.Available += q })
	r.reserved -= reserved
	r.committed -= committed
	for _, a := range append(slices.Clone(ch.FromReserved), ch.FromCommitted...) {
		r.waitFor(a.Location, -min(a.Quantity, r.at[a.Location]))
		r.note(a.Location, -a.Quantity, 0)
	}
	it.dropDone()
	c.account(rec, r, reserved+committed, ch.Quantity)
}

// waitFor changes what a reservation waits for at a location.
func (r *reservation) waitFor(location string, delta int64) {
	if delta == 0 {
		return
	}
	if r.at == nil {
		r.at = map[string]int64{}
	}
	r.at[location] += delta
	r.backordered += delta
}

// backorder puts an order into the line of those that wait.
func (c *checker) backorder(rec *eventlog.Record, it *item, ch *eventv1.StockBackordered) {
	r := it.reservations[ch.Step.GetOrderId()]
	if r == nil || len(ch.Allocations) == 0 {
		c.check(Conserved, false, "%s: backordered nowhere, or for nobody", at(rec))
		return
	}
	location := ch.Allocations[0].Location
	if r.at[location] == 0 {
		it.waiting = append(it.waiting, waits{ch.Step.OrderId, location})
	}
	r.waitFor(location, ch.Backordered)
}

// waits is an order's place in the line.
type waits struct{ order, location string }

// waitedFor is what orders wait for, all of them together.
func (it *item) waitedFor() (units int64) {
	for _, w := range it.waiting {
		units += it.reservations[w.order].at[w.location]
	}
	return units
}

// dropDone takes those out of the line that wait for nothing any more.
func (it *item) dropDone() {
	it.waiting = slices.DeleteFunc(it.waiting, func(w waits) bool { return it.reservations[w.order].at[w.location] == 0 })
}

// fill holds what has come to those that wait: first in, first out at each location.
func (c *checker) fill(rec *eventlog.Record, it *item, ch *eventv1.BackorderFilled) {
	r := it.reservations[ch.Step.GetOrderId()]
	if r == nil || ch.Step.Version != r.version || idOf(ch.Step.PlacedEventId) != r.placed {
		c.check(Conserved, false, "%s: filled a backorder of order %s, which has none", at(rec), ch.Step.GetOrderId())
		return
	}
	for _, w := range it.waiting {
		if w.order == ch.Step.OrderId {
			break
		}
		earlier := it.reservations[w.order].at[w.location]
		c.check(Conserved, w.location != ch.Location || earlier == 0, "%s: order %s was filled while %s waits since before", at(rec), ch.Step.OrderId, w.order)
	}
	r.waitFor(ch.Location, -ch.Quantity)
	c.check(Conserved, ch.Quantity > 0 && r.at[ch.Location] == ch.Backordered, "%s: %d are said to be backordered, it should be %d", at(rec), ch.Backordered, r.at[ch.Location])
	it.dropDone()
	home := func(sum int64, give func(*eventv1.Level, int64)) {
		if sum > 0 {
			give(it.at(ch.Location), sum)
		}
	}
	reserved := c.move(rec, it, ch.Reserved, func(l *eventv1.Level, q int64) { l.Available -= q; l.Reserved += q })
	home(reserved, func(l *eventv1.Level, q int64) { l.Available += q; l.Reserved -= q })
	committed := c.move(rec, it, ch.Committed, func(l *eventv1.Level, q int64) { l.Available -= q; l.Committed += q })
	home(committed, func(l *eventv1.Level, q int64) { l.Available += q; l.Committed -= q })
	for _, a := range append(slices.Clone(ch.Reserved), ch.Committed...) {
		r.note(a.Location, a.Quantity, 0)
		r.note(ch.Location, -a.Quantity, 0)
	}
	c.check(Agreement, r.rule.GetPolicy() != eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION || reserved+committed == 0,
		"%s: filled from %v and %v, all should be at one location", at(rec), ch.Reserved, ch.Committed)
	c.check(Conserved, reserved+committed <= ch.Quantity, "%s: moved %d to fill %d", at(rec), reserved+committed, ch.Quantity)
}

func (c *checker) fulfil(rec *eventlog.Record, it *item, ch *eventv1.StockFulfilled) {
	r := c.step(rec, it, ch.Step)
	reserved := c.move(rec, it, ch.FromReserved, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.OnHand -= q })
	committed := c.move(rec, it, ch.FromCommitted, func(l *eventv1.Level, q int64) { l.Committed -= q; l.OnHand -= q })
	available := c.move(rec, it, ch.FromAvailable, func(l *eventv1.Level, q int64) { l.Available -= q; l.OnHand -= q })
	r.reserved -= reserved
	r.committed -= committed
	r.fulfilled += reserved + committed + available
	// What has left can wait no more.
	for _, a := range append(slices.Clone(ch.FromReserved), ch.FromCommitted...) {
		r.waitFor(a.Location, -max(0, min(r.at[a.Location], r.backordered-r.reserved-r.committed)))
		r.note(a.Location, -a.Quantity, a.Quantity)
	}
	it.dropDone()
	c.account(rec, r, reserved+committed+available, ch.Quantity)
	c.check(Conserved, reserved+committed+available > 0, "%s: fulfils nothing", at(rec))
}

// move applies allocations and returns their sum.
func (c *checker) move(rec *eventlog.Record, it *item, allocations []*eventv1.Allocation, apply func(*eventv1.Level, int64)) (sum int64) {
	for _, a := range allocations {
		c.check(Conserved, a.Quantity > 0, "%s: an allocation of %d at %s", at(rec), a.Quantity, a.Location)
		apply(it.at(a.Location), a.Quantity)
		sum += a.Quantity
	}
	return sum
}

func (c *checker) account(rec *eventlog.Record, r *reservation, moved, stated int64) {
	c.check(Conserved, moved == stated && stated >= 0, "%s: states a quantity of %d, its allocations are %d", at(rec), stated, moved)
	c.check(Conserved, r.reserved >= 0 && r.committed >= 0, "%s: takes more than the order holds, which leaves %d reserved and %d committed", at(rec), r.reserved, r.committed)
}

// step finds the reservation of a step. Steps rise: one that was answered is never answered by another
// event, except those of the same decision, which follow one another directly.
func (c *checker) step(rec *eventlog.Record, it *item, s *eventv1.ReservationStep) *reservation {
	if s == nil || s.OrderId == "" || len(s.PlacedEventId) != 16 {
		c.check(Conserved, false, "%s: a change of a reservation without its step", at(rec))
		return &reservation{}
	}
	placed := idOf(s.PlacedEventId)
	r := it.reservations[s.OrderId]
	if r == nil {
		r = &reservation{placed: placed}
		it.reservations[s.OrderId] = r
	}
	if r.placed != placed {
		// Another placement: it gives back what the former holds, and starts from nothing.
		r.placed, r.version, r.fulfilled, r.restocked, r.damaged = placed, 0, 0, 0, 0
		r.at, r.backordered = nil, 0
		r.replaced()
		it.dropDone()
	}
	same := s.Version == r.version && it.version == r.itemVersion+1
	c.check(Conserved, s.Version > r.version || same, "%s: step %d of order %s after step %d", at(rec), s.Version, s.OrderId, r.version)
	r.rule = s.Allocation
	r.version, r.itemVersion, r.offset = max(r.version, s.Version), it.version, rec.Offset
	return r
}
