package shard

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// saga is an order's step that stock in other shards has not answered yet. It is memory only: after
// an acquire it is built again from the order.
type saga struct {
	orderID  string
	version  uint64
	waiting  map[int32]*peerv1.ReservationRequest // by target shard
	held     map[string]order.Held
	position eventlog.Offsets
	// neverSent: decided here before any other shard was asked.
	neverSent bool
	// reconciles: the step mends a difference, and so does what stock and order write for it.
	reconciles bool
	attempts   int
}

type waiter struct {
	fut *Future
	cmd *Command
	// version of the order at which the command was taken.
	version uint64
}

// carryStep carries the reservation that an order wants now to the shards of its SKUs; s is the saga of the step before.
// Where no other shard has to be asked, the order takes the answer, and may want another reservation for it.
func (r *runner) carryStep(e *entry, s *saga, from *origin) error {
	next := *from
	for {
		held, asked, err := r.startStep(e, s, &next)
		if err != nil || asked {
			return err
		}
		if !e.o.Undecided() && next.cause != eventv1.Cause_CAUSE_RECONCILIATION && !refuses(held) {
			// No event says so: restoring the shard finds stock and order in the same log.
			e.o.Settled = true
			return nil
		}
		if s == nil && next.cause == eventv1.Cause_CAUSE_COMMAND {
			s = &saga{neverSent: true, position: eventlog.Offsets{}}
		}
		evs, err := r.takeAnswer(e, held, &next)
		if err != nil {
			return err
		}
		before := e.o.ReservationVersion
		if err := r.appendOrder(e, evs, &next); err != nil || e.o.ReservationVersion == before {
			return err
		}
	}
}

// startStep asks stock for the reservation that an order wants: at once where it is this shard's, after the commit where it
// is not. asked: other shards are; or else held is the whole answer.
func (r *runner) startStep(e *entry, old *saga, from *origin) (held []order.Held, asked bool, err error) {
	local, remote := r.splitWanted(e, old)
	refused := false
	if len(local) > 0 {
		step := inventory.Step{OrderID: e.o.ID, PlacedEventID: inventory.ID(e.o.PlacedEventID), Version: e.o.ReservationVersion, Allocation: stockRule(e.o.Allocation)}
		if held, err = r.runStep(step, local, from); err != nil {
			return nil, false, err
		}
		refused = refuses(held)
	}
	if len(remote) > 0 && (!refused || !endsAtRefusal(&e.o)) {
		r.openSaga(e, old, remote, held, from.cause == eventv1.Cause_CAUSE_RECONCILIATION)
		return nil, true, nil
	}
	r.closeSaga(e.o.ID)
	if old != nil && e.o.Undecided() {
		for sku, h := range old.held {
			if !slices.ContainsFunc(held, func(h order.Held) bool { return h.SKU == sku }) {
				held = append(held, h)
			}
		}
	}
	return held, false, nil
}

func refuses(held []order.Held) bool {
	return slices.ContainsFunc(held, func(h order.Held) bool { return h.Rejected })
}

// endsAtRefusal reports whether one rejected SKU is answer enough. A past document waits for all, so that it is refused with
// every reason that there is, wherever its stock lives.
func endsAtRefusal(o *order.Order) bool { return o.Undecided() && o.Kind == order.KindOrder }

func (r *runner) openSaga(e *entry, old *saga, remote map[int32]*peerv1.ReservationRequest, held []order.Held, reconciles bool) {
	s := &saga{
		orderID: e.o.ID, version: e.o.ReservationVersion, waiting: remote, held: map[string]order.Held{}, position: eventlog.Offsets{},
		reconciles: reconciles,
	}
	for _, req := range remote {
		req.Reconciliation = reconciles
	}
	if old != nil {
		s.position = old.position
	}
	for _, h := range held {
		s.held[h.SKU] = h
	}
	r.sagas[e.o.ID] = s
	r.sendStep(s)
}

func (r *runner) closeSaga(orderID string) {
	if len(r.sagas) > 0 {
		delete(r.sagas, orderID)
		r.resends.set(orderID, 0)
	}
}

