package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// A Pin asks the owners of all shards to tell where their last transactions end, and to begin none until all have. So
// what lies before all of their cuts is a state of the whole platform: every transaction is in it whole or not at all,
// and no shard knows of an answer that another one has not given.
type Pin struct {
	ID uuid.UUID `json:"id"`
	// PauseMs is how long an owner begins no transaction, in milliseconds, unless it is released before.
	PauseMs int64 `json:"pause_ms"`
}

// Cut is where the last transaction of a shard ends.
type Cut struct {
	Pin        uuid.UUID `json:"pin"`
	Generation uint32    `json:"generation"`
	Shard      int32     `json:"shard"`
	// Position has the ends of the shard's partitions.
	Position string `json:"position"`
}

// How long a pin keeps the owners waiting at first, and at most. It is tried again with twice the time where they were
// not all heard of meanwhile.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 2 * time.Second
	// pinAttempts is how often a log is pinned before that fails.
	pinAttempts = 6
)

// PinEnds returns ends of the event topics at which every transaction is whole: all that was acknowledged before the
// call lies before them. Owners begin no transaction for the few milliseconds that this takes.
func (c *Client) PinEnds(ctx context.Context, layout Layout) (Offsets, error) {
	replicas, err := c.Replicas(ctx, layout.Generation)
	if err != nil {
		return nil, err
	}
	tps := layout.AllPartitions()
	if len(replicas) == 0 { // nobody writes
		ends, err := c.EndOffsets(ctx, tps)
		if err != nil {
			return nil, err
		}
		return c.awaitStable(ctx, ends)
	}
	if _, err := c.createTopic(ctx, TopicPlans, 1, keepAnHour(c.cfg.Embedded)); err != nil {
		return nil, err
	}
	pause := firstPause
	for range pinAttempts {
		ends, err := c.tryPin(ctx, layout, pause)
		if err == nil {
			return c.awaitStable(ctx, ends)
		}
		if !errors.Is(err, errNotHeld) {
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
	return nil, fmt.Errorf("not every shard said where its last transaction ends: %d replicas of order-api run, and "+
		"one of them is of an earlier release, or a shard is not served (holdfast layout show); see to that, and run "+
		"this again", len(replicas))
}

// errNotHeld means that the owners were not all held at the same time.
var errNotHeld = errors.New("the owners were not all held at one time")

func (c *Client) tryPin(ctx context.Context, layout Layout, pause time.Duration) (Offsets, error) {
	from, err := c.EndOffsets(ctx, []TopicPartition{planTP})
	if err != nil {
		return nil, err
	}
	f, err := c.follow(ctx, from, readerOptions{lossy: true})
	if err != nil {
		return nil, err
	}
	follower := LayoutFollower{f}
	defer follower.Close()
	pin := Pin{uuid.New(), pause.Milliseconds()}
	// An owner waits from when it has read the pin, which is after this moment.
	wait, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	if err := c.writePlanRecord(ctx, planRecord{Pin: &pin}); err != nil {
		return nil, err
	}
	defer func() { _ = c.writePlanRecord(context.WithoutCancel(ctx), planRecord{Withdrawn: &pin.ID}) }()
	ends := make(Offsets)
	seen := make(map[int32]bool)
	for len(seen) < int(layout.ShardCount) {
		news, err := follower.Next(wait)
		if err != nil {
			if ctx.Err() == nil && wait.Err() != nil {
				return nil, errNotHeld
			}
			return nil, err
		}
		for _, n := range news {
			cut := n.Cut
			if cut == nil || cut.Pin != pin.ID || cut.Generation != layout.Generation || seen[cut.Shard] {
				continue
			}
			position, err := ParsePosition(cut.Position)
			if err != nil {
				return nil, fmt.Errorf("shard %d: %w", cut.Shard, err)
			}
			seen[cut.Shard] = true
			for _, tp := range layout.Partitions(cut.Shard) {
				ends[tp] = position.End(tp)
			}
		}
	}
	if wait.Err() != nil {
		return nil, errNotHeld
	}
	return ends, nil
}

// ReportCut answers a pin.
func (c *Client) ReportCut(ctx context.Context, cut Cut) error {
	return c.writePlanRecord(ctx, planRecord{Cut: &cut})
}

// AllPartitions are the partitions of both event topics.
func (l Layout) AllPartitions() []TopicPartition {
	var tps []TopicPartition
	for shard := range l.ShardCount {
		tps = append(tps, l.Partitions(shard)...)
	}
	return tps
}

// awaitStable waits until all transactions below the ends have ended.
func (c *Client) awaitStable(ctx context.Context, ends Offsets) (Offsets, error) {
	tps := ends.Partitions()
	for pause := (backoff.Backoff{First: time.Millisecond, Longest: retryPause}); ; {
		stable, err := c.StableOffsets(ctx, tps)
		if err != nil {
			return nil, err
		}
		if stable.Reaches(ends) {
			return ends, nil
		}
		if err := pause.Sleep(ctx); err != nil {
			return nil, fmt.Errorf("a transaction does not end: %w", err)
		}
	}
}
