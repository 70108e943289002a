package shard

import (
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// sweepAtOnce reservations are asked about in one tick of the slow sweep.
const sweepAtOnce = 200

// reconcile runs after the restore and before the first command: it takes up unanswered steps again,
// and mends what a torn last transaction left (only the embedded broker leaves any).
func (r *runner) reconcile(touched map[string]struct{}) error {
	// What follows asks the checkpoint: it must hold the tail that was just folded.
	if err := r.st.checkpoint(); err != nil {
		return err
	}
	var unsettled []string
	for id, o := range r.st.openOrders() {
		if o.deadlineMicros != 0 {
			r.timers.set(id, o.deadlineMicros)
		}
		if !o.settled {
			unsettled = append(unsettled, id)
		}
	}
	r.b.now = nowMicros()
	for _, id := range unsettled {
		if err := r.restartStep(id); err != nil {
			return err
		}
		if err := r.commitFull(); err != nil {
			return err
		}
	}
	for id := range touched {
		if err := r.checkHeld(id); err != nil {
			return err
		}
		if err := r.commitFull(); err != nil {
			return err
		}
	}
	if err := r.commit(); err != nil {
		return err
	}
	return r.startSweep()
}

// startSweep lists the orders of other shards for which something is held here: each is asked about. What is asked
// right after an acquire may be lost, since the other shards move too: the first sweeps follow each other quickly.
func (r *runner) startSweep() error {
	r.swept, r.sweepWait = time.Now(), min(max(2*r.sweepWait, firstSweepAfter), sweepEvery)
	r.sweep = r.sweep[:0]
	return r.st.openStock(func(orderID string) { r.sweep = append(r.sweep, orderID) })
}

// commitFull commits when the batch is as big as one may be.
func (r *runner) commitFull() error {
	if len(r.b.recs) < MaxBatchCommands && r.b.bytes < MaxBatchBytes {
		return nil
	}
	if err := r.commit(); err != nil {
		return err
	}
	r.b.now = nowMicros()
	return r.st.checkpoint()
}

// restartStep repeats an order's step that no event says is answered. Where it was, nothing is written.
func (r *runner) restartStep(id string) error {
	e, err := r.st.order(id)
	if err != nil {
		return err
	}
	h, err := r.st.held(id)
	if err != nil {
		return err
	}
	for _, w := range e.o.Wanted() {
		if r.foreign(w.SKU) {
			continue
		}
		res := h.of(w.SKU)
		if res.PlacedEventID == inventory.ID(e.o.PlacedEventID) && res.Version > e.o.ReservationVersion {
			return r.overtake(e, res.Version)
		}
	}
	from := r.sagaOrigin(e)
	if err := r.startStep(e, &from); err != nil {
		return err
	}
	r.st.dirtyOrders[id] = e // settled may have changed without an event
	return nil
}

// checkHeld compares what is held for an order with the order: without one it is released, stock that has
// shipped completes the order's side, and an order that is behind its stock goes past it.
func (r *runner) checkHeld(orderID string) error {
	if r.foreign(orderID) {
		return nil
	}
	e, err := r.st.order(orderID)
	if err != nil {
		return err
	}
	h, err := r.st.held(orderID)
	if err != nil {
		return err
	}
	if e.o.Version == 0 {
		return r.releaseOrphan(h, nil)
	}
	seen := uint64(0)
	for _, held := range h.list {
		if held.res.PlacedEventID == inventory.ID(e.o.PlacedEventID) {
			seen = max(seen, held.res.Version)
		}
	}
	if seen <= e.o.ReservationVersion {
		return r.checkBackorders(e, h)
	}
	if err := r.completeShipment(e, h); err != nil {
		return err
	}
	// What was completed above has moved the order's own version.
	return r.overtake(e, max(seen, e.o.ReservationVersion))
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
	r.node.metrics.reconciled.Inc()
	r.log.Warn("stock has seen a newer step than the order has taken; sending the order's again", "order_id", e.o.ID, "seen", seen)
	from := origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_RECONCILIATION}
	return r.writeOrder(e, []order.Event{order.ReservationSettled{ReservationVersion: seen + 1}}, &from)
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
	e, err := r.st.order(q.OrderId)
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
		if w.SKU == q.Sku && (w.Reserved != q.Held.Reserved || w.Committed != q.Held.Committed || w.Fulfilled != q.Held.Fulfilled) {
			return r.startStep(e, &origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
		}
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
