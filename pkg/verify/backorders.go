package verify

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// waitingOrder is an order that waits for units at a location.
type waitingOrder struct {
	order, location string
	units           int64
	// single: all of the order has to be at one location.
	single bool
}

// addBackordered changes the backordered units of an order's reservation at a location. An order that was not waiting
// there waits behind all others.
func (it *item) addBackordered(order string, r *reservation, location string, delta int64) {
	if delta == 0 {
		return
	}
	if r.backorderedAt == nil {
		r.backorderedAt = map[string]int64{}
	}
	r.backorderedAt[location] += delta
	r.backordered += delta
	for i := range it.waiting {
		if w := &it.waiting[i]; w.order == order && w.location == location {
			w.units, w.single = r.backorderedAt[location], r.singleLocation()
			return
		}
	}
	it.waiting = append(it.waiting, waitingOrder{order, location, r.backorderedAt[location], r.singleLocation()})
}

// dropBackordered lets an order wait for nothing.
func (it *item) dropBackordered(order string, r *reservation) {
	r.backorderedAt, r.backordered = nil, 0
	it.waiting = slices.DeleteFunc(it.waiting, func(w waitingOrder) bool { return w.order == order })
}

// backorderedUnits is what all orders together wait for.
func (it *item) backorderedUnits() (units int64) {
	for _, w := range it.waiting {
		units += w.units
	}
	return units
}

// dropFilled removes the orders that wait for nothing any more.
func (it *item) dropFilled() {
	it.waiting = slices.DeleteFunc(it.waiting, func(w waitingOrder) bool { return w.units == 0 })
}

// foldStockBackordered lets an order wait, behind those that wait already.
func (c *checker) foldStockBackordered(rec *eventlog.Record, it *item, ch *eventv1.StockBackordered) {
	r := c.reservationOf(it.sku, ch.Step.GetOrderId())
	if r == nil || len(ch.Allocations) == 0 {
		c.check(Conserved, false, "%s: backordered nowhere, or for nobody", at(rec))
		return
	}
	it.addBackordered(ch.Step.OrderId, r, ch.Allocations[0].Location, ch.Backordered)
}

// foldBackorderFilled folds stock that has come for an order. What fills it may be at another location than it waits
// at; the reservation then moves there.
func (c *checker) foldBackorderFilled(rec *eventlog.Record, it *item, ch *eventv1.BackorderFilled) {
	r := c.accountOf(ch.Step.GetOrderId()).reservation(it.sku)
	if r == nil || ch.Step.Version != r.version || idOf(ch.Step.PlacedEventId) != r.placed {
		c.check(Conserved, false, "%s: filled a backorder of order %s, which has none", at(rec), ch.Step.GetOrderId())
		return
	}
	c.checkTurn(rec, it, ch)
	it.addBackordered(ch.Step.OrderId, r, ch.Location, -ch.Quantity)
	c.check(Conserved, ch.Quantity > 0 && r.backorderedAt[ch.Location] == ch.Backordered,
		"%s: %d are said to be backordered, it should be %d", at(rec), ch.Backordered, r.backorderedAt[ch.Location])
	it.dropFilled()
	giveBack := func(sum int64, give func(*eventv1.Level, int64)) {
		if sum > 0 {
			give(it.touch(ch.Location), sum)
		}
	}
	reserved := c.applyAllocations(rec, it, ch.Reserved, func(l *eventv1.Level, q int64) {
		l.Available -= q
		l.Reserved += q
	})
	giveBack(reserved, func(l *eventv1.Level, q int64) { l.Available += q; l.Reserved -= q })
	committed := c.applyAllocations(rec, it, ch.Committed, func(l *eventv1.Level, q int64) {
		l.Available -= q
		l.Committed += q
	})
	giveBack(committed, func(l *eventv1.Level, q int64) { l.Available += q; l.Committed -= q })
	for _, a := range slices.Concat(ch.Reserved, ch.Committed) {
		r.track(a.Location, a.Quantity, 0)
		r.track(ch.Location, -a.Quantity, 0)
	}
	c.check(Agreement, !r.singleLocation() || reserved+committed == 0,
		"%s: filled from %v and %v, all should be at one location", at(rec), ch.Reserved, ch.Committed)
	c.check(Conserved, reserved+committed <= ch.Quantity,
		"%s: moved %d to fill %d", at(rec), reserved+committed, ch.Quantity)
}

// checkTurn checks that no order waits since before that could have had what fills this one (INV-26, INV-62): goods of
// the location that it waits at, or of any other location unless its rule is single_location.
func (c *checker) checkTurn(rec *eventlog.Record, it *item, ch *eventv1.BackorderFilled) {
	moved := int64(0)
	movedFrom := map[string]bool{}
	for _, a := range slices.Concat(ch.Reserved, ch.Committed) {
		moved += a.Quantity
		movedFrom[a.Location] = true
	}
	for _, w := range it.waiting {
		if w.order == ch.Step.OrderId {
			return
		}
		could := w.location == ch.Location && ch.Quantity > moved || movedFrom[w.location] ||
			moved > 0 && !w.single
		c.check(Conserved, !could || w.units == 0,
			"%s: order %s was filled while %s waits since before", at(rec), ch.Step.OrderId, w.order)
	}
}
