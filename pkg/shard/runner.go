package shard

import (
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// runner is one ownership of one shard: from its acquisition to the first commit that is unclear, or
// to its release. One goroutine decides; nothing outside touches its state.
type runner struct {
	node   *Node
	shard  int32
	layout eventlog.Layout
	log    *slog.Logger

	st      *store
	w       *eventlog.Writer
	ownerID [16]byte
	in      *inbox
	stop    chan struct{} // closed to release the shard
	stopped chan struct{} // closed when it is released
	ids     *eventIDs
	rest    []input // taken from the inbox, not decided yet
	b       *batch  // being decided
	flying  *batch  // committing; nil: none
	spare   *batch
	commits commitLoop
	gather  gathering
	sagas   map[string]*saga
	resends schedule[string] // of sagas
	// waiters wait for the outcome of an order that has a saga.
	waiters map[string][]waiter
	news    map[pairKey]*fillNews // by order and SKU
	tellAt  schedule[pairKey]     // of news
	// timers has the orders that expire unless they are paid.
	timers schedule[string]
	// takenUp is the order up to which unsettled ones have been taken up again, tookUp when that went on.
	takenUp    string
	tookUp     int64
	allTakenUp bool

	sweep []string // orders of other shards to ask about
	swept time.Time
	// sweepWait is until the next sweep begins; it doubles up to sweepEvery.
	sweepWait time.Duration
	lastBeat  time.Time

	lastCheckpoint time.Time
}

func (r *runner) partitionOf(key string) int32 {
	return eventlog.PartitionFor(key, r.layout.PartitionCount)
}

// shardOf is the shard that writes an aggregate.
func (r *runner) shardOf(key string) int32 { return r.layout.ShardOf(r.partitionOf(key)) }

// foreign tells aggregates that another shard writes.
func (r *runner) foreign(key string) bool { return r.shardOf(key) != r.shard }

// tick bounds how late a resend, a timer or a checkpoint is when nothing else wakes the shard.
const tick = 50 * time.Millisecond

// serve decides inputs until the shard is released (nil) or lost (an error).
//
// Two batches are under way: one commits (flight.go) while the next is decided on top of it, so that its commit
// can begin at once. Nobody outside sees anything of a batch before its own commit, and that one begins only
// after the one before has succeeded; otherwise both are abandoned, with the state that they changed.
func (r *runner) serve() error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	r.commits.start(r.w)
	defer r.commits.stop()
	for {
		ready := r.in.ready
		if len(r.rest) > 0 {
			ready = nil
		}
		select {
		case <-r.stop:
			return r.drain()
		case <-ready:
			r.rest = r.in.take()
		case err := <-r.commits.landed:
			if err := r.land(err); err != nil {
				return err
			}
		case <-r.gather.timer.C:
		case <-ticker.C:
		}
		if err := r.turn(); err != nil {
			return err
		}
	}
}

// turn decides what there is room for, and lets the batch go when the one before has landed.
func (r *runner) turn() error {
	for {
		if err := r.decideSome(); err != nil {
			return r.abandon(err)
		}
		departed, err := r.departInTime()
		if err != nil || !departed {
			return err
		}
	}
}

// decideSome decides inputs while the batch has room.
func (r *runner) decideSome() error {
	r.b.now = nowMicros()
	for len(r.rest) > 0 && r.b.room() {
		if err := r.handle(&r.rest[0]); err != nil {
			return err
		}
		r.b.inputs++
		r.rest = r.rest[1:]
	}
	return nil
}

// onTime fires deadlines and sends again what is unanswered.
func (r *runner) onTime() error {
	now := time.UnixMicro(r.b.now)
	for id, due := r.timers.first(r.b.now); due && r.b.room(); id, due = r.timers.first(r.b.now) {
		r.timers.set(id, 0)
		if err := r.expire(id); err != nil {
			return err
		}
	}
	if err := r.takeUpSome(); err != nil {
		return err
	}
	r.resend()
	if err := r.tellNews(); err != nil {
		return err
	}
	r.sweepSome()
	r.b.beat = r.b.beat || now.Sub(r.lastBeat) >= heartbeatEvery
	return nil
}

func (r *runner) expire(orderID string) error {
	e, err := r.resume(orderID)
	if err != nil {
		return err
	}
	evs, err := order.Decide(e.o, order.Expire{AtMicros: r.b.now})
	if err != nil || len(evs) == 0 {
		return nil // paid, or ended, before its deadline
	}
	return r.writeOrder(e, evs, &origin{occurredAt: r.b.now, cause: eventv1.Cause_CAUSE_TIMER})
}

// answerPosition is how far a read must have got to include an answer: what its command wrote, here and in
// other shards, and what it rests on.
func (r *runner) answerPosition(b *batch, a *answer) eventlog.Position {
	p := make(eventlog.Offsets, a.end-a.first+len(a.rests))
	if a.saga != nil {
		p.Merge(a.saga.position)
	}
	for _, tp := range a.rests {
		p[tp] = max(p[tp], r.st.applied(tp))
	}
	for _, rec := range b.recs[a.first:a.end] {
		p[rec.TopicPartition] = rec.Offset + 1
	}
	return eventlog.PositionOf(p)
}

// abandon answers everyone in both batches that the outcome is unclear; the state is dropped with the runner.
func (r *runner) abandon(err error) error {
	res := unavailable("the commit is unclear: retry with the same Idempotency-Key")
	for _, b := range []*batch{r.b, r.flying} {
		if b == nil {
			continue
		}
		for i := range b.answers {
			if fut := b.answers[i].fut; fut != nil {
				fut.finish(res)
			}
		}
	}
	r.failWaiters(res)
	return fmt.Errorf("shard %d: %w", r.shard, err)
}

func (r *runner) failInputs(inputs []input) {
	for i := range inputs {
		if inputs[i].fut != nil {
			inputs[i].fut.finish(unavailable("the shard has lost its owner: retry with the same Idempotency-Key"))
		}
	}
}

func (r *runner) failWaiters(res Result) {
	for _, waiters := range r.waiters {
		for _, w := range waiters {
			w.fut.finish(res)
		}
	}
}

func unavailable(detail string) Result {
	return Result{Code: CodeUnavailable, Detail: detail, RetryAfterSeconds: 1}
}

// announcement is the heartbeat: who owns the shard, and where.
func (r *runner) announcement() *eventlog.Record {
	v, err := proto.Marshal(&eventv1.Announcement{
		Generation: r.layout.Generation, Shard: uint32(r.shard), OwnerId: r.ownerID[:],
		PeerAddress: r.node.address(), AnnouncedAtMicros: nowMicros(),
	})
	if err != nil {
		panic(fmt.Sprintf("an announcement does not encode: %v", err)) // no field of it can fail
	}
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicShards, Partition: r.shard}, Value: v,
		TimestampMicros: nowMicros(),
	}
}

// release ends the ownership: whoever still waits is told to retry.
func (r *runner) release() {
	r.failInputs(r.rest)
	r.failInputs(r.in.close())
	r.failWaiters(unavailable("the shard is moving to another replica: retry with the same Idempotency-Key"))
	r.w.Close()
	if err := r.st.close(); err != nil {
		r.log.Warn("close the checkpoint", "shard", r.shard, "error", err)
	}
	close(r.stopped)
}
