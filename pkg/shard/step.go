package shard

import (
	"errors"
	"fmt"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// stepTarget is one SKU that a step is applied to. res is nil where the item is not registered (INV-64).
type stepTarget struct {
	wanted order.Wanted
	item   *inventory.Item
	res    *checkpoint.Reservation
	events []inventory.Event
	// unknown: the step wants something of an item that is not registered.
	unknown bool
}

// applyStep sets an order's reservations of this shard's SKUs, all or nothing, and returns what is reserved then. Rules
// that refuse the step do so before anything is written.
func (d *decider) applyStep(step inventory.Step, wanted []order.Wanted, from *origin) ([]order.StockAnswer, error) {
	reservations, err := d.store.Reservations(step.OrderID)
	if err != nil {
		return nil, err
	}
	targets, err := d.decideTargets(step, wanted, reservations)
	if err != nil {
		return nil, err
	}
	answers := make([]order.StockAnswer, len(targets))
	cause := origin{
		occurredAt: from.occurredAt, cause: eventv1.Cause_CAUSE_SAGA, causation: from.causation,
		traceParent: from.traceParent,
	}
	if from.cause == eventv1.Cause_CAUSE_RECONCILIATION {
		cause.cause = from.cause
	}
	for i := range targets {
		t := &targets[i]
		if err := d.appendStock(t.item, reservations, t.events, &cause); err != nil {
			return nil, err
		}
		answers[i] = t.answer()
	}
	return answers, nil
}

// decideTargets decides a step for each SKU. Where one of them is rejected, all are.
func (d *decider) decideTargets(
	step inventory.Step, wanted []order.Wanted, reservations *checkpoint.Reservations,
) ([]stepTarget, error) {
	targets := make([]stepTarget, len(wanted))
	refused := false
	for i, w := range wanted {
		t := &targets[i]
		it, err := d.store.Item(w.SKU)
		if err != nil {
			return nil, err
		}
		*t = stepTarget{wanted: w, item: it}
		if it.Registered {
			t.res = reservations.Of(w.SKU)
		}
		if err := t.decide(step, false); err != nil {
			return nil, fmt.Errorf("SKU %s cannot take a step of order %s: %w", w.SKU, step.OrderID, err)
		}
		refused = refused || t.unknown || rejects(t.events)
	}
	for i := range targets {
		t := &targets[i]
		if !refused || len(t.events) == 0 || rejects(t.events) {
			continue
		}
		if err := t.decide(step, true); err != nil {
			return nil, fmt.Errorf("SKU %s cannot refuse a step of order %s: %w", t.wanted.SKU, step.OrderID, err)
		}
	}
	return targets, nil
}

func (t *stepTarget) decide(step inventory.Step, refuse bool) (err error) {
	w := &t.wanted
	var res inventory.Reservation
	if t.res != nil {
		res = t.res.Reservation
	}
	t.events, err = inventory.Decide(*t.item, res, inventory.SetReservation{
		OrderID: step.OrderID, PlacedEventID: step.PlacedEventID, Version: step.Version,
		Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged,
		Imported: w.Imported, Refuse: refuse, Allocation: step.Allocation, ReturnedAt: stockReturns(w.ReturnedAt),
		ShipAgain: w.ShipAgain, Reversed: stockReversed(w.Reversed),
	})
	if e, refused := errors.AsType[*inventory.Error](err); refused && e.Code == inventory.CodeUnknownSKU {
		t.unknown, err = true, nil
	}
	return err
}

// answer is stock's answer once the events are applied.
func (t *stepTarget) answer() order.StockAnswer {
	if t.res != nil {
		return t.res.Answer()
	}
	h := order.StockAnswer{SKU: t.wanted.SKU, Rejected: t.unknown}
	if t.unknown {
		h.RejectionReason = int32(inventory.UnknownSKU)
	}
	return h
}

func rejects(evs []inventory.Event) bool {
	for i := range evs {
		if _, ok := evs[i].Change.(inventory.ReservationRejected); ok {
			return true
		}
	}
	return false
}

// stockReturns is what came back to a location, as stock has it.
func stockReturns(at []order.ReturnedAt) []inventory.ReturnedAt {
	if len(at) == 0 {
		return nil
	}
	out := make([]inventory.ReturnedAt, len(at))
	for i, r := range at {
		out[i] = inventory.ReturnedAt(r)
	}
	return out
}

// stockReversed are the shipments that were taken back, as stock has them.
func stockReversed(reversed []order.Reversed) []inventory.Reversed {
	if len(reversed) == 0 {
		return nil
	}
	out := make([]inventory.Reversed, len(reversed))
	for i, r := range reversed {
		out[i] = inventory.Reversed(r)
	}
	return out
}

// stockRule is an order's allocation rule as stock has it.
func stockRule(rule *order.AllocationRule) *inventory.AllocationRule {
	if rule == nil {
		return nil
	}
	return &inventory.AllocationRule{Policy: inventory.AllocationPolicy(rule.Policy), Locations: rule.Locations}
}

// decideStep sets reservations for an order of another shard. A step that this program would not send is passed over.
func (d *decider) decideStep(req *peerv1.ReservationRequest, reply func(*peerv1.ReservationResponse)) error {
	step, wanted, ok := stepFromWire(req)
	if !ok {
		return nil
	}
	for i := range wanted {
		if d.foreign(wanted[i].SKU) {
			return nil // a layout of another generation
		}
	}
	if req.Tentative {
		other, err := d.hasOtherAttempt(&step, wanted)
		if err != nil {
			return err
		}
		if other {
			reply(&peerv1.ReservationResponse{SourceShard: req.SourceShard, TargetShard: req.TargetShard,
				OrderId: req.OrderId, PlacedEventId: req.PlacedEventId})
			return nil
		}
		d.tentative.note(int32(req.SourceShard), req.OrderId, d.batch.now)
	}
	d.batch.trace(req.Traceparent)
	from := origin{occurredAt: req.OccurredAtMicros, traceParent: req.Traceparent}
	if req.Reconciliation {
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	answers, err := d.applyStep(step, wanted, &from)
	if refused, ok := errors.AsType[*inventory.Error](err); ok {
		d.log.Error("another replica sent a step that the rules do not know; it is passed over",
			"order_id", req.OrderId, "error", refused)
		return nil
	}
	if err != nil {
		return err
	}
	d.batch.fenced = true
	resp := &peerv1.ReservationResponse{
		SourceShard: req.SourceShard, TargetShard: req.TargetShard, OrderId: req.OrderId,
		PlacedEventId: req.PlacedEventId, Version: req.Version, Held: heldToWire(answers),
	}
	reservations, err := d.store.Reservations(req.OrderId)
	if err != nil {
		return err
	}
	for i := range wanted { // one of them may have seen a newer step, which left the others out
		if res := reservations.Find(wanted[i].SKU); res != nil && res.PlacedEventID == step.PlacedEventID {
			resp.Version = max(resp.Version, res.Version)
		}
	}
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
		// A repeated step wrote nothing: its answer depends on what was written before.
		for _, w := range wanted {
			tp := d.stockPartition(w.SKU)
			resp.Position = append(resp.Position, offsetToWire(tp, d.store.Applied(tp)))
		}
		reply(resp)
	})
	return nil
}
