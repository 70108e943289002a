package replay

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// progressTable says how far the tables of versions are. It is no table of the mirror: it stays when that is made anew.
const progressTable = "insight_progress"

const workedColumn = `worked_seconds SimpleAggregateFunction(sum, Float64)
        COMMENT 'How long it was worked at. Read the sum'`

// addWorked makes the column where an earlier release has made the table.
const addWorked = "ALTER TABLE " + progressTable + " ADD COLUMN IF NOT EXISTS " + workedColumn

const createProgress = `CREATE TABLE IF NOT EXISTS ` + progressTable + ` (
    replay_id String COMMENT 'The replay',
    table_name String COMMENT 'Its table',
    fingerprint String COMMENT 'Fingerprint of the definition that the table is of',
    mirror_id UUID COMMENT 'UUID that mirror_progress had: the mirror that the table is computed from',
    topic LowCardinality(String) COMMENT 'Topic of the events',
    partition Int32 COMMENT 'Partition of the events',
    next_offset SimpleAggregateFunction(max, Int64) COMMENT 'All events below it are in. Read the maximum',
    begun_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'When it was begun. Read the minimum',
    filled_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When it was last filled. Read the maximum',
    ` + workedColumn + `
)
ENGINE = AggregatingMergeTree
ORDER BY (replay_id, table_name, fingerprint, mirror_id, topic, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far the tables of insights are; written after the rows it speaks of'`

func createProgressTable(ctx context.Context, conn *clickhouse.Conn) error {
	if err := conn.Exec(ctx, createProgress, nil, nil); err != nil {
		return err
	}
	return conn.Exec(ctx, addWorked, nil, nil)
}

const workedQuery = `SELECT max(seconds) FROM (
    SELECT sum(worked_seconds) AS seconds FROM ` + progressTable + `
    WHERE replay_id = {replay:String} AND table_name = {table:String} GROUP BY topic, partition
)`

// workedSeconds is how long a table of a replay was worked at, without pauses and the work on other tables. Replicas
// work at the same time: it is the time for the partition that took longest.
func workedSeconds(ctx context.Context, conn *clickhouse.Conn, replayID, table string) (seconds float64, err error) {
	params := clickhouse.Parameters{"replay": replayID, "table": table}
	err = conn.Each(ctx, workedQuery, nil, params, func(rows clickhouse.Rows) error { return rows.Scan(&seconds) })
	return seconds, err
}

// tableProgress is how far a table is.
type tableProgress struct {
	Table       string
	Fingerprint string
	Mirror      uuid.UUID
	Next        eventlog.Offsets
	BegunAt     time.Time
	FilledAt    time.Time
}

const loadQuery = `SELECT table_name, fingerprint, mirror_id, topic, partition, max(next_offset), min(begun_at),
    max(filled_at)
FROM ` + progressTable + ` WHERE replay_id = {replay:String}
GROUP BY table_name, fingerprint, mirror_id, topic, partition`

// loadProgress reads how far the tables of a replay are. Without any it is empty.
func loadProgress(ctx context.Context, conn *clickhouse.Conn, replayID string) (map[string]*tableProgress, error) {
	tables := map[string]*tableProgress{}
	params := clickhouse.Parameters{"replay": replayID}
	err := conn.Each(ctx, loadQuery, nil, params, func(rows clickhouse.Rows) error {
		p := tableProgress{Next: eventlog.Offsets{}}
		var tp eventlog.TopicPartition
		var next int64
		err := rows.Scan(&p.Table, &p.Fingerprint, &p.Mirror, &tp.Topic, &tp.Partition, &next, &p.BegunAt, &p.FilledAt)
		if err != nil {
			return err
		}
		if tables[p.Table] == nil {
			tables[p.Table] = &p
		}
		have := tables[p.Table]
		have.Next[tp] = next
		if p.BegunAt.Before(have.BegunAt) {
			have.BegunAt = p.BegunAt
		}
		if p.FilledAt.After(have.FilledAt) {
			have.FilledAt = p.FilledAt
		}
		return nil
	})
	return tables, err
}

// saveProgress writes how far a table is: that of a version, or the rows of the log that it is computed from. Its rows
// must have been written before. Each partition gets the time of work that was done since the last time.
func saveProgress(ctx context.Context, conn *clickhouse.Conn, t *table, name string, next eventlog.Offsets) error {
	n := len(next)
	column := func(name, wire string, values any) clickhouse.Column {
		return clickhouse.Column{Name: name, Wire: wire, Values: values}
	}
	topics, partitions, offsets := make([]string, 0, n), make([]int32, 0, n), make([]int64, 0, n)
	replays, tables, fingerprints := make([]string, n), make([]string, n), make([]string, n)
	mirrors, begun, filled := make([]uuid.UUID, n), make([]time.Time, n), make([]time.Time, n)
	worked := make([]float64, n)
	for tp, offset := range next {
		topics, partitions, offsets = append(topics, tp.Topic), append(partitions, tp.Partition), append(offsets, offset)
	}
	now := time.Now().UTC()
	for i := range n {
		replays[i], tables[i], fingerprints[i] = t.replay.ID, name, t.Fingerprint()
		mirrors[i], begun[i], filled[i] = t.mirror, t.filledAt.UTC(), now
		if name == t.Table {
			worked[i] = t.worked.Seconds()
		}
	}
	return conn.Insert(ctx, progressTable, []clickhouse.Column{
		column("replay_id", "String", replays), column("table_name", "String", tables),
		column("fingerprint", "String", fingerprints), column("mirror_id", "UUID", mirrors),
		column("topic", "String", topics), column("partition", "Int32", partitions),
		column("next_offset", "Int64", offsets),
		column("begun_at", "DateTime64(6, 'UTC')", begun), column("filled_at", "DateTime64(6, 'UTC')", filled),
		column("worked_seconds", "Float64", worked),
	})
}

// forget removes what is written about a table, and about the rows of the log that it was computed from.
func forget(ctx context.Context, conn *clickhouse.Conn, table string) error {
	return conn.Exec(ctx, "ALTER TABLE "+progressTable+" DELETE WHERE table_name IN ({table:String}, {log:String})",
		clickhouse.Settings{"mutations_sync": 2}, clickhouse.Parameters{"table": table, "log": logNameOf(table)})
}

func tableExists(ctx context.Context, conn *clickhouse.Conn, table string) (exists bool, err error) {
	err = conn.Each(ctx,
		"SELECT name FROM system.tables WHERE database = currentDatabase() AND name = {table:String}", nil,
		clickhouse.Parameters{"table": table}, func(rows clickhouse.Rows) error {
			exists = true
			return rows.Scan(new(string))
		})
	return exists, err
}
