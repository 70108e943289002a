package shard

import (
	"fmt"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// fillNotices are sent to orders of other shards whose backorders stock has filled, until those confirm, or are known
// never to have been written. They are in memory only: after an acquire the sweep sends all open reservations again.
type fillNotices struct {
	attempts map[fillKey]int // notices that are not confirmed, and how often each was sent
	due      schedule[fillKey]
}

type fillKey struct{ orderID, sku string }

func newFillNotices() fillNotices {
	return fillNotices{attempts: map[fillKey]int{}, due: newSchedule[fillKey]()}
}

// end ends a notice, if there is one.
func (f *fillNotices) end(k fillKey) {
	delete(f.attempts, k)
	f.due.set(k, 0)
}

// tellFilled tells an order how much of a SKU is still backordered: at once where the order is this shard's, again and
// again where it is not.
func (d *decider) tellFilled(res *checkpoint.Reservation, from *origin) error {
	if !d.foreign(res.OrderID) {
		return d.recordFill(res, from)
	}
	k := fillKey{res.OrderID, res.SKU}
	d.fills.attempts[k] = 0
	d.fills.due.set(k, d.batch.now)
	return nil
}

// recordFill records what is still backordered in an order of this shard.
func (d *decider) recordFill(res *checkpoint.Reservation, from *origin) error {
	e, err := d.store.Order(res.OrderID)
	if err != nil || e.Order.PlacedEventID != order.ID(res.PlacedEventID) {
		return err
	}
	if s := d.sagas.byOrder[e.Order.ID]; s != nil {
		if h, ok := s.answers[res.SKU]; ok {
			h.Backordered = res.Backordered
			s.answers[res.SKU] = h
		}
	}
	return d.writeFill(e, res.SKU, res.Version, res.Backordered, from)
}

func (d *decider) writeFill(e *checkpoint.Entry, sku string, version uint64, backordered int64, from *origin) error {
	evs, err := order.Decide(e.Order,
		order.RecordBackorder{SKU: sku, ReservationVersion: version, Backordered: backordered})
	if err != nil {
		return fmt.Errorf("order %s refuses a filled backorder, which its rules forbid: %w", e.Order.ID, err)
	}
	return d.appendOrder(e, evs, from)
}

// sendFillNotices sends new notices, and resends those that are not confirmed, as many as a batch may.
func (d *decider) sendFillNotices() error {
	due, now := &d.fills.due, d.batch.now
	for k, ok := due.first(now); ok && len(d.batch.onCommit) < maxUnsent; k, ok = due.first(now) {
		if err := d.sendFillNotice(k); err != nil {
			return err
		}
	}
	return nil
}

// sendFillNotice tells the reservation as it is now, once the current batch has committed.
func (d *decider) sendFillNotice(k fillKey) error {
	reservations, err := d.store.Reservations(k.orderID)
	if err != nil {
		return err
	}
	d.fills.attempts[k]++
	attempts := d.fills.attempts[k]
	if attempts > 1 {
		d.node.metrics.resends.Inc()
	}
	d.fills.due.set(k, 0)
	d.queryOnCommit(reservations.Of(k.sku))
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
		if d.fills.attempts[k] != attempts {
			return // there is a newer notice, or it was confirmed
		}
		wait := d.sagas.answerTimes[d.shardOf(k.orderID)].wait(attempts)
		d.fills.due.set(k, d.wallMicros()+wait.Microseconds())
	})
	return nil
}

// decideFillNotice records what another shard's stock has filled, and confirms once the order knows.
func (d *decider) decideFillNotice(
	e *checkpoint.Entry, q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse),
) error {
	from := origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_SAGA}
	if err := d.writeFill(e, q.Sku, q.Version, q.Held.Backordered, &from); err != nil {
		return err
	}
	// An order that waits for its outcome cannot record the fill yet, and is told again. One whose step is newer learns
	// of it with the answer to that step.
	current := q.Version == e.Order.ReservationVersion
	if e.Order.Lifecycle == order.Placed || current && e.Order.Backordered(q.Sku) > q.Held.Backordered ||
		q.Version > e.Order.ReservationVersion {
		return nil
	}
	resp := &peerv1.OrderQueryResponse{
		SourceShard: q.SourceShard, TargetShard: q.TargetShard, OrderId: q.OrderId,
		BackorderKnown: true, Sku: q.Sku, Backordered: q.Held.Backordered,
	}
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) { reply(resp) })
	return nil
}

// confirmFill ends a notice, unless more has been filled since.
func (d *decider) confirmFill(resp *peerv1.OrderQueryResponse) error {
	k := fillKey{resp.OrderId, resp.Sku}
	if _, ok := d.fills.attempts[k]; !ok {
		return nil
	}
	reservations, err := d.store.Reservations(resp.OrderId)
	if err != nil {
		return err
	}
	if reservations.Of(resp.Sku).Backordered == resp.Backordered {
		d.fills.end(k)
	}
	return nil
}
