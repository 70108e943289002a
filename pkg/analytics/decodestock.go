package analytics

import (
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The places of the changes in a row; see deltaNames.
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

// delta is how a location changed.
type delta [len(deltaNames)]int64

// movement is what a stock event changed, location by location: most change one, and inventory.MaxLocations bounds them.
type movement struct {
	typ, reason, orderID, reference string
	changed                         []changedLocation
}

type changedLocation struct {
	location string
	delta
}

// change adds to a state at a location.
func (m *movement) change(location string, state int, quantity int64) {
	for i := range m.changed {
		if m.changed[i].location == location {
			m.changed[i].delta[state] += quantity
			return
		}
	}
	m.changed = append(m.changed, changedLocation{location: location})
	m.changed[len(m.changed)-1].delta[state] = quantity
}

// at is how a location changed.
func (m *movement) at(location string) delta {
	for i := range m.changed {
		if m.changed[i].location == location {
			return m.changed[i].delta
		}
	}
	return delta{}
}

// move takes allocations from one state to another.
func (m *movement) move(allocations []*eventv1.Allocation, from, to int) {
	for _, a := range allocations {
		m.change(a.Location, from, -a.Quantity)
		m.change(a.Location, to, a.Quantity)
	}
}

// ship takes allocations off the shelf.
func (m *movement) ship(allocations []*eventv1.Allocation, from int) {
	for _, a := range allocations {
		m.change(a.Location, onHand, -a.Quantity)
		m.change(a.Location, from, -a.Quantity)
	}
}

// states are the places of the states that stock moves between.
var states = map[eventv1.StockState]int{
	eventv1.StockState_STOCK_STATE_AVAILABLE:       available,
	eventv1.StockState_STOCK_STATE_DAMAGED:         damaged,
	eventv1.StockState_STOCK_STATE_QUALITY_CONTROL: qualityControl,
	eventv1.StockState_STOCK_STATE_SAFETY_STOCK:    safetyStock,
}

var reasons = map[eventv1.Reason]string{
	eventv1.Reason_REASON_CORRECTION:  "correction",
	eventv1.Reason_REASON_CYCLE_COUNT: "cycle_count",
	eventv1.Reason_REASON_DAMAGED:     "damaged",
	eventv1.Reason_REASON_RECEIVED:    "received",
	eventv1.Reason_REASON_RESTOCK:     "restock",
	eventv1.Reason_REASON_SHRINKAGE:   "shrinkage",
	eventv1.Reason_REASON_PROMOTION:   "promotion",
	eventv1.Reason_REASON_RETURN:      "return",
	eventv1.Reason_REASON_OTHER:       "other",
}

func (r *rows) addStock(rec *eventlog.Record) error {
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool() // what rows keep of it are strings
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return err
	}
	if err := envelope(ev.Meta, ev.Sku); err != nil {
		return err
	}
	m := movement{changed: r.changed[:0]}
	if !m.ofGoods(ev) && !m.ofOrders(ev) {
		return errEnvelope
	}
	for _, l := range ev.Locations {
		if l.Level == nil {
			return fmt.Errorf("location %q without a level", l.Location)
		}
	}
	r.events.add(rec, m.typ, ev.Sku, ev.Meta)
	for i, l := range ev.Locations {
		r.stock.add(rec, ev, &m, i, l)
	}
	r.changed = m.changed
	return nil
}