// takeAnswer decides what stock's answer to the newest step makes of an order, and makes from the origin of that. Where stock
// neither holds all nor refuses, it remembers another step of that version: it is asked again, as a newer one.
func (r *runner) takeAnswer(e *entry, held []order.Held, from *origin) ([]order.Event, error) {
	evs, err := order.Decide(e.o, order.RecordReservation{ReservationVersion: e.o.ReservationVersion, Held: held})
	if err != nil {
		return nil, fmt.Errorf("order %s refuses stock's answer, which its rules forbid: %w", e.o.ID, err)
	}
	from.key, from.fingerprint = "", [16]byte{}
	if from.cause != eventv1.Cause_CAUSE_RECONCILIATION {
		from.cause = eventv1.Cause_CAUSE_SAGA
	}
	if len(evs) == 0 && (e.o.Undecided() || !e.o.Settled) {
		evs, from.cause = r.past(e, e.o.ReservationVersion), eventv1.Cause_CAUSE_RECONCILIATION
	}
	if len(evs) > 0 && lostStock(evs[0]) {
		r.node.metrics.reconciled.Inc()
		r.log.Warn("stock has lost what the order had; the order is cancelled", "order_id", e.o.ID)
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	return evs, nil
}

// lostStock tells the end of an order whose stock is gone: stock's answers cancel no other.
func lostStock(ev order.Event) bool {
	_, cancelled := ev.(order.OrderCancelled)
	return cancelled
}

// splitWanted sorts what an order wants by shard, leaving out what a target that rejected it has
// already remembered as final.
func (r *runner) splitWanted(e *entry, old *saga) (local []order.Wanted, remote map[int32]*peerv1.ReservationRequest) {
	all := e.o.Wanted()
	local = make([]order.Wanted, 0, len(all))
	for _, w := range all {
		target := r.shardOf(w.SKU)
		nothing := w.Nothing() && !w.Imported // a document asks of nothing whether it could be had
		if target == r.shard {
			if nothing && e.neverHeld(w.SKU) {
				continue
			}
			local = append(local, w)
			continue
		}
		if nothing && old != nil && (old.neverSent || old.held[w.SKU].RefusedAll()) {
			continue
		}
		if remote == nil {
			remote = map[int32]*peerv1.ReservationRequest{}
		}
		req := remote[target]
		if req == nil {
			req = &peerv1.ReservationRequest{
				SourceShard: uint32(r.shard), TargetShard: uint32(target), OrderId: e.o.ID,
				PlacedEventId: slices.Clone(e.o.PlacedEventID[:]), Version: e.o.ReservationVersion, OccurredAtMicros: r.b.now,
				Allocation: codec.ToOrderRule(e.o.Allocation),
			}
			if e.o.Kind != order.KindOrder {
				req.OccurredAtMicros = e.o.OccurredAtMicros
			}
			remote[target] = req
		}
		req.Wanted = append(req.Wanted, &peerv1.Wanted{
			Sku: w.SKU, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged, Imported: w.Imported,
			ReturnedAt: codec.ToReturnedAt(returnedAt(w.ReturnedAt)),
		})
	}
	return local, remote
}

// runStep sets an order's reservations of this shard's SKUs, all or nothing, and says what is held. Rules that refuse
// the step do so before anything is written.
func (r *runner) runStep(step inventory.Step, wanted []order.Wanted, from *origin) ([]order.Held, error) {
	type target struct {
		it  *inventory.Item
		res *inventory.Reservation
		evs []inventory.Event
	}
	h, err := r.st.held(step.OrderID)
	if err != nil {
		return nil, err
	}
	targets := make([]target, len(wanted))
	refused := false
	for i, w := range wanted {
		t := &targets[i]
		if t.it, err = r.st.item(w.SKU); err != nil {
			return nil, err
		}
		t.res = h.of(w.SKU)
		if t.evs, err = inventory.Decide(*t.it, *t.res, setReservation(step, w, false)); err != nil {
			return nil, fmt.Errorf("SKU %s cannot take a step of order %s: %w", w.SKU, step.OrderID, err)
		}
		refused = refused || rejects(t.evs)
	}
	for i, w := range wanted {
		t := &targets[i]
		if refused && len(t.evs) > 0 && !rejects(t.evs) {
			if t.evs, err = inventory.Decide(*t.it, *t.res, setReservation(step, w, true)); err != nil {
				return nil, fmt.Errorf("SKU %s cannot refuse a step of order %s: %w", w.SKU, step.OrderID, err)
			}
		}
	}
	held := make([]order.Held, len(wanted))
	cause := origin{occurredAt: from.occurredAt, cause: eventv1.Cause_CAUSE_SAGA, causation: from.causation}
	if from.cause == eventv1.Cause_CAUSE_RECONCILIATION {
		cause.cause = from.cause
	}
	for i, w := range wanted {
		t := &targets[i]
		if err := r.appendStock(t.it, h, t.evs, &cause); err != nil {
			return nil, err
		}
		held[i] = heldOf(w.SKU, t.res)
	}
	return held, nil
}

func setReservation(step inventory.Step, w order.Wanted, refuse bool) inventory.SetReservation {
	return inventory.SetReservation{
		OrderID: step.OrderID, PlacedEventID: step.PlacedEventID, Version: step.Version,
		Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged,
		Imported: w.Imported, Refuse: refuse, Allocation: step.Allocation, ReturnedAt: returnedAt(w.ReturnedAt),
	}
}

// returnedAt is what came back to a location, as stock has it.
func returnedAt(at []order.ReturnedAt) []inventory.ReturnedAt {
	if len(at) == 0 {
		return nil
	}
	out := make([]inventory.ReturnedAt, len(at))
	for i, r := range at {
		out[i] = inventory.ReturnedAt(r)
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

func rejects(evs []inventory.Event) bool {
	for i := range evs {
		if _, ok := evs[i].Change.(inventory.ReservationRejected); ok {
			return true
		}
	}
	return false
}

func heldOf(sku string, res *inventory.Reservation) order.Held {
	h := order.Held{SKU: sku, Damaged: res.Damaged(), Backordered: res.Backordered}
	h.Reserved, h.Committed, h.Fulfilled, h.Restocked = res.Sums()
	if res.Rejected != nil {
		h.Rejected, h.Available, h.RejectionReason = true, res.Rejected.Available, int32(res.Rejected.Reason)
	}
	return h
}

// sendStep sends what a saga waits for, once the current batch has committed.
func (r *runner) sendStep(s *saga) {
	s.attempts++
	r.resends.set(s.orderID, r.b.now+resendWait(s.attempts).Microseconds())
	version := s.version
	r.b.after = append(r.b.after, func(*batch) {
		if s.version != version {
			return
		}
		for _, req := range s.waiting {
			r.node.sendStep(req)
		}
	})
}

// handleStep sets reservations for an order of another shard.
func (r *runner) handleStep(req *peerv1.ReservationRequest, reply func(*peerv1.ReservationResponse)) error {
	if len(req.PlacedEventId) != 16 {
		return nil // not from this program; the sender sends a good one or none
	}
	step := inventory.Step{OrderID: req.OrderId, Version: req.Version, Allocation: codec.FromStockRule(req.Allocation)}
	copy(step.PlacedEventID[:], req.PlacedEventId)
	wanted := make([]order.Wanted, len(req.Wanted))
	for i, w := range req.Wanted {
		if r.foreign(w.Sku) {
			return nil // a layout of another generation
		}
		wanted[i] = order.Wanted{SKU: w.Sku, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked, Damaged: w.Damaged, Imported: w.Imported}
		for _, at := range w.ReturnedAt {
			wanted[i].ReturnedAt = append(wanted[i].ReturnedAt, order.ReturnedAt{Location: at.Location, Restocked: at.Restocked, Damaged: at.Damaged})
		}
	}
	from := origin{occurredAt: req.OccurredAtMicros}
	if req.Reconciliation {
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	if repeatsSKU(wanted) {
		return nil // what is held would be decided twice from one state
	}
	held, err := r.runStep(step, wanted, &from)
	if refused, ok := errors.AsType[*inventory.Error](err); ok {
		r.log.Error("another replica sent a step that the rules do not know; it is passed over", "order_id", req.OrderId, "error", refused)
		return nil
	}
	if err != nil {
		return err
	}
	r.b.fenced = true
	resp := &peerv1.ReservationResponse{
		SourceShard: req.SourceShard, TargetShard: req.TargetShard, OrderId: req.OrderId,
		PlacedEventId: req.PlacedEventId, Version: req.Version, Held: wireHeld(held),
	}
	h, err := r.st.held(req.OrderId)
	if err != nil {
		return err
	}
	for i := range wanted { // one of them may have seen a newer step that left the others out
		if res := h.find(wanted[i].SKU); res != nil && res.PlacedEventID == step.PlacedEventID {
			resp.Version = max(resp.Version, res.Version)
		}
	}
	r.b.after = append(r.b.after, func(*batch) {
		// A repeated step wrote nothing: its answer rests on what was written before.
		for _, w := range wanted {
			tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: r.partitionOf(w.SKU)}
			resp.Position = append(resp.Position, positionOf(tp, r.st.applied(tp)))
		}
		reply(resp)
	})
	return nil
}

func repeatsSKU(wanted []order.Wanted) bool {
	if len(wanted) < 2 {
		return false
	}
	seen := make(map[string]struct{}, len(wanted))
	for i := range wanted {
		seen[wanted[i].SKU] = struct{}{}
	}
	return len(seen) < len(wanted)
}

func wireHeld(held []order.Held) []*peerv1.Held {
	out := make([]*peerv1.Held, len(held))
	for i, h := range held {
		out[i] = &peerv1.Held{
			Sku: h.SKU, Reserved: h.Reserved, Committed: h.Committed, Fulfilled: h.Fulfilled, Restocked: h.Restocked, Damaged: h.Damaged,
			Backordered: h.Backordered, Rejected: h.Rejected, Available: h.Available, RejectionReason: h.RejectionReason,
		}
	}
	return out
}

// handleAnswer takes stock's answer to a step. Anything but the answer to the newest step is late.
func (r *runner) handleAnswer(resp *peerv1.ReservationResponse) error {
	s := r.sagas[resp.OrderId]
	if s == nil {
		return nil
	}
	e, err := r.st.order(resp.OrderId)
	if err != nil {
		return err
	}
	if string(resp.PlacedEventId) != string(e.o.PlacedEventID[:]) {
		return nil
	}
	if resp.Version > s.version {
		return r.overtake(e, resp.Version)
	}
	if resp.Version != s.version || !answers(resp, s.waiting[int32(resp.TargetShard)]) {
		return nil
	}
	delete(s.waiting, int32(resp.TargetShard))
	for _, h := range resp.Held {
		s.held[h.Sku] = order.Held{
			SKU: h.Sku, Reserved: h.Reserved, Committed: h.Committed, Fulfilled: h.Fulfilled, Restocked: h.Restocked, Damaged: h.Damaged,
			Backordered: h.Backordered, Rejected: h.Rejected, Available: h.Available, RejectionReason: h.RejectionReason,
		}
	}
	for _, p := range resp.Position {
		topic := eventlog.TopicInventory
		if p.Orders {
			topic = eventlog.TopicOrders
		}
		tp := eventlog.TopicPartition{Topic: topic, Partition: p.Partition}
		s.position[tp] = max(s.position[tp], p.Offset)
	}
	refused := slices.ContainsFunc(resp.Held, func(h *peerv1.Held) bool { return h.Rejected })
	if len(s.waiting) > 0 && (!refused || !endsAtRefusal(&e.o)) {
		return nil
	}
	return r.concludeSaga(e, s)
}

// answers reports whether an answer is about all SKUs that a request names, in its order. Where stock has seen a newer
// step, it answers an older one with that one's version: an amendment may have asked for more SKUs since.
func answers(resp *peerv1.ReservationResponse, req *peerv1.ReservationRequest) bool {
	return req != nil && slices.EqualFunc(resp.Held, req.Wanted, func(h *peerv1.Held, w *peerv1.Wanted) bool { return h.Sku == w.Sku })
}

// sagaOrigin is that of a step taken up outside a command: now, or for a past document its own time.
func (r *runner) sagaOrigin(e *entry) origin {
	from := origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_SAGA}
	if e.o.Kind != order.KindOrder {
		from.occurredAt = e.o.OccurredAtMicros
	}
	return from
}

// concludeSaga tells the order what stock has answered.
func (r *runner) concludeSaga(e *entry, s *saga) error {
	from := r.sagaOrigin(e)
	if s.reconciles {
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	evs, err := r.takeAnswer(e, slices.Collect(maps.Values(s.held)), &from)
	if err != nil {
		return err
	}
	if err := r.writeOrder(e, evs, &from); err != nil {
		return err
	}
	if r.sagas[e.o.ID] == s {
		r.closeSaga(e.o.ID)
	}
	return nil
}

// written ends what wrote the records from first on for an order, whose saga before was s. Clients that wait for the order are
// answered once it is decided, here and nowhere else.
func (r *runner) written(e *entry, s *saga, first int) {
	end := len(r.b.recs)
	if now := r.sagas[e.o.ID]; now != nil && end > first {
		r.b.after = append(r.b.after, func(b *batch) { now.position.Merge(b.position(first, end)) })
	}
	waiters := r.waiters[e.o.ID]
	if len(waiters) == 0 || e.o.Undecided() {
		return
	}
	delete(r.waiters, e.o.ID)
	r.b.fenced = true
	for _, w := range waiters {
		r.b.answers = append(r.b.answers, answer{fut: w.fut, result: r.outcome(e, w.cmd, w.version), first: first, end: end, saga: s})
	}
}

// resend sends unanswered steps again, as many as a batch may.
func (r *runner) resend() {
	for id, due := r.resends.first(r.b.now); due && len(r.b.after) < maxUnsent; id, due = r.resends.first(r.b.now) {
		r.sendStep(r.sagas[id])
		r.node.metrics.resends.Inc()
	}
}
