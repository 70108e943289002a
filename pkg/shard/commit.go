package shard

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// committing is the batch that commits, while the next one is decided. Its goroutine writes one batch after the other.
type committing struct {
	writer *eventlog.Writer
	batch  *batch // nil: none commits
	spare  *batch // to decide the next batch into; nil while a batch commits
	delay  batchDelay
	begun  chan []*eventlog.Record
	ended  chan error
	// foreign gets an error when somebody else has written into a partition of the shard while nothing committed.
	foreign chan error
}

// checkEndsEvery is how often an owner looks whether somebody else has written into its partitions. It notices at once
// in a partition that it writes.
const checkEndsEvery = 2 * time.Second

func newCommitting(w *eventlog.Writer) committing {
	return committing{writer: w, spare: newBatch(), delay: newBatchDelay()}
}

func (c *committing) start() {
	// One batch at a time: neither side ever waits to send, and the goroutine ends with the channel.
	c.begun, c.ended, c.foreign = make(chan []*eventlog.Record, 1), make(chan error, 1), make(chan error, 1)
	go c.run()
}

func (c *committing) run() {
	check := time.NewTicker(checkEndsEvery)
	defer check.Stop()
	var foreign error
	for {
		select {
		case records, more := <-c.begun:
			switch {
			case !more:
				return
			case foreign != nil:
				c.ended <- foreign
			default:
				c.ended <- c.writer.Commit(records)
			}
		case <-check.C:
			if foreign != nil {
				continue
			}
			if foreign = c.writer.CheckEnds(); foreign != nil {
				c.foreign <- foreign
			}
		}
	}
}

func (c *committing) stop() { close(c.begun) }

// tryCommit begins to commit the batch, unless it is worth waiting for more inputs.
func (r *runner) tryCommit() (begun bool, err error) {
	b := r.decider.batch
	if r.committing.batch == nil && b.room() && r.committing.delay.wait(b.inputs, time.Now()) {
		return false, nil
	}
	return r.beginCommit()
}

// beginCommit begins to commit the batch, if the one before has ended and there is anything to write or to answer.
func (r *runner) beginCommit() (begun bool, err error) {
	if r.committing.batch != nil {
		return false, nil
	}
	if err := r.onTime(); err != nil {
		return false, r.abandon(err)
	}
	b := r.decider.batch
	if b.empty() {
		if r.makeRoom(b) && len(r.pending) > 0 {
			return true, nil
		}
		return false, r.saveIdle()
	}
	if !r.seal() {
		r.complete(b)
		b.reset()
		return len(r.pending) > 0, nil
	}
	r.committing.begun <- r.swapBatch()
	// The state in memory is exactly what the log will have once this batch is in it, until the next one is decided.
	if r.saveDue() {
		b.changes, err = r.state.store.Prepare()
	} else {
		err = r.state.store.EncodeBatch()
	}
	if err != nil {
		return false, r.abandon(err)
	}
	return true, nil
}

// makeRoom makes room for more after inputs that wrote nothing: orders that ask stock first. Nothing else would, since
// there is nothing to commit. It reports whether there were any.
func (r *runner) makeRoom(b *batch) bool {
	if b.inputs == 0 {
		return false
	}
	r.inbox.served(b.commands, time.Now())
	b.reset()
	return true
}

// swapBatch makes the decided batch the one that commits, and returns its records. The next one is decided from here
// on.
func (r *runner) swapBatch() []*eventlog.Record {
	c := &r.committing
	c.batch, r.decider.batch, c.spare = r.decider.batch, c.spare, nil
	c.batch.committingFrom = time.Now()
	r.pulse.beginCommit(c.batch.committingFrom)
	return c.batch.records
}

// seal reports whether the batch needs a commit, and adds an announcement when one is due, when the batch refuses
// something, or when nothing else would prove that this owner is the owner.
func (r *runner) seal() bool {
	b := r.decider.batch
	b.events = len(b.records)
	if b.events == 0 && !b.fenced && !b.heartbeat {
		return false
	}
	if b.announces = b.events == 0 || b.heartbeat || len(b.refused) > 0; b.announces {
		b.announcedFrom = r.clock.wall()
		b.records = append(b.records, r.announcement(b.refused))
		r.lastHeartbeat = time.Now()
	}
	return true
}

