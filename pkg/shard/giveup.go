package shard

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
)

// A replica that cannot serve a shard, because of its own disk or clock, leaves the group after giveUpAfter failures in
// a row, where there are other replicas: they get its shards. It joins again after awayFirst, and after twice as long
// each time that it has to leave again soon. For a shard that it will never serve it leaves at once; but where nobody
// served the shard while it was away, not again within awayLongest of its return.
const (
	giveUpAfter = 3
	awayFirst   = 10 * time.Second
	awayLongest = 5 * time.Minute
	// leaveTimeout bounds how long leaving may take.
	leaveTimeout = 10 * time.Second
)

// inability is why a replica cannot serve a shard.
type inability struct {
	shard int32
	cause error
}

// ownFault reports whether an error is this replica's own, so that another replica may do better. Kafka's errors are
// everybody's: all replicas would leave at once. Where the start of the log is gone, another one may have a checkpoint
// that is past it.
func ownFault(err error) bool {
	_, disk := errors.AsType[*localstore.DiskError](err)
	_, files := errors.AsType[*localstore.DamagedError](err)
	_, clock := errors.AsType[*ClockError](err)
	_, start := errors.AsType[*eventlog.LogStartError](err)
	return disk || files || clock || start
}

// reasonOf says in a few words why a shard is not served. The error itself has the remedy.
func reasonOf(err error) string {
	if ownFault(err) {
		return "this replica cannot serve it"
	}
	if _, ok := errors.AsType[*eventlog.ForeignRecordError](err); ok {
		return "somebody else has written into one of its partitions"
	}
	switch unclear, ok := errors.AsType[*eventlog.UnclearError](err); {
	case ok && unclear.Fenced:
		return "another replica has taken it over, or the broker aborted a transaction that took too long"
	case ok:
		return "Kafka does not say whether a commit has succeeded; the log is read to find out"
	default:
		return "it could not be taken over"
	}
}

// giveUp asks for the group to be left, unless that is under way.
func (n *Node) giveUp(shard int32, cause error) {
	select {
	case n.unable <- inability{shard, cause}:
	default:
	}
}

// offer asks, until ctx ends, that a shard be given up which this replica will never serve: another replica may come.
func (n *Node) offer(ctx context.Context, shard int32, cause error) {
	for {
		n.giveUp(shard, cause)
		if backoff.Sleep(ctx, awayFirst) != nil {
			break
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.faults, shard) // another replica may serve it now
}

// leaveWhenUnable leaves the group when this replica cannot serve a shard, and joins it again, until ctx ends.
func (n *Node) leaveWhenUnable(ctx context.Context) {
	away := backoff.Backoff{First: awayFirst, Longest: awayLongest}
	var back time.Time
	var inVain map[int32]bool // the shards that nobody served when it was away the last time
	for {
		var because inability
		select {
		case because = <-n.unable:
		case <-ctx.Done():
			return
		}
		if time.Since(back) > awayLongest {
			away.Reset()
			inVain = nil
		}
		if inVain[because.shard] && stopsShard(because.cause) {
			continue // the others cannot serve it either, and each time away moves healthy shards
		}
		others, err := n.group.Others(ctx)
		if err != nil || others == 0 {
			continue // nobody can do better; own goes on trying
		}
		pause := away.Next()
		n.log.Error("this replica leaves its shards to the others, because it cannot serve one of them",
			"shard", because.shard, "error", because.cause, "joins_again_after", pause.String())
		n.metrics.givenUp.Inc()
		n.leave(ctx)
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
		inVain = n.unservedByOthers()
		if err := n.group.Rejoin(); err != nil { // its options were good before
			n.log.Error("join the replicas again", "error", err)
		}
		back = time.Now()
		n.log.Info("this replica joins the others again, to see whether it can serve shards now")
	}
}

// unservedByOthers is the shards that nobody serves, while this replica is away.
func (n *Node) unservedByOthers() map[int32]bool {
	unserved := map[int32]bool{}
	for shard := range n.layout.ShardCount {
		if !n.health[shard].served() {
			unserved[shard] = true
		}
	}
	return unserved
}

// leave releases all shards and leaves the group.
func (n *Node) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	n.releaseAll(ctx, func() {})
	if err := n.group.Leave(ctx); err != nil {
		n.log.Warn("the group was not left in order; its session timeout hands the shards over", "error", err)
	}
}
