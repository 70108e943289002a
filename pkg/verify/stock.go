package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// item is the naive fold of one SKU.
type item struct {
	version        uint64
	registered     bool
	description    string
	backorderLimit int64
	levels         map[string]*eventv1.Level
	reservations   map[string]*reservation // by order
	partition      int32
	lastOffset     int64
}

// reservation is what an order holds of a SKU.
type reservation struct {
	placed                                    string
	version                                   uint64
	reserved, committed, fulfilled, restocked int64
}

func (c *checker) stockRecord(rec *eventlog.Record) {
	var ev eventv1.InventoryEvent
	if err := ev.UnmarshalVT(rec.Value); err != nil {
		c.check(Envelope, false, "%s: %v", at(rec), err)
		return
	}
	if !c.envelope(rec, ev.Meta, ev.Sku, "/holdfast/inventory", field(&ev)) {
		return
	}
	it := c.items[ev.Sku]
	if it == nil {
		it = &item{levels: map[string]*eventv1.Level{}, reservations: map[string]*reservation{}, partition: rec.Partition}
		c.items[ev.Sku] = it
	}
	c.check(Versions, ev.Meta.Version == it.version+1, "%s: SKU %s has version %d after %d", at(rec), ev.Sku, ev.Meta.Version, it.version)
	it.version, it.lastOffset = ev.Meta.Version, rec.Offset
	short := it.short()
	c.change(rec, it, &ev)
	c.levels(rec, it, &ev)
	if reserves(&ev) {
		c.check(Oversold, it.short() <= max(it.backorderLimit, short), "%s: SKU %s is %d short after a reservation; its backorder limit is %d", at(rec), ev.Sku, it.short(), it.backorderLimit)
	}
}

// short is what is promised and not there, all locations together.
func (it *item) short() (n int64) {
	for _, l := range it.levels {
		n += max(0, -l.Available)
	}
	return n
}

func reserves(ev *eventv1.InventoryEvent) bool {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved, *eventv1.InventoryEvent_StockBackordered:
		return true
	case *eventv1.InventoryEvent_StockFulfilled:
		return len(ch.StockFulfilled.FromAvailable) > 0
	}
	return false
}

func (it *item) level(location string) *eventv1.Level {
	l := it.levels[location]
	if l == nil {
		l = &eventv1.Level{}
		it.levels[location] = l
	}
	return l
}

// change applies an event's deltas, never its levels.
func (c *checker) change(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		it.registered, it.description = true, ch.ItemRegistered.Description
	case *eventv1.InventoryEvent_BackorderLimitSet:
		it.backorderLimit = ch.BackorderLimitSet.Limit
	case *eventv1.InventoryEvent_StockReceived:
		it.add(ch.StockReceived.Location, ch.StockReceived.Quantity)
	case *eventv1.InventoryEvent_StockAdjusted:
		it.add(ch.StockAdjusted.Location, ch.StockAdjusted.Delta)
	case *eventv1.InventoryEvent_StockCounted:
		it.add(ch.StockCounted.Location, ch.StockCounted.Delta)
		c.check(Conserved, it.level(ch.StockCounted.Location).OnHand == ch.StockCounted.Counted, "%s: a count of %d leaves %d", at(rec), ch.StockCounted.Counted, it.level(ch.StockCounted.Location).OnHand)
	case *eventv1.InventoryEvent_SafetyStockSet:
		l := it.level(ch.SafetyStockSet.Location)
		l.Available -= ch.SafetyStockSet.Delta
		l.SafetyStock += ch.SafetyStockSet.Delta
		c.check(Conserved, l.SafetyStock == ch.SafetyStockSet.Quantity, "%s: safety stock is %d, not %d", at(rec), l.SafetyStock, ch.SafetyStockSet.Quantity)
	default:
		c.reservationChange(rec, it, ev)
	}
	if needsRegistration(ev) {
		c.check(Transitions, it.registered, "%s: stock of SKU %s moved before it was registered", at(rec), ev.Sku)
	}
}

func (it *item) add(location string, quantity int64) {
	l := it.level(location)
	l.OnHand += quantity
	l.Available += quantity
}

func needsRegistration(ev *eventv1.InventoryEvent) bool {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ReservationRejected:
		return false
	case *eventv1.InventoryEvent_ReservationReleased:
		return ch.ReservationReleased.Quantity > 0
	}
	return true
}

func (c *checker) reservationChange(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		r := c.step(rec, it, ch.StockReserved.Step)
		c.reserve(rec, it, r, ch.StockReserved.Quantity, ch.StockReserved.Allocations)
	case *eventv1.InventoryEvent_StockBackordered:
		r := c.step(rec, it, ch.StockBackordered.Step)
		c.reserve(rec, it, r, ch.StockBackordered.Quantity, ch.StockBackordered.Allocations)
	case *eventv1.InventoryEvent_ReservationRejected:
		c.step(rec, it, ch.ReservationRejected.Step)
	case *eventv1.InventoryEvent_ReservationCommitted:
		r := c.step(rec, it, ch.ReservationCommitted.Step)
		n := it.move(ch.ReservationCommitted.Allocations, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.Committed += q })
		r.reserved -= n
		r.committed += n
		c.account(rec, r, n, ch.ReservationCommitted.Quantity)
	case *eventv1.InventoryEvent_ReservationReleased:
		c.release(rec, it, ch.ReservationReleased)
	case *eventv1.InventoryEvent_StockFulfilled:
		c.fulfil(rec, it, ch.StockFulfilled)
	case *eventv1.InventoryEvent_StockRestocked:
		r := c.step(rec, it, ch.StockRestocked.Step)
		n := it.move(ch.StockRestocked.Allocations, func(l *eventv1.Level, q int64) { l.OnHand += q; l.Available += q })
		r.restocked += n
		c.account(rec, r, n, ch.StockRestocked.Quantity)
	}
}

