package shard

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// A new order that needs stock of other shards asks them before it is written. Once they have answered, it is written
// with its own shard's stock and its outcome in one transaction. So an order over several shards is two transactions
// one after the other: that of the stock, and its own. See ADR 32.
//
// Nothing is lost or sold twice by it. Until the order is written, nobody is told that it is accepted. Where stock does
// not answer soon, has a new owner, or has another attempt to place the same order, and when the shard is handed over,
// the order is written at once, and then asks as any other (saga.go). Where its shard is lost, the order never was:
// what stock has reserved for it is released when the shard has a new owner (tentative.go).

// askFirstFor is how long an order may ask before it is written, at most. Its client waits for that long until it knows
// that the order is not lost.
const askFirstFor = time.Second

// maxBehind commands wait behind one order that is not written yet: all that a stream has under way. Where one of them
// were refused, those of the stream that come later would overtake it.
const maxBehind = MaxQueuedOfStream

// maxBytesUnwritten is how long a command may be whose order asks first. One that is longer may make an event that does
// not fit into a record, which is found when it is written.
const maxBytesUnwritten = eventlog.MaxRecordBytes / 8

// unwritten is a new order that is not written yet.
type unwritten struct {
	cmd    *Command
	fut    *Future
	events []order.Event
	// eventID is that of the first of events. Stock knows the attempt by it.
	eventID [16]byte
	// behind are commands on the order that came since: they are decided once it is written.
	behind []waiter
}

// unwrittenOf is the saga of the order that an ID names, or that has the same key, if it is not written yet.
func (s *sagas) unwrittenOf(orderID string) *saga {
	if len(s.unwritten) == 0 {
		return nil
	}
	return s.unwritten[orderid.KeyOf(orderID)]
}

// hasAnswerOf reports whether stock has answered about a SKU in this version of the order's step.
func (s *saga) hasAnswerOf(sku string, version uint64) bool {
	if s == nil || !s.answered || s.version != version {
		return false
	}
	_, has := s.answers[sku]
	return has
}

// askFirst asks stock of other shards for a new order before that is written. asked is false where the order is to be
// written now: it needs no stock of others, its own shard's stock refuses it, or a shard does not answer.
func (d *decider) askFirst(e *checkpoint.Entry, evs []order.Event, cmd *Command, fut *Future) (asked bool, err error) {
	placed, places := evs[0].(order.OrderPlaced)
	if !places || len(cmd.Body) > maxBytesUnwritten || !d.needsOthers(&placed) {
		return false, nil
	}
	id := d.ids.next()
	would := checkpoint.Entry{Order: order.Evolve(e.Order, placed, order.Facts{EventID: id})}
	local, requests := d.splitWanted(&would, nil)
	if refused, err := d.wouldRefuse(&would, local); refused || err != nil || d.silent(requests) {
		return false, err
	}
	s := &saga{
		orderID: e.Order.ID, version: would.Order.ReservationVersion, waiting: requests,
		answers: map[string]order.StockAnswer{}, position: eventlog.Offsets{}, traceParent: cmd.TraceParent,
		openedMicros: d.batch.now, attempts: 1,
		unwritten: &unwritten{cmd: cmd, fut: fut, events: evs, eventID: id},
	}
	for _, req := range requests {
		req.Traceparent, req.Tentative = s.traceParent, true
	}
	if cmd.OccurredAtMicros != 0 {
		s.date(cmd.OccurredAtMicros)
	}
	d.sagas.byOrder[s.orderID], d.sagas.unwritten[orderid.KeyOf(s.orderID)] = s, s
	d.store.Expect(s.orderID) // the key with another first SKU, which is another shard's, is asked about here
	d.sagas.addWaiter(s.orderID, waiter{fut: fut, cmd: cmd, version: e.Order.Version + 1})
	d.sendStepNow(s, askFirstFor)
	return true, nil
}

// silent reports whether one of the shards to ask has no owner, or has not answered of late, or would not take the
// question for one, as far as is known.
func (d *decider) silent(requests map[int32]*peerv1.ReservationRequest) bool {
	for target := range requests {
		if d.sagas.answerTimes[target].backedOff > 0 || d.node.handOvers[target].since.Load() != 0 ||
			!d.node.knowsTentative(target) {
			return true
		}
	}
	return false
}

