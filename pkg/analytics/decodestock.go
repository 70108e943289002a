package analytics

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The levels of stock at a location.
const (
	onHand = iota
	available
	reserved
	committed
	safetyStock
	damaged
	qualityControl
	incoming
)

// levelNames are the columns of the levels. The column of a level's change is called the same, with _delta behind it.
// A level that stock moves to and from has the word of its state in the event schema.
var levelNames = [...]string{
	onHand: "on_hand", available: "available", reserved: "reserved", committed: "committed",
	safetyStock: "safety_stock", damaged: "damaged", qualityControl: "quality_control", incoming: "incoming",
}

// levels has a number of units for each level.
type levels [len(levelNames)]int64

func levelsOf(l *eventv1.Level) levels {
	return levels{
		onHand: l.OnHand, available: l.Available, reserved: l.Reserved, committed: l.Committed,
		safetyStock: l.SafetyStock, damaged: l.Damaged, qualityControl: l.QualityControl, incoming: l.Incoming,
	}
}

// levelOf is the level of a state that stock moves to and from. ok is false for a state of a newer schema.
func levelOf(state eventv1.StockState) (level int, ok bool) {
	level = slices.Index(levelNames[:], schema.StockStates.Word(state))
	return level, level >= 0
}

// movement is the content of a stock event: what it changed, location by location. Most events change one location;
// inventory.MaxLocations is the limit.
type movement struct {
	typ, reason, orderID, reference string
	// unitCostMicros and costCurrency are of a receipt; without a currency there is no cost.
	unitCostMicros int64
	costCurrency   string
	changed        []changedLocation
}

// changedLocation is a location with the changes of its levels.
type changedLocation struct {
	location string
	deltas   levels
}

// change adds units to a level at a location; quantity is below 0 to remove them.
func (m *movement) change(location string, level int, quantity int64) {
	for i := range m.changed {
		if m.changed[i].location == location {
			m.changed[i].deltas[level] += quantity
			return
		}
	}
	m.changed = append(m.changed, changedLocation{location: location})
	m.changed[len(m.changed)-1].deltas[level] = quantity
}

// deltasOf are the changes of a location's levels.
func (m *movement) deltasOf(location string) levels {
	for i := range m.changed {
		if m.changed[i].location == location {
			return m.changed[i].deltas
		}
	}
	return levels{}
}

// put adds units to a location: to on_hand, and to the level that they have there.
func (m *movement) put(location string, level int, quantity int64) {
	m.change(location, onHand, quantity)
	m.change(location, level, quantity)
}

// move moves units from one level to another. Both are in on_hand, which stays the same.
func (m *movement) move(allocations []*eventv1.Allocation, from, to int) {
	for _, a := range allocations {
		m.change(a.Location, from, -a.Quantity)
		m.change(a.Location, to, a.Quantity)
	}
}

// ship removes units from their locations.
func (m *movement) ship(allocations []*eventv1.Allocation, from int) {
	for _, a := range allocations {
		m.put(a.Location, from, -a.Quantity)
	}
}

func (r *rows) addStock(rec *eventlog.Record) error {
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool() // the rows keep only strings of it
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return err
	}
	if err := checkEnvelope(ev.Meta, ev.Sku); err != nil {
		return err
	}
	m := movement{changed: r.changed[:0]}
	if !m.decodeStock(ev) && !m.decodeReservation(ev) {
		return errEnvelope
	}
	for _, l := range ev.Locations {
		if l.Level == nil {
			return fmt.Errorf("location %q without a level", l.Location)
		}
	}
	var err error
	if r.body, err = schema.AppendJSON(r.body[:0], ev); err != nil {
		return err
	}
	r.events.add(rec, m.typ, ev.Sku, ev.Meta, r.body)
	for i, l := range ev.Locations {
		r.stock.add(rec, ev, &m, i, l)
	}
	r.changed = m.changed
	return nil
}

