package shard

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// A command that ships goods of other shards asks them first whether the goods are still there: a count there may have
// found that they are missing, and the news of it may be under way. The question is the order's newest step once more.
// Stock has seen it, writes nothing, and answers with what it has; what is backordered of that the order records before
// the command is decided. So of a count and a shipment the one that stock hears of first counts. See ADR 34.
//
// It is in memory only. Where the shard is lost meanwhile, nothing was written, and the command comes again.

// askShippingFor is how long a shipment waits for the answers. Nobody knows then whether the goods are there, and the
// client is told to try again.
const askShippingFor = 5 * time.Second

// shippingAsk is an order whose shipments wait for answers about its goods.
type shippingAsk struct {
	orderID string
	// version is that of the order's step, and waiting has it by target shard.
	version  uint64
	waiting  map[int32]*peerv1.ReservationRequest
	commands []waiter
	attempts int
	// untilMicros is when it gives up.
	untilMicros int64
}

// askShipping asks stock of other shards about what a command ships. asked is false where the command is to be decided
// now: it ships nothing of theirs, or they have answered.
func (d *decider) askShipping(e *checkpoint.Entry, evs []order.Event, cmd *Command, fut *Future) (asked bool) {
	shipped, ships := evs[0].(order.LinesShipped)
	if !ships || cmd.stockAsked || d.layout.ShardCount == 1 {
		return false
	}
	ask := d.sagas.shipping[e.Order.ID]
	if ask == nil {
		requests := d.shippingRequests(e, shipped.Lines)
		if len(requests) == 0 {
			return false
		}
		ask = &shippingAsk{
			orderID: e.Order.ID, version: e.Order.ReservationVersion, waiting: requests,
			untilMicros: d.batch.now + askShippingFor.Microseconds(),
		}
		d.sagas.shipping[e.Order.ID] = ask
		d.sendShippingAsk(ask)
	}
	if len(ask.commands) >= maxBehind {
		d.refuse(fut, cmd, Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("%d shipments of the order wait for stock of other shards; retry later with the same key",
				maxBehind)})
		return true
	}
	ask.commands = append(ask.commands, waiter{fut: fut, cmd: cmd})
	return true
}

// shippingRequests are the order's newest step to the shards that have goods of the lines.
func (d *decider) shippingRequests(
	e *checkpoint.Entry, lines []order.LineQuantity,
) map[int32]*peerv1.ReservationRequest {
	_, requests := d.splitWanted(e, nil)
	for target, req := range requests {
		if !slices.ContainsFunc(req.Wanted, func(w *peerv1.Wanted) bool {
			return slices.ContainsFunc(lines, func(l order.LineQuantity) bool { return l.SKU == w.Sku })
		}) {
			delete(requests, target)
		}
	}
	return requests
}

// sendShippingAsk asks the shards that have not answered, once the current batch has committed.
func (d *decider) sendShippingAsk(ask *shippingAsk) {
	d.sagas.shippingDue.set(ask.orderID, 0)
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) {
		if d.sagas.shipping[ask.orderID] != ask {
			return
		}
		ask.attempts++
		wait := time.Duration(0)
		for target, req := range ask.waiting {
			wait = max(wait, d.sagas.answerTimes[target].wait(ask.attempts))
			d.node.metrics.stepsSent.Inc()
			if ask.attempts > 1 {
				d.node.metrics.resends.Inc()
			}
			d.node.sendStep(req)
		}
		d.sagas.shippingDue.set(ask.orderID, min(d.wallMicros()+wait.Microseconds(), ask.untilMicros))
	})
}

// resendShippingAsks asks again where no answer has come, and gives up where none comes.
func (d *decider) resendShippingAsks() {
	s, now := &d.sagas, d.batch.now
	for id, due := s.shippingDue.first(now); due && len(d.batch.onCommit) < maxUnsent; id, due = s.shippingDue.first(now) {
		ask := s.shipping[id]
		if now < ask.untilMicros {
			d.sendShippingAsk(ask)
			continue
		}
		s.endShipping(id)
		for _, w := range ask.commands {
			d.refuse(w.fut, w.cmd, Result{Code: problem.Unavailable, RetryAfterSeconds: 1,
				Detail: "the shard that has the goods does not say whether they are there: retry with the same Idempotency-Key"})
		}
	}
}

// endShipping forgets an order's question.
func (s *sagas) endShipping(orderID string) {
	delete(s.shipping, orderID)
	s.shippingDue.set(orderID, 0)
}

// noteShippingAnswer records in the order what an answer says of its backorders, and decides its shipments once all
// shards have answered.
func (d *decider) noteShippingAnswer(resp *peerv1.ReservationResponse) error {
	ask := d.sagas.shipping[resp.OrderId]
	if ask == nil || resp.Version < ask.version {
		return nil
	}
	e, err := d.store.Order(resp.OrderId)
	if err != nil || string(resp.PlacedEventId) != string(e.Order.PlacedEventID[:]) {
		return err
	}
	from := d.sagaOrigin(e)
	for _, h := range heldFromWire(resp.Held) {
		news := order.RecordBackorder{
			SKU: h.SKU, ReservationVersion: resp.Version, Backordered: h.Backordered, StockVersion: h.BackorderVersion,
		}
		if err := d.writeBackorder(e, news, &from); err != nil {
			return err
		}
	}
	if delete(ask.waiting, int32(resp.TargetShard)); len(ask.waiting) > 0 {
		return nil
	}
	d.sagas.endShipping(resp.OrderId)
	current := e.Order.ReservationVersion == ask.version // else what changed asks once more
	for i, w := range ask.commands {
		w.cmd.stockAsked = current
		if err := d.decideOrder(w.cmd, w.fut); err != nil {
			d.sagas.behind = append(d.sagas.behind, ask.commands[i:]...) // whoever abandons the batch answers them
			return err
		}
	}
	return nil
}
