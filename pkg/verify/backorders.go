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
	moved := c.moveReserved(rec, it, r, ch.Location, ch.Reserved, ch.Committed)
	c.check(Agreement, !r.singleLocation() || moved == 0,
		"%s: filled from %v and %v, all should be at one location", at(rec), ch.Reserved, ch.Committed)
	c.check(Conserved, moved <= ch.Quantity, "%s: moved %d to fill %d", at(rec), moved, ch.Quantity)
}

// moveReserved moves what a reservation has at a location to others, and returns how much that is.
func (c *checker) moveReserved(
	rec *eventlog.Record, it *item, r *reservation, location string, reserved, committed []*eventv1.Allocation,
) int64 {
	giveBack := func(sum int64, give func(*eventv1.Level, int64)) {
		if sum > 0 {
			give(it.touch(location), sum)
		}
	}
	asReserved := c.applyAllocations(rec, it, reserved, func(l *eventv1.Level, q int64) {
		l.Available -= q
		l.Reserved += q
	})
	giveBack(asReserved, func(l *eventv1.Level, q int64) { l.Available += q; l.Reserved -= q })
	asCommitted := c.applyAllocations(rec, it, committed, func(l *eventv1.Level, q int64) {
		l.Available -= q
		l.Committed += q
	})
	giveBack(asCommitted, func(l *eventv1.Level, q int64) { l.Available += q; l.Committed -= q })
	for _, a := range slices.Concat(reserved, committed) {
		r.track(a.Location, a.Quantity, 0)
		r.track(location, -a.Quantity, 0)
	}
	return asReserved + asCommitted
}

// foldFellShort folds units that a reservation had at a location, and that are missing. It has them at other locations
// instead, or waits for them where they are missing (INV-70, INV-71).
func (c *checker) foldFellShort(rec *eventlog.Record, it *item, ch *eventv1.ReservationFellShort) {
	r := c.accountOf(ch.Step.GetOrderId()).reservation(it.sku)
	if r == nil || ch.Step.Version != r.version || idOf(ch.Step.PlacedEventId) != r.placed {
		c.check(Conserved, false, "%s: order %s fell short of what it does not have", at(rec), ch.Step.GetOrderId())
		return
	}
	it.ownsShortfalls = true
	missing, before := it.missingAt(ch.Location), r.backorderedAt[ch.Location]
	c.check(Conserved, ch.Quantity > 0 && ch.Quantity <= missing,
		"%s: order %s fell short of %d at %s, which lacks %d", at(rec), ch.Step.OrderId, ch.Quantity, ch.Location, missing)
	it.addBackordered(ch.Step.OrderId, r, ch.Location, ch.Backordered-before)
	it.dropFilled()
	moved := c.moveReserved(rec, it, r, ch.Location, ch.Reserved, ch.Committed)
	if r.singleLocation() && moved > 0 {
		whole := ch.Backordered == 0 && r.byLocation[ch.Location].present == 0
		c.check(Agreement, whole && len(ch.Reserved) <= 1 && len(ch.Committed) <= 1,
			"%s: %v and %v went elsewhere, all should be at one location", at(rec), ch.Reserved, ch.Committed)
		return
	}
	c.check(Conserved, moved <= ch.Quantity && ch.Backordered == before+ch.Quantity-moved,
		"%s: %d are missing, %d were found elsewhere, and %d are backordered after %d",
		at(rec), ch.Quantity, moved, ch.Backordered, before)
}

// missingAt is what a location lacks beyond what orders wait for there.
func (it *item) missingAt(location string) int64 {
	l := it.find(location)
	if l == nil {
		return 0
	}
	missing := max(0, -l.level.Available)
	for _, w := range it.waiting {
		if w.location == location {
			missing -= w.units
		}
	}
	return max(0, missing)
}

// checkOwners checks, where a decision begins, that safety stock is what it is to be where there is something for it
// (INV-73), and that what a location lacks of what is promised has an owner (INV-70). A
// log from before that rule has shortfalls without any, until the first one of the item has been decided.
func (c *checker) checkOwners(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered, *eventv1.InventoryEvent_StockReceived,
		*eventv1.InventoryEvent_StockExpected, *eventv1.InventoryEvent_StockMoved, *eventv1.InventoryEvent_StockAdjusted,
		*eventv1.InventoryEvent_StockCounted, *eventv1.InventoryEvent_BackorderLimitSet,
		*eventv1.InventoryEvent_TransferShipped, *eventv1.InventoryEvent_TransferReceived,
		*eventv1.InventoryEvent_TransferCancelled:
	default:
		return // it may be of the decision that falls short
	}
	for _, l := range it.locations {
		c.check(Oversold, l.level.Available <= 0 || l.level.SafetyStock >= l.safetyTarget,
			"%s: %s had %d for sale, and a safety stock of %d that is to be %d",
			at(rec), l.name, l.level.Available, l.level.SafetyStock, l.safetyTarget)
		missing := it.missingAt(l.name)
		if missing == 0 || !it.ownsShortfalls || len(it.waiting) >= maxWaiting {
			continue
		}
		inStock := l.level.Reserved + l.level.Committed + l.level.Available + missing
		c.check(Oversold, l.level.SafetyStock == 0 && min(missing, inStock) <= 0,
			"%s: %s lacked %d of what is promised, and no order waits for them", at(rec), l.name, missing)
	}
}

// maxWaiting is how many orders wait for an item at most (INV-72).
const maxWaiting = 10_000

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
