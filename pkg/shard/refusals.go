package shard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/problem"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	// refusalsKeptFor is how long an earlier attempt of a refused command may be delayed and still be known for one.
	refusalsKeptFor = 10 * time.Minute
	// maxRefusals of one shard are kept, about 60 bytes each. Where more come, the oldest are forgotten sooner, and
	// commands that are older than those are answered 503.
	maxRefusals = 1 << 17
)

// refusals are the commands of one shard that were refused of late, by whichever owner: what clients were told must
// stay true, also when an earlier attempt of the same command turns up.
//
// Example: a client sends a command to replica B, which is paused, gives up, and sends it again to replica A, the
// owner. A refuses it, and says so in the record at offset 70 of holdfast.shards. Then B goes on, and hands over the
// first attempt. B had heard the announcements up to 70 when it took that: the refusal came later, and the first
// attempt must not be carried out any more. When the client sends the command a third time, because it has changed
// what was in its way, any replica that has heard of the refusal (71) has it decided anew.
//
// Every replica reads all of it from the topic, so whoever acquires a shard has it already.
type refusals struct {
	count atomic.Int64 // of newest
	// complete: refusals below this offset are not all known.
	complete atomic.Int64

	mu     sync.Mutex
	newest map[uint64]int64 // offset of the newest refusal of a command, by its hash
	queue  []refusalAt      // oldest first
	readTo int64            // end of what was read of the topic
	moved  chan struct{}    // closed when that rises
	// recorded: the announcement read last is of an owner, of this generation or a former one, that records its refusals.
	recorded bool
	// announced is the end of the first announcement of this generation; 0: there is none. Commands that heard less may
	// have been refused by an owner of the former generation, whose shards were others.
	announced atomic.Int64
}

type refusalAt struct {
	hash   uint64
	offset int64
	at     time.Time
}

func newRefusals() *refusals {
	return &refusals{newest: map[uint64]int64{}, moved: make(chan struct{})}
}

// refusalHash names a command for longer than its ID and key: a collision costs one answer 503. Commands without a key
// are told apart by what they want.
func refusalHash(cmd *Command) uint64 {
	var d xxhash.Digest
	d.Reset()
	kind := [1]byte{}
	if cmd.isOrder() {
		kind[0] = 1
	}
	_, _ = d.Write(kind[:]) // the digest has no errors
	_, _ = d.WriteString(cmd.ID)
	_, _ = d.Write(kind[:])
	if cmd.Key == "" {
		_, _ = d.Write(cmd.Fingerprint[:])
	}
	_, _ = d.WriteString(cmd.Key)
	return d.Sum64()
}

// definite reports whether a result is a refusal that a client need not retry. What a key that was used for another
// request is answered stays true by itself.
func definite(res *Result) bool {
	switch res.Code {
	case "", problem.Unavailable, problem.TooManyRequests, problem.KeyReused:
		return false
	}
	return true
}

// bind reports whether a command was refused after its request had come, or perhaps was.
func (r *refusals) bind(cmd *Command) bool {
	if cmd.heard != heardUnknown && cmd.heard < r.complete.Load() {
		return true
	}
	if r.count.Load() == 0 {
		return false
	}
	hash := refusalHash(cmd)
	r.mu.Lock()
	defer r.mu.Unlock()
	offset, refused := r.newest[hash]
	return refused && offset >= cmd.heard
}

// add remembers refusals that were committed in the record at offset. Adding them twice does nothing.
func (r *refusals) add(hashes []uint64, offset int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hash := range hashes {
		if known, refused := r.newest[hash]; refused && known >= offset {
			continue
		}
		r.newest[hash] = offset
		r.queue = append(r.queue, refusalAt{hash, offset, now})
	}
	for len(r.queue) > 0 && (len(r.queue) > maxRefusals || now.Sub(r.queue[0].at) > refusalsKeptFor) {
		oldest := r.queue[0]
		r.queue = r.queue[1:]
		if r.newest[oldest.hash] == oldest.offset {
			delete(r.newest, oldest.hash)
			r.incompleteBelow(oldest.offset + 1)
		}
	}
	r.count.Store(int64(len(r.newest)))
}

// incompleteBelow: refusals below an offset are not all known. mu must be locked.
func (r *refusals) incompleteBelow(offset int64) { r.complete.Store(max(r.complete.Load(), offset)) }