// decodeStock decodes the changes that stock commands make. It returns false for another change.
func (m *movement) decodeStock(ev *eventv1.InventoryEvent) bool {
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		m.typ = "item_registered"
	case *eventv1.InventoryEvent_BackorderLimitSet:
		m.typ = "backorder_limit_set"
	case *eventv1.InventoryEvent_StockReceived:
		s := c.StockReceived
		m.typ, m.reason, m.reference = "stock_received", "received", s.Reference
		m.unitCostMicros, m.costCurrency = s.UnitCostMicros, s.CostCurrency
		m.put(s.Location, available, s.Quantity)
		m.change(s.Location, incoming, -s.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		s := c.StockExpected
		m.typ, m.reference = "stock_expected", s.Reference
		m.change(s.Location, incoming, s.Delta)
	case *eventv1.InventoryEvent_StockMoved:
		s := c.StockMoved
		from, okFrom := levelOf(s.From)
		to, okTo := levelOf(s.To)
		if !okFrom || !okTo {
			return false
		}
		m.typ, m.reference = "stock_moved", s.Reference
		m.change(s.Location, from, -s.Quantity)
		m.change(s.Location, to, s.Quantity)
	case *eventv1.InventoryEvent_TransferShipped:
		t := c.TransferShipped
		m.typ, m.reference = "transfer_shipped", t.TransferId
		m.put(t.FromLocation, available, -t.Quantity)
		m.change(t.ToLocation, incoming, t.Quantity)
	case *eventv1.InventoryEvent_TransferReceived:
		t := c.TransferReceived
		m.typ, m.reference = "transfer_received", t.TransferId
		m.put(t.ToLocation, available, t.Quantity)
		m.put(t.ToLocation, damaged, t.Damaged)
		m.change(t.ToLocation, incoming, -t.Quantity-t.Damaged-t.Missing-t.Rejected)
		if t.Rejected > 0 {
			m.reason = "rejected"
			m.put(t.FromLocation, qualityControl, t.Rejected)
		}
	case *eventv1.InventoryEvent_TransferCancelled:
		t := c.TransferCancelled
		m.typ, m.reference = "transfer_cancelled", t.TransferId
		m.put(t.FromLocation, available, t.Quantity)
		m.change(t.ToLocation, incoming, -t.Quantity)
	case *eventv1.InventoryEvent_StockAdjusted:
		s := c.StockAdjusted
		m.typ, m.reason, m.reference = "stock_adjusted", schema.Reasons.Word(s.Reason), s.Reference
		m.put(s.Location, available, s.Delta)
	case *eventv1.InventoryEvent_StockCounted:
		s := c.StockCounted
		m.typ, m.reason, m.reference = "stock_counted", "cycle_count", s.Reference
		m.put(s.Location, available, s.Delta)
	case *eventv1.InventoryEvent_SafetyStockSet:
		s := c.SafetyStockSet
		m.typ = "safety_stock_set"
		m.change(s.Location, available, -s.Delta)
		m.change(s.Location, safetyStock, s.Delta)
	default:
		return false
	}
	return true
}

