package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// item is the naive fold of one SKU.
type item struct {
	sku            string
	version        uint64
	visibleVersion uint64 // of the last event that a client can see
	registered     bool
	description    string
	metadata       []entry
	backorderLimit int64
	locations      []*location
	waiting        []waitingOrder       // in the order in which they are filled
	transfers      map[string]*transfer // on their way, by ID
	expected       map[delivery]int64   // units that are still to come
	partition      int32
	lastOffset     int64
	occurredAt     int64 // of the event of visibleVersion
	// The auditor reads rows beside the log. row is the newest one that is ahead of the fold, rowOffset the source offset
	// of the newest that the topic has.
	row       *eventv1.AvailabilityRow
	rowOffset int64
	due       uint64 // as that of account
	// ownsShortfalls: an order has lost units of the item, so it is decided by programs that know shortfalls.
	ownsShortfalls bool
}

// entry is a name and a value that a client keeps with the item.
type entry struct{ key, value string }

// location is the state of a location, made from the changes alone.
type location struct {
	name  string
	level eventv1.Level
	// safetyTarget is what safety stock is to be.
	safetyTarget int64
	// touched: the event at hand changes the level, and so must state it.
	touched bool
	// onHand is the quantity on hand that was stated last, onHandVersion the item's version at which it became that.
	onHand        int64
	onHandVersion uint64
}

// delivery is an expected delivery: where it is to arrive, and its reference.
type delivery struct{ location, reference string }

// expect changes what is still to come of a delivery.
func (it *item) expect(location, reference string, delta int64) {
	d := delivery{location, reference}
	if it.expected[d] += delta; it.expected[d] == 0 {
		delete(it.expected, d)
	}
}

