package shard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// owners knows which replica owns which shard, from what they announce in the topic of shards.
type owners struct {
	layout eventlog.Layout
	self   string // address of this replica; empty: it has none

	mu      sync.Mutex
	byShard []owner
}

type owner struct {
	id      string // empty: nobody has announced itself
	address string // empty: it cannot be called
}

func newOwners(layout eventlog.Layout, self string) *owners {
	return &owners{layout: layout, self: self, byShard: make([]owner, layout.ShardCount)}
}

// follow keeps the owners current until ctx ends.
func (o *owners) follow(ctx context.Context, client *eventlog.Client, log *slog.Logger) {
	for ctx.Err() == nil {
		f, err := client.FollowAnnouncements(ctx, o.layout)
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
	for {
		recs, _, err := f.Poll(ctx)
		if err != nil {
			return err
		}
		o.mu.Lock()
		for i := range recs {
			var a eventv1.Announcement
			err := a.UnmarshalVT(recs[i].Value)
			if err != nil || a.Generation != o.layout.Generation || int(a.Shard) >= len(o.byShard) {
				continue // of another generation or another program: it names no owner of ours
			}
			o.byShard[a.Shard] = owner{string(a.OwnerId), a.PeerAddress}
		}
		o.mu.Unlock()
	}
}

// address is that of a shard's owner, or an error that says why there is nobody to call.
func (o *owners) address(shard int32) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch owner := o.byShard[shard]; {
	case owner.id == "", owner.address != "" && owner.address == o.self: // the latter: this replica, which lost it
		return "", fmt.Errorf("shard %d has no owner yet", shard)
	case owner.address == "":
		return "", fmt.Errorf(
			"shard %d is owned by a replica that runs without --peer-listen, so that no other can hand it commands", shard)
	default:
		return owner.address, nil
	}
}
