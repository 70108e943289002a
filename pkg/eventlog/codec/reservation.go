package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setReservation fills the change of an order's step and returns its CloudEvents type, "" for an unknown change.
func (s *inventoryScratch) setReservation(change inventory.Change) string {
	e := &s.event
	switch c := change.(type) {
	case inventory.StockReserved:
		e.Change = &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Allocations: toAllocations(c.Allocations),
			ShipsAgain: c.ShipsAgain,
		}}
		return "holdfast.stock_reserved.v1"
	case inventory.StockBackordered:
		e.Change = &eventv1.InventoryEvent_StockBackordered{StockBackordered: &eventv1.StockBackordered{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Backordered: c.Backordered, Allocations: toAllocations(c.Allocations),
			ShipsAgain: c.ShipsAgain,
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
			Backordered: toAllocations(c.Backordered),
		}}
		return "holdfast.stock_fulfilled.v1"
	case inventory.StockRestocked:
		e.Change = &eventv1.InventoryEvent_StockRestocked{StockRestocked: &eventv1.StockRestocked{
			Step: s.useStep(c.Step), Quantity: c.Quantity, Reason: eventv1.Reason(c.Reason),
			Allocations: toAllocations(c.Allocations), Damaged: toAllocations(c.Damaged),
			ReturnedAt: ToReturnedAt(c.ReturnedAt), Reversed: ToReversed(c.Reversed),
		}}
		return "holdfast.stock_restocked.v1"
	case inventory.BackorderFilled:
		e.Change = &eventv1.InventoryEvent_BackorderFilled{BackorderFilled: &eventv1.BackorderFilled{
			Step: s.useStep(c.Step), Location: c.Location, Quantity: c.Quantity, Backordered: c.Backordered,
			Reserved: toAllocations(c.Reserved), Committed: toAllocations(c.Committed),
		}}
		return "holdfast.backorder_filled.v1"
	case inventory.ReservationFellShort:
		e.Change = &eventv1.InventoryEvent_ReservationFellShort{ReservationFellShort: &eventv1.ReservationFellShort{
			Step: s.useStep(c.Step), Location: c.Location, Quantity: c.Quantity, Backordered: c.Backordered,
			Reserved: toAllocations(c.Reserved), Committed: toAllocations(c.Committed),
		}}
		return "holdfast.reservation_fell_short.v1"
	}
	return ""
}

// readReservation is the inverse of setReservation. It fails for an unknown change.
func readReservation(e *eventv1.InventoryEvent) (inventory.Change, error) {
	switch c := e.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		p := c.StockReserved
		step, err := readStep(p.Step)
		return inventory.StockReserved{
			Step: step, Quantity: p.Quantity, Allocations: fromAllocations(p.Allocations), ShipsAgain: p.ShipsAgain,
		}, err
	case *eventv1.InventoryEvent_StockBackordered:
		p := c.StockBackordered
		step, err := readStep(p.Step)
		return inventory.StockBackordered{
			Step: step, Quantity: p.Quantity, Backordered: p.Backordered, Allocations: fromAllocations(p.Allocations),
			ShipsAgain: p.ShipsAgain,
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
		return inventory.ReservationCommitted{Step: step, Quantity: p.Quantity,
			Allocations: fromAllocations(p.Allocations)}, err
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
			Backordered: fromAllocations(p.Backordered),
		}, err
	case *eventv1.InventoryEvent_StockRestocked:
		p := c.StockRestocked
		step, err := readStep(p.Step)
		return inventory.StockRestocked{
			Step: step, Quantity: p.Quantity, Allocations: fromAllocations(p.Allocations), Reason: inventory.Reason(p.Reason),
			Damaged: fromAllocations(p.Damaged), ReturnedAt: FromReturnedAt(p.ReturnedAt), Reversed: FromReversed(p.Reversed),
		}, err
	case *eventv1.InventoryEvent_BackorderFilled:
		p := c.BackorderFilled
		step, err := readStep(p.Step)
		return inventory.BackorderFilled{
			Step: step, Location: p.Location, Quantity: p.Quantity, Backordered: p.Backordered,
			Reserved: fromAllocations(p.Reserved), Committed: fromAllocations(p.Committed),
		}, err
	case *eventv1.InventoryEvent_ReservationFellShort:
		p := c.ReservationFellShort
		step, err := readStep(p.Step)
		return inventory.ReservationFellShort{
			Step: step, Location: p.Location, Quantity: p.Quantity, Backordered: p.Backordered,
			Reserved: fromAllocations(p.Reserved), Committed: fromAllocations(p.Committed),
		}, err
	}
	return nil, incomplete("change", "missing, or one that this version does not know")
}

// useStep fills the step's message in s.
func (s *inventoryScratch) useStep(step inventory.Step) *eventv1.ReservationStep {
	s.placed = step.PlacedEventID
	s.step.OrderId, s.step.PlacedEventId, s.step.Version = step.OrderID, s.placed[:], step.Version
	s.step.Allocation = toStockRule(step.Allocation)
	return &s.step
}

func readStep(p *eventv1.ReservationStep) (inventory.Step, error) {
	if p == nil {
		return inventory.Step{}, incomplete("step", "missing")
	}
	step := inventory.Step{OrderID: p.OrderId, Version: p.Version, Allocation: FromStockRule(p.Allocation)}
	err := readID((*[16]byte)(&step.PlacedEventID), p.PlacedEventId, "step.placed_event_id", false)
	return step, err
}

func toAllocations(allocations []inventory.Allocation) []*eventv1.Allocation {
	return messages(allocations, func(m *eventv1.Allocation, a *inventory.Allocation) {
		m.Location, m.Quantity = a.Location, a.Quantity
	})
}

func fromAllocations(allocations []*eventv1.Allocation) []inventory.Allocation {
	return values(allocations, func(a *eventv1.Allocation) inventory.Allocation {
		return inventory.Allocation{Location: a.Location, Quantity: a.Quantity}
	})
}

// ToReturnedAt makes messages of what came back to locations that were named for it.
func ToReturnedAt(at []inventory.ReturnedAt) []*eventv1.ReturnedAt {
	return messages(at, func(m *eventv1.ReturnedAt, r *inventory.ReturnedAt) {
		m.Location, m.Restocked, m.Damaged = r.Location, r.Restocked, r.Damaged
	})
}

// FromReturnedAt is the inverse of ToReturnedAt.
func FromReturnedAt(at []*eventv1.ReturnedAt) []inventory.ReturnedAt {
	return values(at, func(r *eventv1.ReturnedAt) inventory.ReturnedAt {
		return inventory.ReturnedAt{Location: r.Location, Restocked: r.Restocked, Damaged: r.Damaged}
	})
}

// ToReversed makes messages of the shipments that were taken back.
func ToReversed(reversed []inventory.Reversed) []*eventv1.ReversedShipment {
	return messages(reversed, func(m *eventv1.ReversedShipment, r *inventory.Reversed) {
		m.Version, m.Quantity = r.Version, r.Quantity
	})
}

// FromReversed is the inverse of ToReversed.
func FromReversed(reversed []*eventv1.ReversedShipment) []inventory.Reversed {
	return values(reversed, func(r *eventv1.ReversedShipment) inventory.Reversed {
		return inventory.Reversed{Version: r.Version, Quantity: r.Quantity}
	})
}
