package shard

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// catchUpPoll is how often a replica that catches up looks whether it may join the others.
const catchUpPoll = 20 * time.Millisecond

// joinOthers joins the group, unless that is done already.
//
// The group gives a new member its share of the shards at once, and each of these is without service until the replica
// has read what its checkpoint lacks: minutes, where its data folder is new and the log long. So where others serve the
// shards, it reads that first, as a standby, and joins when all of its checkpoints have been at the log's end. It does
// not wait where a shard is not served, because it may be the one that can; nor where the group knows it from before a
// crash, because then nobody else has its shards.
func (n *Node) joinOthers(ctx context.Context) {
	if n.group.Member() {
		return
	}
	wait := n.othersServe(ctx)
	n.catchingUp.Store(wait)
	n.startStandbys(wait)
	if wait {
		n.catchUp(ctx)
	}
	for pause := (backoff.Backoff{First: reacquireBackoff, Longest: reacquireAtMost}); ctx.Err() == nil; {
		err := n.group.Rejoin()
		if err == nil {
			n.catchingUp.Store(false)
			return
		}
		n.log.Error("join the replicas", "error", err)
		_ = pause.Sleep(ctx) // the loop sees the end of ctx
	}
}

// othersServe reports whether other replicas have the shards.
func (n *Node) othersServe(ctx context.Context) bool {
	if n.cfg.StandbyEvery == 0 {
		return false
	}
	members, err := n.client.Replicas(ctx, n.layout.Generation)
	if err != nil {
		n.log.Warn("who serves the shards is not known: this replica joins at once", "error", err)
		return false
	}
	return len(members) > 0 &&
		!slices.ContainsFunc(members, func(m eventlog.GroupMember) bool { return m.Replica == n.replica })
}

// catchUp returns when all checkpoints have been at the log's end, or when a shard is served by nobody.
func (n *Node) catchUp(ctx context.Context) {
	n.log.Info("other replicas serve the shards: this one reads what its checkpoints lack before it joins them")
	began, asked := time.Now(), time.Now()
	for backoff.Sleep(ctx, catchUpPoll) == nil {
		if n.caughtUp() {
			n.log.Info("the checkpoints are at the log's end; joining the other replicas",
				"after", time.Since(began).Round(time.Millisecond).String())
			return
		}
		if time.Since(asked) < healthEvery {
			continue
		}
		asked = time.Now()
		if n.anyUnserved() || !n.othersServe(ctx) {
			n.log.Warn("joining the other replicas before the checkpoints are at the log's end: a shard is not served")
			return
		}
	}
}

// caughtUp reports whether all standbys have been at the log's end once.
func (n *Node) caughtUp() bool {
	for shard := range n.standbyLags {
		if n.standbyLags[shard].Load() < 0 {
			return false
		}
	}
	return true
}

// anyUnserved reports whether a shard has not been served for a while.
func (n *Node) anyUnserved() bool {
	for shard := range n.health {
		if _, err := n.health[shard].unserved(); err != nil {
			return true
		}
	}
	return false
}