func (c *checker) reserve(rec *eventlog.Record, it *item, r *reservation, quantity int64, allocations []*eventv1.Allocation) {
	n := it.move(allocations, func(l *eventv1.Level, q int64) { l.Available -= q; l.Reserved += q })
	r.reserved += n
	c.account(rec, r, n, quantity)
}

func (c *checker) release(rec *eventlog.Record, it *item, ch *eventv1.ReservationReleased) {
	// A release may belong to a former placement of the order, which a new one replaces.
	r := c.step(rec, it, ch.Step)
	reserved := it.move(ch.FromReserved, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.Available += q })
	committed := it.move(ch.FromCommitted, func(l *eventv1.Level, q int64) { l.Committed -= q; l.Available += q })
	r.reserved -= reserved
	r.committed -= committed
	c.account(rec, r, reserved+committed, ch.Quantity)
}

func (c *checker) fulfil(rec *eventlog.Record, it *item, ch *eventv1.StockFulfilled) {
	r := c.step(rec, it, ch.Step)
	reserved := it.move(ch.FromReserved, func(l *eventv1.Level, q int64) { l.Reserved -= q; l.OnHand -= q })
	committed := it.move(ch.FromCommitted, func(l *eventv1.Level, q int64) { l.Committed -= q; l.OnHand -= q })
	available := it.move(ch.FromAvailable, func(l *eventv1.Level, q int64) { l.Available -= q; l.OnHand -= q })
	r.reserved -= reserved
	r.committed -= committed
	r.fulfilled += reserved + committed + available
	c.account(rec, r, reserved+committed+available, ch.Quantity)
}

// move applies allocations and returns their sum.
func (it *item) move(allocations []*eventv1.Allocation, apply func(*eventv1.Level, int64)) (sum int64) {
	for _, a := range allocations {
		apply(it.level(a.Location), a.Quantity)
		sum += a.Quantity
	}
	return sum
}

func (c *checker) account(rec *eventlog.Record, r *reservation, moved, stated int64) {
	c.check(Conserved, moved == stated && stated >= 0, "%s: states a quantity of %d, its allocations are %d", at(rec), stated, moved)
	c.check(Conserved, r.reserved >= 0 && r.committed >= 0, "%s: takes more than the order holds: reserved %d, committed %d", at(rec), r.reserved, r.committed)
}

// step finds the reservation of a step, and holds its version to be newer, or of the same decision.
func (c *checker) step(rec *eventlog.Record, it *item, s *eventv1.ReservationStep) *reservation {
	if s == nil {
		c.check(Conserved, false, "%s: a change of a reservation without its step", at(rec))
		return &reservation{}
	}
	r := it.reservations[s.OrderId]
	if r == nil {
		r = &reservation{placed: string(s.PlacedEventId)}
		it.reservations[s.OrderId] = r
	}
	if r.placed != string(s.PlacedEventId) {
		// Another placement: it gives back what the former held, then starts from nothing.
		r.placed, r.version, r.fulfilled, r.restocked = string(s.PlacedEventId), 0, 0, 0
	}
	c.check(Conserved, s.Version >= r.version, "%s: step %d of order %s after step %d", at(rec), s.Version, s.OrderId, r.version)
	r.version = s.Version
	return r
}

// levels compares what the event states with what its deltas make.
func (c *checker) levels(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	total := &eventv1.Level{}
	for _, l := range it.levels {
		addLevel(total, l)
	}
	c.check(Conserved, sameLevel(total, ev.Total), "%s: SKU %s states %v in all, its changes make %v", at(rec), ev.Sku, ev.Total, total)
	for _, stated := range ev.Locations {
		mine := it.level(stated.Location)
		c.check(Conserved, sameLevel(mine, stated.Level), "%s: SKU %s states %v at %s, its changes make %v", at(rec), ev.Sku, stated.Level, stated.Location, mine)
		sum := mine.Available + mine.Reserved + mine.Committed + mine.SafetyStock + mine.Damaged + mine.QualityControl
		c.check(Conserved, mine.OnHand == sum, "%s: SKU %s has %d on hand at %s, its states add up to %d", at(rec), ev.Sku, mine.OnHand, stated.Location, sum)
	}
}

func addLevel(to, l *eventv1.Level) {
	to.OnHand += l.OnHand
	to.Available += l.Available
	to.Reserved += l.Reserved
	to.Committed += l.Committed
	to.SafetyStock += l.SafetyStock
	to.Damaged += l.Damaged
	to.QualityControl += l.QualityControl
	to.Incoming += l.Incoming
}

func sameLevel(a, b *eventv1.Level) bool {
	return a.GetOnHand() == b.GetOnHand() && a.GetAvailable() == b.GetAvailable() && a.GetReserved() == b.GetReserved() &&
		a.GetCommitted() == b.GetCommitted() && a.GetSafetyStock() == b.GetSafetyStock() && a.GetDamaged() == b.GetDamaged() &&
		a.GetQualityControl() == b.GetQualityControl() && a.GetIncoming() == b.GetIncoming()
}
