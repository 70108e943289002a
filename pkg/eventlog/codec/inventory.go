package codec

import (
	"fmt"
	"sync"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// inventoryScratch is all that most inventory events need. It is used again for the next event: nothing of an
// encoded message outlives its encoding.
type inventoryScratch struct {
	event     eventv1.InventoryEvent
	meta      eventv1.Meta
	total     eventv1.Level
	locations locationScratch
	step      eventv1.ReservationStep
	// placed and metaIDs keep the bytes that step and meta point to.
	placed  inventory.ID
	metaIDs Meta
}

var inventoryScratches = sync.Pool{New: func() any { return new(inventoryScratch) }}

// AppendInventory appends the record value of an item's event to dst, and names its CloudEvents type
// ("holdfast.stock_reserved.v1"). It fails for a change that the schema does not know.
func AppendInventory(dst []byte, sku string, m *Meta, ev inventory.Event) (value []byte, ceType string, err error) {
	s := inventoryScratches.Get().(*inventoryScratch)
	defer inventoryScratches.Put(s)
	s.metaIDs = *m
	fillMeta(&s.meta, &s.metaIDs)
	fillLevel(&s.total, &ev.Total)
	s.event.Meta, s.event.Sku, s.event.Total = &s.meta, sku, &s.total
	s.event.Locations = s.locations.fill(ev.Locations)
	if ceType = s.setStock(ev.Change); ceType == "" {
		ceType = s.setReservation(ev.Change)
	}
	if ceType == "" {
		return dst, "", incomplete("inventory event", fmt.Sprintf("no change in the schema for %T", ev.Change))
	}
	value, err = appendMessage(dst, &s.event)
	return value, ceType, err
}

// setStock fills the change of a stock command and returns its CloudEvents type, "" for another one.
func (s *inventoryScratch) setStock(change inventory.Change) string {
	e := &s.event
	switch c := change.(type) {
	case inventory.ItemRegistered:
		e.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{Description: c.Description}}
		return "holdfast.item_registered.v1"
	case inventory.StockReceived:
		e.Change = &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{
			Location: c.Location, Quantity: c.Quantity, Reference: c.Reference, Expected: c.Expected,
		}}
		return "holdfast.stock_received.v1"
	case inventory.StockMoved:
		e.Change = &eventv1.InventoryEvent_StockMoved{StockMoved: &eventv1.StockMoved{
			Location: c.Location, From: eventv1.StockState(c.From), To: eventv1.StockState(c.To), Quantity: c.Quantity, Reference: c.Reference,
		}}
		return "holdfast.stock_moved.v1"
	case inventory.StockExpected:
		e.Change = &eventv1.InventoryEvent_StockExpected{StockExpected: &eventv1.StockExpected{
			Location: c.Location, Quantity: c.Quantity, Delta: c.Delta, Reference: c.Reference,
		}}
		return "holdfast.stock_expected.v1"
	case inventory.TransferShipped:
		e.Change = &eventv1.InventoryEvent_TransferShipped{TransferShipped: &eventv1.TransferShipped{
			TransferId: c.TransferID, FromLocation: c.FromLocation, ToLocation: c.ToLocation, Quantity: c.Quantity, Reference: c.Reference,
		}}
		return "holdfast.transfer_shipped.v1"
	case inventory.TransferReceived:
		e.Change = &eventv1.InventoryEvent_TransferReceived{TransferReceived: &eventv1.TransferReceived{
			TransferId: c.TransferID, FromLocation: c.FromLocation, ToLocation: c.ToLocation,
			Quantity: c.Quantity, Missing: c.Missing, Damaged: c.Damaged, Rejected: c.Rejected, Reason: c.Reason,
		}}
		return "holdfast.transfer_received.v1"
	case inventory.StockAdjusted:
		e.Change = &eventv1.InventoryEvent_StockAdjusted{StockAdjusted: &eventv1.StockAdjusted{
			Location: c.Location, Delta: c.Delta, Reason: eventv1.Reason(c.Reason), Reference: c.Reference,
		}}
		return "holdfast.stock_adjusted.v1"
	case inventory.StockCounted:
		e.Change = &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{
			Location: c.Location, Counted: c.Counted, Delta: c.Delta, Reference: c.Reference, CountedAtVersion: c.CountedAtVersion,
		}}
		return "holdfast.stock_counted.v1"
	case inventory.SafetyStockSet:
		e.Change = &eventv1.InventoryEvent_SafetyStockSet{SafetyStockSet: &eventv1.SafetyStockSet{
			Location: c.Location, Quantity: c.Quantity, Delta: c.Delta,
		}}
		return "holdfast.safety_stock_set.v1"
	case inventory.BackorderLimitSet:
		e.Change = &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: c.Limit}}
		return "holdfast.backorder_limit_set.v1"
	}
	return ""
}

