package stockledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/pkg/asof"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ItemAllocation is what an order has of an item, by location, in the order in which the locations came in.
type ItemAllocation struct {
	SKU       string       `json:"sku"`
	Locations []Allocation `json:"locations"`
}

// Allocation is what an order has of an item at a location, in units.
type Allocation struct {
	Location string `json:"location"`
	// Reserved and Committed are promised to the order and have not left. Backordered is how much of both is not there.
	Reserved    int64 `json:"reserved"`
	Committed   int64 `json:"committed"`
	Backordered int64 `json:"backordered"`
	// Shipped has left from here, with what came back since.
	Shipped int64 `json:"shipped"`
	// Restocked and Damaged came back to here.
	Restocked int64 `json:"restocked"`
	Damaged   int64 `json:"damaged"`
}

// Allocations returns what an order had at a moment, by SKU. It is empty for an order that stock has not seen.
func (s *Store) Allocations(ctx context.Context, orderID string, m *asof.Moment) (items []ItemAllocation, err error) {
	r, err := s.read()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	keys, err := r.db.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("read the stock ledger: %w", err)
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	prefix := itemPrefix(nil, keyOrder, orderID)
	var of reservation // of the SKU at the iterator
	add := func() {
		if locations := of.shown(); len(locations) > 0 {
			items = append(items, ItemAllocation{of.sku, locations})
		}
	}
	for ok := keys.SeekGE(prefix); ok && bytes.HasPrefix(keys.Key(), prefix); ok = keys.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sku, offset := skuAndOffset(keys.Key()[len(prefix):])
		if sku != of.sku {
			add()
			of = reservation{sku: sku}
		}
		if err := r.foldEvent(&of, offset, m); err != nil {
			return nil, err
		}
	}
	add()
	if err := keys.Error(); err != nil {
		return nil, fmt.Errorf("read the stock ledger: %w", err)
	}
	return items, nil
}

// foldEvent folds the event at an offset into the reservation that it changes, up to the first that does not count at
// the moment.
func (r *reader) foldEvent(of *reservation, offset int64, m *asof.Moment) error {
	key := offsetKey(nil, keyEvent, of.sku, offset)
	if of.ended {
		return nil
	}
	if !r.it.SeekGE(key) || !bytes.Equal(r.it.Key(), key) {
		return errors.Join(r.error(), fmt.Errorf("the stock ledger lacks offset %d of %s; delete its folder, "+
			"it is built again", offset, of.sku))
	}
	e, err := r.event()
	if err != nil {
		return err
	}
	defer e.ReturnToVTPool() // the reservation keeps only strings of it
	if !m.IsNow() && !m.Has(&asof.Event{
		TopicPartition: r.partition(of.sku), Offset: e.offset, RecordedMicros: e.recorded,
		OccurredMicros: e.Meta.OccurredAtMicros,
	}) {
		of.ended = true
		return nil
	}
	of.apply(e.InventoryEvent)
	return nil
}

// reservation is what an order has of an item, as a fold of the item's events.
type reservation struct {
	sku    string
	placed string // the ID of the event that placed the order
	at     []Allocation
	ended  bool // the next events do not count
}

func (r *reservation) shown() []Allocation {
	return slices.DeleteFunc(r.at, func(a Allocation) bool { return a == Allocation{Location: a.Location} })
}

