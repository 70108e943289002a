package shard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	"github.com/holdfast/holdfast/pkg/shard/internal/logonce"
)

// standbyCached entries of each kind stay in a standby's memory. Nobody waits for it.
const standbyCached = 5_000

// forgetAfter is how long the checkpoint of a shard stays that this replica neither owns nor keeps a standby of: the
// group may want it again soon.
const forgetAfter = 10 * time.Minute

// followGroupStandbys keeps the standbys that the group tells this replica to keep, until ctx ends. It tells the group
// when those that it waits for are current.
func (n *Node) followGroupStandbys(ctx context.Context) {
	poll := time.NewTicker(catchUpPoll)
	defer poll.Stop()
	var told time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.group.Changed():
			told = time.Now()
			n.told.Store(true)
			n.keepStandbys()
		case <-poll.C:
			if reportDue(n.group.Standbys().Awaited, n.hasCaughtUp, time.Since(told)) {
				n.group.Report()
			}
		}
	}
}

// reportAfter is how long a replica waits for all the standbys that the group waits for, once some are current.
const reportAfter = time.Minute

// reportDue reports whether the group is to be told that standbys for which it waits are current: all are, or some have
// been for long, and the others take longer.
func reportDue(awaited []int32, current func(shard int32) bool, waiting time.Duration) bool {
	n := 0
	for _, shard := range awaited {
		if current(shard) {
			n++
		}
	}
	return n > 0 && (n == len(awaited) || waiting > reportAfter)
}

// hasCaughtUp reports whether the standby of a shard has been at the log's end once.
func (n *Node) hasCaughtUp(shard int32) bool { return n.standbyLags[shard].Load() >= 0 }

// keeps reports whether this replica keeps a standby of a shard while it does not own it.
func (n *Node) keeps(shard int32) bool {
	told := n.group.Standbys()
	return n.readsAll.Load() || told.Keeps(shard) || n.preparing.Load() && n.group.Owned(shard)
}

// keepStandbys begins and ends standbys, so that there are those that this replica is to keep.
func (n *Node) keepStandbys() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for shard := range n.layout.ShardCount {
		standby := n.standbys[shard]
		if n.owned[shard] == nil && n.faults[shard] == nil && (standby == nil || standby.keeps != n.keeps(shard)) {
			n.startStandby(n.run, shard, true)
		}
	}
}

