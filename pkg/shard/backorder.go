package shard

import (
	"fmt"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// backorderNotices are sent to orders of other shards of which stock has filled backorders, or that have lost stock to
// a shortfall, until those confirm, or are known never to have been written. They are in memory only: after an acquire
// the sweep sends all open reservations again.
type backorderNotices struct {
	attempts map[backorderKey]int // notices that are not confirmed, and how often each was sent
	due      schedule[backorderKey]
}

type backorderKey struct{ orderID, sku string }

func newBackorderNotices() backorderNotices {
	return backorderNotices{attempts: map[backorderKey]int{}, due: newSchedule[backorderKey]()}
}

// end ends a notice, if there is one.
func (f *backorderNotices) end(k backorderKey) {
	delete(f.attempts, k)
	f.due.set(k, 0)
}

// tellBackorder tells an order how much of a SKU is still backordered: at once where the order is this shard's, again
// and again where it is not.
func (d *decider) tellBackorder(res *checkpoint.Reservation, from *origin) error {
	if !d.foreign(res.OrderID) {
		return d.recordBackorder(res, from)
	}
	k := backorderKey{res.OrderID, res.SKU}
	d.notices.attempts[k] = 0
	d.notices.due.set(k, d.batch.now)
	return nil
}

// recordBackorder records what is still backordered in an order of this shard.
func (d *decider) recordBackorder(res *checkpoint.Reservation, from *origin) error {
	e, err := d.store.Order(res.OrderID)
	if err != nil || e.Order.PlacedEventID != order.ID(res.PlacedEventID) {
		return err
	}
	if s := d.sagas.byOrder[e.Order.ID]; s != nil {
		if h, ok := s.answers[res.SKU]; ok {
			h.Backordered, h.BackorderVersion = res.Backordered, res.BackorderVersion
			s.answers[res.SKU] = h
		}
	}
	return d.writeBackorder(e, order.RecordBackorder{
		SKU: res.SKU, ReservationVersion: res.Version, Backordered: res.Backordered, StockVersion: res.BackorderVersion,
	}, from)
}

func (d *decider) writeBackorder(e *checkpoint.Entry, news order.RecordBackorder, from *origin) error {
	evs, err := order.Decide(e.Order, news)
	if err != nil {
		return fmt.Errorf("order %s refuses news of a backorder, which its rules forbid: %w", e.Order.ID, err)
	}
	return d.appendOrder(e, evs, from)
}

// sendBackorderNotices sends new notices, and resends those that are not confirmed, as many as a batch may.
func (d *decider) sendBackorderNotices() error {
	due, now := &d.notices.due, d.batch.now
	for k, ok := due.first(now); ok && len(d.batch.onCommit) < maxUnsent; k, ok = due.first(now) {
		if err := d.sendBackorderNotice(k); err != nil {
			return err
		}
	}
	return nil
}

// sendBackorderNotice tells the reservation as it is now, once the current batch has committed.
func (d *decider) sendBackorderNotice(k backorderKey) error {
	reservations, err := d.store.Reservations(k.orderID)
	if err != nil {
		return err
	}
	d.notices.attempts[k]++
	attempts := d.notices.attempts[k]
	if attempts > 1 {
		d.node.metrics.resends.Inc()
	}
	d.notices.due.set(k, 0)
	d.queryOnCommit(reservations.Of(k.sku))
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
		if d.notices.attempts[k] != attempts {
			return // there is a newer notice, or it was confirmed
		}
		wait := d.sagas.answerTimes[d.shardOf(k.orderID)].wait(attempts)
		d.notices.due.set(k, d.wallMicros()+wait.Microseconds())
	})
	return nil
}

// decideBackorderNotice records what of an order is backordered in another shard's stock, and confirms once the order
// knows.
func (d *decider) decideBackorderNotice(
	e *checkpoint.Entry, q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse),
) error {
	from := origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_SAGA}
	news := order.RecordBackorder{
		SKU: q.Sku, ReservationVersion: q.Version, Backordered: q.Held.Backordered, StockVersion: q.Held.BackorderVersion,
	}
	if err := d.writeBackorder(e, news, &from); err != nil {
		return err
	}
	// An order that waits for its outcome cannot record the news yet, and is told again. One whose step is newer learns
	// of it with the answer to that step.
	current := q.Version == e.Order.ReservationVersion
	if e.Order.Lifecycle == order.Placed || current && e.Order.Backordered(q.Sku) != q.Held.Backordered ||
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

// confirmBackorder ends a notice if the order knows what is backordered now. Otherwise it is told again: more may have
// changed since, or what it has just recorded was an old message, of a time between two changes that make no
// difference.
func (d *decider) confirmBackorder(resp *peerv1.OrderQueryResponse) error {
	reservations, err := d.store.Reservations(resp.OrderId)
	if err != nil {
		return err
	}
	k, res := backorderKey{resp.OrderId, resp.Sku}, reservations.Find(resp.Sku)
	if res == nil || res.Backordered == resp.Backordered {
		d.notices.end(k)
	} else if _, told := d.notices.attempts[k]; !told {
		return d.tellBackorder(res, nil)
	}
	return nil
}
