package shard

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// catchUpPoll is how often a replica that catches up looks whether it has.
const catchUpPoll = 20 * time.Millisecond

// joinOthers joins the group, unless that is done already, and returns when this replica can take shards over.
//
// A group that knows standbys gives a new member no shard that another one serves before the member has said that its
// checkpoint is current. Any other group, with a replica of a former release in it, gives a new member its share of the
// shards at once, and each of these is without service until the replica has read what its checkpoint lacks: minutes,
// where its data folder is new and the log long. So where others serve the shards, it reads that first, as a standby of
// all shards, and joins when all of its checkpoints have been at the log's end. It does not wait where a shard is not
// served, because it may be the one that can; nor where the group knows it from before a crash, because then nobody
// else has its shards.
func (n *Node) joinOthers(ctx context.Context) {
	if n.group.Member() {
		return
	}
	serve, tells := n.othersServe(ctx)
	n.catchingUp.Store(serve)
	if serve && !tells {
		n.readsAll.Store(true)
		n.keepStandbys()
		n.catchUp(ctx, n.caughtUp)
		n.readsAll.Store(false) // the group says what goes on
	}
	if !n.rejoin(ctx) {
		return
	}
	if serve && tells {
		n.catchUp(ctx, func() bool { return n.group.Joined() && n.caughtUp() })
	}
	n.catchingUp.Store(false)
}

// rejoin joins the group. It is false when ctx ended before.
func (n *Node) rejoin(ctx context.Context) bool {
	for pause := (backoff.Backoff{First: reacquireBackoff, Longest: reacquireAtMost}); ctx.Err() == nil; {
		err := n.group.Rejoin()
		if err == nil {
			return true
		}
		n.log.Error("join the replicas", "error", err)
		_ = pause.Sleep(ctx) // the loop sees the end of ctx
	}
	return false
}

// othersServe reports whether other replicas have the shards, and whether their group tells which standbys to keep.
func (n *Node) othersServe(ctx context.Context) (serve, tells bool) {
	if n.cfg.StandbyEvery == 0 {
		return false, false
	}
	members, err := n.client.Replicas(ctx, n.layout.Generation)
	if err != nil {
		n.log.Warn("who serves the shards is not known: this replica joins at once", "error", err)
		return false, false
	}
	if slices.ContainsFunc(members, func(m eventlog.GroupMember) bool { return m.Replica == n.replica }) {
		return false, false
	}
	return len(members) > 0, len(members) > 0 && members[0].TellsStandbys
}

// catchUp returns when the checkpoints have been at the log's end, or when a shard is served by nobody. Before this
// replica has joined, it also returns when nobody serves any more, or the group begins to tell which standbys to keep.
func (n *Node) catchUp(ctx context.Context, caughtUp func() bool) {
	n.log.Info("other replicas serve the shards: this one reads what its checkpoints lack before it takes any over")
	began, asked := time.Now(), time.Now()
	for backoff.Sleep(ctx, catchUpPoll) == nil {
		if caughtUp() {
			n.log.Info("the checkpoints are at the log's end; this replica can take shards over",
				"after", time.Since(began).Round(time.Millisecond).String())
			return
		}
		if time.Since(asked) < healthEvery {
			continue
		}
		asked = time.Now()
		if n.anyUnserved() {
			n.log.Warn("this replica takes shards over before its checkpoints are at the log's end: a shard is not served")
			return
		}
		if n.group.Member() {
			continue
		}
		if serve, tells := n.othersServe(ctx); !serve || tells {
			return
		}
	}
}

// caughtUp reports whether all standbys that are kept have been at the log's end once.
func (n *Node) caughtUp() bool {
	for shard := range n.layout.ShardCount {
		if n.keeps(shard) && !n.group.Owned(shard) && !n.hasCaughtUp(shard) {
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