// apply folds the item's next event that answers a step of the order, or changes what it waits for.
func (r *reservation) apply(ev *eventv1.InventoryEvent) {
	if placed := string(reservationOf(ev).GetPlacedEventId()); placed != r.placed {
		if ev.GetBackorderFilled() != nil || ev.GetReservationFellShort() != nil {
			return // it is of a former placement
		}
		r.placed, r.at = placed, nil // a step of another placement begins anew
	}
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		r.add(c.StockReserved.Allocations, func(a *Allocation, n int64) { a.Reserved += n })
	case *eventv1.InventoryEvent_StockBackordered:
		r.add(c.StockBackordered.Allocations, func(a *Allocation, n int64) { a.Reserved += n })
		if first := c.StockBackordered.Allocations; len(first) > 0 {
			r.at[r.find(first[0].Location)].Backordered += c.StockBackordered.Backordered
		}
	case *eventv1.InventoryEvent_ReservationCommitted:
		r.change(c.ReservationCommitted.Allocations, func(a *Allocation, n int64) { a.Reserved -= n; a.Committed += n })
	case *eventv1.InventoryEvent_ReservationReleased:
		r.change(c.ReservationReleased.FromReserved, func(a *Allocation, n int64) { a.Reserved -= n; a.fill(n) })
		r.change(c.ReservationReleased.FromCommitted, func(a *Allocation, n int64) { a.Committed -= n; a.fill(n) })
	case *eventv1.InventoryEvent_StockFulfilled:
		r.change(c.StockFulfilled.FromReserved, func(a *Allocation, n int64) { a.Reserved -= n; a.Shipped += n })
		r.change(c.StockFulfilled.FromCommitted, func(a *Allocation, n int64) { a.Committed -= n; a.Shipped += n })
		r.add(c.StockFulfilled.FromAvailable, func(a *Allocation, n int64) { a.Shipped += n })
	case *eventv1.InventoryEvent_StockRestocked:
		r.add(c.StockRestocked.Allocations, func(a *Allocation, n int64) { a.Restocked += n })
		r.add(c.StockRestocked.Damaged, func(a *Allocation, n int64) { a.Damaged += n })
	case *eventv1.InventoryEvent_BackorderFilled:
		f := c.BackorderFilled
		r.move(f.Location, f.Backordered, f.Reserved, f.Committed)
	case *eventv1.InventoryEvent_ReservationFellShort:
		f := c.ReservationFellShort
		r.move(f.Location, f.Backordered, f.Reserved, f.Committed)
	}
	for k := range r.at { // what has left is waited for no more
		a := &r.at[k]
		a.Backordered = min(a.Backordered, a.Reserved+a.Committed)
	}
}

// fill takes units off what is backordered.
func (a *Allocation) fill(units int64) { a.Backordered = max(0, a.Backordered-units) }

// find is the place of a location; -1: the order has nothing there.
func (r *reservation) find(location string) int {
	return slices.IndexFunc(r.at, func(a Allocation) bool { return a.Location == location })
}

// add changes what the order has at locations, and gives it those that it does not have yet.
func (r *reservation) add(at []*eventv1.Allocation, apply func(*Allocation, int64)) {
	for _, a := range at {
		k := r.find(a.Location)
		if k < 0 {
			k = len(r.at)
			r.at = append(r.at, Allocation{Location: a.Location})
		}
		apply(&r.at[k], a.Quantity)
	}
}

// change is add at locations that the order has. Others belong to a former placement.
func (r *reservation) change(at []*eventv1.Allocation, apply func(*Allocation, int64)) {
	for _, a := range at {
		if k := r.find(a.Location); k >= 0 {
			apply(&r.at[k], a.Quantity)
		}
	}
}

// move says what the order waits for at a location, and what it has at others instead of there.
func (r *reservation) move(location string, backordered int64, reserved, committed []*eventv1.Allocation) {
	if k := r.find(location); k >= 0 {
		from := &r.at[k]
		from.Backordered = backordered
		for _, a := range reserved {
			from.Reserved -= a.Quantity
		}
		for _, a := range committed {
			from.Committed -= a.Quantity
		}
	}
	r.add(reserved, func(a *Allocation, n int64) { a.Reserved += n })
	r.add(committed, func(a *Allocation, n int64) { a.Committed += n })
}

// reservationOf is the order's step that an event answers, or whose reservation it changes; nil: none.
func reservationOf(ev *eventv1.InventoryEvent) *eventv1.ReservationStep {
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		return c.StockReserved.Step
	case *eventv1.InventoryEvent_StockBackordered:
		return c.StockBackordered.Step
	case *eventv1.InventoryEvent_ReservationRejected:
		return c.ReservationRejected.Step
	case *eventv1.InventoryEvent_ReservationCommitted:
		return c.ReservationCommitted.Step
	case *eventv1.InventoryEvent_ReservationReleased:
		return c.ReservationReleased.Step
	case *eventv1.InventoryEvent_StockFulfilled:
		return c.StockFulfilled.Step
	case *eventv1.InventoryEvent_StockRestocked:
		return c.StockRestocked.Step
	case *eventv1.InventoryEvent_BackorderFilled:
		return c.BackorderFilled.Step
	case *eventv1.InventoryEvent_ReservationFellShort:
		return c.ReservationFellShort.Step
	}
	return nil
}
