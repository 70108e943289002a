package shard

import (
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// origin is what the events of one decision have in common: the command that a client sent, when it happened, and what
// caused it.
type origin struct {
	request
	occurredAt int64
	// dated: the client said when it happened, and what follows in other shards happened then too.
	dated bool
	cause eventv1.Cause
	// causation is the ID of the event that caused the next one.
	causation [16]byte
	// eventID is that of the first event; zero: any.
	eventID [16]byte
	// traceParent is the span of the request that led to the event; empty: nobody traces it.
	traceParent string
}

// request is what the events of a client's command say of it: its key, and who asked. Events of another cause say
// nothing of it. They may be written later, in another shard or after a restart, when nobody knows the request any
// more; what they say must not depend on that.
type request struct {
	key         string
	fingerprint [16]byte
	principal   Principal
}

// appendOrder writes an order's events into the batch and applies them to the state.
func (d *decider) appendOrder(e *checkpoint.Entry, evs []order.Event, from *origin) error {
	tp := d.orderPartition(e.Order.ID)
	deadline := checkpoint.DeadlineOf(&e.Order)
	for _, ev := range evs {
		m := d.meta(e.Order.Version+1, from)
		arena, ceType, err := codec.AppendOrder(d.batch.arena, e.Order.ID, &m, ev)
		if err != nil {
			return fmt.Errorf("encode an event of order %s: %w", e.Order.ID, err)
		}
		if err := d.batch.add(tp, e.Order.ID, d.batch.appended(arena), ceType, &m, from.traceParent); err != nil {
			return err
		}
		d.store.ApplyOrder(tp.Partition, e, &m, ev)
		from.causation = m.EventID
	}
	if at := checkpoint.DeadlineOf(&e.Order); at != deadline {
		d.deadlines.set(e.Order.ID, at)
	}
	return nil
}

// appendStock does the same for an item. res are the reservations that the events change, or nil. Where the item then
// lacks what was promised, orders lose it (INV-70).
func (d *decider) appendStock(
	it *inventory.Item, res *checkpoint.Reservations, evs []inventory.Event, from *origin,
) error {
	next := *from
	for i, ev := range evs {
		if _, fills := ev.Change.(inventory.BackorderFilled); fills {
			next.request, next.cause = request{}, eventv1.Cause_CAUSE_SAGA
			if err := d.appendFills(it, evs[i:], &next); err != nil {
				return err
			}
			break
		}
		id, err := d.appendStockEvent(it, res, ev, from)
		if err != nil {
			return err
		}
		next.causation = id
	}
	if !it.FallsShort() {
		return nil
	}
	next.request, next.cause = request{}, eventv1.Cause_CAUSE_SAGA
	return d.appendShortfall(it, &next)
}

// appendShortfall decides who loses what an item lacks, writes it, and tells those orders.
func (d *decider) appendShortfall(it *inventory.Item, from *origin) error {
	var err error
	evs := inventory.DecideShortfall(*it, d.store.Promised(it.SKU, &err))
	if err != nil {
		return err
	}
	for i := 0; i < len(evs); i++ {
		step, ofOrder := inventory.StepOf(evs[i].Change)
		fills := countFills(evs[i:])
		switch {
		case !ofOrder: // another safety stock
			from.causation, err = d.appendStockEvent(it, nil, evs[i], from)
		case fills > 0:
			err = d.appendFills(it, evs[i:i+fills], from)
			i += fills - 1
		default:
			err = d.appendToReservation(it, step.OrderID, evs[i], from)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countFills is how many events fill backorders, one after the other.
func countFills(evs []inventory.Event) int {
	n := slices.IndexFunc(evs, func(ev inventory.Event) bool {
		_, fills := ev.Change.(inventory.BackorderFilled)
		return !fills
	})
	if n < 0 {
		return len(evs)
	}
	return n
}

// appendFills writes the events that fill backorders. They change the reservations of other orders,
// and those orders are told.
func (d *decider) appendFills(it *inventory.Item, evs []inventory.Event, from *origin) error {
	waiting := it.Backorders
	it.Backorders = nil // not copied for each event
	for _, ev := range evs {
		step, _ := inventory.StepOf(ev.Change)
		if err := d.appendToReservation(it, step.OrderID, ev, from); err != nil {
			return err
		}
	}
	it.Backorders = inventory.AfterFills(waiting, evs)
	return nil
}

// appendToReservation writes an event that changes what an order waits for, and tells the order.
func (d *decider) appendToReservation(it *inventory.Item, orderID string, ev inventory.Event, from *origin) error {
	res, err := d.store.Reservations(orderID)
	if err != nil {
		return err
	}
	if from.causation, err = d.appendStockEvent(it, res, ev, from); err != nil {
		return err
	}
	cause := *from
	return d.tellBackorder(res.Of(it.SKU), &cause)
}

func (d *decider) appendStockEvent(
	it *inventory.Item, res *checkpoint.Reservations, ev inventory.Event, from *origin,
) (id [16]byte, err error) {
	m := d.meta(it.Version+1, from)
	arena, ceType, err := codec.AppendInventory(d.batch.arena, it.SKU, &m, ev)
	if err != nil {
		return id, fmt.Errorf("encode an event of SKU %s: %w", it.SKU, err)
	}
	tp := d.stockPartition(it.SKU)
	if err := d.batch.add(tp, it.SKU, d.batch.appended(arena), ceType, &m, from.traceParent); err != nil {
		return id, err
	}
	return m.EventID, d.store.ApplyStock(it, res, &m, ev)
}

func (d *decider) meta(version uint64, from *origin) codec.Meta {
	id := from.eventID
	if from.eventID = [16]byte{}; id == [16]byte{} {
		id = d.ids.next()
	}
	return codec.Meta{
		EventID: id, Version: version,
		OccurredAtMicros: from.occurredAt, RecordedAtMicros: d.batch.now,
		IdempotencyKey: from.key, Fingerprint: from.fingerprint,
		Cause: from.cause, CausationID: from.causation,
		Generation: d.layout.Generation, Shard: uint32(d.shard), Principal: from.principal,
	}
}
