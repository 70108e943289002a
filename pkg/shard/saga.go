package shard

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// saga is an order's step that stock of other shards has not answered yet. It is in memory only: after an acquire it is
// built again from the order.
//
// Example: an order in shard 0 wants SKU A of shard 0 and SKU B of shard 2. Once A is reserved here, the saga waits for
// shard 2. When that has answered, the order becomes reserved or rejected, and the saga ends.
type saga struct {
	orderID  string
	version  uint64
	waiting  map[int32]*peerv1.ReservationRequest // by target shard
	answers  map[string]order.StockAnswer         // by SKU
	position eventlog.Offsets                     // of what was written for the step
	// openedMicros is since when the order waits, as far as this owner knows; 0: it does not.
	openedMicros int64
	// neverSent: decided here before any other shard was asked.
	neverSent bool
	// reconciles: the step repairs a difference, and so does what stock and order write for it.
	reconciles bool
	// datedMicros is when the step happened, where its command said so; 0: it happens now. An owner that takes over does
	// not know it, and has what stock answers happen then.
	datedMicros int64
	// traceParent is the span of the request that the step comes from; empty: nobody traces it.
	traceParent string
	// attempts is how often the step was sent, the last time at sentAt.
	attempts int
	sentAt   time.Time
	// early: it is sent again because a target has a new owner, not because it has waited in vain.
	early bool
	// unwritten is the order while it is not in the log; nil: it is.
	unwritten *unwritten
	// answered: answers are to the version of the order that it has, which asks nobody of these SKUs again.
	answered bool
}

// waiter is a client that waits for the outcome of an order that has a saga.
type waiter struct {
	fut *Future
	cmd *Command
	// version of the order when the command was accepted.
	version uint64
	// repeated: the command came before, under the same key.
	repeated bool
}

// sagas are those of a shard's orders.
type sagas struct {
	byOrder map[string]*saga
	resends schedule[string] // order IDs
	waiters map[string][]waiter
	// unwritten are those of orders that are not written yet, by what the orders' IDs have of their keys.
	unwritten map[string]*saga
	// behind are the commands behind the order that is being written, which are not decided yet.
	behind []waiter
	// shipping are the orders whose shipments wait for answers about their goods (askship.go), shippingDue when they ask
	// again.
	shipping    map[string]*shippingAsk
	shippingDue schedule[string]
	// answerTimes are those of the other shards.
	answerTimes []answerTime
}

func newSagas(shardCount int32) sagas {
	return sagas{
		byOrder: map[string]*saga{}, resends: newSchedule[string](), waiters: map[string][]waiter{},
		unwritten: map[string]*saga{}, answerTimes: make([]answerTime, shardCount),
		shipping: map[string]*shippingAsk{}, shippingDue: newSchedule[string](),
	}
}

func (s *sagas) close(orderID string) {
	if len(s.byOrder) > 0 {
		delete(s.byOrder, orderID)
		s.resends.set(orderID, 0)
	}
}

// oldest is since when the order waits that has waited longest, in microseconds; 0: none waits.
func (s *sagas) oldest() int64 {
	var oldest int64
	for _, saga := range s.byOrder {
		if saga.openedMicros != 0 && (oldest == 0 || saga.openedMicros < oldest) {
			oldest = saga.openedMicros
		}
	}
	return oldest
}

// addWaiter has a client wait for the outcome of an order, if other shards were asked for it.
func (s *sagas) addWaiter(orderID string, w waiter) bool {
	if s.byOrder[orderID] == nil {
		return false
	}
	s.waiters[orderID] = append(s.waiters[orderID], w)
	return true
}

// eachWaiter calls fn for all clients that wait, who do not wait here any more.
func (s *sagas) eachWaiter(fn func(w waiter)) {
	for _, saga := range s.unwritten {
		for _, w := range saga.unwritten.behind {
			fn(w)
		}
	}
	clear(s.unwritten)
	for _, ask := range s.shipping {
		for _, w := range ask.commands {
			fn(w)
		}
	}
	clear(s.shipping)
	for _, w := range s.behind {
		fn(w)
	}
	s.behind = nil
	for _, waiters := range s.waiters {
		for _, w := range waiters {
			fn(w)
		}
	}
	clear(s.waiters)
}