// announcement is the heartbeat: who owns the shard, and where. It says what was refused since the last one.
func (r *runner) announcement(refused []uint64) *eventlog.Record {
	now := r.clock.wall().UnixMicro()
	v, err := proto.Marshal(&eventv1.Announcement{
		Generation: r.state.layout.Generation, Shard: uint32(r.state.shard), OwnerId: r.ownerID[:],
		PeerAddress: r.node.peers.Address(), AnnouncedAtMicros: now,
		RefusedKeys: refused, RecordsRefusals: true, KnowsTentativeSteps: true,
	})
	if err != nil {
		panic("an announcement does not encode: " + err.Error()) // no field of it can fail
	}
	return &eventlog.Record{
		TopicPartition:  eventlog.TopicPartition{Topic: eventlog.TopicShards, Partition: r.state.shard},
		Value:           v,
		TimestampMicros: now,
	}
}

// endCommit handles the outcome of the batch that was committing: its callers are answered, and the next one may
// commit.
func (r *runner) endCommit(err error) error {
	if err != nil {
		return r.abandon(err)
	}
	b, now := r.committing.batch, time.Now()
	took := now.Sub(b.committingFrom)
	r.pulse.endCommit(now)
	r.committing.delay.committed(b.inputs, took, now)
	r.inbox.served(b.commands, now)
	r.node.metrics.commitSeconds.Observe(took.Seconds())
	r.node.metrics.batchEvents.Observe(float64(b.events))
	if b.inputs > 0 {
		r.node.metrics.decideSeconds.Observe(b.deciding.Seconds())
	}
	for _, parent := range b.traced {
		r.node.cfg.Tracer.Committed(parent, r.state.shard, b.events, b.committingFrom, now)
	}
	for i, id := range b.ids {
		r.state.store.Advance(b.records[i].TopicPartition, b.records[i].Offset, id)
	}
	if b.changes != nil {
		r.state.store.Write(b.changes)
	}
	if b.announces {
		r.announced(b, now)
	}
	r.complete(b)
	b.reset()
	r.committing.batch, r.committing.spare = nil, b
	return nil
}

// complete answers the callers of a batch, and sends what it has for other shards.
func (r *runner) complete(b *batch) {
	for i := range b.answers {
		a := &b.answers[i]
		if a.fut == nil {
			continue
		}
		a.result.Position = r.answerPosition(b, a)
		if a.accepted {
			a.fut.accept(a.result)
		} else {
			a.fut.finish(a.result)
		}
	}
	for _, fn := range b.onCommit {
		fn(b)
	}
}

// answerPosition is how far a read must have got to include an answer: what its command wrote, here and in other
// shards, and what the answer depends on.
func (r *runner) answerPosition(b *batch, a *answer) eventlog.Position {
	p := make(eventlog.Offsets, a.end-a.first+len(a.dependsOn))
	if a.saga != nil {
		p.Merge(a.saga.position)
	}
	for _, tp := range a.dependsOn {
		p[tp] = max(p[tp], r.state.store.Applied(tp))
	}
	for _, rec := range b.records[a.first:a.end] {
		p[rec.TopicPartition] = rec.Offset + 1
	}
	return eventlog.PositionOf(p)
}

// commitNow commits the batch and waits for that. It is for the time before serve.
func (r *runner) commitNow() error {
	if b := r.decider.batch; b.empty() || !r.seal() {
		r.complete(b)
		b.reset()
		return nil
	}
	return r.endCommit(r.committing.writer.Commit(r.swapBatch()))
}

// saveDue reports whether a checkpoint is due: often enough to keep a restart short, and seldom enough that an item
// that sells all the time is not written all the time.
func (r *runner) saveDue() bool {
	unsaved := r.state.store.Unsaved()
	due := unsaved >= saveUnsaved || r.state.store.Full() || time.Since(r.lastSave) >= saveEvery
	if unsaved == 0 || !due {
		return false
	}
	r.lastSave = time.Now()
	return true
}

// saveIdle saves what the last batch has changed, when none follows. Entries that were only read leave memory too.
func (r *runner) saveIdle() error {
	store := r.state.store
	if !r.saveDue() {
		idle, err := store.Idle()
		if idle {
			store.Age()
		}
		return err
	}
	changes, err := store.Prepare()
	if changes != nil {
		store.Write(changes)
	}
	return err
}