// decodeReservation decodes the changes that orders make. It returns false for another change.
func (m *movement) decodeReservation(ev *eventv1.InventoryEvent) bool {
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		m.typ, m.orderID = "stock_reserved", c.StockReserved.GetStep().GetOrderId()
		m.move(c.StockReserved.Allocations, available, reserved)
	case *eventv1.InventoryEvent_StockBackordered:
		m.typ, m.orderID = "stock_backordered", c.StockBackordered.GetStep().GetOrderId()
		m.move(c.StockBackordered.Allocations, available, reserved)
	case *eventv1.InventoryEvent_BackorderFilled:
		f := c.BackorderFilled
		m.typ, m.orderID = "backorder_filled", f.GetStep().GetOrderId()
		m.fill(f.Location, f.Reserved, reserved)
		m.fill(f.Location, f.Committed, committed)
	case *eventv1.InventoryEvent_ReservationFellShort:
		s := c.ReservationFellShort
		m.typ, m.orderID = "reservation_fell_short", s.GetStep().GetOrderId()
		m.fill(s.Location, s.Reserved, reserved)
		m.fill(s.Location, s.Committed, committed)
	case *eventv1.InventoryEvent_ReservationRejected:
		m.typ, m.orderID = "reservation_rejected", c.ReservationRejected.GetStep().GetOrderId()
	case *eventv1.InventoryEvent_ReservationCommitted:
		m.typ, m.orderID = "reservation_committed", c.ReservationCommitted.GetStep().GetOrderId()
		m.move(c.ReservationCommitted.Allocations, reserved, committed)
	case *eventv1.InventoryEvent_ReservationReleased:
		m.typ, m.orderID = "reservation_released", c.ReservationReleased.GetStep().GetOrderId()
		m.move(c.ReservationReleased.FromReserved, reserved, available)
		m.move(c.ReservationReleased.FromCommitted, committed, available)
	case *eventv1.InventoryEvent_StockFulfilled:
		m.typ, m.orderID = "stock_fulfilled", c.StockFulfilled.GetStep().GetOrderId()
		m.ship(c.StockFulfilled.FromReserved, reserved)
		m.ship(c.StockFulfilled.FromCommitted, committed)
		m.ship(c.StockFulfilled.FromAvailable, available)
	case *eventv1.InventoryEvent_StockRestocked:
		s := c.StockRestocked
		m.typ, m.orderID, m.reason = "stock_restocked", s.GetStep().GetOrderId(), schema.Reasons.Word(s.Reason)
		for _, a := range s.Allocations {
			m.put(a.Location, available, a.Quantity)
		}
		for _, a := range s.Damaged {
			m.put(a.Location, damaged, a.Quantity)
		}
	default:
		return false
	}
	return true
}

// fill moves what is promised from a location that lacks it to the locations that have it instead. level is reserved or
// committed.
func (m *movement) fill(backorderedAt string, filled []*eventv1.Allocation, level int) {
	m.move(filled, available, level)
	for _, a := range filled {
		m.change(backorderedAt, level, -a.Quantity)
		m.change(backorderedAt, available, a.Quantity)
	}
}

// stockRows are the rows of the table stock_ledger: one for each stock event and location that it changed.
type stockRows struct {
	place
	line                                           []uint32
	typ, sku, location, reason, orderID, reference []string
	version                                        []uint64
	unitCostMicros                                 []int64
	costCurrency                                   []string
	deltas, levels                                 [len(levelNames)][]int64
	occurredAt                                     []time.Time
}

func (r *stockRows) columns() []column {
	columns := append(r.place.columns(),
		columnOf("line", &r.line),
		columnOf("type", &r.typ),
		columnOf("sku", &r.sku),
		columnOf("version", &r.version),
		columnOf("location", &r.location),
		columnOf("reason", &r.reason),
		columnOf("order_id", &r.orderID),
		columnOf("reference", &r.reference),
		columnOf("unit_cost_micros", &r.unitCostMicros),
		columnOf("cost_currency", &r.costCurrency),
		columnOf("occurred_at", &r.occurredAt),
	)
	for level, name := range levelNames {
		columns = append(columns, columnOf(name+"_delta", &r.deltas[level]), columnOf(name, &r.levels[level]))
	}
	return columns
}

// add adds location number i of an event.
func (r *stockRows) add(
	rec *eventlog.Record, ev *eventv1.InventoryEvent, m *movement, i int, l *eventv1.LocationLevel,
) {
	r.place.add(rec)
	r.line = append(r.line, uint32(i))
	r.typ = append(r.typ, m.typ)
	r.sku = append(r.sku, ev.Sku)
	r.version = append(r.version, ev.Meta.Version)
	r.location = append(r.location, l.Location)
	r.reason = append(r.reason, m.reason)
	r.orderID = append(r.orderID, m.orderID)
	r.reference = append(r.reference, m.reference)
	r.unitCostMicros = append(r.unitCostMicros, m.unitCostMicros)
	r.costCurrency = append(r.costCurrency, m.costCurrency)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
	deltas, levels := m.deltasOf(l.Location), levelsOf(l.Level)
	for level := range levels {
		r.deltas[level] = append(r.deltas[level], deltas[level])
		r.levels[level] = append(r.levels[level], levels[level])
	}
}
