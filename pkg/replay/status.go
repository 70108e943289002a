package replay

import (
	"context"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// Status is how far a replay is.
type Status struct {
	*catalog.Replay
	// Partitions are the partitions of its history, those of inventory.events first.
	Partitions []PartitionStatus
	// Done and Total are offsets over all partitions.
	Done, Total int64
	// EventsPerSecond is the speed so far, without pauses; 0: nothing is done yet.
	EventsPerSecond float64
	// Remaining is how long the rest takes at that speed; below 0: nobody knows.
	Remaining time.Duration
	// Reached is what its table covers.
	Reached eventlog.Position
	// FilledAt is when its table was last written; zero: never.
	FilledAt time.Time
}

// PartitionStatus is how far a partition is. Next and Target are exclusive end offsets.
type PartitionStatus struct {
	eventlog.TopicPartition
	Next, Target int64
}

// Status is how far a replay is now.
func (s *Service) Status(ctx context.Context, replay *catalog.Replay) (*Status, error) {
	st := &Status{Replay: replay, Remaining: -1}
	progress, err := loadProgress(ctx, s.conn, replay.ID)
	if err != nil && !clickhouse.IsMissing(err) {
		return nil, err
	}
	var newest *tableProgress
	for _, p := range progress {
		if strings.HasPrefix(p.Table, insight.TablePrefix) && (newest == nil || p.BegunAt.After(newest.BegunAt)) {
			newest = p
		}
	}
	if newest == nil {
		newest = &tableProgress{Next: eventlog.Offsets{}}
	}
	targets := target(replay)
	for _, tp := range targets.Partitions() {
		p := PartitionStatus{TopicPartition: tp, Next: min(newest.Next[tp], targets[tp]), Target: targets[tp]}
		st.Partitions = append(st.Partitions, p)
		st.Done += p.Next
		st.Total += p.Target
	}
	st.Reached, st.FilledAt = eventlog.PositionOf(newest.Next), newest.FilledAt
	took := newest.FilledAt.Sub(newest.BegunAt) - replay.PausedWithin(newest.BegunAt, newest.FilledAt)
	if took > 0 && st.Done > 0 {
		st.EventsPerSecond = float64(st.Done) / took.Seconds()
		st.Remaining = time.Duration(float64(st.Total-st.Done) / st.EventsPerSecond * float64(time.Second))
	}
	if replay.Filled != nil { // the table has gone on since
		st.EventsPerSecond = float64(replay.Filled.Events) / max(replay.Filled.Seconds, time.Millisecond.Seconds())
	}
	return st, nil
}
