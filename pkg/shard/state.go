package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// shardState is the state of one shard as this replica has it: a checkpoint with the log folded into it. A runner
// decides on top of it; a standby only lets it follow the log.
type shardState struct {
	shard   int32
	layout  eventlog.Layout
	former  []eventlog.Layout // of the generations before, the first one first
	dataDir string            // has the checkpoints
	client  *eventlog.Client
	log     *slog.Logger
	damages prometheus.Counter
	// memoryBytes are for the checkpoint, 0: as much as it can use.
	memoryBytes int64
	store       *checkpoint.Store // nil until restore
	// preparing: another generation uses its checkpoints still.
	preparing *atomic.Bool
	// newestMicros is the time of the newest event that restore read.
	newestMicros int64
}

func (n *Node) newState(shard int32) *shardState {
	return &shardState{
		shard: shard, layout: n.layout, former: n.former, dataDir: n.cfg.DataDir, client: n.client, log: n.log,
		damages: n.metrics.damaged, preparing: &n.preparing, memoryBytes: n.cfg.CheckpointMemory / int64(n.layout.ShardCount),
	}
}

func (s *shardState) partitionOf(key string) int32 {
	return eventlog.PartitionFor(key, s.layout.PartitionCount)
}

// orderPartition and stockPartition are where the events of an order and of a stock item are.
func (s *shardState) orderPartition(id string) eventlog.TopicPartition {
	return eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: s.partitionOf(id)}
}

func (s *shardState) stockPartition(sku string) eventlog.TopicPartition {
	return eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: s.partitionOf(sku)}
}

// shardOf is the shard that writes an aggregate.
func (s *shardState) shardOf(key string) int32 { return s.layout.ShardOf(s.partitionOf(key)) }

// foreign reports whether another shard writes an aggregate.
func (s *shardState) foreign(key string) bool { return s.shardOf(key) != s.shard }

// restore opens the checkpoint and folds the log's tail into it, up to ends. A checkpoint that the log contradicts (an
// embedded broker that lost its last writes) is deleted and built again. progress is told how many records are left to
// read; records is how many were read.
func (s *shardState) restore(
	ctx context.Context, ends eventlog.Offsets, end *logEnd, progress func(left int64),
) (records int, err error) {
	dir := filepath.Join(s.dataDir, checkpoint.Folder(s.layout.Generation, s.shard))
	for range 2 {
		s.store, err = checkpoint.Open(dir, checkpoint.Config{
			Partitions: s.layout.Partitions(s.shard), PartitionCount: s.layout.PartitionCount, Foreign: s.foreign,
			MemoryBytes: s.memoryBytes, Damaged: s.noteDamaged,
		})
		if err != nil {
			return 0, err
		}
		f := newFold(s, end, progress)
		if s.aheadOf(ends) {
			s.log.Warn("the checkpoint is ahead of the log; building it again", "shard", s.shard)
		} else if err = f.run(ctx, ends); damaged(err) {
			_ = s.close()
			continue // it has a mark, and so is deleted when it is opened
		} else if err != nil || !f.contradicted {
			return f.read, err
		}
		if err := s.close(); err != nil {
			return 0, err
		}
		if err := checkpoint.Delete(dir); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("shard %d: the log changed while it was read", s.shard)
}

// noteDamaged is told of a checkpoint that was damaged and is deleted.
func (s *shardState) noteDamaged(err error) {
	s.damages.Inc()
	s.log.Warn("the checkpoint is damaged; building it again from the log", "shard", s.shard, "error", err)
}

func damaged(err error) bool {
	_, ok := errors.AsType[*localstore.DamagedError](err)
	return ok
}

// aheadOf reports whether the checkpoint has applied more than the log has.
func (s *shardState) aheadOf(ends eventlog.Offsets) bool {
	for tp, c := range s.store.Cursors() {
		if c.Next > ends[tp] {
			return true
		}
	}
	return false
}

// left is how many offsets there are still to read.
func (s *shardState) left(ends eventlog.Offsets) (left int64) {
	for tp, c := range s.store.Cursors() {
		left += max(0, ends[tp]-c.Next)
	}
	return left
}

// close closes the checkpoint, if there is one open.
func (s *shardState) close() error {
	if s.store == nil {
		return nil
	}
	store := s.store
	s.store = nil
	return store.Close()
}

// deleteFormer deletes the checkpoints of former generations, and those of this shard in former formats: nothing reads
// them again. One that it cannot delete needs room on the disk and does no harm.
func (s *shardState) deleteFormer() {
	if s.preparing.Load() {
		return
	}
	entries, err := os.ReadDir(s.dataDir)
	if err != nil {
		s.log.Warn("look for former checkpoints", "shard", s.shard, "error", err)
	}
	for _, e := range entries {
		if !checkpoint.Outdated(e.Name(), s.layout.Generation, s.shard) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dataDir, e.Name())); err != nil {
			s.log.Warn("delete a former checkpoint", "checkpoint", e.Name(), "error", err)
			continue
		}
		s.log.Info("deleted a former checkpoint", "checkpoint", e.Name())
	}
}
