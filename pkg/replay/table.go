package replay

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// table is a table of a version that this process keeps up to date, for its partitions.
type table struct {
	*insight.Version
	replay *catalog.Replay
	mirror uuid.UUID

	opened bool
	// log has the rows of the log itself while a replay from Kafka fills; nil: the rows are those of the mirror.
	log *logRows
	// next are exclusive end offsets: the table has all events below them.
	next eventlog.Offsets
	// filledAt is when the last fill began.
	filledAt time.Time
	// isHistory is true while the table lacks a part of its replay's history: also of one that is live, when its mirror
	// was made anew. Such work waits for a late mirror, and comes after what is up to date.
	isHistory bool

	pauses    backoff.Backoff
	retryAt   time.Time
	failingAt time.Time // when the errors began; zero: there is none
	// worksAt is when the work began that followed errors of this process; zero: there were none, or there are now.
	worksAt time.Time
	// worked is time of work that the progress does not say yet.
	worked time.Duration
}

// versionOf is the version of a replay with its table.
func versionOf(r *catalog.Replay, mirror uuid.UUID, repairs uint64) (*insight.Version, error) {
	d := r.Definition.Within(r.From, r.To)
	return insight.NewVersion(d, d.TableName(buildOf(r.ID, mirror, repairs)))
}

// open creates the table unless it exists, and loads how far it is.
func (t *table) open(ctx context.Context, conn *clickhouse.Conn) error {
	if t.opened {
		return nil
	}
	progress, err := loadProgress(ctx, conn, t.replay.ID)
	if err != nil {
		return err
	}
	t.next = eventlog.Offsets{}
	if p := progress[t.Table]; p != nil {
		t.next = p.Next
	}
	exists, err := tableExists(ctx, conn, t.Table)
	if err != nil {
		return err
	}
	if !exists && len(t.next) > 0 { // somebody has dropped it
		if err := forget(ctx, conn, t.Table); err != nil {
			return err
		}
		t.next = eventlog.Offsets{}
	}
	if err := t.Create(ctx, conn); err != nil {
		return err
	}
	if len(t.next) == 0 { // of an empty log the answer is empty
		t.filledAt = time.Now()
		if err := saveProgress(ctx, conn, t, t.Table, eventlog.Offsets{conductorTP: 0}); err != nil {
			return err
		}
	}
	t.opened, t.pauses = true, backoff.ForStores()
	return nil
}

// close makes open look again. The table may be gone.
func (t *table) close() {
	t.opened = false
	if t.log != nil {
		t.log.close()
		t.log = nil
	}
}

// limit is where the table is to end in a partition, where the mirror has come to offset.
func (t *table) limit(tp eventlog.TopicPartition, offset int64) int64 {
	if upTo := t.replay.UpToOffsets(); upTo != nil {
		return min(offset, upTo[tp])
	}
	return offset
}

// left is how many offsets the table lacks of what the mirror has.
func (t *table) left(reached eventlog.Offsets) int64 {
	var left int64
	for tp, offset := range reached {
		if t.Source.HasTopic(tp.Topic) {
			left += max(0, t.limit(tp, offset)-t.next[tp])
		}
	}
	return left
}

// work is what a fill does.
type work struct {
	intervals []insight.Interval
	// next are the offsets that the table has after it, of partitions where they move.
	next    eventlog.Offsets
	offsets int64
	// whole is true when the table then has all that the mirror has.
	whole bool
}

// behind is the work that is left, at most about budget offsets of it. Offsets of a topic that the source has no rows
// of cost nothing. A history of which more is to come is filled up to the end of a segment: the next fill would compute
// a part of a segment again.
func (t *table) behind(reached eventlog.Offsets, budget int64) work {
	w := work{next: eventlog.Offsets{}, whole: true}
	var open []insight.Interval
	var targets eventlog.Offsets
	if t.replay.Phase == catalog.Filling {
		targets = target(t.replay)
	}
	for tp, offset := range reached {
		from, end := t.next[tp], t.limit(tp, offset)
		if end < targets[tp] {
			end = t.SegmentBegin(end)
		}
		switch {
		case from >= end:
		case t.Source.HasTopic(tp.Topic):
			open = append(open, insight.Interval{TopicPartition: tp, From: from, UpTo: end})
		default:
			w.next[tp] = end
		}
	}
	slices.SortFunc(open, func(a, b insight.Interval) int { return a.Compare(b.TopicPartition) })
	share := max(1, budget/int64(max(1, len(open))))
	for _, i := range open {
		end := i.From + share
		if whole := t.SegmentBegin(end); whole > i.From { // what ends with a segment is not computed again
			end = whole
		}
		if i.UpTo > end {
			i.UpTo, w.whole = end, false
		}
		w.intervals = append(w.intervals, i)
		w.next[i.TopicPartition] = i.UpTo
		w.offsets += i.UpTo - i.From
	}
	return w
}

