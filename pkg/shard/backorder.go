package shard

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// fillNews is a filled backorder of an order of another shard, which has not said yet that it knows. It is
// memory only: after an acquire the sweep tells all that is held here.
type fillNews struct{ attempts int }

// tellFilled lets an order know what of a SKU is still backordered: at once where it is this shard's, again
// and again where it is not.
func (r *runner) tellFilled(sku string, res *inventory.Reservation, from *origin) error {
	if !r.foreign(res.OrderID) {
		return r.recordBackorder(sku, res, from)
	}
	k := pairKey{res.OrderID, sku}
	r.news[k] = &fillNews{}
	r.tellAt.set(k, r.b.now)
	return nil
}

// recordBackorder takes what stock has to say into an order of this shard.
func (r *runner) recordBackorder(sku string, res *inventory.Reservation, from *origin) error {
	e, err := r.st.order(res.OrderID)
	if err != nil || e.o.PlacedEventID != order.ID(res.PlacedEventID) {
		return err
	}
	if s := r.sagas[e.o.ID]; s != nil {
		if h, ok := s.held[sku]; ok {
			h.Backordered = res.Backordered
			s.held[sku] = h
		}
	}
	return r.applyBackorder(e, sku, res.Version, res.Backordered, from)
}

func (r *runner) applyBackorder(e *entry, sku string, version uint64, backordered int64, from *origin) error {
	evs, err := order.Decide(e.o, order.RecordBackorder{SKU: sku, ReservationVersion: version, Backordered: backordered})
	if err != nil {
		return fmt.Errorf("order %s refuses a filled backorder, which its rules forbid: %w", e.o.ID, err)
	}
	return r.appendOrder(e, evs, from)
}

// sendNews tells what is held now, once the current batch has committed.
func (r *runner) sendNews(k pairKey, n *fillNews) error {
	h, err := r.st.held(k.a)
	if err != nil {
		return err
	}
	if n.attempts++; n.attempts > 1 {
		r.node.metrics.resends.Inc()
	}
	r.tellAt.set(k, r.b.now+resendWait(n.attempts).Microseconds())
	q := r.queryFor(&holding{sku: k.b, res: *h.of(k.b)})
	r.b.after = append(r.b.after, func(*batch) { r.node.sendQuery(q) })
	return nil
}

// resendWait is how long to wait for an answer after so many attempts.
func resendWait(attempts int) time.Duration {
	return min(resendAfter<<min(attempts-1, 6), resendAtMost)
}

// tellNews tells what is new, and again what nobody has confirmed, as much as a batch may.
func (r *runner) tellNews() error {
	for k, due := r.tellAt.first(r.b.now); due && len(r.b.after) < maxUnsent; k, due = r.tellAt.first(r.b.now) {
		if err := r.sendNews(k, r.news[k]); err != nil {
			return err
		}
	}
	return nil
}

// learnBackorder takes news of another shard's stock, and confirms it once the order knows.
func (r *runner) learnBackorder(e *entry, q query, reply func(queryResponse)) error {
	from := origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_SAGA}
	if err := r.applyBackorder(e, q.Sku, q.Version, q.Held.Backordered, &from); err != nil {
		return err
	}
	// An order that waits for its outcome has no word for it yet, and is told again. One that has moved on
	// hears it with the answer to its newer step.
	current := q.Version == e.o.ReservationVersion
	if e.o.Lifecycle == order.Placed || current && e.o.Backordered(q.Sku) > q.Held.Backordered || q.Version > e.o.ReservationVersion {
		return nil
	}
	resp := &peerv1.OrderQueryResponse{
		SourceShard: q.SourceShard, TargetShard: q.TargetShard, OrderId: q.OrderId,
		BackorderKnown: true, Sku: q.Sku, Backordered: q.Held.Backordered,
	}
	r.b.after = append(r.b.after, func(*batch) { reply(resp) })
	return nil
}

// newsKnown ends the telling, unless there is something new to tell.
func (r *runner) newsKnown(a queryResponse) error {
	k := pairKey{a.OrderId, a.Sku}
	if r.news[k] == nil {
		return nil
	}
	h, err := r.st.held(a.OrderId)
	if err != nil {
		return err
	}
	if h.of(a.Sku).Backordered == a.Backordered {
		delete(r.news, k)
		r.tellAt.set(k, 0)
	}
	return nil
}
