package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// item is the naive fold of one SKU.
type item struct {
	version        uint64
	registered     bool
	description    string
	backorderLimit int64
	locations      []*location
	reservations   map[string]*reservation // by order
	waiting        []waits
	transfers      map[string]*transfer // on their way, by ID
	expected       map[delivery]int64   // what is still to come
	partition      int32
	lastOffset     int64
	occurredAt     int64
}

// transfer is what is on its way between two locations.
type transfer struct {
	from, to string
	left     int64
}

// delivery is where something is to come, and under which reference.
type delivery struct{ location, reference string }

// expect changes what is to come of a delivery.
func (it *item) expect(location, reference string, delta int64) {
	d := delivery{location, reference}
	if it.expected[d] += delta; it.expected[d] == 0 {
		delete(it.expected, d)
	}
}

// location is what a location's changes have made of it.
type location struct {
	name  string
	level eventv1.Level
	// touched by the event at hand, which then must state it.
	touched bool
	// onHand is the newest, and moved the version at which it became that.
	onHand int64
	moved  uint64
}

func (c *checker) stockRecord(rec *eventlog.Record) {
	var ev eventv1.InventoryEvent
	err := ev.UnmarshalVT(rec.Value)
	name, written := schema.Name(&ev)
	if err == nil && name == "" {
		err = schema.Newer(rec.Value)
	}
	if err != nil {
		c.check(Envelope, false, "%s: %v", at(rec), err)
		return
	}
	if !c.envelope(rec, ev.Meta, ev.Sku, "/holdfast/inventory", name, written) {
		return
	}
	it := c.items[ev.Sku]
	if it == nil {
		it = &item{reservations: map[string]*reservation{}, transfers: map[string]*transfer{}, expected: map[delivery]int64{}, partition: rec.Partition}
		c.items[ev.Sku] = it
	}
	c.check(Versions, ev.Meta.Version == it.version+1, "%s: SKU %s has version %d after %d", at(rec), ev.Sku, ev.Meta.Version, it.version)
	it.version, it.lastOffset, it.occurredAt = ev.Meta.Version, rec.Offset, ev.Meta.OccurredAtMicros
	if needsRegistration(&ev) {
		c.check(Transitions, it.registered, "%s: stock of SKU %s moved before it was registered", at(rec), ev.Sku)
	}
	before := it.short()
	c.change(rec, it, &ev)
	c.oversold(rec, it, &ev, before)
	c.levels(rec, it, &ev)
	c.rowAt(rec, ev.Sku, it)
}

// oversold holds a promise of stock to what is there: what orders wait for stays within the backorder limit, and a
// promise that does not say that it is backordered adds nothing to what is short.
func (c *checker) oversold(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent, before int64) {
	short := it.short()
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		c.check(Oversold, short <= before, "%s: SKU %s is %d short after it was reserved, and was %d short", at(rec), ev.Sku, short, before)
	case *eventv1.InventoryEvent_StockBackordered:
		waits := it.waitedFor()
		c.check(Oversold, waits <= it.backorderLimit, "%s: orders wait for %d of SKU %s after a backorder; its limit is %d", at(rec), waits, ev.Sku, it.backorderLimit)
		c.check(Conserved, short-before == ch.StockBackordered.Backordered && short > before,
			"%s: SKU %s says that %d are backordered, it is %d shorter", at(rec), ev.Sku, ch.StockBackordered.Backordered, short-before)
	case *eventv1.InventoryEvent_BackorderFilled:
		c.check(Oversold, short <= before, "%s: SKU %s is %d short after a backorder was filled, and was %d short", at(rec), ev.Sku, short, before)
	case *eventv1.InventoryEvent_StockFulfilled:
		c.check(Oversold, short <= before, "%s: SKU %s is %d short after it left, and was %d short", at(rec), ev.Sku, short, before)
	case *eventv1.InventoryEvent_ReservationRejected:
		c.refusal(rec, it, ch.ReservationRejected)
	}
}

// refusal holds a refused reservation to the truth: what is said to be missing was missing.
func (c *checker) refusal(rec *eventlog.Record, it *item, ch *eventv1.ReservationRejected) {
	there := it.reservable(ch.Step)
	if ch.Available == it.sellable() {
		there = ch.Available // a past document does not wait for what is not there
	}
	c.check(Refused, ch.Available == there, "%s: refused with %d to be had, there are %d", at(rec), ch.Available, there)
	switch ch.Reason {
	case eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK:
		c.check(Refused, it.registered && ch.Quantity > there, "%s: %d were refused with %d there", at(rec), ch.Quantity, there)
	case eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU:
		c.check(Refused, !it.registered, "%s: refused as unknown, and is registered", at(rec))
	case eventv1.RejectionReason_REJECTION_REASON_OTHER_LINE:
	default:
		c.check(Refused, false, "%s: refused without a reason", at(rec))
	}
}