// fill does the work of a table that is due, and returns how long it has none. Errors are the table's own: the others
// go on.
func (r *Runner) fill(ctx context.Context, t *table, durable analytics.Durable) time.Duration {
	if wait := time.Until(t.retryAt); wait > 0 {
		return wait
	}
	wait, err := r.fillOnce(ctx, t, durable)
	if ctx.Err() != nil {
		return idleWait
	}
	if err != nil {
		return r.failed(ctx, t, err)
	}
	if !t.failingAt.IsZero() {
		t.failingAt, t.worksAt = time.Time{}, time.Now()
		t.pauses.Reset()
	}
	if t.replay.Stalled == "" {
		return wait
	}
	steady := t.steadyIn()
	if steady <= 0 || r.conducts(durable) && t.stalledFor() > longStall {
		r.decide(ctx, catalog.Decision{Type: catalog.ReplayContinued, ReplayID: t.replay.ID})
		return wait
	}
	return min(wait, steady)
}

// steadyIn is after how much more work a replay that stalled goes on for sure.
func (t *table) steadyIn() time.Duration {
	if t.worksAt.IsZero() {
		return longStall
	}
	needed := steadyFor / 2
	for _, d := range t.replay.Log {
		if d.Type == catalog.ReplayStalled && time.Since(d.At) < time.Hour {
			needed = min(2*needed, longestSteady)
		}
	}
	return time.Until(t.worksAt.Add(needed))
}

// conducts reports whether this replica is the conductor.
func (r *Runner) conducts(durable analytics.Durable) bool {
	_, ours := durable.Next[conductorTP]
	return ours
}

// stalledFor is how long ago somebody said that the replay cannot go on.
func (t *table) stalledFor() time.Duration {
	for _, d := range slices.Backward(t.replay.Log) {
		if d.Type == catalog.ReplayStalled {
			return time.Since(d.At)
		}
	}
	return 0
}

// lacks reports whether the table lacks a part of its replay's history in these partitions.
func (t *table) lacks(partitions eventlog.Offsets) bool {
	targets := target(t.replay)
	for tp := range partitions {
		if t.next[tp] < targets[tp] {
			return true
		}
	}
	return false
}

// fillOnce fills a part of what a table lacks. A replay that is late, and has much to do, waits for the mirror.
func (r *Runner) fillOnce(ctx context.Context, t *table, durable analytics.Durable) (time.Duration, error) {
	if err := t.open(ctx, r.cfg.Conn); err != nil {
		return 0, err
	}
	reached, err := r.reached(ctx, t, durable)
	if err != nil {
		return 0, err
	}
	budget, rate := int64(chunkOffsets), t.rate()
	if rate > 0 {
		budget = min(budget, rate)
	}
	w := t.behind(reached, budget)
	switch {
	case len(w.next) == 0 && t.log != nil && !t.log.Done() && !r.mirrorIsLate:
		return 0, nil // what was read so far is no whole segment
	case len(w.next) == 0 && t.log != nil && !t.log.Done():
		return maxMirrorAge / 10, nil
	case len(w.next) == 0:
		return idleWait, nil
	case t.isHistory && r.mirrorIsLate && w.offsets > smallFill:
		return maxMirrorAge / 10, nil
	}
	t.filledAt = time.Now()
	if t.log != nil {
		err = t.FillFrom(ctx, r.cfg.Conn, t.log.database, w.intervals...)
	} else {
		err = t.Fill(ctx, r.cfg.Conn, w.intervals...)
	}
	if err != nil {
		return 0, err
	}
	t.worked += time.Since(t.filledAt)
	if err := saveProgress(ctx, r.cfg.Conn, t, t.Table, w.next); err != nil {
		return 0, err
	}
	t.worked = 0
	t.next.Merge(w.next)
	r.metrics.filled(t.replay, w.offsets, time.Since(t.filledAt))
	switch {
	case rate > 0:
		t.retryAt = t.filledAt.Add(time.Duration(float64(w.offsets) / float64(rate) * float64(time.Second)))
		return time.Until(t.retryAt), nil
	case w.whole && t.log == nil:
		return idleWait, nil
	}
	return 0, nil
}

// rate is the throttle of a replay in events a second; 0: none.
func (t *table) rate() int64 {
	if t.replay.Phase == catalog.Filling {
		return t.replay.EventsPerSecond
	}
	return 0
}

// failed notes an error of a table, and returns when it is tried again.
func (r *Runner) failed(ctx context.Context, t *table, err error) time.Duration {
	t.close()
	if t.pauses.First == 0 {
		t.pauses = backoff.ForStores()
	}
	pause := t.pauses.Next()
	t.retryAt = time.Now().Add(pause)
	if t.worksAt = (time.Time{}); t.failingAt.IsZero() {
		t.failingAt = time.Now()
	}
	r.metrics.failed(t.replay)
	r.cfg.Logger.Warn("an insight cannot be computed at present", "insight", t.replay.Insight, "replay", t.replay.ID,
		"error", err, "again_in", pause)
	if t.replay.Stalled == "" && time.Since(t.failingAt) >= stalledAfter {
		r.decide(ctx, catalog.Decision{Type: catalog.ReplayStalled, ReplayID: t.replay.ID, Reason: err.Error()})
	}
	return pause
}

// decide tells the catalogue. Whoever else has said the same before has made it unnecessary.
func (r *Runner) decide(ctx context.Context, d catalog.Decision) {
	d.By = self
	if _, err := r.cfg.Catalog.Decide(ctx, d); err != nil && ctx.Err() == nil {
		r.cfg.Logger.Info("a decision has no effect", "decision", d.Type, "replay", d.ReplayID, "why", err)
	}
}
