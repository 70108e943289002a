package shard

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

const (
	// sweepAtOnce reservations are asked about in one tick of the slow sweep.
	sweepAtOnce = 200
	// takeUpAtOnce orders have their step repeated in one tick.
	takeUpAtOnce = 200
	// maxDirty entries may have changed since the last checkpoint before a shard serves; there they are saved sooner.
	maxDirty = 50_000
	// maxUnsent messages may wait for one commit before a shard serves, or be sent again with one.
	maxUnsent = 2_000
)

// reconcile runs after the restore and before the first command: it mends what a torn last transaction left (only
// the embedded broker leaves any), and begins to take up unanswered steps again.
func (r *runner) reconcile() error {
	// What follows asks the checkpoint: it must hold the tail that was just folded, and what that touched, so that
	// another acquire looks at it again when this one does not come to commit what it mends.
	if err := r.st.checkpoint(); err != nil {
		return err
	}
	if err := r.st.deadlines(r.timers.set); err != nil {
		return err
	}
	r.b.now = nowMicros()
	err := r.st.touched(func(orderID string) error {
		e, err := r.st.order(orderID)
		if err != nil {
			return err
		}
		return errors.Join(r.mend(e), r.commitFull())
	})
	if err != nil {
		return err
	}
	for sum := 0; sum < MaxBatchCommands && !r.allTakenUp; sum += takeUpAtOnce {
		if err := errors.Join(r.takeUp(), r.commitFull()); err != nil {
			return err
		}
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.st.forgetTouched = true
	return r.startSweep()
}

// startSweep lists the orders of other shards for which something is held here: each is asked about. What is asked
// right after an acquire may be lost, since the other shards move too: the first sweeps follow each other quickly.
func (r *runner) startSweep() error {
	r.swept, r.sweepWait = time.Now(), min(max(2*r.sweepWait, firstSweepAfter), sweepEvery)
	r.sweep = r.sweep[:0]
	return r.st.openStock(func(orderID string) { r.sweep = append(r.sweep, orderID) })
}

// commitFull commits when the batch is as big as one may be, and saves the state when enough of it has changed.
func (r *runner) commitFull() error {
	if len(r.b.recs) < MaxBatchCommands && r.b.bytes < MaxBatchBytes && len(r.b.after) < maxUnsent && r.st.dirty() < maxDirty {
		r.st.age() // also where nothing changes and much is read
		return nil
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.b.now = nowMicros()
	return r.st.checkpoint()
}

// takeUp repeats the steps of some orders that no event says are answered. After a crash these are few. After a change
// of the shard count they are nearly all orders there ever were, since a shard writes no event when it answers itself:
// they are taken up a few at a time, beside the commands, and an order that a command is about first (resume).
func (r *runner) takeUp() error {
	ids, err := r.st.unsettledAfter(r.takenUp, takeUpAtOnce)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := r.resume(id); err != nil {
			return err
		}
		r.takenUp = id
	}
	r.allTakenUp, r.tookUp = len(ids) < takeUpAtOnce, r.b.now
	return nil
}

// takeUpSome goes on with takeUp, once a tick, as long as it leaves room for new orders.
func (r *runner) takeUpSome() error {
	if r.allTakenUp || r.b.now-r.tookUp < tick.Microseconds() || len(r.sagas) > MaxOpenSagas/2 {
		return nil
	}
	return r.takeUp()
}

// resume returns an order, whose newest step is under way if nobody is known to have answered it.
func (r *runner) resume(id string) (*entry, error) {
	e, err := r.st.order(id)
	if err != nil || e.o.Version == 0 || e.o.Settled || r.sagas[id] != nil {
		return e, err
	}
	return e, r.mend(e)
}

// mend compares an order with what stock of this shard holds for it: without an order that is released, stock that has
// shipped completes the order's side, an order that is behind its stock goes past it, and a step that stock has not
// seen, or that nobody is known to have answered, is sent again. Where all agree, nothing is written.
func (r *runner) mend(e *entry) error {
	if e.o.Version == 0 {
		return r.releaseOrphan(&e.held, nil)
	}
	seen := uint64(0)
	for _, held := range e.held.list {
		if held.res.PlacedEventID == inventory.ID(e.o.PlacedEventID) {
			seen = max(seen, held.res.Version)
		}
	}
	if seen > e.o.ReservationVersion {
		if err := r.completeShipment(e, &e.held); err != nil {
			return err
		}
		// What was completed has moved the order's own version.
		return r.overtake(e, max(seen, e.o.ReservationVersion))
	}
	if r.lostStep(e) {
		r.node.metrics.reconciled.Inc()
		r.log.Warn("stock has not seen the order's newest step; repeating it", "order_id", e.o.ID)
		return r.repeatStep(e, r.mendOrigin(e))
	}
	if !e.o.Settled && r.sagas[e.o.ID] == nil {
		return r.repeatStep(e, r.sagaOrigin(e))
	}
	return r.checkBackorders(e, &e.held)
}

// lostStep reports whether stock of this shard lacks the order's newest step, which belongs into the same transaction.
func (r *runner) lostStep(e *entry) bool {
	return slices.ContainsFunc(e.o.Wanted(), func(w order.Wanted) bool { return !r.foreign(w.SKU) && !e.hasSeen(&w) })
}

// repeatStep sends an order's newest step again. Where it was answered, nothing is written.
func (r *runner) repeatStep(e *entry, from origin) error {
	s, first := r.sagas[e.o.ID], len(r.b.recs)
	if err := r.carryStep(e, s, &from); err != nil {
		return err
	}
	r.st.changedOrder(e) // settled may have changed without an event
	r.written(e, s, first)
	return nil
}

// checkBackorders records what stock has filled and the order does not know of.
func (r *runner) checkBackorders(e *entry, h *holdings) error {
	for _, held := range h.list {
		version := e.o.Version
		err := r.recordBackorder(held.sku, &held.res, &origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
		if err != nil {
			return err
		}
		if e.o.Version != version {
			r.node.metrics.reconciled.Inc()
		}
	}
	return nil
}

// completeShipment records as shipped what stock has fulfilled and the order does not know of.
func (r *runner) completeShipment(e *entry, h *holdings) error {
	if e.o.Kind != order.KindOrder {
		return nil // stock answers that it has the document, which is imported then
	}
	shipped := map[string]int64{}
	for _, w := range e.o.Wanted() {
		shipped[w.SKU] = w.Fulfilled
	}
	var lines []order.LineQuantity
	for _, held := range h.list {
		_, _, fulfilled, _ := held.res.Sums()
		if missing := fulfilled - shipped[held.sku]; missing > 0 {
			lines = append(lines, order.LineQuantity{SKU: held.sku, Quantity: missing})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	evs, err := order.Decide(e.o, order.ReconcileShipment{Lines: lines})
	if err != nil {
		r.log.Error("stock has shipped what the order cannot take as shipped", "order_id", e.o.ID, "error", err)
		return nil
	}
	r.node.metrics.reconciled.Inc()
	return r.appendOrder(e, evs, &origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
}

// releaseOrphan gives back what is held for an order that there is not; placed, when set, names the
// placement that was asked about.
func (r *runner) releaseOrphan(h *holdings, placed []byte) error {
	orderID := h.orderID
	for _, held := range h.list {
		res := &held.res
		if !res.Open() || placed != nil && string(placed) != string(res.PlacedEventID[:]) {
			continue
		}
		r.node.metrics.reconciled.Inc()
		r.log.Warn("released a reservation of an order that the log does not have", "sku", held.sku, "order_id", orderID)
		step := inventory.Step{OrderID: orderID, PlacedEventID: res.PlacedEventID, Version: res.Version + 1}
		_, _, fulfilled, restocked := res.Sums()
		_, err := r.runStep(step, []order.Wanted{{SKU: held.sku, Fulfilled: fulfilled, Restocked: restocked, Damaged: held.res.Damaged()}},
			&origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
		if err != nil {
			return err
		}
	}
	return nil
}

// overtake moves an order's reservation past a version that stock has seen and the order has not, and
// sends it again.
func (r *runner) overtake(e *entry, seen uint64) error {
	from := r.mendOrigin(e)
	return r.writeOrder(e, r.past(e, seen), &from)
}

// mendOrigin is that of a step that mends a difference.
func (r *runner) mendOrigin(e *entry) origin {
	from := r.sagaOrigin(e)
	from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	return from
}

// past are the events that make an order's step newer than what stock has seen.
func (r *runner) past(e *entry, seen uint64) []order.Event {
	r.node.metrics.reconciled.Inc()
	r.log.Warn("stock has seen another step than the order has taken; sending the order's again", "order_id", e.o.ID, "seen", seen)
	return []order.Event{order.ReservationSettled{ReservationVersion: seen + 1}}
}

// sweepSome asks the shards of orders about reservations that this shard holds for them.
func (r *runner) sweepSome() {
	if len(r.sweep) == 0 && time.UnixMicro(r.b.now).Sub(r.swept) >= r.sweepWait {
		if err := r.startSweep(); err != nil {
			r.log.Warn("list the open reservations", "error", err)
		}
	}
	n := min(len(r.sweep), sweepAtOnce)
	some := r.sweep[:n]
	r.sweep = r.sweep[n:]
	for _, id := range some {
		h, err := r.st.held(id)
		if err != nil {
			continue
		}
		for _, held := range h.list {
			if held.res.Open() {
				q := r.queryFor(held)
				r.b.after = append(r.b.after, func(*batch) { r.node.sendQuery(q) })
			}
		}
	}
}

func (r *runner) queryFor(held *holding) query {
	return &peerv1.OrderQuery{
		SourceShard: uint32(r.shard), TargetShard: uint32(r.shardOf(held.res.OrderID)),
		OrderId: held.res.OrderID, Sku: held.sku, PlacedEventId: append([]byte(nil), held.res.PlacedEventID[:]...),
		Version: held.res.Version, Held: wireHeld([]order.Held{heldOf(held.sku, &held.res)})[0],
	}
}

// handleQuery compares what stock holds with what the order wants; a difference sends the step again.
func (r *runner) handleQuery(q *peerv1.OrderQuery, reply func(*peerv1.OrderQueryResponse)) error {
	e, err := r.resume(q.OrderId)
	if err != nil {
		return err
	}
	r.b.fenced = true
	if e.o.Version == 0 {
		r.b.after = append(r.b.after, func(*batch) {
			reply(&peerv1.OrderQueryResponse{SourceShard: q.SourceShard, TargetShard: q.TargetShard, OrderId: q.OrderId, Unknown: true,
				Wanted: &peerv1.ReservationRequest{PlacedEventId: q.PlacedEventId}})
		})
		return nil
	}
	if q.Held == nil || string(q.PlacedEventId) != string(e.o.PlacedEventID[:]) {
		return nil
	}
	if err := r.learnBackorder(e, q, reply); err != nil {
		return err
	}
	if r.sagas[q.OrderId] != nil {
		return nil
	}
	if q.Version > e.o.ReservationVersion {
		return r.overtake(e, q.Version)
	}
	for _, w := range e.o.Wanted() {
		if w.SKU != q.Sku || w.Reserved == q.Held.Reserved && w.Committed == q.Held.Committed && w.Fulfilled == q.Held.Fulfilled {
			continue
		}
		if q.Version == e.o.ReservationVersion && w.Fulfilled == q.Held.Fulfilled && !q.Held.Rejected {
			return r.overtake(e, q.Version) // of that version it has another step, and would take no repeat of it
		}
		return r.repeatStep(e, r.mendOrigin(e))
	}
	return nil
}

// handleQueryAnswer gives back what no order wants.
func (r *runner) handleQueryAnswer(a *peerv1.OrderQueryResponse) error {
	if a.BackorderKnown {
		return r.newsKnown(a)
	}
	if !a.Unknown || a.Wanted == nil {
		return nil
	}
	h, err := r.st.held(a.OrderId)
	if err != nil {
		return err
	}
	return r.releaseOrphan(h, a.Wanted.PlacedEventId)
}