// ofGoods knows the changes that commands make; false: it is another.
func (m *movement) ofGoods(ev *eventv1.InventoryEvent) bool {
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		m.typ = "item_registered"
	case *eventv1.InventoryEvent_BackorderLimitSet:
		m.typ = "backorder_limit_set"
	case *eventv1.InventoryEvent_StockReceived:
		s := c.StockReceived
		m.typ, m.reason, m.reference = "stock_received", "received", s.Reference
		m.change(s.Location, onHand, s.Quantity)
		m.change(s.Location, available, s.Quantity)
		m.change(s.Location, incoming, -s.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		s := c.StockExpected
		m.typ, m.reference = "stock_expected", s.Reference
		m.change(s.Location, incoming, s.Delta)
	case *eventv1.InventoryEvent_StockMoved:
		s := c.StockMoved
		from, okFrom := states[s.From]
		to, okTo := states[s.To]
		if !okFrom || !okTo {
			return false
		}
		m.typ, m.reference = "stock_moved", s.Reference
		m.change(s.Location, from, -s.Quantity)
		m.change(s.Location, to, s.Quantity)
	case *eventv1.InventoryEvent_TransferShipped:
		t := c.TransferShipped
		m.typ, m.reference = "transfer_shipped", t.TransferId
		m.change(t.FromLocation, onHand, -t.Quantity)
		m.change(t.FromLocation, available, -t.Quantity)
		m.change(t.ToLocation, incoming, t.Quantity)
	case *eventv1.InventoryEvent_TransferReceived:
		t := c.TransferReceived
		m.typ, m.reference = "transfer_received", t.TransferId
		m.change(t.ToLocation, onHand, t.Quantity+t.Damaged)
		m.change(t.ToLocation, available, t.Quantity)
		m.change(t.ToLocation, damaged, t.Damaged)
		m.change(t.ToLocation, incoming, -t.Quantity-t.Damaged-t.Missing-t.Rejected)
		if t.Rejected > 0 {
			m.reason = "rejected"
			m.change(t.FromLocation, onHand, t.Rejected)
			m.change(t.FromLocation, qualityControl, t.Rejected)
		}
	case *eventv1.InventoryEvent_StockAdjusted:
		s := c.StockAdjusted
		m.typ, m.reason, m.reference = "stock_adjusted", reasons[s.Reason], s.Reference
		m.change(s.Location, onHand, s.Delta)
		m.change(s.Location, available, s.Delta)
	case *eventv1.InventoryEvent_StockCounted:
		s := c.StockCounted
		m.typ, m.reason, m.reference = "stock_counted", "cycle_count", s.Reference
		m.change(s.Location, onHand, s.Delta)
		m.change(s.Location, available, s.Delta)
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

// ofOrders knows the changes that orders make; false: the event is of a newer schema.
func (m *movement) ofOrders(ev *eventv1.InventoryEvent) bool {
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
		// What was found elsewhere is held there, and no longer where it was backordered.
		m.move(f.Reserved, available, reserved)
		m.move(f.Committed, available, committed)
		for _, a := range f.Reserved {
			m.change(f.Location, reserved, -a.Quantity)
			m.change(f.Location, available, a.Quantity)
		}
		for _, a := range f.Committed {
			m.change(f.Location, committed, -a.Quantity)
			m.change(f.Location, available, a.Quantity)
		}
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
		m.typ, m.orderID, m.reason = "stock_restocked", c.StockRestocked.GetStep().GetOrderId(), reasons[c.StockRestocked.Reason]
		for _, a := range c.StockRestocked.Allocations {
			m.change(a.Location, onHand, a.Quantity)
			m.change(a.Location, available, a.Quantity)
		}
		for _, a := range c.StockRestocked.Damaged {
			m.change(a.Location, onHand, a.Quantity)
			m.change(a.Location, damaged, a.Quantity)
		}
	default:
		return false
	}
	return true
}

func (r *stockRows) add(rec *eventlog.Record, ev *eventv1.InventoryEvent, m *movement, i int, l *eventv1.LocationLevel) {
	r.place.add(rec)
	r.line = append(r.line, uint32(i))
	r.typ = append(r.typ, m.typ)
	r.sku = append(r.sku, ev.Sku)
	r.version = append(r.version, ev.Meta.Version)
	r.location = append(r.location, l.Location)
	r.reason = append(r.reason, m.reason)
	r.orderID = append(r.orderID, m.orderID)
	r.reference = append(r.reference, m.reference)
	r.occurredAt = append(r.occurredAt, timeOf(ev.Meta.OccurredAtMicros))
	for i, d := range m.at(l.Location) {
		r.deltas[i] = append(r.deltas[i], d)
	}
	levels := [len(levelNames)]int64{
		l.Level.OnHand, l.Level.Available, l.Level.Reserved, l.Level.Committed,
		l.Level.SafetyStock, l.Level.Damaged, l.Level.QualityControl, l.Level.Incoming,
	}
	for i, level := range levels {
		r.levels[i] = append(r.levels[i], level)
	}
}