// setReservation fills the change of an order's step and returns its CloudEvents type, "" for an unknown one.
func (s *inventoryScratch) setReservation(change inventory.Change) string {
	e := &s.event
	switch c := change.(type) {
	case inventory.StockReserved:
		e.Change = &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Allocations: toAllocations(c.Allocations),
		}}
		return "holdfast.stock_reserved.v1"
	case inventory.StockBackordered:
		e.Change = &eventv1.InventoryEvent_StockBackordered{StockBackordered: &eventv1.StockBackordered{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Backordered: c.Backordered, Allocations: toAllocations(c.Allocations),
		}}
		return "holdfast.stock_backordered.v1"
	case inventory.ReservationRejected:
		e.Change = &eventv1.InventoryEvent_ReservationRejected{ReservationRejected: &eventv1.ReservationRejected{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Available: c.Available, Reason: eventv1.RejectionReason(c.Reason),
		}}
		return "holdfast.reservation_rejected.v1"
	case inventory.ReservationCommitted:
		e.Change = &eventv1.InventoryEvent_ReservationCommitted{ReservationCommitted: &eventv1.ReservationCommitted{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Allocations: toAllocations(c.Allocations),
		}}
		return "holdfast.reservation_committed.v1"
	case inventory.ReservationReleased:
		e.Change = &eventv1.InventoryEvent_ReservationReleased{ReservationReleased: &eventv1.ReservationReleased{
			Step: s.useStep(c.Step), Quantity: c.Quantity,
			FromReserved: toAllocations(c.FromReserved), FromCommitted: toAllocations(c.FromCommitted),
		}}
		return "holdfast.reservation_released.v1"
	case inventory.StockFulfilled:
		e.Change = &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{
			Step: s.useStep(c.Step), Quantity: c.Quantity, FromReserved: toAllocations(c.FromReserved),
			FromCommitted: toAllocations(c.FromCommitted), FromAvailable: toAllocations(c.FromAvailable),
		}}
		return "holdfast.stock_fulfilled.v1"
	case inventory.StockRestocked:
		e.Change = &eventv1.InventoryEvent_StockRestocked{StockRestocked: &eventv1.StockRestocked{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Allocations: toAllocations(c.Allocations), Reason: eventv1.Reason(c.Reason),
			Damaged: toAllocations(c.Damaged), ReturnedAt: ToReturnedAt(c.ReturnedAt),
		}}
		return "holdfast.stock_restocked.v1"
	case inventory.BackorderFilled:
		e.Change = &eventv1.InventoryEvent_BackorderFilled{BackorderFilled: &eventv1.BackorderFilled{
			Step: s.useStep(c.Step), Location: c.Location, Quantity: c.Quantity, Backordered: c.Backordered,
			Reserved: toAllocations(c.Reserved), Committed: toAllocations(c.Committed),
		}}
		return "holdfast.backorder_filled.v1"
	}
	return ""
}

func (s *inventoryScratch) useStep(step inventory.Step) *eventv1.ReservationStep {
	s.placed = step.PlacedEventID
	s.step.OrderId, s.step.PlacedEventId, s.step.Version = step.OrderID, s.placed[:], step.Version
	s.step.Allocation = toStockRule(step.Allocation)
	return &s.step
}

// DecodeInventory reads a record value of inventory.events. Errors wrap ErrMalformed or ErrIncomplete.
func DecodeInventory(value []byte) (sku string, m Meta, ev inventory.Event, err error) {
	var e eventv1.InventoryEvent
	if err := schema.ReadInventory(value, &e); err != nil {
		return "", Meta{}, inventory.Event{}, unreadable("inventory event", err)
	}
	if m, ev, err = readInventory(&e); err != nil {
		return "", Meta{}, inventory.Event{}, fmt.Errorf("inventory event: %w", err)
	}
	return e.Sku, m, ev, nil
}

func readInventory(e *eventv1.InventoryEvent) (m Meta, ev inventory.Event, err error) {
	if m, err = readMeta(e.Meta); err != nil {
		return m, ev, err
	}
	if e.Total == nil {
		return m, ev, incomplete("total", "missing")
	}
	ev.Total = readLevel(e.Total)
	if ev.Locations, err = fromLocations(e.Locations); err != nil {
		return m, ev, err
	}
	if ev.Change = stockChange(e); ev.Change != nil {
		return m, ev, nil
	}
	ev.Change, err = reservationChange(e)
	return m, ev, err
}