// askStock asks stock for the reservation that an order wants now; s is the saga of the step before. Where no other
// shard has to be asked, the order records the answer, and may want another reservation because of it.
func (d *decider) askStock(e *checkpoint.Entry, s *saga, from *origin) error {
	next := *from
	for {
		answers, remote, err := d.startStep(e, s, &next)
		if err != nil || remote {
			return err
		}
		awaited := e.Order.Undecided() || e.Order.ShipsAgain() || next.cause == eventv1.Cause_CAUSE_RECONCILIATION
		if !awaited && !refuses(answers) {
			// No event says so: whoever restores the shard finds stock and order in the same log.
			e.Order.Settled = true
			return nil
		}
		if s == nil && next.cause == eventv1.Cause_CAUSE_COMMAND {
			s = &saga{neverSent: true, position: eventlog.Offsets{}}
		}
		evs, err := d.decideAnswer(e, answers, &next)
		if err != nil {
			return err
		}
		before := e.Order.ReservationVersion
		if err := d.appendOrder(e, evs, &next); err != nil || e.Order.ReservationVersion == before {
			return err
		}
	}
}

// startStep asks stock for the reservation that an order wants: at once where stock is this shard's, after the commit
// where it is not. remote: other shards are asked. Otherwise answers are the whole answer.
func (d *decider) startStep(
	e *checkpoint.Entry, old *saga, from *origin,
) (answers []order.StockAnswer, remote bool, err error) {
	local, requests := d.splitWanted(e, old)
	refused := false
	if len(local) > 0 {
		if answers, err = d.applyStep(newestStep(&e.Order), local, from); err != nil {
			return nil, false, err
		}
		refused = refuses(answers)
	}
	if len(requests) > 0 && (!refused || !endsAtRefusal(&e.Order)) {
		d.openSaga(e, old, requests, answers, from)
		return nil, true, nil
	}
	d.sagas.close(e.Order.ID)
	if old != nil && e.Order.Undecided() {
		for sku, h := range old.answers {
			if !slices.ContainsFunc(answers, func(h order.StockAnswer) bool { return h.SKU == sku }) {
				answers = append(answers, h)
			}
		}
	}
	return answers, false, nil
}

// newestStep is the newest step of an order.
func newestStep(o *order.Order) inventory.Step {
	return inventory.Step{
		OrderID: o.ID, PlacedEventID: inventory.ID(o.PlacedEventID), Version: o.ReservationVersion,
		Allocation: stockRule(o.Allocation),
	}
}

func refuses(answers []order.StockAnswer) bool {
	return slices.ContainsFunc(answers, func(h order.StockAnswer) bool { return h.Rejected })
}

// endsAtRefusal reports whether one rejected SKU is enough of an answer. A past document waits for all answers, so
// that it is refused with every reason, whichever shards its stock is in.
func endsAtRefusal(o *order.Order) bool { return o.Undecided() && o.Kind == order.KindOrder }

func (d *decider) openSaga(
	e *checkpoint.Entry, old *saga, requests map[int32]*peerv1.ReservationRequest, answers []order.StockAnswer,
	from *origin,
) {
	s := &saga{
		orderID: e.Order.ID, version: e.Order.ReservationVersion, waiting: requests,
		answers: map[string]order.StockAnswer{}, position: eventlog.Offsets{},
		reconciles: from.cause == eventv1.Cause_CAUSE_RECONCILIATION, traceParent: from.traceParent,
	}
	for _, req := range requests {
		req.Reconciliation, req.Traceparent = s.reconciles, s.traceParent
	}
	if from.dated {
		s.date(from.occurredAt)
	}
	s.openedMicros = d.batch.now
	if old != nil {
		s.position = old.position
		if old.openedMicros != 0 {
			s.openedMicros = old.openedMicros
		}
	}
	for _, h := range answers {
		s.answers[h.SKU] = h
	}
	d.sagas.byOrder[e.Order.ID] = s
	d.sendStep(s)
}

// date has a step, and all that stock writes for it, happen at a time that its command named.
func (s *saga) date(micros int64) {
	s.datedMicros = micros
	for _, req := range s.waiting {
		req.OccurredAtMicros = micros
	}
}