// beginAt begins to read the topic, at the first offset that it still has.
func (r *refusals) beginAt(start int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incompleteBelow(start)
	r.recorded = start == 0
}

// readBefore takes in an announcement of a former generation. What its owner refused may be of any shard of this
// generation, so it goes into before, where nothing has an offset: a command that may be older than it is bound by it.
func (r *refusals) readBefore(before *refusals, a *eventv1.Announcement, now time.Time) {
	r.mu.Lock()
	r.recorded = a.RecordsRefusals
	r.mu.Unlock()
	if !a.RecordsRefusals {
		before.mu.Lock()
		before.incompleteBelow(1)
		before.mu.Unlock()
	}
	before.add(a.RefusedKeys, 0, now)
}

// olderThanGeneration reports whether a command may have been taken before this generation had an owner of its shard.
func (r *refusals) olderThanGeneration(cmd *Command) bool { return cmd.heard < r.announced.Load() }

// read takes in an announcement; a nil one is of another generation, or of another program. What an owner refused that
// does not record its refusals ends with the announcement of its successor.
func (r *refusals) read(offset int64, a *eventv1.Announcement, now time.Time) {
	records := a != nil && a.RecordsRefusals
	if a != nil {
		r.announced.CompareAndSwap(0, offset+1)
	}
	r.mu.Lock()
	if !records || !r.recorded {
		r.incompleteBelow(offset + 1)
	}
	r.recorded = records
	r.mu.Unlock()
	r.add(a.GetRefusedKeys(), offset, now)
}

// reached: the topic was read up to an exclusive end.
func (r *refusals) reached(end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end != r.readTo {
		r.readTo = end
		close(r.moved)
		r.moved = make(chan struct{})
	}
}

// await returns once the topic was read up to an exclusive end.
func (r *refusals) await(ctx context.Context, end int64) error {
	for {
		r.mu.Lock()
		readTo, moved := r.readTo, r.moved
		r.mu.Unlock()
		if readTo >= end {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// learnRefusals has the refusals of all former owners, after the last one was fenced: those of the shard, and those of
// every shard of the former generation, which may have had any of the shard's partitions.
func (n *Node) learnRefusals(ctx context.Context, shard int32) error {
	tps := []eventlog.TopicPartition{{Topic: eventlog.TopicShards, Partition: shard}}
	for former := range n.before.ShardCount {
		if former != shard {
			tps = append(tps, eventlog.TopicPartition{Topic: eventlog.TopicShards, Partition: former})
		}
	}
	ends, err := n.client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	for tp, end := range ends {
		if err := n.refusals[tp.Partition].await(ctx, end); err != nil {
			return err
		}
	}
	return nil
}

// refused remembers that a command was refused, once the batch is committed.
func (d *decider) refused(cmd *Command) {
	hash := refusalHash(cmd)
	d.batch.refused = append(d.batch.refused, hash)
	d.refusing[hash]++
}

// bound reports whether a later attempt of a command was refused, or may have been. It is asked before anything is
// written: another refusal needs no permission.
func (d *decider) bound(cmd *Command) bool {
	if len(d.refusing) > 0 && d.refusing[refusalHash(cmd)] > 0 {
		return true
	}
	if d.layout.Generation > 1 && d.node.refusals[d.shard].olderThanGeneration(cmd) {
		if before := *cmd; d.node.owners.before.bind(before.unheard()) {
			return true
		}
	}
	return d.node.refusals[d.shard].bind(cmd)
}

// unheard is the command as one that was taken before anything was announced.
func (cmd *Command) unheard() *Command {
	cmd.heard = 0
	return cmd
}

// refuseBound answers a command that was refused before it came to be decided.
func (d *decider) refuseBound(cmd *Command, fut *Future) {
	d.node.metrics.refusedBound.Inc()
	d.refuse(fut, cmd, unavailable("the request was under way for long, and the same request was refused meanwhile: "+
		"retry with the same Idempotency-Key"))
}

// announced remembers what a batch refused, now that its announcement is committed.
func (r *runner) announced(b *batch, now time.Time) {
	offset := b.records[len(b.records)-1].Offset
	r.node.refusals[r.state.shard].add(b.refused, offset, now)
	for _, hash := range b.refused {
		if r.decider.refusing[hash]--; r.decider.refusing[hash] == 0 {
			delete(r.decider.refusing, hash)
		}
	}
	r.node.hearing.learn(r.state.shard, offset+1)
	r.clock.announcedAt(offset, b.announcedFrom)
}