// stockChange returns the change of a stock command, nil for another one.
func stockChange(e *eventv1.InventoryEvent) inventory.Change {
	switch c := e.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		return inventory.ItemRegistered{Description: c.ItemRegistered.Description}
	case *eventv1.InventoryEvent_StockReceived:
		p := c.StockReceived
		return inventory.StockReceived{Location: p.Location, Quantity: p.Quantity, Reference: p.Reference, Expected: p.Expected}
	case *eventv1.InventoryEvent_StockMoved:
		p := c.StockMoved
		return inventory.StockMoved{
			Location: p.Location, From: inventory.State(p.From), To: inventory.State(p.To), Quantity: p.Quantity, Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_StockExpected:
		p := c.StockExpected
		return inventory.StockExpected{Location: p.Location, Quantity: p.Quantity, Delta: p.Delta, Reference: p.Reference}
	case *eventv1.InventoryEvent_TransferShipped:
		p := c.TransferShipped
		return inventory.TransferShipped{
			TransferID: p.TransferId, FromLocation: p.FromLocation, ToLocation: p.ToLocation, Quantity: p.Quantity, Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_TransferReceived:
		p := c.TransferReceived
		return inventory.TransferReceived{
			TransferID: p.TransferId, FromLocation: p.FromLocation, ToLocation: p.ToLocation,
			Quantity: p.Quantity, Missing: p.Missing, Damaged: p.Damaged, Rejected: p.Rejected, Reason: p.Reason,
		}
	case *eventv1.InventoryEvent_StockAdjusted:
		p := c.StockAdjusted
		return inventory.StockAdjusted{
			Location: p.Location, Delta: p.Delta, Reason: inventory.Reason(p.Reason), Reference: p.Reference,
		}
	case *eventv1.InventoryEvent_StockCounted:
		p := c.StockCounted
		return inventory.StockCounted{
			Location: p.Location, Counted: p.Counted, Delta: p.Delta, Reference: p.Reference, CountedAtVersion: p.CountedAtVersion,
		}
	case *eventv1.InventoryEvent_SafetyStockSet:
		p := c.SafetyStockSet
		return inventory.SafetyStockSet{Location: p.Location, Quantity: p.Quantity, Delta: p.Delta}
	case *eventv1.InventoryEvent_BackorderLimitSet:
		return inventory.BackorderLimitSet{Limit: c.BackorderLimitSet.Limit}
	}
	return nil
}

// reservationChange returns the change of an order's step.
func reservationChange(e *eventv1.InventoryEvent) (inventory.Change, error) {
	switch c := e.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		p := c.StockReserved
		step, err := readStep(p.Step)
		return inventory.StockReserved{Step: step, Quantity: p.Quantity, Allocations: fromAllocations(p.Allocations)}, err
	case *eventv1.InventoryEvent_StockBackordered:
		p := c.StockBackordered
		step, err := readStep(p.Step)
		return inventory.StockBackordered{
			Step: step, Quantity: p.Quantity, Backordered: p.Backordered, Allocations: fromAllocations(p.Allocations),
		}, err
	case *eventv1.InventoryEvent_ReservationRejected:
		p := c.ReservationRejected
		step, err := readStep(p.Step)
		return inventory.ReservationRejected{
			Step: step, Quantity: p.Quantity, Available: p.Available, Reason: inventory.RejectionReason(p.Reason),
		}, err
	case *eventv1.InventoryEvent_ReservationCommitted:
		p := c.ReservationCommitted
		step, err := readStep(p.Step)
		return inventory.ReservationCommitted{Step: step, Quantity: p.Quantity, Allocations: fromAllocations(p.Allocations)}, err
	case *eventv1.InventoryEvent_ReservationReleased:
		p := c.ReservationReleased
		step, err := readStep(p.Step)
		return inventory.ReservationReleased{
			Step: step, Quantity: p.Quantity,
			FromReserved: fromAllocations(p.FromReserved), FromCommitted: fromAllocations(p.FromCommitted),
		}, err
	case *eventv1.InventoryEvent_StockFulfilled:
		p := c.StockFulfilled
		step, err := readStep(p.Step)
		return inventory.StockFulfilled{
			Step: step, Quantity: p.Quantity, FromReserved: fromAllocations(p.FromReserved),
			FromCommitted: fromAllocations(p.FromCommitted), FromAvailable: fromAllocations(p.FromAvailable),
		}, err
	case *eventv1.InventoryEvent_StockRestocked:
		p := c.StockRestocked
		step, err := readStep(p.Step)
		return inventory.StockRestocked{
			Step: step, Quantity: p.Quantity, Allocations: fromAllocations(p.Allocations), Reason: inventory.Reason(p.Reason),
			Damaged: fromAllocations(p.Damaged), ReturnedAt: FromReturnedAt(p.ReturnedAt),
		}, err
	case *eventv1.InventoryEvent_BackorderFilled:
		p := c.BackorderFilled
		step, err := readStep(p.Step)
		return inventory.BackorderFilled{
			Step: step, Location: p.Location, Quantity: p.Quantity, Backordered: p.Backordered,
			Reserved: fromAllocations(p.Reserved), Committed: fromAllocations(p.Committed),
		}, err
	}
	return nil, incomplete("change", "missing, or one that this version does not know")
}

func readStep(p *eventv1.ReservationStep) (inventory.Step, error) {
	if p == nil {
		return inventory.Step{}, incomplete("step", "missing")
	}
	step := inventory.Step{OrderID: p.OrderId, Version: p.Version, Allocation: FromStockRule(p.Allocation)}
	err := readID((*[16]byte)(&step.PlacedEventID), p.PlacedEventId, "step.placed_event_id", false)
	return step, err
}