// decideAnswer decides the events that stock's answer to the newest step makes for an order, and sets from to their
// origin. Stock may neither have reserved everything nor have refused. Then it remembers another step of that version,
// and is asked again with a newer version.
func (d *decider) decideAnswer(e *checkpoint.Entry, answers []order.StockAnswer, from *origin) ([]order.Event, error) {
	evs, err := order.Decide(e.Order, order.RecordReservation{
		ReservationVersion: e.Order.ReservationVersion, Answers: answers,
		DeadlineMicros: d.paymentDeadline(),
	})
	if err != nil {
		return nil, fmt.Errorf("order %s refuses stock's answer, which its rules forbid: %w", e.Order.ID, err)
	}
	from.request = request{}
	if from.cause != eventv1.Cause_CAUSE_RECONCILIATION {
		from.cause = eventv1.Cause_CAUSE_SAGA
	}
	if len(evs) == 0 && (e.Order.Undecided() || !e.Order.Settled) {
		evs, from.cause = d.newerStep(e, e.Order.ReservationVersion), eventv1.Cause_CAUSE_RECONCILIATION
	}
	if len(evs) > 0 && lostStock(evs[0]) {
		d.node.metrics.reconciled.Inc()
		d.log.Warn("stock has lost what the order had; the order is cancelled", "order_id", e.Order.ID)
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	return evs, nil
}

// paymentDeadline is when an order has to be paid that waits for it from now on.
func (d *decider) paymentDeadline() int64 {
	return d.batch.now + d.node.cfg.PaymentWindow.Microseconds()
}

// lostStock recognises the end of an order whose stock is gone: stock's answers cancel no other.
func lostStock(ev order.Event) bool {
	_, cancelled := ev.(order.OrderCancelled)
	return cancelled
}

// splitWanted sorts what an order wants into this shard's SKUs and requests to other shards. It leaves out SKUs whose
// stock has rejected the order already, and remembers that as final.
func (d *decider) splitWanted(
	e *checkpoint.Entry, old *saga,
) (local []order.Wanted, requests map[int32]*peerv1.ReservationRequest) {
	all := e.Order.Wanted()
	local = make([]order.Wanted, 0, len(all))
	for _, w := range all {
		target := d.shardOf(w.SKU)
		nothing := w.Nothing() && !w.Imported // a document that wants nothing asks whether the SKU is registered
		if target == d.shard {
			if nothing && e.NeverHad(w.SKU) {
				continue
			}
			local = append(local, w)
			continue
		}
		if nothing && old != nil && (old.neverSent || old.answers[w.SKU].RefusedAll()) ||
			old.hasAnswerOf(w.SKU, e.Order.ReservationVersion) {
			continue
		}
		if requests == nil {
			requests = map[int32]*peerv1.ReservationRequest{}
		}
		if requests[target] == nil {
			requests[target] = stepToWire(&e.Order, d.shard, target, d.batch.now)
		}
		requests[target].Wanted = append(requests[target].Wanted, wantedToWire(w))
	}
	return local, requests
}

// sendStep sends what a saga waits for, once the current batch has committed. The wait for the answer begins then.
func (d *decider) sendStep(s *saga) {
	s.attempts++
	d.sagas.resends.set(s.orderID, 0)
	version := s.version
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
		if s.version == version && d.sagas.byOrder[s.orderID] == s {
			d.sendStepNow(s, resendAtMost)
		}
	})
}

// sendStepNow sends what a saga waits for, and has it wait for the answers as long as these take, but at most so long.
func (d *decider) sendStepNow(s *saga, atMost time.Duration) {
	s.sentAt = time.Now()
	wait := time.Duration(0)
	for target, req := range s.waiting {
		wait = max(wait, d.sagas.answerTimes[target].wait(s.attempts))
		d.node.metrics.stepsSent.Inc()
		if s.attempts > 1 {
			d.node.metrics.resends.Inc()
		}
		d.node.sendStep(req)
	}
	d.sagas.resends.set(s.orderID, d.wallMicros()+min(wait, atMost).Microseconds())
}

// wallMicros is the time by this shard's clock, as it is now: that of a batch may be older than its commit.
func (d *decider) wallMicros() int64 { return d.node.clocks[d.shard].wall().UnixMicro() }

// resendSteps resends unanswered steps, as many as a batch may. An order that is not written yet is written.
func (d *decider) resendSteps() error {
	s, now := &d.sagas, d.batch.now
	for id, due := s.resends.first(now); due && len(d.batch.onCommit) < maxUnsent; id, due = s.resends.first(now) {
		unanswered := s.byOrder[id]
		if unanswered.unwritten != nil && !d.batch.room() {
			return nil
		}
		if !unanswered.early {
			for target := range unanswered.waiting {
				s.answerTimes[target].expired(time.Now())
			}
		}
		unanswered.early = false
		if unanswered.unwritten == nil {
			d.sendStep(unanswered)
		} else if err := d.writeUnanswered(unanswered); err != nil {
			return err
		}
	}
	return nil
}

// resendTo has all steps that a shard has not answered sent again now: its former owner may not have got them.
func (d *decider) resendTo(target int32) {
	s := &d.sagas
	for id, unanswered := range s.byOrder {
		resend, sent := s.resends.byKey[id]
		if sent && resend.atMicros > d.batch.now && unanswered.waiting[target] != nil {
			unanswered.early = true
			s.resends.set(id, d.batch.now)
		}
	}
}

