package analytics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// attempt mirrors until the first error. It begins where the progress in ClickHouse says.
func (m *Mirror) attempt(ctx context.Context, partitions []int32) error {
	if err := m.prepareTables(ctx); err != nil {
		return err
	}
	saved, err := loadProgress(ctx, m.cfg.Conn)
	if err != nil {
		return err
	}
	tps := topicPartitions(partitions)
	last, err := loadLastEvents(ctx, m.cfg.Conn, tps)
	if err != nil {
		return err
	}
	asked := time.Now()
	end, err := m.cfg.Client.EndOffsets(ctx, tps) // not StableOffsets: a new leader may know those late
	if err != nil {
		return err
	}
	from := eventlog.Offsets{}
	for _, tp := range tps {
		from[tp] = saved.next[tp]
	}
	if err := m.checkSameLog(ctx, from, last, end); err != nil {
		return m.refill(ctx, err)
	}
	// An interleaved read gives a batch events of about the same time, so that its rows are in few monthly partitions.
	follower, err := m.cfg.Client.FollowInterleaved(from)
	if err != nil {
		return err
	}
	defer follower.Close()
	m.began(saved.mirror, from, end, asked)
	p := newPipeline(m, saved.mirror, follower)
	return p.run(ctx, tps)
}

// topicPartitions are these partitions of both event topics.
func topicPartitions(partitions []int32) (tps []eventlog.TopicPartition) {
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		for _, partition := range partitions {
			tps = append(tps, eventlog.TopicPartition{Topic: topic, Partition: partition})
		}
	}
	return tps
}

// prepareDatabase creates the tables, and returns the UUID of the database.
func (m *Mirror) prepareDatabase(ctx context.Context) (uuid.UUID, error) {
	if err := m.prepareTables(ctx); err != nil {
		return uuid.Nil, err
	}
	return databaseID(ctx, m.cfg.Conn)
}

// prepareTables creates the tables. Those that lack migrations, because an older program has filled them, are rebuilt.
// Those that differ otherwise are rebuilt if Config.Refill allows it.
func (m *Mirror) prepareTables(ctx context.Context) error {
	if m.shadow != uuid.Nil {
		id, err := mirrorID(ctx, m.cfg.Conn)
		if clickhouse.IsMissing(err) || err == nil && id != m.shadow {
			err = errShadowLost
		}
		return err
	}
	older, err := isOlder(ctx, m.cfg.Conn)
	if err == nil && !older {
		err = migrate(ctx, m.cfg.Conn, m.cfg.Logger)
	}
	var schema *clickhouse.SchemaError
	switch {
	case older:
		return m.rebuild(ctx, "its tables are those of an older program")
	case m.cfg.Refill && errors.As(err, &schema) && !schema.Newer:
		return m.rebuild(ctx, err.Error())
	}
	return err
}

// isOlder reports whether a mirror has rows, and lacks migrations. They would leave new columns of these rows empty.
func isOlder(ctx context.Context, conn *clickhouse.Conn) (bool, error) {
	migrations, err := Migrations()
	if err != nil {
		return false, err
	}
	applied, err := conn.Applied(ctx, migrations)
	if err != nil || applied == 0 || applied == migrations.Count() {
		return false, err
	}
	saved, err := loadProgress(ctx, conn)
	if clickhouse.IsMissing(err) { // a creation that did not end
		return false, nil
	}
	return err == nil && len(saved.next) > 0, err
}

// rebuild fills other tables beside those in use, which go on answering, and swaps them.
func (m *Mirror) rebuild(ctx context.Context, why string) error {
	m.cfg.Logger.Warn("filling another mirror beside the one in use, to take its place", "why", why)
	show := func(phase RebuildPhase) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if phase == RebuildFills && m.rebuilding != "" {
			return // it follows the log until the swap
		}
		if phase != m.rebuilding && phase != "" {
			m.cfg.Logger.Info("the mirror is rebuilt", "phase", phase)
		}
		m.rebuilding = phase
		if phase != "" {
			m.fault = nil
		}
	}
	defer show("")
	report, err := Rebuild(ctx, RebuildConfig{
		Client: m.cfg.Client, Layout: m.cfg.Layout, Conn: m.cfg.Conn, FlushRows: m.cfg.FlushRows,
		YieldCPU: m.cfg.YieldCPU, Observe: func(s RebuildState) { show(s.Phase) }, Logger: m.cfg.Logger,
	})
	if report != nil && report.Swapped {
		m.cfg.Logger.Info("the mirror is rebuilt and in use", "differences", report.Differences())
	}
	return err
}

// anotherLogError is the error for a mirror that was filled from another log, or has events that this log has lost.
type anotherLogError struct{ database, what string }

// Error implements error.
func (e *anotherLogError) Error() string {
	return fmt.Sprintf("the mirror in database %s %s: if this is the right log, run `holdfast mirror rebuild`; "+
		"otherwise give another database", e.database, e.what)
}

// checkSameLog checks that the mirror was filled from this log. The log must reach as far as the mirror does, and must
// have the same events where the mirror ends. Both can fail: a topic that was created again may have grown past the
// mirror, and a broker that lost its last events in a crash may have written others since.
func (m *Mirror) checkSameLog(
	ctx context.Context,
	next eventlog.Offsets,
	last map[eventlog.TopicPartition]lastEvent,
	end eventlog.Offsets,
) error {
	another := func(format string, args ...any) error {
		return &anotherLogError{m.cfg.Conn.Database(), fmt.Sprintf(format, args...)}
	}
	for tp, offset := range next {
		if e, ok := last[tp]; ok {
			offset = max(offset, e.offset+1)
		}
		if offset > end[tp] {
			return another("knows %s partition %d up to offset %d, but it ends at %d",
				tp.Topic, tp.Partition, offset, end[tp])
		}
	}
	starts, err := m.cfg.Client.StartOffsets(ctx, slices.Collect(maps.Keys(last)))
	if err != nil {
		return err
	}
	from, to := eventlog.Offsets{}, eventlog.Offsets{}
	for tp, e := range last {
		if e.offset < starts[tp] {
			delete(last, tp) // the start of the log was deleted: there is nothing to compare with
			continue
		}
		from[tp], to[tp] = e.offset, e.offset+1
	}
	err = m.cfg.Client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		if digestOf(rec) == last[rec.TopicPartition].digest {
			delete(last, rec.TopicPartition)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for tp, e := range last {
		return another("has another event of %s partition %d at offset %d than the log",
			tp.Topic, tp.Partition, e.offset)
	}
	return nil
}

// refill drops a mirror of another log if Config.Refill allows it: its rows are wrong. It returns an error in any case,
// so that the next attempt begins with the new tables.
func (m *Mirror) refill(ctx context.Context, why error) error {
	var another *anotherLogError
	if !m.cfg.Refill || !errors.As(why, &another) {
		return why
	}
	m.cfg.Logger.Warn("filling the mirror again", "why", why)
	if err := dropRows(ctx, m.cfg.Conn, m.cfg.Logger); err != nil {
		return err
	}
	return errors.New("the mirror was not of this log and is filled again")
}