// short is what is promised and not there, all locations together.
func (it *item) short() (n int64) {
	for _, l := range it.locations {
		n += max(0, -l.level.Available)
	}
	return n
}

// at is the level of a location that is about to change.
func (it *item) at(name string) *eventv1.Level {
	l := it.find(name)
	if l == nil {
		l = &location{name: name}
		it.locations = append(it.locations, l)
	}
	l.touched = true
	return &l.level
}

func (it *item) find(name string) *location {
	for _, l := range it.locations {
		if l.name == name {
			return l
		}
	}
	return nil
}

// change applies an event's deltas, never its levels.
func (c *checker) change(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		it.registered, it.description = true, ch.ItemRegistered.Description
	case *eventv1.InventoryEvent_BackorderLimitSet:
		it.backorderLimit = ch.BackorderLimitSet.Limit
		c.check(Conserved, it.backorderLimit >= 0, "%s: a backorder limit of %d", at(rec), it.backorderLimit)
	case *eventv1.InventoryEvent_StockReceived:
		it.add(ch.StockReceived.Location, ch.StockReceived.Quantity)
		c.check(Conserved, ch.StockReceived.Quantity > 0, "%s: a receipt of %d", at(rec), ch.StockReceived.Quantity)
		it.at(ch.StockReceived.Location).Incoming -= ch.StockReceived.Expected
		it.expect(ch.StockReceived.Location, ch.StockReceived.Reference, -ch.StockReceived.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		it.at(ch.StockExpected.Location).Incoming += ch.StockExpected.Delta
		it.expect(ch.StockExpected.Location, ch.StockExpected.Reference, ch.StockExpected.Delta)
	case *eventv1.InventoryEvent_StockMoved:
		m := ch.StockMoved
		from, to := stateOf(it.at(m.Location), m.From), stateOf(it.at(m.Location), m.To)
		c.check(Conserved, from != nil && to != nil && from != to && m.Quantity > 0, "%s: moves %d from %v to %v", at(rec), m.Quantity, m.From, m.To)
		if from != nil && to != nil {
			*from -= m.Quantity
			*to += m.Quantity
			c.check(Oversold, *from >= 0, "%s: moved more out of %v than there was", at(rec), m.From)
		}
	case *eventv1.InventoryEvent_TransferShipped:
		c.shipTransfer(rec, it, ch.TransferShipped)
	case *eventv1.InventoryEvent_TransferReceived:
		c.receiveTransfer(rec, it, ch.TransferReceived)
	case *eventv1.InventoryEvent_StockAdjusted:
		it.add(ch.StockAdjusted.Location, ch.StockAdjusted.Delta)
	case *eventv1.InventoryEvent_StockCounted:
		since := ch.StockCounted.CountedAtVersion
		before := it.find(ch.StockCounted.Location)
		c.check(Transitions, since < it.version && (since == 0 || before == nil || before.moved <= since),
			"%s: a count that began at version %d of SKU %s, which had other goods at %s since", at(rec), since, ev.Sku, ch.StockCounted.Location)
		l := it.add(ch.StockCounted.Location, ch.StockCounted.Delta)
		c.check(Conserved, l.OnHand == ch.StockCounted.Counted, "%s: a count of %d leaves %d", at(rec), ch.StockCounted.Counted, l.OnHand)
	case *eventv1.InventoryEvent_SafetyStockSet:
		l := it.at(ch.SafetyStockSet.Location)
		l.Available -= ch.SafetyStockSet.Delta
		l.SafetyStock += ch.SafetyStockSet.Delta
		c.check(Conserved, l.SafetyStock == ch.SafetyStockSet.Quantity, "%s: safety stock is %d, not %d", at(rec), l.SafetyStock, ch.SafetyStockSet.Quantity)
	default:
		c.reservationChange(rec, it, ev)
	}
}

func (c *checker) shipTransfer(rec *eventlog.Record, it *item, t *eventv1.TransferShipped) {
	c.check(Conserved, t.Quantity > 0 && t.FromLocation != t.ToLocation && it.transfers[t.TransferId] == nil,
		"%s: ships %d from %s to %s as %s", at(rec), t.Quantity, t.FromLocation, t.ToLocation, t.TransferId)
	left := it.add(t.FromLocation, -t.Quantity)
	c.check(Oversold, left.Available >= 0, "%s: shipped more to another location than %s had", at(rec), t.FromLocation)
	it.at(t.ToLocation).Incoming += t.Quantity
	it.transfers[t.TransferId] = &transfer{t.FromLocation, t.ToLocation, t.Quantity}
}