// decideStepAnswer handles stock's answer to a step: that of a saga, or one that a shipment waits for.
func (d *decider) decideStepAnswer(resp *peerv1.ReservationResponse) error {
	if err := d.decideSagaAnswer(resp); err != nil {
		return err
	}
	return d.noteShippingAnswer(resp)
}

// decideSagaAnswer handles an answer that an order's step waits for. Anything but the answer to the newest step is
// late.
func (d *decider) decideSagaAnswer(resp *peerv1.ReservationResponse) error {
	s := d.sagas.byOrder[resp.OrderId]
	if s != nil && s.unwritten != nil {
		return d.decideFirstAnswer(s, resp)
	}
	if s == nil && !hasAny(resp) {
		return nil
	}
	e, err := d.store.Order(resp.OrderId)
	if err != nil {
		return err
	}
	if string(resp.PlacedEventId) != string(e.Order.PlacedEventID[:]) {
		return nil
	}
	if s != nil && resp.Version > s.version {
		return d.overtake(e, resp.Version)
	}
	if s == nil || resp.Version != s.version || !answersAll(resp, s.waiting[int32(resp.TargetShard)]) {
		d.takeBack(e, s, resp)
		return nil
	}
	refused := d.noteAnswer(s, resp)
	if len(s.waiting) > 0 && (!refused || !endsAtRefusal(&e.Order)) {
		return nil
	}
	return d.concludeSaga(e, s)
}

// noteAnswer notes the answer of a shard that a saga waits for. It reports whether that refuses a SKU.
func (d *decider) noteAnswer(s *saga, resp *peerv1.ReservationResponse) (refused bool) {
	if s.attempts == 1 {
		d.sagas.answerTimes[resp.TargetShard].answered(time.Since(s.sentAt))
	}
	delete(s.waiting, int32(resp.TargetShard))
	for _, h := range heldFromWire(resp.Held) {
		s.answers[h.SKU] = h
		refused = refused || h.Rejected
	}
	s.position.Merge(offsetsFromWire(resp.Position))
	return refused
}

// answersAll reports whether an answer is about all SKUs that a request names, in its order. Where stock has seen a
// newer step, it answers an older one with that one's version: an amendment may have asked for more SKUs since.
func answersAll(resp *peerv1.ReservationResponse, req *peerv1.ReservationRequest) bool {
	return req != nil && slices.EqualFunc(resp.Held, req.Wanted, func(h *peerv1.Held, w *peerv1.Wanted) bool {
		return h.Sku == w.Sku
	})
}

// sagaOrigin is that of a step outside a command: it happens now, or for a past document at that document's time.
func (d *decider) sagaOrigin(e *checkpoint.Entry) origin {
	from := origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_SAGA}
	if e.Order.Kind != order.KindOrder {
		from.occurredAt = e.Order.OccurredAtMicros
	}
	return from
}

// concludeSaga records stock's answers in the order.
func (d *decider) concludeSaga(e *checkpoint.Entry, s *saga) error {
	d.batch.trace(s.traceParent)
	from := d.sagaOrigin(e)
	from.traceParent = s.traceParent
	if s.datedMicros != 0 {
		from.occurredAt, from.dated = s.datedMicros, true
	}
	if s.reconciles {
		from.cause = eventv1.Cause_CAUSE_RECONCILIATION
	}
	evs, err := d.decideAnswer(e, slices.Collect(maps.Values(s.answers)), &from)
	if err != nil {
		return err
	}
	if err := d.writeOrder(e, evs, &from); err != nil {
		return err
	}
	if d.sagas.byOrder[e.Order.ID] == s {
		d.sagas.close(e.Order.ID)
	}
	return nil
}

// afterWrite must follow everything that writes events of an order, which are the records from first on. s is the saga
// that the order had before. Clients that wait for the order are answered here, and nowhere else, once it is decided.
func (d *decider) afterWrite(e *checkpoint.Entry, s *saga, first int) {
	end := len(d.batch.records)
	if now := d.sagas.byOrder[e.Order.ID]; now != nil && end > first {
		d.batch.onCommit = append(d.batch.onCommit, func(b *batch) { now.position.Merge(b.position(first, end)) })
	}
	waiters := d.sagas.waiters[e.Order.ID]
	if len(waiters) == 0 || e.Order.Undecided() {
		return
	}
	delete(d.sagas.waiters, e.Order.ID)
	d.batch.fenced = true
	for _, w := range waiters {
		if e.Order.RefusedDocument() { // it may come again under its key
			d.refused(w.cmd)
		}
		a := answer{fut: w.fut, result: orderOutcome(e, w.cmd, w.version), first: first, end: end, saga: s}
		a.result.Repeated = w.repeated
		d.batch.answers = append(d.batch.answers, a)
	}
}