// touch is the level of a location that is about to change.
func (it *item) touch(name string) *eventv1.Level {
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

// addUnits adds available units at a location, or takes them off.
func (it *item) addUnits(name string, quantity int64) *eventv1.Level {
	l := it.touch(name)
	l.OnHand += quantity
	l.Available += quantity
	return l
}

// foldStock folds a record of the topic of stock.
func (c *checker) foldStock(rec *eventlog.Record) {
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
	schema.UpgradeInventory(&ev)
	if !c.checkEnvelope(rec, ev.Meta, ev.Sku, "/holdfast/inventory", name, written) {
		return
	}
	it := c.itemOf(ev.Sku, rec.Partition)
	c.passRow(rec, it)
	c.check(Versions, ev.Meta.Version == it.version+1,
		"%s: SKU %s has version %d after %d", at(rec), ev.Sku, ev.Meta.Version, it.version)
	it.version, it.lastOffset = ev.Meta.Version, rec.Offset
	if !movesNothing(&ev) {
		it.visibleVersion, it.occurredAt = ev.Meta.Version, ev.Meta.OccurredAtMicros
	}
	if needsRegistration(&ev) {
		c.check(Transitions, it.registered, "%s: stock of SKU %s moved before it was registered", at(rec), ev.Sku)
	}
	shortBefore := it.short()
	c.checkOwners(rec, it, &ev)
	c.notePlaces(rec, it, &ev)
	c.foldStockChange(rec, it, &ev)
	c.checkOversold(rec, it, &ev, shortBefore)
	c.checkLevels(rec, it, &ev)
	c.compareRow(rec, ev.Sku, it)
	c.compareWaitingRow(rec, it)
}

// foldStockChange applies the deltas of an event. checkLevels compares the result with the levels that it states.
func (c *checker) foldStockChange(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		it.registered, it.description = true, ch.ItemRegistered.Description
		if m := ch.ItemRegistered.Metadata; m != nil {
			it.metadata = nil
			for _, e := range m.Entries {
				it.metadata = append(it.metadata, entry{e.Key, e.Value})
			}
		}
	case *eventv1.InventoryEvent_BackorderLimitSet:
		it.backorderLimit = ch.BackorderLimitSet.Limit
		c.check(Conserved, it.backorderLimit >= 0, "%s: a backorder limit of %d", at(rec), it.backorderLimit)
	case *eventv1.InventoryEvent_StockReceived:
		r := ch.StockReceived
		it.addUnits(r.Location, r.Quantity)
		c.check(Conserved, r.Quantity > 0, "%s: a receipt of %d", at(rec), r.Quantity)
		it.touch(r.Location).Incoming -= r.Expected
		it.expect(r.Location, r.Reference, -r.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		it.touch(ch.StockExpected.Location).Incoming += ch.StockExpected.Delta
		it.expect(ch.StockExpected.Location, ch.StockExpected.Reference, ch.StockExpected.Delta)
	case *eventv1.InventoryEvent_StockMoved:
		c.foldStockMoved(rec, it, ch.StockMoved)
	case *eventv1.InventoryEvent_TransferShipped:
		c.foldTransferShipped(rec, it, ch.TransferShipped)
	case *eventv1.InventoryEvent_TransferReceived:
		c.foldTransferReceived(rec, it, ch.TransferReceived)
	case *eventv1.InventoryEvent_TransferCancelled:
		c.foldTransferCancelled(rec, it, ch.TransferCancelled)
	case *eventv1.InventoryEvent_StockAdjusted:
		it.addUnits(ch.StockAdjusted.Location, ch.StockAdjusted.Delta)
	case *eventv1.InventoryEvent_StockCounted:
		c.foldStockCounted(rec, it, ev.Sku, ch.StockCounted)
	case *eventv1.InventoryEvent_SafetyStockSet:
		l := it.touch(ch.SafetyStockSet.Location)
		l.Available -= ch.SafetyStockSet.Delta
		l.SafetyStock += ch.SafetyStockSet.Delta
		c.check(Conserved, l.SafetyStock == ch.SafetyStockSet.Quantity,
			"%s: safety stock is %d, not %d", at(rec), l.SafetyStock, ch.SafetyStockSet.Quantity)
		it.find(ch.SafetyStockSet.Location).safetyTarget = max(ch.SafetyStockSet.Target, ch.SafetyStockSet.Quantity)
	default:
		c.foldReservation(rec, it, ev)
	}
}

func (c *checker) foldStockMoved(rec *eventlog.Record, it *item, m *eventv1.StockMoved) {
	from, to := stateOf(it.touch(m.Location), m.From), stateOf(it.touch(m.Location), m.To)
	c.check(Conserved, from != nil && to != nil && from != to && m.Quantity > 0,
		"%s: moves %d from %v to %v", at(rec), m.Quantity, m.From, m.To)
	if from != nil && to != nil {
		safetyBefore := it.find(m.Location).level.SafetyStock
		*from -= m.Quantity
		*to += m.Quantity
		switch l := it.find(m.Location); {
		case from == &l.level.SafetyStock && to == &l.level.Available:
			l.safetyTarget = l.level.SafetyStock
		case from == &l.level.SafetyStock || to == &l.level.SafetyStock:
			l.safetyTarget = max(0, l.safetyTarget+l.level.SafetyStock-safetyBefore)
		}
		left := *from
		if m.From == eventv1.StockState_STOCK_STATE_AVAILABLE && m.To != eventv1.StockState_STOCK_STATE_SAFETY_STOCK {
			l := it.touch(m.Location)
			left += l.Reserved + l.Committed // what is promised may turn out to be damaged
		}
		c.check(Oversold, left >= 0, "%s: moved more out of %v than there was", at(rec), m.From)
	}
}

// foldStockCounted folds a count. It may have begun at an earlier version of the item, but not before goods last came
// to the location or left it.
func (c *checker) foldStockCounted(rec *eventlog.Record, it *item, sku string, e *eventv1.StockCounted) {
	since := e.CountedAtVersion
	before := it.find(e.Location)
	unmoved := since == 0 || before == nil || before.onHandVersion <= since
	c.check(Transitions, since < it.version && unmoved,
		"%s: a count that began at version %d of SKU %s, which had other goods at %s since",
		at(rec), since, sku, e.Location)
	l := it.addUnits(e.Location, e.Delta)
	c.check(Conserved, l.OnHand == e.Counted, "%s: a count of %d leaves %d", at(rec), e.Counted, l.OnHand)
}

// stateOf is the quantity in a state that stock can be moved out of or into; nil for any other state.
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

// needsRegistration reports whether an event may only happen to an item that is registered.
func needsRegistration(ev *eventv1.InventoryEvent) bool {
	_, registers := ev.Change.(*eventv1.InventoryEvent_ItemRegistered)
	return !registers && !movesNothing(ev)
}

// movesNothing reports whether an event only remembers how stock answered an order's step. No client sees such an
// event.
func movesNothing(ev *eventv1.InventoryEvent) bool {
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_ReservationRejected:
		return true
	case *eventv1.InventoryEvent_ReservationReleased:
		return ch.ReservationReleased.Quantity == 0
	}
	return false
}
