package shard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// owners knows which replica owns which shard, from what they announce in the topic of shards.
type owners struct {
	layout eventlog.Layout
	// hearing, refusals and clocks are told what is read.
	hearing  *hearing
	refusals []*refusals
	clocks   []*shardClock
	// before has what owners of former generations refused.
	before *refusals

	mu      sync.Mutex
	self    string // address of this replica; empty: it has none
	byShard []owner
	// heardFirst is, by shard, when the first owner of this generation was heard of, in Unix nanoseconds; 0: none was.
	heardFirst []atomic.Int64
	// selfIDs are, by shard, the ID under which this replica owned it last: it may have no address to be known by.
	selfIDs []string
	// changed is told of each shard that has another owner.
	changed func(shard int32)
}

type owner struct {
	id      string // empty: nobody has announced itself
	address string // empty: it cannot be called
	// tentative: it knows tentative steps.
	tentative bool
}

func newOwners(
	layout eventlog.Layout, hearing *hearing, refused []*refusals, clocks []*shardClock, changed func(shard int32),
) *owners {
	return &owners{
		layout: layout, hearing: hearing, refusals: refused, clocks: clocks, before: newRefusals(), changed: changed,
		heardFirst: make([]atomic.Int64, layout.ShardCount),
		byShard:    make([]owner, layout.ShardCount), selfIDs: make([]string, layout.ShardCount),
	}
}

// reachedAt notes the address of this replica.
func (o *owners) reachedAt(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.self = address
}

// follow keeps the owners current until ctx ends.
func (o *owners) follow(ctx context.Context, client *eventlog.Client, log *slog.Logger) {
	for ctx.Err() == nil {
		f, err := client.FollowAnnouncements(ctx, int32(len(o.refusals)))
		if err == nil {
			err = o.read(ctx, f)
			f.Close()
		}
		if ctx.Err() != nil {
			return
		}
		log.Warn("follow the owners of shards", "error", err)
		_ = backoff.Sleep(ctx, reacquireBackoff) // the loop sees the end of ctx
	}
}

func (o *owners) read(ctx context.Context, f *eventlog.Follower) error {
	for tp, start := range f.Reached() {
		o.refusals[tp.Partition].beginAt(start)
		o.refusals[tp.Partition].reached(start) // brokers may have deleted all there was
		o.learn(tp.Partition, start)
	}
	for {
		recs, reached, err := f.Poll(ctx)
		if err != nil {
			return err
		}
		for i := range recs {
			o.take(&recs[i])
		}
		for tp, end := range reached {
			o.refusals[tp.Partition].reached(end)
			o.learn(tp.Partition, end)
			if marker, any := f.Marker(tp); any && tp.Partition < o.layout.ShardCount {
				o.clocks[tp.Partition].ended(marker)
			}
		}
	}
}

// learn notes how far the announcements of a shard were read. A former layout may have had more shards.
func (o *owners) learn(shard int32, end int64) {
	if shard < o.layout.ShardCount {
		o.hearing.learn(shard, end)
	}
}

// take takes in an announcement.
func (o *owners) take(rec *eventlog.Record) {
	var a eventv1.Announcement
	err := a.UnmarshalVT(rec.Value)
	switch {
	case err == nil && a.Generation < o.layout.Generation:
		o.refusals[rec.Partition].readBefore(o.before, &a, time.Now())
		return
	case err != nil || a.Generation != o.layout.Generation || int(a.Shard) >= len(o.byShard):
		// Of another generation or another program: it names no owner of ours.
		o.refusals[rec.Partition].read(rec.Offset, nil, time.Now())
		return
	}
	o.refusals[rec.Partition].read(rec.Offset, &a, time.Now())
	o.heardFirst[a.Shard].CompareAndSwap(0, time.Now().UnixNano())
	o.mu.Lock()
	changed := o.byShard[a.Shard].id != string(a.OwnerId)
	o.byShard[a.Shard] = owner{string(a.OwnerId), a.PeerAddress, a.KnowsTentativeSteps}
	o.mu.Unlock()
	if changed {
		o.changed(int32(a.Shard))
	}
}

// firstHeard is when the first owner of this generation was heard of, in Unix nanoseconds; 0: none was.
func (o *owners) firstHeard(shard int32) int64 { return o.heardFirst[shard].Load() }

// isSelf notes the ID under which this replica owns a shard.
func (o *owners) isSelf(shard int32, ownerID [16]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.selfIDs[shard] = string(ownerID[:])
}

// address is that of a shard's owner, or an error that says why there is nobody to call.
func (o *owners) address(shard int32) (string, error) {
	owner, err := o.lookup(shard)
	return owner.address, err
}

// lookup is a shard's owner, or an error that says why there is nobody to call: errNoOwner, unless it cannot be called.
func (o *owners) lookup(shard int32) (owner, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch found := o.byShard[shard]; {
	case found.id == "", found.id == o.selfIDs[shard], found.address != "" && found.address == o.self:
		// Nobody, or this replica, which has lost it.
		return owner{}, fmt.Errorf("shard %d %w", shard, errNoOwner)
	case found.address == "":
		return owner{}, fmt.Errorf(
			"shard %d is owned by a replica that runs without --peer-listen, so that no other can hand it commands", shard)
	default:
		return found, nil
	}
}