// needsOthers reports whether an order needs stock of other shards.
func (d *decider) needsOthers(placed *order.OrderPlaced) bool {
	return d.layout.ShardCount > 1 &&
		slices.ContainsFunc(placed.Lines, func(l order.PlaceLine) bool { return d.foreign(l.SKU) })
}

// wouldRefuse reports whether stock of this shard would refuse an order now.
func (d *decider) wouldRefuse(e *checkpoint.Entry, local []order.Wanted) (bool, error) {
	targets, err := d.decideTargets(newestStep(&e.Order), local, &checkpoint.Reservations{OrderID: e.Order.ID})
	for i := range targets {
		if targets[i].unknown || rejects(targets[i].events) {
			return true, err
		}
	}
	return false, err
}

// waitBehind has a command wait until an order is written.
func (d *decider) waitBehind(s *saga, cmd *Command, fut *Future) {
	u := s.unwritten
	if len(u.behind) >= maxBehind {
		d.refuse(fut, cmd, Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("%d commands wait for the order to be placed; retry later with the same key", maxBehind)})
		return
	}
	u.behind = append(u.behind, waiter{fut: fut, cmd: cmd})
}

// decideFirstAnswer handles stock's answer to an order that is not written yet, and writes that when it is decided.
func (d *decider) decideFirstAnswer(s *saga, resp *peerv1.ReservationResponse) error {
	req := s.waiting[int32(resp.TargetShard)]
	switch {
	case req == nil || string(resp.PlacedEventId) != string(s.unwritten.eventID[:]):
		return nil // a repeat, or to an attempt before
	case resp.Version != s.version || !answersAll(resp, req):
		return d.writeUnanswered(s)
	}
	if refused := d.noteAnswer(s, resp); len(s.waiting) > 0 && !refused {
		return nil
	}
	return d.writeAnswered(s)
}

// writeAnswered writes an order that stock of other shards has answered, with what stock of this shard answers.
func (d *decider) writeAnswered(s *saga) error {
	s.answered = true
	return d.write(s, func(e *checkpoint.Entry, from *origin) error {
		if len(s.waiting) == 0 {
			return d.askStock(e, s, from)
		}
		// One shard has refused: nobody else is asked for anything but to give back.
		answers := make([]order.StockAnswer, 0, len(s.answers))
		for _, h := range s.answers {
			answers = append(answers, h)
		}
		evs, err := d.decideAnswer(e, answers, from)
		if err != nil {
			return err
		}
		if err := d.appendOrder(e, evs, from); err != nil {
			return err
		}
		return d.askStock(e, s, from)
	})
}

// writeUnanswered writes an order that stock of other shards has not answered, and asks all of them, again or for the
// first time, once it is committed.
func (d *decider) writeUnanswered(s *saga) error {
	d.node.metrics.writtenUnanswered.Inc()
	clear(s.answers)
	return d.write(s, func(e *checkpoint.Entry, from *origin) error { return d.askStock(e, s, from) })
}

// write writes an order, and has then ask for its stock. The commands behind it are decided afterwards.
func (d *decider) write(s *saga, then func(e *checkpoint.Entry, from *origin) error) error {
	u, first := s.unwritten, len(d.batch.records)
	s.unwritten, d.sagas.behind = nil, s.unwritten.behind
	delete(d.sagas.unwritten, orderid.KeyOf(s.orderID))
	e, err := d.store.Order(s.orderID)
	if err != nil {
		return err
	}
	d.batch.trace(s.traceParent)
	from := u.cmd.origin()
	from.eventID = u.eventID
	if err := d.appendOrder(e, u.events, &from); err != nil {
		return err
	}
	if err := then(e, &from); err != nil {
		return err
	}
	d.afterWrite(e, s, first)
	if e.Order.Undecided() {
		d.batch.answers = append(d.batch.answers, answer{
			fut: u.fut, first: first, end: len(d.batch.records), accepted: true,
			result: orderOutcome(e, u.cmd, e.Order.Version),
		})
	}
	for ; len(d.sagas.behind) > 0; d.sagas.behind = d.sagas.behind[1:] {
		w := d.sagas.behind[0]
		if err := d.decideOrder(w.cmd, w.fut); err != nil {
			return err
		}
	}
	return nil
}

// writeSome writes the orders that are not written yet, as many as there is room for.
func (d *decider) writeSome() error {
	for _, s := range d.sagas.unwritten {
		if !d.batch.room() {
			return nil
		}
		if err := d.writeUnanswered(s); err != nil {
			return err
		}
	}
	return nil
}