// startStandby begins to keep the checkpoint of a shard that another replica serves, until this one acquires it, or to
// forget it where this replica does not keep it. mu must be locked. atOnce: it does not wait to be acquired first.
func (n *Node) startStandby(ctx context.Context, shard int32, atOnce bool) {
	if n.cfg.StandbyEvery == 0 || n.closing {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	before := n.standbys[shard]
	s := &ownership{cancel: cancel, stopped: make(chan struct{}), keeps: n.keeps(shard)}
	n.standbys[shard] = s
	n.done.Go(func() {
		defer close(s.stopped)
		before.end() // a checkpoint has one user at a time
		if s.keeps {
			n.runStandby(ctx, shard, atOnce)
		} else {
			n.forget(ctx, shard)
		}
	})
}

// forget deletes the checkpoint of a shard after a while.
func (n *Node) forget(ctx context.Context, shard int32) {
	dir := filepath.Join(n.cfg.DataDir, checkpoint.Folder(n.layout.Generation, shard))
	if !exists(dir) || backoff.Sleep(ctx, forgetAfter) != nil {
		return
	}
	if err := checkpoint.Delete(dir); err != nil {
		n.log.Warn("delete the checkpoint of a shard that other replicas keep", "shard", shard, "error", err)
		return
	}
	n.log.Info("deleted the checkpoint of a shard that other replicas keep", "shard", shard)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runStandby keeps the checkpoint near the log's end, so that acquiring the shard does not take longer the longer its
// history is: only what came since the last round is left to read.
func (n *Node) runStandby(ctx context.Context, shard int32, atOnce bool) {
	var logged logonce.Error
	for ; atOnce || backoff.Sleep(ctx, n.cfg.StandbyEvery) == nil; atOnce = false {
		caughtUp, err := n.followLog(ctx, shard)
		if ctx.Err() != nil {
			return
		}
		if caughtUp {
			logged = ""
		}
		n.log.Log(ctx, logged.Level(err), "the checkpoint of another replica's shard does not follow the log",
			"shard", shard, "error", err)
	}
}

// errNotAPrefix says that a checkpoint is not a prefix of the log.
var errNotAPrefix = errors.New("the checkpoint is not what the log holds; it is built again")

// followLog folds what has been committed since the last round, again and again, until an error. caughtUp: the
// checkpoint has been at the log's end once.
func (n *Node) followLog(ctx context.Context, shard int32) (caughtUp bool, err error) {
	s := &standby{shardState: n.newState(shard)}
	label := strconv.Itoa(int(shard))
	defer func() {
		n.metrics.standbyLag.DeleteLabelValues(label)
		n.standbyLags[shard].Store(-1)
		n.standbyCurrent[shard].Store(0)
		err = errors.Join(err, s.close())
	}()
	asked := time.Now()
	if err := n.build(ctx, shard, s); err != nil {
		return false, err
	}
	for {
		if err := s.store.Save(); err != nil {
			return true, err
		}
		if !caughtUp { // a standby that has not caught up once shows no lag
			n.noteStandby(shard, label, 0)
			defer n.filters[shard].publish(s.store, false)()
			caughtUp = true
		}
		n.standbyCurrent[shard].Store(asked.UnixNano())
		n.current.note(shard, asked)
		if err := backoff.Sleep(ctx, n.cfg.StandbyEvery); err != nil {
			return true, err
		}
		asked = time.Now()
		ends, err := s.stableEnds(ctx)
		if err != nil {
			return true, err
		}
		lag, err := s.round(ctx, ends)
		if err != nil {
			return true, err
		}
		n.noteStandby(shard, label, lag)
	}
}

// buildsAtOnce standbys are brought to the log's end at the same time by a replica that serves shards, so that those do
// not wait for it: half of its processors' worth.
func buildsAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// build brings a standby to the log's end. Where this replica serves shards it may wait for its turn.
func (n *Node) build(ctx context.Context, shard int32, s *standby) error {
	if n.OwnedShards() > 0 {
		select {
		case n.builds <- struct{}{}:
			defer func() { <-n.builds }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer n.restoring[shard].Store(0)
	return s.start(ctx, func(left int64) { n.noteRestoring(shard, left) })
}

// noteStandby notes how many records a standby had to read. While another generation serves, its standbys are shown.
func (n *Node) noteStandby(shard int32, label string, lag int64) {
	n.standbyLags[shard].Store(lag)
	if !n.preparing.Load() {
		n.metrics.standbyLag.WithLabelValues(label).Set(float64(lag))
	}
}

// standby is a shard's state that follows the log.
type standby struct {
	*shardState
	end logEnd
}

// start restores the state up to where the log is committed now.
func (s *standby) start(ctx context.Context, progress func(left int64)) error {
	ends, err := s.stableEnds(ctx)
	if err != nil {
		return err
	}
	if _, err := s.restore(ctx, ends, &s.end, progress); err != nil {
		return err
	}
	s.deleteFormer()
	s.store.LimitCache(standbyCached)
	return s.resumeTouched()
}

func (s *standby) stableEnds(ctx context.Context) (eventlog.Offsets, error) {
	return s.client.StableOffsets(ctx, s.layout.Partitions(s.shard))
}

// resumeTouched keeps the orders at the log's end that an earlier standby has left, or an acquire that did not come to
// reconcile them. They count as new as the record that was read last.
func (s *standby) resumeTouched() error {
	if s.end.newest == 0 {
		s.end.newest = time.Now().UnixMicro()
	}
	return s.store.EachTouched(func(orderID string) error {
		s.end.touch(orderID)
		return nil
	})
}

// round folds what has been committed up to ends, and returns how many offsets that were.
func (s *standby) round(ctx context.Context, ends eventlog.Offsets) (lag int64, err error) {
	if s.aheadOf(ends) {
		return 0, errNotAPrefix
	}
	if lag = s.left(ends); lag == 0 {
		return 0, nil
	}
	f := newFold(s.shardState, &s.end, func(int64) {})
	if err := f.run(ctx, ends); err != nil {
		return 0, err
	}
	if f.contradicted {
		return 0, errNotAPrefix
	}
	s.store.ForgetTouched() // but for those that run has named
	return lag, nil
}