func (c *checker) receiveTransfer(rec *eventlog.Record, it *item, t *eventv1.TransferReceived) {
	way := it.transfers[t.TransferId]
	moved := t.Quantity + t.Damaged + t.Missing + t.Rejected
	c.check(Conserved, way != nil && way.from == t.FromLocation && way.to == t.ToLocation && min(t.Quantity, t.Damaged, t.Missing, t.Rejected) >= 0 &&
		moved > 0 && moved <= way.left, "%s: %d arrive, %d damaged, %d are missing and %d rejected of transfer %s, of which %+v is on its way",
		at(rec), t.Quantity, t.Damaged, t.Missing, t.Rejected, t.TransferId, way)
	c.check(Transitions, (t.Reason != "") == (t.Rejected > 0), "%s: %d are rejected for the reason %q", at(rec), t.Rejected, t.Reason)
	l := it.add(t.ToLocation, t.Quantity)
	l.OnHand += t.Damaged
	l.Damaged += t.Damaged
	l.Incoming -= moved
	if t.Rejected != 0 {
		back := it.at(t.FromLocation)
		back.OnHand += t.Rejected
		back.QualityControl += t.Rejected
	}
	if way == nil {
		return
	}
	if way.left -= moved; way.left <= 0 {
		delete(it.transfers, t.TransferId)
	}
}

// stateOf is the quantity of a state that stock moves between; nil for any other.
func stateOf(l *eventv1.Level, s eventv1.StockState) *int64 {
	switch s {
	case eventv1.StockState_STOCK_STATE_AVAILABLE:
		return &l.Available
	case eventv1.StockState_STOCK_STATE_DAMAGED:
		return &l.Damaged
	case eventv1.StockState_STOCK_STATE_QUALITY_CONTROL:
		return &l.QualityControl
	case eventv1.StockState_STOCK_STATE_SAFETY_STOCK:
		return &l.SafetyStock
	case eventv1.StockState_STOCK_STATE_UNSPECIFIED:
	}
	return nil
}

func (it *item) add(name string, quantity int64) *eventv1.Level {
	l := it.at(name)
	l.OnHand += quantity
	l.Available += quantity
	return l
}

func needsRegistration(ev *eventv1.InventoryEvent) bool {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered, *eventv1.InventoryEvent_ReservationRejected:
		return false
	case *eventv1.InventoryEvent_ReservationReleased:
		return ch.ReservationReleased.Quantity > 0
	}
	return true
}

// levels compares what the event states with what its deltas make.
func (c *checker) levels(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	total := it.total()
	c.check(Conserved, sameLevel(total, ev.Total), "%s: SKU %s states %v in all, its changes make %v", at(rec), ev.Sku, ev.Total, total)
	for _, stated := range ev.Locations {
		mine := &eventv1.Level{}
		if l := it.find(stated.Location); l != nil {
			mine, l.touched = &l.level, false
			if l.onHand != mine.OnHand {
				l.onHand, l.moved = mine.OnHand, it.version
			}
		}
		c.check(Conserved, sameLevel(mine, stated.Level), "%s: SKU %s states %v at %s, its changes make %v", at(rec), ev.Sku, stated.Level, stated.Location, mine)
		sum := mine.Available + mine.Reserved + mine.Committed + mine.SafetyStock + mine.Damaged + mine.QualityControl
		c.check(Conserved, mine.OnHand == sum, "%s: SKU %s has %d on hand at %s, its states add up to %d", at(rec), ev.Sku, mine.OnHand, stated.Location, sum)
		c.check(Conserved, min(mine.Reserved, mine.Committed, mine.SafetyStock, mine.Damaged, mine.QualityControl, mine.Incoming) >= 0,
			"%s: SKU %s has less than nothing of a state at %s: %v", at(rec), ev.Sku, stated.Location, mine)
	}
	for _, l := range it.locations {
		if l.touched {
			c.check(Conserved, false, "%s: SKU %s changed at %s without stating it", at(rec), ev.Sku, l.name)
			l.touched = false
		}
	}
}

func (it *item) total() *eventv1.Level {
	if len(it.locations) == 1 {
		return &it.locations[0].level
	}
	sum := &eventv1.Level{}
	for _, l := range it.locations {
		sum.OnHand += l.level.OnHand
		sum.Available += l.level.Available
		sum.Reserved += l.level.Reserved
		sum.Committed += l.level.Committed
		sum.SafetyStock += l.level.SafetyStock
		sum.Damaged += l.level.Damaged
		sum.QualityControl += l.level.QualityControl
		sum.Incoming += l.level.Incoming
	}
	return sum
}

func sameLevel(a, b *eventv1.Level) bool {
	return a.GetOnHand() == b.GetOnHand() && a.GetAvailable() == b.GetAvailable() && a.GetReserved() == b.GetReserved() &&
		a.GetCommitted() == b.GetCommitted() && a.GetSafetyStock() == b.GetSafetyStock() && a.GetDamaged() == b.GetDamaged() &&
		a.GetQualityControl() == b.GetQualityControl() && a.GetIncoming() == b.GetIncoming()
}
