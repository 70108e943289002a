package shard

import (
	"errors"
	"slices"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// maxUnsent messages may wait for one commit before a shard serves, or be resent with one.
const maxUnsent = 2_000

// reconcile runs after the restore and before the first command. It repairs what a torn last transaction left (only the
// embedded broker leaves any), and begins to send unanswered steps again.
func (r *runner) reconcile() error {
	d, store := r.decider, r.state.store
	// What follows asks the checkpoint. It must have the tail that was just folded, and the orders which that touched, so
	// that another acquire looks at them again when this one does not come to commit what it repairs.
	if err := store.Save(); err != nil {
		return err
	}
	if err := store.EachDeadline(d.deadlines.set); err != nil {
		return err
	}
	d.batch.now = d.node.clocks[d.shard].wall().UnixMicro()
	err := store.EachTouched(func(orderID string) error {
		d.node.compared[d.shard].Add(1)
		e, err := store.Order(orderID)
		if err != nil {
			return err
		}
		return errors.Join(d.reconcileOrder(e), r.commitFull())
	})
	if err != nil {
		return err
	}
	for sum := 0; sum < MaxBatchCommands && !d.unsettled.done; sum += resumeAtOnce {
		if err := errors.Join(d.resumeUnsettled(), r.commitFull()); err != nil {
			return err
		}
	}
	if err := r.commitNow(); err != nil {
		return err
	}
	store.ForgetTouched()
	return d.startSweep()
}

// commitFull commits when the batch is as big as one may be, and saves the state when enough of it has changed.
func (r *runner) commitFull() error {
	b, store := r.decider.batch, r.state.store
	if len(b.records) < MaxBatchCommands && b.bytes < MaxBatchBytes && len(b.onCommit) < maxUnsent &&
		store.Unsaved() < maxUnsaved {
		store.Age() // also where nothing changes and much is read
		return nil
	}
	if err := r.commitNow(); err != nil {
		return err
	}
	r.decider.batch.now = r.clock.wall().UnixMicro()
	return store.Save()
}

// reconcileOrder compares an order with what stock of this shard has reserved for it:
//
//   - reservations without an order are released
//   - what stock has shipped completes the order's side
//   - an order that is behind its stock goes past that
//   - a step that stock has not seen, or that nobody is known to have answered, is sent again
//
// Where all agree, nothing is written.
func (d *decider) reconcileOrder(e *checkpoint.Entry) error {
	if e.Order.Version == 0 {
		if e.Reservations.Open() && !d.firstOfGeneration { // it may have been another shard's, which did not write it
			d.node.metrics.reconciled.Inc()
			d.log.Warn("releasing reservations of an order that the log does not have", "order_id", e.Order.ID)
		}
		return d.releaseOrphan(&e.Reservations, nil)
	}
	seen := uint64(0)
	for _, res := range e.Reservations.List {
		if res.PlacedEventID == inventory.ID(e.Order.PlacedEventID) {
			seen = max(seen, res.Version)
		}
	}
	if seen > e.Order.ReservationVersion {
		if err := d.completeShipment(e); err != nil {
			return err
		}
		// What was completed has moved the order's own version.
		return d.overtake(e, max(seen, e.Order.ReservationVersion))
	}
	if d.stockMissedStep(e) {
		if !d.firstOfGeneration { // that step was sent to another shard then
			d.node.metrics.reconciled.Inc()
			d.log.Warn("stock has not seen the order's newest step; repeating it", "order_id", e.Order.ID)
		}
		return d.resendStep(e, d.reconcileOrigin(e))
	}
	// The first owner of a generation cannot see whether the last transaction before was torn: the stock may be another
	// shard's now.
	if (!e.Order.Settled || d.firstOfGeneration) && d.sagas.byOrder[e.Order.ID] == nil {
		return d.resendStep(e, d.sagaOrigin(e))
	}
	return d.recordMissedBackorders(e)
}

// stockMissedStep reports whether stock of this shard lacks the order's newest step, which belongs to the same
// transaction.
func (d *decider) stockMissedStep(e *checkpoint.Entry) bool {
	return slices.ContainsFunc(e.Order.Wanted(), func(w order.Wanted) bool {
		return !d.foreign(w.SKU) && !e.HasSeen(&w)
	})
}

// resendStep sends an order's newest step again. Where it was answered, nothing is written.
func (d *decider) resendStep(e *checkpoint.Entry, from origin) error {
	s, first := d.sagas.byOrder[e.Order.ID], len(d.batch.records)
	if err := d.askStock(e, s, &from); err != nil {
		return err
	}
	d.store.OrderChanged(e) // Settled may have changed without an event
	d.afterWrite(e, s, first)
	return nil
}

// recordMissedBackorders records the backorders that stock has filled and the order does not know of.
func (d *decider) recordMissedBackorders(e *checkpoint.Entry) error {
	for _, res := range e.Reservations.List {
		version := e.Order.Version
		err := d.recordBackorder(res, &origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
		if err != nil {
			return err
		}
		if e.Order.Version != version {
			d.node.metrics.reconciled.Inc()
		}
	}
	return nil
}

// completeShipment records as shipped what stock has fulfilled and the order does not know of.
func (d *decider) completeShipment(e *checkpoint.Entry) error {
	if e.Order.Kind != order.KindOrder {
		return nil // stock answers that it has the document, which is imported then
	}
	shipped := map[string]int64{}
	for _, w := range e.Order.Wanted() {
		shipped[w.SKU] = w.Fulfilled
	}
	var lines []order.LineQuantity
	for _, res := range e.Reservations.List {
		_, _, fulfilled, _ := res.Sums()
		if missing := fulfilled - shipped[res.SKU]; missing > 0 {
			lines = append(lines, order.LineQuantity{SKU: res.SKU, Quantity: missing})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	evs, err := order.Decide(e.Order, order.ReconcileShipment{Lines: lines, DeadlineMicros: d.paymentDeadline()})
	if err != nil {
		d.log.Error("stock has shipped what the order cannot take as shipped", "order_id", e.Order.ID, "error", err)
		return nil
	}
	d.node.metrics.reconciled.Inc()
	return d.appendOrder(e, evs, &origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
}

// releaseOrphan releases what is reserved for an order that does not exist. placed, when set, names the placement that
// was asked about.
func (d *decider) releaseOrphan(reservations *checkpoint.Reservations, placed []byte) error {
	orderID := reservations.OrderID
	for _, res := range reservations.List {
		if !res.Open() || placed != nil && string(placed) != string(res.PlacedEventID[:]) {
			continue
		}
		d.node.metrics.released.Inc()
		step := inventory.Step{OrderID: orderID, PlacedEventID: res.PlacedEventID, Version: res.Version + 1}
		_, _, fulfilled, restocked := res.Sums()
		wanted := order.Wanted{SKU: res.SKU, Fulfilled: fulfilled, Restocked: restocked, Damaged: res.Damaged()}
		_, err := d.applyStep(step, []order.Wanted{wanted},
			&origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_RECONCILIATION})
		if err != nil {
			return err
		}
	}
	return nil
}

// overtake moves an order's step past a version that stock has seen and the order has not, and sends it again.
func (d *decider) overtake(e *checkpoint.Entry, seen uint64) error {
	from := d.reconcileOrigin(e)
	return d.writeOrder(e, d.newerStep(e, seen), &from)
}

// reconcileOrigin is that of a step that repairs a difference.
func (d *decider) reconcileOrigin(e *checkpoint.Entry) origin {
	from := d.sagaOrigin(e)
	from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	return from
}

// newerStep are the events that make an order's step newer than the one that stock has seen.
func (d *decider) newerStep(e *checkpoint.Entry, seen uint64) []order.Event {
	d.node.metrics.reconciled.Inc()
	d.log.Warn("stock has seen another step than the order has taken; sending the order's again",
		"order_id", e.Order.ID, "seen", seen)
	return []order.Event{order.ReservationSettled{ReservationVersion: seen + 1}}
}
