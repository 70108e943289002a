package shard

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// decider decides inputs on top of a shard's state: it applies the rules of package order and package inventory, writes
// their events into the current batch and applies them to the state at once, and carries the steps between orders and
// their stock. It commits nothing; the runner does.
type decider struct {
	*shardState
	node    *Node
	batch   *batch // being decided
	ids     *eventIDs
	sagas   sagas
	notices backorderNotices
	// deadlines has the orders that expire unless they are paid.
	deadlines schedule[string]
	unsettled resumption
	sweep     sweep
	tentative tentativeSteps
	// refusing counts the refusals, by the commands' hashes, whose batch has not committed yet.
	refusing map[uint64]int
	// firstOfGeneration: nobody owned the shard before under this layout. Orders at the log's end may have asked stock of
	// another shard that is this one's now.
	firstOfGeneration bool
}

func newDecider(n *Node, s *shardState) *decider {
	return &decider{
		shardState: s, node: n, batch: newBatch(), ids: newEventIDs(),
		sagas: newSagas(s.layout.ShardCount), notices: newBackorderNotices(), deadlines: newSchedule[string](),
		refusing: map[uint64]int{}, tentative: tentativeSteps{},
	}
}

// onTime decides what is due without an input: deadlines, and what has to be sent or resent.
func (d *decider) onTime() error {
	if err := d.expireDue(); err != nil {
		return err
	}
	if err := d.resumeSome(); err != nil {
		return err
	}
	if err := d.resendSteps(); err != nil {
		return err
	}
	d.resendShippingAsks()
	if err := d.sendBackorderNotices(); err != nil {
		return err
	}
	d.sweepSome()
	return nil
}

// wait is how long until something is due without an input. What is under way a part at a time goes on after a tick.
func (d *decider) wait() time.Duration {
	if !d.unsettled.done || len(d.sweep.orders) > 0 {
		return tick
	}
	due := min(d.deadlines.next(), d.sagas.resends.next(), d.notices.due.next(),
		d.sagas.shippingDue.next(), d.sweep.began.Add(d.sweep.wait).UnixMicro())
	left := due - d.wallMicros()
	return time.Duration(min(max(left, 0), longestWait.Microseconds())) * time.Microsecond
}

// expireDue cancels the orders that were not paid before their deadline.
func (d *decider) expireDue() error {
	now := d.batch.now
	for id, due := d.deadlines.first(now); due && d.batch.room(); id, due = d.deadlines.first(now) {
		d.deadlines.set(id, 0)
		if err := d.expire(id); err != nil {
			return err
		}
	}
	return nil
}

func (d *decider) expire(orderID string) error {
	e, err := d.resumeOrder(orderID)
	if err != nil {
		return err
	}
	evs, err := order.Decide(e.Order, order.Expire{AtMicros: d.batch.now})
	if err != nil || len(evs) == 0 {
		return nil // paid, or ended, before its deadline
	}
	return d.writeOrder(e, evs, &origin{occurredAt: d.batch.now, cause: eventv1.Cause_CAUSE_TIMER})
}

// refuse answers without events, after a commit that proves that the state it depends on was current.
func (d *decider) refuse(fut *Future, cmd *Command, res Result) {
	d.batch.fenced = true
	if definite(&res) {
		d.refused(cmd)
	}
	d.batch.answers = append(d.batch.answers, answer{fut: fut, result: res, dependsOn: d.dependsOn(cmd)})
}

// dependsOn is the partition of a command's aggregate.
func (d *decider) dependsOn(cmd *Command) []eventlog.TopicPartition {
	if cmd.isOrder() {
		return []eventlog.TopicPartition{d.orderPartition(cmd.ID)}
	}
	return []eventlog.TopicPartition{d.stockPartition(cmd.ID)}
}

// origin is that of the events of a command.
func (cmd *Command) origin() origin {
	from := origin{
		request:    request{cmd.Key, cmd.Fingerprint, cmd.Principal},
		occurredAt: cmd.OccurredAtMicros, cause: eventv1.Cause_CAUSE_COMMAND, traceParent: cmd.TraceParent,
	}
	if from.dated = from.occurredAt != 0; !from.dated {
		from.occurredAt = cmd.ReceivedAtMicros
	}
	return from
}
